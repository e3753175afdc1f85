//! What may be opened, and as what. Where an operator bounds it, a raster is of a format that holds all of its pixels
//! itself, and nothing beside it is looked at: a description of other files would lead out again.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use artifacts::Access;
use artifacts::remote::Call;
use earth_engine::Budgets;
use gdal::{DatasetOptions, GdalOpenFlags};
use mosaic::href::{of_profile, unsigned};
use proto::allow::Allow;
use web::Patience;

use super::ReadError;
use super::remote::{Heads, Network};

/// GDAL's drivers of formats whose files stand alone: TIFF, cloud-optimised or not, and JPEG 2000.
const STANDALONE: [&str; 5] = ["GTiff", "JP2OpenJPEG", "JP2KAK", "JP2ECW", "JP2MrSID"];
/// What is to be opened.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Admitted {
    /// Path or URL.
    pub href: String,
    /// The credential profile that opens it.
    pub profile: Option<String>,
}

/// What may be opened: everything, unless it is bounded.
#[derive(Clone, Default)]
pub struct Door {
    allow: Allow,
    access: Access,
    budgets: Arc<Budgets>,
    /// Opened when something on another machine is.
    network: Arc<OnceLock<Result<Network, String>>>,
    signed: Option<Arc<Mutex<HashMap<String, String>>>>,
    /// Whether a plan is made by what is behind it.
    is_of_planner: bool,
}

impl Door {
    /// A door for what is allowed.
    #[must_use]
    pub fn new(allow: Allow) -> Self {
        Self { allow, ..Self::default() }
    }

    /// With which credentials.
    pub(super) const fn access(&self) -> &Access {
        &self.access
    }

    /// Within which budgets of requests.
    #[must_use]
    pub const fn budgets(&self) -> &Arc<Budgets> {
        &self.budgets
    }

    /// The same, within budgets of requests.
    #[must_use]
    pub fn within(self, budgets: Arc<Budgets>) -> Self {
        Self { budgets, ..self }
    }

    /// The same, with credentials.
    #[must_use]
    pub fn with(self, access: Access) -> Self {
        Self { access, network: Arc::default(), ..self }
    }

    /// The same for who plans, and is told sooner that nothing listens where it should.
    pub(crate) fn of_planner(self) -> Self {
        Self { is_of_planner: true, ..self }
    }

    /// One that opens everything, and that knows URLs' signatures which it was told of: they are in no plan, and in no
    /// store. It is of use where who plans and who reads are one process.
    #[must_use]
    pub fn remembering() -> Self {
        Self { signed: Some(Arc::default()), ..Self::default() }
    }

    /// Keeps a URL with its signature in mind.
    pub fn remember(&self, href: &str) {
        if let Some(signed) = &self.signed {
            let mut signed = signed.lock().unwrap_or_else(PoisonError::into_inner);
            signed.insert(unsigned(href).into_owned(), href.to_owned());
        }
    }

    fn signed(&self, href: &str) -> Option<String> {
        self.signed.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner).get(href).cloned()
    }

    /// What to open for an href: a path without links, or a URL, with its signature where it is known, and the profile
    /// that opens it. Where a URL redirects to is admitted when it does.
    ///
    /// # Errors
    /// Where it is not allowed.
    pub fn admit(&self, href: &str) -> Result<Admitted, ReadError> {
        let (bare, profile) = of_profile(href);
        let refused = |e: proto::allow::NotAllowed| ReadError::permanent(bare, e.why);
        let admitted = self.allow.admit(bare).map_err(refused)?;
        Ok(Admitted { href: self.signed(&admitted).unwrap_or(admitted), profile: profile.map(str::to_owned) })
    }

    /// Which of some files on other machines there are, asked for many at a time.
    pub(crate) fn exist(&self, hrefs: &[String], heads: &Heads) -> Vec<Result<bool, ReadError>> {
        let begin = |href: &String| {
            let source = self.admit(href)?;
            self.network()?.begin_head(&source, heads).map(|call| (source, call))
        };
        let asked: Vec<_> = hrefs.iter().map(begin).collect();
        let told = |asked: Result<(Admitted, Call<Result<(), ReadError>>), ReadError>| {
            let (source, call) = asked?;
            match call.wait().map_err(|e| ReadError::given_up(&source.href, &e))? {
                Ok(()) => Ok(true),
                Err(error) if error.is_missing() => Ok(false),
                Err(error) => Err(error),
            }
        };
        asked.into_iter().map(told).collect()
    }

    /// The names in a directory of an object store.
    ///
    /// # Errors
    /// Where it is not allowed, or cannot be listed.
    pub(crate) fn list(&self, directory: &str) -> Result<Vec<String>, ReadError> {
        let source = self.admit(directory)?;
        self.network()?.list(&source)
    }

    /// How files on other machines are reached.
    ///
    /// # Errors
    /// Where this machine can speak to nobody.
    pub(super) fn network(&self) -> Result<&Network, ReadError> {
        let patience = Patience::of_environment();
        let patience = if self.is_of_planner { patience.of_planning() } else { patience };
        let open = || Network::new(self.allow.clone(), self.access.clone(), patience).map_err(|e| e.to_string());
        let network = self.network.get_or_init(open);
        network.as_ref().map_err(|why| ReadError::permanent("the network", why.clone()))
    }

    /// How GDAL is to open something, beside which there are these files. Where that is bounded, and on other machines,
    /// there are none but itself.
    pub(super) fn options<'a>(&self, itself: &'a [&'a str], is_remote: bool) -> DatasetOptions<'a> {
        let bounded = !self.allow.is_everything();
        DatasetOptions {
            open_flags: GdalOpenFlags::GDAL_OF_RASTER | GdalOpenFlags::GDAL_OF_VERBOSE_ERROR,
            allowed_drivers: bounded.then_some(&STANDALONE[..]),
            sibling_files: (bounded || is_remote).then_some(itself),
            ..DatasetOptions::default()
        }
    }
}

impl fmt::Debug for Door {
    /// Without what it remembers, which is secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door").field("allow", &self.allow).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_outside_stays_outside() {
        let door = Door::new(Allow::under(&["https://h/data/".to_owned()]).unwrap());
        let admitted = door.admit("https://h/data/a.tif#profile=mine").unwrap();
        assert_eq!((&*admitted.href, admitted.profile.as_deref()), ("https://h/data/a.tif", Some("mine")));
        assert!(door.admit("https://h/secret").unwrap_err().problem.contains("--allow"));
    }

    #[test]
    fn a_signature_is_known_only_to_who_was_told() {
        let (open, told) = (Door::default(), Door::remembering());
        for door in [&open, &told] {
            door.remember("https://h/a.tif?sig=hunter2");
        }
        assert_eq!(open.admit("https://h/a.tif").unwrap().href, "https://h/a.tif");
        assert_eq!(told.clone().admit("https://h/a.tif").unwrap().href, "https://h/a.tif?sig=hunter2");
        assert!(!format!("{told:?}").contains("hunter2"));
    }
}
