//! What catalogues on other machines are asked through.

use std::sync::OnceLock;

use proto::allow::Allow;
use tokio::runtime::{Builder, Handle};
use web::{Patience, Web, WebError};

use super::Fault;

/// Whoever reads catalogues: what is allowed, and connections that are kept.
#[derive(Debug)]
pub struct Archives {
    allow: Allow,
    web: OnceLock<Result<Web, WebError>>,
}

impl Archives {
    /// One that reads what is allowed, with the patience that the environment tells.
    #[must_use]
    pub const fn behind(allow: Allow) -> Self {
        Self { allow, web: OnceLock::new() }
    }

    /// What may be read.
    #[must_use]
    pub const fn allow(&self) -> &Allow {
        &self.allow
    }

    /// Who asks web servers; made when first needed.
    pub(super) fn web(&self) -> Result<&Web, Fault> {
        let web = self.web.get_or_init(|| Web::new(self.allow.clone(), Patience::of_environment()));
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
