//! Writing: cloud-optimised GeoTIFFs and pictures.
//!
//! ```text
//! pyramid: blocks on all cores ─► overviews of them ─► block, deflate (encoded) ─► spool ─► cog ◄─ template, tiff (its head)
//! ```

mod block;
mod cog;
mod deflate;
mod error;
mod level;
mod overview;
mod png;
mod pyramid;
mod spool;
mod template;
mod tiff;

pub use self::png::write_png;
pub use cog::{BandSpec, CogWriter};
pub use error::WriteError;
pub use level::{BLOCK, Level};
pub use overview::Overviews;
pub use pyramid::fill;
pub use tiff::before_raster;
