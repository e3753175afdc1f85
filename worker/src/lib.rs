//! The worker: leases tasks, links, reads, masks, and makes partials, composites and mosaic tiles.
//!
//! ```text
//! agent ─► execute ─► read (layout, fetch, decode) ─► fold ─► codec ─► artifact store
//!                  └► assemble (in `mosaic`) ─► write (COG, PNG) ─► artifact store
//! ```

use std::sync::Arc;

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};

pub mod agent;
pub mod budget;
mod codec;
pub mod execute;
pub mod gdal_messages;
mod inflate;
mod late;
pub mod library;
pub mod metrics;
pub mod project;
pub mod read;
pub mod scores;
mod told;
pub mod write;

/// Threads that the tasks of a process share, one for each slot: however many tasks run, no more threads compute.
///
/// # Errors
/// Where the system gives no more threads.
pub fn pool(slots: usize) -> Result<Arc<ThreadPool>, ThreadPoolBuildError> {
    ThreadPoolBuilder::new().num_threads(slots.max(1)).thread_name(|n| format!("pixels-{n}")).build().map(Arc::new)
}

/// Bounds GDAL's block cache, in bytes, for the whole process. What the environment says goes before it.
pub fn set_gdal_cache(bytes: u64) {
    if std::env::var_os("GDAL_CACHEMAX").is_none() {
        // Below 100,000 GDAL takes the number for megabytes.
        if let Err(error) = gdal::config::set_config_option("GDAL_CACHEMAX", &bytes.max(100_000).to_string()) {
            tracing::warn!(%error, "GDAL's cache could not be bounded");
        }
    }
}
