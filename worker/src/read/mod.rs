//! Reading, in three parts with a seam between each:
//!
//! ```text
//! layout   where a raster's blocks lie: grid, block size, sample type      (`Layout`, from `Open::open`)
//! fetch    getting the bytes of blocks                                     (`Fetch`)
//! decode   turning them into pixels                                        (`Decode`)
//! ```
//!
//! `door` says what may be opened at all. GDAL (`gdal`) is one implementation of all three; `tiff` reads the blocks of
//! TIFFs without it, and `earth_engine` windows of Earth Engine's images. What lies on other machines is read through
//! `remote`, by GDAL too. Above them, `lookup` finds the source pixel that holds a working
//! pixel's centre, `plane` brings the blocks that hold a wanted pixel onto the working grid, and `observe` makes an
//! observation of a datatake's granules: score first, then only what is clear.

mod counters;
mod door;
mod earth_engine;
mod error;
mod gdal;
mod layout;
mod lookup;
mod observe;
mod plane;
mod remote;
mod tiff;

pub use counters::{Counters, Traffic};
pub use door::{Admitted, Door};
pub use earth_engine::EarthEngine;
pub(crate) use earth_engine::{blocks_under, is_image};
pub use error::ReadError;
pub(crate) use gdal::cause;
pub use gdal::{GdalOpener, RasterBand};
pub use layout::{Block, Decode, Fetch, Fetched, Layout, Open, Raster, Row, Rows, Sample};
pub(crate) use observe::AT_ONCE;
pub use observe::{Observer, SceneError};
pub(crate) use remote::Heads;
pub use remote::is_remote;
pub use tiff::{Compression, Headers, Opener, StoredBlocks, StoredSample};
