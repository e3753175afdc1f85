//! Blocks of a TIFF read without GDAL: pread here, ranges of bytes from elsewhere, libdeflate, and the predictor undone
//! row by row.
//!
//! GDAL opens a file once and says where its blocks lie ([`StoredBlocks`]); from then on, and for every sub-tile, its
//! block cache, its locks and its zlib are out of the way. What this path does not know stays with GDAL, and both give
//! the same samples. Blocks of several bands that are announced before they are decoded are inflated together.

mod ahead;
mod coming;
mod headers;
mod inflate;
mod predictor;
mod spans;

use std::cell::RefCell;
use std::fs::File;
use std::num::NonZeroU64;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::rc::Rc;
use std::sync::Arc;

use artifacts::remote::Call;
use gdal::raster::GdalDataType;
use libdeflater::Decompressor;
use rustix::fs::{Advice, fadvise};
use web::Counts;

use super::counters::Traffic;
use super::earth_engine::{Group, is_image};
use super::gdal::RasterBand;
use super::layout::{Block, Decode, Fetch, Fetched, Layout, Open, Raster, Row, Rows};
use super::remote::is_remote;
use super::{Admitted, ReadError};
use ahead::Ahead;
use coming::{Coming, Room};
pub use headers::Headers;
use headers::{Header, Known};
use inflate::Wanted;

/// How blocks are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// As a zlib stream.
    Deflate,
}

/// What a stored sample is, and what it was made of before it was compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoredSample {
    /// 8 bits; differences where the predictor is 2.
    U8 {
        /// Whether differences to the sample on the left are stored.
        differences: bool,
    },
    /// 16 bits; differences where the predictor is 2.
    U16 {
        /// Whether differences to the sample on the left are stored.
        differences: bool,
    },
    /// 32-bit floating point; its bytes taken apart where the predictor is 3.
    F32 {
        /// Whether a row is stored as four rows of bytes, the highest first, and they as differences.
        bytes_apart: bool,
    },
}

impl StoredSample {
    /// The sample of a data type and a TIFF predictor, where it is one that is read here.
    #[must_use]
    pub const fn of(data_type: GdalDataType, predictor: u8) -> Option<Self> {
        match (data_type, predictor) {
            (GdalDataType::UInt8, 1 | 2) => Some(Self::U8 { differences: predictor == 2 }),
            (GdalDataType::UInt16, 1 | 2) => Some(Self::U16 { differences: predictor == 2 }),
            (GdalDataType::Float32, 1 | 3) => Some(Self::F32 { bytes_apart: predictor == 3 }),
            _ => None,
        }
    }

    const fn bytes(self) -> usize {
        match self {
            Self::U8 { .. } => 1,
            Self::U16 { .. } => 2,
            Self::F32 { .. } => 4,
        }
    }
}

/// Where the blocks of a TIFF lie, and how they are stored.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredBlocks {
    /// How they are compressed.
    pub compression: Compression,
    /// Their samples.
    pub sample: StoredSample,
    /// Offset and size of each, row by row; a size of 0 where the block is not stored and all of it is nodata.
    pub places: Vec<(u64, u32)>,
    /// Blocks across.
    pub across: usize,
}

/// What decoding needs again and again.
#[derive(Default)]
struct Workspace {
    inflater: Decompressor,
    inflated: Vec<u8>,
    bytes: Vec<u8>,
    u16s: Vec<u16>,
    f32s: Vec<f32>,
    ahead: Ahead,
    /// How many rasters were opened.
    opened: usize,
}

impl Workspace {
    /// A number for another raster.
    const fn number(&mut self) -> usize {
        self.opened += 1;
        self.opened
    }
}

/// Opens TIFFs for direct reading, what is Earth Engine's by its API, and everything else with GDAL.
pub struct Opener<'a> {
    headers: &'a Headers,
    workspace: Rc<RefCell<Workspace>>,
    group: Rc<RefCell<Group>>,
    counts: Arc<Counts>,
    room: Room,
    /// Heads of files that will be opened soon.
    expected: Vec<Call<()>>,
}

impl<'a> Opener<'a> {
    /// An opener for one thread; what it learns of files it shares through `headers`.
    #[must_use]
    pub fn new(headers: &'a Headers) -> Self {
        let (workspace, counts, room) = (Rc::default(), Arc::default(), Rc::default());
        Self { headers, workspace, group: Rc::default(), counts, room, expected: Vec::new() }
    }

