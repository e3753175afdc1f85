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
mod gdal_messages;
mod inflate;
mod late;
pub mod library;
pub mod metrics;
pub mod project;
pub mod read;
pub mod scores;
mod told;
pub mod write;

pub use late::{load_gdal_meanwhile, set_gdal_cache};

/// Threads that the tasks of a process share, one for each slot: however many tasks run, no more threads compute.
///
/// # Errors
/// Where the system gives no more threads.
pub fn pool(slots: usize) -> Result<Arc<ThreadPool>, ThreadPoolBuildError> {
    ThreadPoolBuilder::new().num_threads(slots.max(1)).thread_name(|n| format!("pixels-{n}")).build().map(Arc::new)
}
