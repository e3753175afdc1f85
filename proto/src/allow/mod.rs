//! What requests may name: paths and URLs under the prefixes that an operator allows.
//!
//! ```text
//! href ─► place (nothing that climbs, nothing virtual) ─► links resolved ─► under a prefix? ─► what to open
//! ```
//!
//! The coordinator asks when it plans, and a worker when it opens: by then a link may lead elsewhere.

mod place;
#[cfg(test)]
mod tests;

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

pub use place::{BadPlace, Place, Remote};

/// Prefixes that hrefs, scores, catalogues and outputs lie under. Several lists: under one prefix of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allow(Vec<Vec<Prefix>>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Prefix {
    text: String,
    place: Place,
}

/// A prefix that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("--allow {prefix}: {why}")]
pub struct BadPrefix {
    /// What was given.
    pub prefix: String,
    /// What is wrong with it.
    pub why: String,
}

/// An href that may not be named.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{href}: {why}")]
pub struct NotAllowed {
    /// The href, without what is signed of it.
    pub href: String,
    /// Why.
    pub why: String,
}

/// What is said of what lies elsewhere.
const OUTSIDE: &str = "it lies outside of what the operator allows with --allow";

impl Allow {
    /// Everything.
    #[must_use]
    pub const fn everything() -> Self {
        Self(Vec::new())
    }

    /// What lies under these prefixes; everything where there is none. Links in local ones are resolved now.
    ///
    /// # Errors
    /// The first that is none.
    pub fn under(prefixes: &[String]) -> Result<Self, BadPrefix> {
        let prefix = |text: &String| {
            let bad = |why: String| BadPrefix { prefix: text.clone(), why };
            let place = match Place::of(text).map_err(|e| bad(e.to_string()))? {
                Place::Local(path) => Place::Local(real(&path).map_err(|e| bad(e.to_string()))?),
                remote @ Place::Remote(_) => remote,
            };
            Ok(Prefix { text: text.clone(), place })
        };
        let list = prefixes.iter().map(prefix).collect::<Result<Vec<_>, _>>()?;
        Ok(Self(if list.is_empty() { Vec::new() } else { vec![list] }))
    }

    /// What both allow.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self(self.0.iter().chain(&other.0).cloned().collect())
    }

    /// Whether there is nothing that is not allowed.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.0.is_empty()
    }

    /// The prefixes as they were given, where there is one list of them.
    #[must_use]
    pub fn prefixes(&self) -> Vec<String> {
        self.0.iter().flatten().map(|prefix| prefix.text.clone()).collect()
    }

    /// What to open or write for an href: a path whose links are resolved, as far as it is there, or the URL itself.
    ///
    /// # Errors
    /// Where it is not allowed.
    pub fn admit(&self, href: &str) -> Result<String, NotAllowed> {
        if self.is_everything() {
            return Ok(href.to_owned());
        }
        let refused = |why: String| NotAllowed { href: mosaic::href::unsigned(href).into_owned(), why };
        let place = match Place::of(href).map_err(|e| refused(e.to_string()))? {
            // What the system says of it would tell what is there.
            Place::Local(path) => Place::Local(real(&path).map_err(|_| refused(OUTSIDE.to_owned()))?),
            remote @ Place::Remote(_) => remote,
        };
        if !self.0.iter().all(|list| list.iter().any(|prefix| prefix.place.holds(&place))) {
            return Err(refused(OUTSIDE.to_owned()));
        }
        match place {
            Place::Local(path) => {
                path.into_os_string().into_string().map_err(|_| refused(BadPlace::Unclear.to_string()))
            }
            Place::Remote(_) => Ok(href.to_owned()),
        }
    }
}

impl Place {
    /// Whether another place is this one, or below it; of local ones, both with their links resolved.
    fn holds(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Local(prefix), Self::Local(path)) => path.starts_with(prefix),
            (Self::Remote(prefix), Self::Remote(place)) => prefix.holds(place),
            _ => false,
        }
    }
}

/// A path with its links resolved; of what is not there, the deepest directory that is.
fn real(path: &Path) -> io::Result<PathBuf> {
    match path.canonicalize() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            // A link to nothing would be followed by whoever makes what it leads to.
            let (Some(parent), Some(name), Err(_)) = (path.parent(), path.file_name(), path.symlink_metadata()) else {
                return Err(error);
            };
            Ok(real(parent)?.join(name))
        }
        found => found,
    }
}
