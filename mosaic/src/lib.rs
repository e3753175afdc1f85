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

<<<<<<< HEAD
pub mod accumulate;
pub mod aoi;
pub mod band;
pub mod bits;
pub mod grid;
pub mod href;
pub mod ids;
pub mod kernel;
pub mod link;
pub mod owner;
pub mod partial;
pub mod projection;
pub mod scene;
pub mod select;
