//! The science of a cloud-free median mosaic, pure: no async runtime, no network, no raster library.
//!
//! ```text
//! request ──┐
//! catalogue ─► scene ─► link ─► plan ─► tasks        (what to do, and under which key)
//! aoi, grid ┘                    │
//!                                ▼
//!     score ─► mask ─► stack ─► kernel ─► partial ─► merge ─► composite   (pixels of one sub-tile)
//!                                                                │
//!                         owner, aoi ─► resample ─► mosaic tile ◄┘        (pixels of one output tile)
//! ```
//!
//! Everything here is a function of its arguments; files, sockets and clocks belong to the crates around it.

pub mod accumulate;
pub mod aoi;
pub mod assemble;
pub mod band;
pub mod bits;
pub mod composite;
pub mod dark;
pub mod edge;
pub mod flags;
pub mod grid;
pub mod href;
pub mod ids;
pub mod kernel;
pub mod link;
pub mod mask;
pub mod owner;
pub mod partial;
pub mod period;
pub mod plan;
pub mod product;
pub mod projection;
pub mod request;
pub mod scene;
pub mod select;
pub mod survey;
