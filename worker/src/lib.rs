//! The worker: leases tasks, links, reads, masks, and makes partials, composites and mosaic tiles.
//!
//! ```text
//! agent ─► execute ─► read (layout, fetch, decode) ─► fold ─► codec ─► artifact store
//!                  └► assemble (in `mosaic`) ─► write (COG, PNG) ─► artifact store
//! ```

pub mod agent;
mod codec;
pub mod execute;
pub mod gdal_messages;
pub mod library;
pub mod memory;
pub mod project;
pub mod read;
pub mod write;
