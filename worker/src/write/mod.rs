//! Writing: cloud-optimised GeoTIFFs and pictures.

mod cog;
mod error;
mod png;

pub use self::png::write_png;
pub use cog::{BandSpec, CogWriter};
pub use error::WriteError;
