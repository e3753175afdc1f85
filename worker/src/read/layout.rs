//! The three parts of reading: types and seams.

use std::ops::Range;

use super::ReadError;
use super::counters::Traffic;

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

    /// How many blocks it has across and down.
    #[must_use]
    pub const fn blocks(&self) -> (usize, usize) {
        (self.width.div_ceil(self.block.0), self.height.div_ceil(self.block.1))
    }
}

/// Decoded samples of a row of a block.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Row<'a> {
    /// Of `Sample::U16`.
    U16(&'a [u16]),
    /// Of `Sample::F32` and `Sample::F64`.
    F32(&'a [f32]),
    /// Of `Sample::Integer`.
    F64(&'a [f64]),
}

impl Row<'_> {
    /// The first so many samples.
    #[must_use]
    pub fn first(&self, width: usize) -> Self {
        match self {
            Self::U16(samples) => Self::U16(&samples[..width]),
            Self::F32(samples) => Self::F32(&samples[..width]),
            Self::F64(samples) => Self::F64(&samples[..width]),
        }
    }
}

/// Takes the rows of a block, one after the other: the row within the block, and its samples.
pub type Rows<'a> = dyn FnMut(usize, Row<'_>) + 'a;

/// Bytes of blocks as they are stored, ready to be decoded. Used again from block to block.
#[derive(Clone, Debug, Default)]
pub struct Fetched {
    /// The blocks asked for, each with the place of its bytes in `bytes`; empty where it is not stored, and where the
    /// decoder gets them for itself, as GDAL does.
    pub blocks: Vec<(Block, Range<usize>)>,
    /// The stored bytes.
    pub bytes: Vec<u8>,
    /// Stored bytes of these blocks in all.
    pub size: u64,
}

impl Fetched {
    /// The stored bytes of a block; none where it was not asked for.
    #[must_use]
    pub fn of(&self, block: Block) -> Option<&[u8]> {
        self.bytes.get(self.range(block)?)
    }

    /// Where the stored bytes of a block are.
    #[must_use]
    pub fn range(&self, block: Block) -> Option<Range<usize>> {
        self.blocks.iter().find(|(asked, _)| *asked == block).map(|(_, range)| range.clone())
    }
}

/// Gets the bytes of blocks.
pub trait Fetch {
    /// Gets these blocks, in place of what was fetched before.
    ///
    /// # Errors
    /// Where they cannot be had.
    fn fetch(&mut self, blocks: &[Block], into: &mut Fetched) -> Result<(), ReadError>;

    /// Tells that these blocks will be asked for soon.
    fn expect(&mut self, _blocks: &[Block]) {}
}

/// Turns the bytes of blocks into pixels.
pub trait Decode {
    /// Tells which rows of which block will be decoded next, as others tell of theirs: what can be done for several at
    /// once is done at the first of them. May take what was fetched; then nothing else can be decoded of it.
    fn announce(&mut self, _fetched: &mut Fetched, _block: Block, _rows: &Range<usize>) {}

    /// Decodes some rows of a block, masked samples included, and hands them out from the top.
    ///
    /// # Errors
    /// Where the bytes are no such block.
    fn decode(
        &mut self,
        fetched: &Fetched,
        block: Block,
        rows: Range<usize>,
        each: &mut Rows<'_>,
    ) -> Result<(), ReadError>;

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

    /// The server's tag of a file on another machine, where it gives one.
    fn version(&self) -> Option<&str> {
        None
    }
}

/// Opens rasters: finds out their layout.
pub trait Open {
    /// Opens a raster's single band, or the one of several that is named so.
    ///
    /// # Errors
    /// Where there is no such raster, or it is none.
    fn open(&mut self, href: &str, band: Option<&str>) -> Result<Box<dyn Raster>, ReadError>;

    /// Tells that these will be opened soon.
    fn expect(&mut self, _rasters: &[(&str, Option<&str>)]) {}

    /// Forgets what is known of a raster that could not be read.
    fn forget(&mut self, _href: &str, _band: Option<&str>) {}

    /// What was asked of other machines so far.
    fn traffic(&self) -> Traffic {
        Traffic::default()
    }
}
