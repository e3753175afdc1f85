//! The three parts of reading: types and seams.

use super::ReadError;

/// Sample types that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sample {
    /// Unsigned, 8 or 16 bits: held as u16.
    U16,
    /// Any other integer: held as f64, which holds 32 bits exactly.
    Integer,
    /// 32-bit floating point.
    F32,
    /// 64-bit floating point: rounded to f32.
    F64,
}

/// Where a raster's blocks lie and what its samples mean.
#[derive(Clone, Debug, PartialEq)]
pub struct Layout {
    /// Path or URL.
    pub href: String,
    /// EPSG code of its CRS, where it has one.
    pub epsg: Option<u32>,
    /// Its CRS as WKT, where it has one.
    pub wkt: Option<String>,
    /// GDAL's geotransform: x = g0 + col g1 + row g2, y = g3 + col g4 + row g5, of a pixel's upper-left corner.
    pub geotransform: [f64; 6],
    /// Pixels a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Width and height of a block; the last ones of a row or column are cut at the raster's edge.
    pub block: (usize, usize),
    /// Its samples.
    pub sample: Sample,
    /// The value that means no data.
    pub nodata: Option<f64>,
    /// Value = stored x scale + offset.
    pub scale: f64,
    /// See `scale`.
    pub offset: f64,
}

/// A block's column and row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Block {
    /// Column of blocks.
    pub x: usize,
    /// Row of blocks.
    pub y: usize,
}

/// A rectangle of pixels: x0, y0, width, height.
pub type Rect = (usize, usize, usize, usize);

impl Layout {
    /// The pixels of a block.
    #[must_use]
    pub fn rect(&self, block: Block) -> Rect {
        let (bw, bh) = self.block;
        let (x0, y0) = (block.x * bw, block.y * bh);
        (x0, y0, bw.min(self.width - x0), bh.min(self.height - y0))
    }
}

/// Decoded samples of a block, row-major.
#[derive(Clone, Debug, PartialEq)]
pub enum Samples {
    /// Of `Sample::U16`.
    U16(Vec<u16>),
    /// Of `Sample::F32` and `Sample::F64`.
    F32(Vec<f32>),
    /// Of `Sample::Integer`.
    F64(Vec<f64>),
}

/// Bytes of blocks as they are stored, ready to be decoded.
#[derive(Clone, Debug, Default)]
pub struct Fetched {
    /// The blocks asked for, each with its stored bytes; none where the decoder gets them for itself, as GDAL does.
    pub blocks: Vec<(Block, Option<Vec<u8>>)>,
    /// Stored bytes of these blocks.
    pub bytes: u64,
}

/// Gets the bytes of blocks.
pub trait Fetch {
    /// Gets these blocks.
    ///
    /// # Errors
    /// Where they cannot be had.
    fn fetch(&mut self, blocks: &[Block]) -> Result<Fetched, ReadError>;
}

/// Turns the bytes of blocks into pixels.
pub trait Decode {
    /// Decodes a block into row-major samples, masked ones included.
    ///
    /// # Errors
    /// Where the bytes are no such block.
    fn decode(&mut self, fetched: &Fetched, block: Block) -> Result<Samples, ReadError>;

    /// Which samples of a block a mask of the raster's own leaves valid; none where it has no such mask.
    ///
    /// # Errors
    /// Where the mask cannot be read.
    fn validity(&mut self, block: Block) -> Result<Option<Vec<bool>>, ReadError>;
}

/// An open raster. It belongs to one thread.
pub trait Raster: Fetch + Decode {
    /// Where its blocks lie.
    fn layout(&self) -> &Layout;
}

/// Opens rasters: finds out their layout.
pub trait Open {
    /// Opens a raster's single band, or the one of several that is named so.
    ///
    /// # Errors
    /// Where there is no such raster, or it is none.
    fn open(&mut self, href: &str, band: Option<&str>) -> Result<Box<dyn Raster>, ReadError>;
}