    /// The same, for which so many bytes of files on other machines may come before they are needed.
    #[must_use]
    pub fn with_ahead(self, bytes: usize) -> Self {
        self.room.set(bytes as u64);
        self
    }

    /// The same, for which so many bytes of Earth Engine's images may be there or under way before they are needed.
    #[must_use]
    pub fn with_images(self, bytes: usize) -> Self {
        self.group.borrow_mut().set_room(bytes);
        self
    }

    fn direct(&self, header: Arc<Header>, stored: Stored) -> Box<dyn Raster> {
        let workspace = Rc::clone(&self.workspace);
        let number = workspace.borrow_mut().number();
        Box::new(Tiff { number, stored, header, workspace })
    }

    fn open_remote(&self, source: &Admitted, band: Option<&str>) -> Result<Box<dyn Raster>, ReadError> {
        let header = match self.headers.of_remote(source, band, &self.counts)? {
            Known::Direct(header) => header,
            Known::ByGdal(raster) => return Ok(raster),
        };
        let remote = self.headers.door().network()?.file(&source.href, source.profile.as_deref())?;
        let version = header.version().cloned();
        let version = version.ok_or_else(|| ReadError::permanent(&source.href, "it is not known by any tag"))?;
        let coming = Coming::new(Arc::new(remote), version, Arc::clone(&self.counts), Rc::clone(&self.room));
        Ok(self.direct(header, Stored::Remote(coming)))
    }
}

impl Open for Opener<'_> {
    fn open(&mut self, href: &str, band: Option<&str>) -> Result<Box<dyn Raster>, ReadError> {
        let door = self.headers.door();
        let source = door.admit(href)?;
        if is_image(&source.href) {
            return Ok(Box::new(self.headers.earth_engine().open(&source, &self.group)?));
        }
        if is_remote(&source.href) {
            return self.open_remote(&source, band);
        }
        // What is no local file, or none at all, GDAL knows how to open, or how to complain of.
        let Ok(file) = File::open(&source.href) else {
            return Ok(Box::new(RasterBand::admitted(door, &source, band, self.headers.heads())?));
        };
        match self.headers.of(&file, &source, band)? {
            Known::Direct(header) => Ok(self.direct(header, Stored::Local(file))),
            Known::ByGdal(raster) => Ok(raster),
        }
    }

    fn expect(&mut self, hrefs: &[(&str, Option<&str>)]) {
        let sources = hrefs.iter().filter_map(|(href, band)| Some((self.headers.door().admit(href).ok()?, *band)));
        let remote = sources.filter(|(source, _)| is_remote(&source.href));
        self.expected = remote.filter_map(|(source, band)| self.headers.expect(&source, band, &self.counts)).collect();
    }

    fn forget(&mut self, href: &str, band: Option<&str>) {
        if let Ok(source) = self.headers.door().admit(href) {
            self.headers.forget(&source, band);
        }
    }

    fn traffic(&self) -> Traffic {
        Traffic { requests: self.counts.asked(), bytes: self.counts.bytes(), retries: self.counts.again() }
    }
}

/// Where the stored bytes are.
enum Stored {
    Local(File),
    Remote(Coming),
}

/// A TIFF that is read directly.
struct Tiff {
    /// Tells it from the others of its workspace.
    number: usize,
    stored: Stored,
    header: Arc<Header>,
    workspace: Rc<RefCell<Workspace>>,
}

impl Tiff {
    fn broken(&self, block: Block, why: impl std::fmt::Display) -> ReadError {
        let Block { x, y } = block;
        let problem = format!("it cannot be read, is it whole? Block {x}, {y}: {why}");
        ReadError::permanent(&self.header.layout.href, problem)
    }

    /// Bytes of a row of a block.
    fn stride(&self) -> usize {
        self.header.layout.block.0 * self.header.blocks.sample.bytes()
    }

    /// How much of a block some of its rows need.
    fn wanted(&self, rows: &Range<usize>) -> Wanted {
        Wanted { full: self.stride() * self.header.layout.block.1, needed: self.stride() * rows.end }
    }

    fn place(&self, block: Block) -> Result<(u64, u32), ReadError> {
        let StoredBlocks { places, across, .. } = &self.header.blocks;
        let place = places.get(block.y * across + block.x).filter(|_| block.x < *across);
        place.copied().ok_or_else(|| self.broken(block, "there is no such block"))
    }
}

impl Drop for Tiff {
    fn drop(&mut self) {
        self.workspace.borrow_mut().ahead.forget(self.number);
    }
}

