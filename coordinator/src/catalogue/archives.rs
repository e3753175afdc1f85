//! What catalogues on other machines are asked through.

use std::sync::{Arc, OnceLock};

use artifacts::Access;
use earth_engine::{Budgets, Client};
use proto::allow::Allow;
use tokio::runtime::{Builder, Handle};
use web::{Patience, Web, WebError};

use super::Fault;

/// Whoever reads catalogues: what is allowed, credentials, and connections that are kept.
#[derive(Clone, Debug)]
pub struct Archives {
    allow: Allow,
    access: Access,
    budgets: Arc<Budgets>,
    profile: Option<String>,
    web: Arc<OnceLock<Result<Web, WebError>>>,
}

impl Archives {
    /// One that reads what is allowed, with the patience that the environment tells.
    #[must_use]
    pub fn behind(allow: Allow) -> Self {
        let (access, budgets) = (Access::default(), Budgets::alone());
        Self { allow, access, budgets, profile: None, web: Arc::default() }
    }

    /// The same, with credential profiles.
    #[must_use]
    pub fn with(self, access: Access) -> Self {
        Self { access, ..self }
    }

    /// The same, within budgets of requests.
    #[must_use]
    pub fn within(self, budgets: Arc<Budgets>) -> Self {
        Self { budgets, ..self }
    }

    /// The same, which a profile of this name lets in where one is named.
    #[must_use]
    pub fn opened_by(&self, profile: Option<&str>) -> Self {
        Self { profile: profile.map(str::to_owned), ..self.clone() }
    }

    /// What may be read.
    #[must_use]
    pub const fn allow(&self) -> &Allow {
        &self.allow
    }

    /// A client of Earth Engine's, within its budget of requests.
    pub(super) fn earth_engine(&self) -> Result<Client, Fault> {
        let profile = self.profile.as_deref();
        Client::open(&self.access, profile, self.budgets.of(profile)).map_err(Fault::EarthEngine)
    }

    /// Who asks web servers; made when first needed.
    pub(super) fn web(&self) -> Result<&Web, Fault> {
        let web = self.web.get_or_init(|| Web::new(self.allow.clone(), Patience::of_environment().of_planning()));
        web.as_ref().map_err(|error| Fault::Web(error.clone()))
    }
}

/// Waits for what is asked of other machines: preparation is a thread's own work from end to end, and never a
/// runtime's.
pub(super) fn wait<T>(asked: impl Future<Output = T>) -> Result<T, Fault> {
    match Handle::try_current() {
        Ok(runtime) => Ok(runtime.block_on(asked)),
        Err(_) => match Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => Ok(runtime.block_on(asked)),
            Err(error) => Err(Fault::Web(WebError::Setup(error.to_string()))),
        },
    }
}
