//! An archive behind HTTP, for the length of a test: files with ranges, or any router, with faults that are switched
//! on by rate and seed, and an account of all that was asked and answered.
//!
//! ```text
//! client ──► traffic (counts, and spoils what `Faults` say) ──► files, or another router
//! ```

pub mod earth_engine;
mod faults;
mod files;
mod sas;
mod stac;
mod traffic;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

pub use faults::{Fault, Faults};
pub use sas::Sas;
pub use stac::{Paging, StacApi};
use traffic::Traffic;
pub use traffic::{Asked, Seen};

/// A server on loopback; gone when it is dropped.
pub struct Archive {
    address: SocketAddr,
    traffic: Arc<Traffic>,
    runtime: Option<Runtime>,
}

impl Archive {
    /// Serves the files of a directory, with ranges and `ETag`s. What lies below `/moved/` redirects to what is named
    /// behind it, what lies below `/closed/` wants the bearer token [`files::TOKEN`](Archive::TOKEN), and what lies below
    /// `/changing/` has another `ETag` whenever it is asked for.
    #[must_use]
    pub fn of(dir: &Path) -> Self {
        Self::serving(files::router(dir))
    }

    /// The token that opens `/closed/`.
    pub const TOKEN: &'static str = files::TOKEN;

    /// Serves a STAC API at `/stac/`, and the files of a directory.
    #[must_use]
    pub fn of_api(api: StacApi, dir: &Path) -> Self {
        Self::serving(api.router().fallback_service(files::router(dir)))
    }

    /// Serves a STAC API at `/stac/`, and the files of a directory below `/blobs/` to whoever brings a token, which
    /// `/sas/token` gives.
    #[must_use]
    pub fn with_tokens(api: StacApi, sas: Sas, dir: &Path) -> Self {
        Self::serving(api.router().merge(sas.router(dir)))
    }

    /// Serves a router.
    ///
    /// # Panics
    /// Where it cannot listen.
    #[must_use]
    pub fn serving(router: Router) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("loopback");
        let address = listener.local_addr().expect("it is bound");
        let traffic = Arc::new(Traffic::default());
        let router = traffic::through(&traffic, router);
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self { address, traffic, runtime: Some(runtime) }
    }

    /// The URL of a path, which begins with a slash.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Faults from now on; what was asked before counts no more.
    pub fn set(&self, faults: Faults) {
        self.traffic.set(faults);
    }

    /// What was asked and answered since `set`, or since the start.
    #[must_use]
    pub fn seen(&self) -> Seen {
        self.traffic.seen()
    }

    /// Each request since `set`, or since the start.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        self.traffic.asked()
    }
}

impl Drop for Archive {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