impl Raster for Tiff {
    fn layout(&self) -> &Layout {
        &self.header.layout
    }

    fn version(&self) -> Option<&str> {
        self.header.version()?.tag.as_deref()
    }
}

impl Fetch for Tiff {
    fn fetch(&mut self, blocks: &[Block], into: &mut Fetched) -> Result<(), ReadError> {
        into.blocks.clear();
        let mut end = 0;
        for block in blocks {
            let (offset, size) = self.place(*block)?;
            let range = end..end + size as usize;
            end = range.end;
            // The buffer only grows: clearing it anew for each block costs as much as reading it.
            if into.bytes.len() < end {
                into.bytes.resize(end, 0);
            }
            let bytes = &mut into.bytes[range.clone()];
            match &mut self.stored {
                Stored::Local(file) => file.read_exact_at(bytes, offset).map_err(|e| self.broken(*block, e))?,
                Stored::Remote(coming) => coming.block(*block, offset..offset + u64::from(size), bytes)?,
            }
            into.blocks.push((*block, range));
        }
        into.size = end as u64;
        Ok(())
    }

    fn expect(&mut self, blocks: &[Block]) {
        let places: Vec<_> = blocks.iter().filter_map(|block| Some((*block, self.place(*block).ok()?))).collect();
        match &mut self.stored {
            Stored::Local(file) => {
                for (_, (offset, size)) in places {
                    // Advice: where it is not taken the blocks are merely read later.
                    let _ = fadvise(&*file, offset, NonZeroU64::new(size.into()), Advice::WillNeed);
                }
            }
            Stored::Remote(coming) => coming.expect(places),
        }
    }
}

impl Decode for Tiff {
    fn announce(&mut self, fetched: &mut Fetched, block: Block, rows: &Range<usize>) {
        if self.header.blocks.compression == Compression::Deflate {
            self.workspace.borrow_mut().ahead.announce((self.number, block), fetched, self.wanted(rows));
        }
    }

    fn decode(
        &mut self,
        fetched: &Fetched,
        block: Block,
        rows: Range<usize>,
        each: &mut Rows<'_>,
    ) -> Result<(), ReadError> {
        let StoredBlocks { compression, sample, .. } = &self.header.blocks;
        let layout = &self.header.layout;
        let (_, _, width, height) = layout.rect(block);
        let stride = self.stride();
        let Workspace { inflater, inflated, bytes, u16s, f32s, ahead, .. } = &mut *self.workspace.borrow_mut();
        let raw = match ahead.take((self.number, block), inflater) {
            Some(inflated) => inflated.map_err(|e| self.broken(block, e))?,
            None => {
                let stored = fetched.of(block).ok_or_else(|| self.broken(block, "it was not fetched"))?;
                match compression {
                    _ if stored.is_empty() => {
                        absent(layout, *sample, width, rows, each);
                        return Ok(());
                    }
                    Compression::None => stored,
                    Compression::Deflate => inflate::inflate(inflater, stored, self.wanted(&rows), inflated)
                        .map_err(|e| self.broken(block, e))?,
                }
            }
        };
        // The last strip of a TIFF may be stored without the rows that are cut off; a tile never is.
        let least = stride * rows.end.min(height);
        if raw.len() < least {
            return Err(self.broken(block, format_args!("{} bytes, not {least}", raw.len())));
        }
        for (y, raw) in rows.clone().zip(raw.chunks_exact(stride).skip(rows.start)) {
            let row = match *sample {
                StoredSample::U8 { differences } => Row::U16(predictor::u8s(raw, differences, u16s)),
                StoredSample::U16 { differences } => Row::U16(predictor::u16s(raw, differences, u16s)),
                StoredSample::F32 { bytes_apart } => Row::F32(predictor::f32s(raw, bytes_apart, bytes, f32s)),
            };
            each(y, row.first(width));
        }
        Ok(())
    }

    fn validity(&mut self, _: Block) -> Result<Option<Vec<bool>>, ReadError> {
        Ok(None)
    }
}

/// A block that is not stored: all of it nodata, or 0, as GDAL has it.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn absent(layout: &Layout, sample: StoredSample, width: usize, rows: Range<usize>, each: &mut Rows<'_>) {
    let value = layout.nodata.unwrap_or(0.0);
    let (u16s, f32s) = (vec![value as u16; width], vec![value as f32; width]);
    for y in rows {
        match sample {
            StoredSample::F32 { .. } => each(y, Row::F32(&f32s)),
            _ => each(y, Row::U16(&u16s)),
        }
    }
}
