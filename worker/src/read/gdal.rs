//! GDAL as an implementation of all three parts of reading.
//!
//! A dataset belongs to the thread that opened it. Errors of GDAL come as values: its messages are not printed.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use gdal::errors::GdalError;
use gdal::raster::{GdalDataType, ResampleAlg};
use gdal::{Dataset, Metadata};

use super::layout::{Block, Decode, Fetch, Fetched, Layout, Open, Raster, Row, Rows, Sample};
use super::remote::{Heads, Mounted, is_remote};
use super::tiff::{Compression, StoredBlocks, StoredSample};
use super::{Admitted, Door, ReadError};

/// Opens rasters with GDAL.
#[derive(Debug, Default, Clone, Copy)]
pub struct GdalOpener;

/// One band of a dataset that GDAL has open.
pub struct RasterBand {
    dataset: Dataset,
    index: usize,
    layout: Layout,
    masked: bool,
    /// Behind `dataset`, which is closed before.
    mounted: Option<Mounted>,
}

impl Open for GdalOpener {
    fn open(&mut self, href: &str, band: Option<&str>) -> Result<Box<dyn Raster>, ReadError> {
        Ok(Box::new(RasterBand::open(href, band)?))
    }
}

/// What GDAL says of a file, which it calls by this path.
fn said(href: &str, path: &str, error: &GdalError) -> ReadError {
    let cause = cause(error);
    // The path stands in front already; GDAL repeats it, in its own quotes and with its own prefixes.
    let why = [format!("{path}, "), format!("{path}: "), format!("`{path}' ")]
        .iter()
        .find_map(|prefix| cause.strip_prefix(prefix.as_str()))
        .unwrap_or(&cause);
    ReadError::permanent(href, format!("it cannot be read, is it whole? GDAL says: {why}"))
}

/// GDAL's own message, without the name of the C function that gave it.
pub(crate) fn cause(error: &GdalError) -> String {
    match error {
        GdalError::CplError { msg, .. } if !msg.is_empty() => msg.clone(),
        GdalError::NullPointer { msg, .. } if !msg.is_empty() => msg.clone(),
        other => other.to_string(),
    }
}

impl RasterBand {
    /// Opens the single band of a raster, or the one of several that is described by `name`.
    ///
    /// # Errors
    /// Where there is no such raster or band, or its samples are of no type that is read.
    pub fn open(href: &str, name: Option<&str>) -> Result<Self, ReadError> {
        let door = Door::default();
        Self::admitted(&door, &door.admit(href)?, name, &Heads::default())
    }

    /// Opens what a door has admitted; of a file on another machine the head may be known.
    ///
    /// # Errors
    /// As `open`; where it is of a format that may lead elsewhere.
    pub(crate) fn admitted(
        door: &Door,
        source: &Admitted,
        name: Option<&str>,
        heads: &Heads,
    ) -> Result<Self, ReadError> {
        if !is_remote(&source.href) {
            return Self::of(door, &source.href, None, name);
        }
        let paged = door.network()?.paged(source, heads, &Arc::default())?;
        Self::of(door, &source.href, Some(Mounted::new(paged, &source.href)?), name)
    }

    /// Opens a file, or one that is mounted for GDAL to read.
    pub(super) fn of(door: &Door, href: &str, mounted: Option<Mounted>, name: Option<&str>) -> Result<Self, ReadError> {
        let path = mounted.as_ref().map_or(href, Mounted::path);
        let itself = path.rsplit('/').next().unwrap_or(path);
        let failed = |error: GdalError| fault(mounted.as_ref()).unwrap_or_else(|| said(href, path, &error));
        let dataset = Dataset::open_ex(path, door.options(&[itself], mounted.is_some())).map_err(failed)?;
        let index = choose(&dataset, href, name)?;
        let (layout, masked) =
            layout(&dataset, index, href).map_err(|error| fault(mounted.as_ref()).unwrap_or(error))?;
        Ok(Self { dataset, index, layout, masked, mounted })
    }

    /// What an error of GDAL's means: that of the file where it is on another machine, else what GDAL says.
    fn failed(&self, error: &GdalError) -> ReadError {
        let href = &self.layout.href;
        let path = self.mounted.as_ref().map_or(href.as_str(), Mounted::path);
        fault(self.mounted.as_ref()).unwrap_or_else(|| said(href, path, error))
    }

    /// Those of the named metadata items that the dataset has.
    #[must_use]
    pub fn tags(&self, names: &[&str]) -> BTreeMap<String, String> {
        let tag = |name: &&str| Some(((*name).to_owned(), self.dataset.metadata_item(name, "")?));
        names.iter().filter_map(tag).collect()
    }

    /// Whether all of its blocks lie within the file, as far as that can be told.
    pub(crate) fn is_whole(&self) -> bool {
        let local = || std::fs::metadata(&self.layout.href).map_or(0, |found| found.len());
        let size = self.mounted.as_ref().map_or_else(local, |mounted| mounted.file().size());
        let ends = |(offset, length): &(u64, u32)| offset + u64::from(*length) <= size;
        self.stored().is_none_or(|stored| stored.places.iter().all(ends))
    }

    /// Where its blocks lie.
    #[must_use]
    pub fn into_layout(self) -> Layout {
        self.layout
    }

    /// Reads some rows of a block, converted to `T`.
    fn pixels<T: Copy + gdal::raster::GdalType>(&self, block: Block, rows: &Range<usize>) -> Result<Vec<T>, ReadError> {
        let (x, y, w, _) = self.layout.rect(block);
        let band = self.dataset.rasterband(self.index).map_err(|e| self.failed(&e))?;
        let (window, size) = ((as_isize(x), as_isize(y + rows.start)), (w, rows.len()));
        let read = band.read_as::<T>(window, size, size, None::<ResampleAlg>);
        Ok(read.map_err(|e| self.failed(&e))?.into_shape_and_vec().1)
    }

    /// Where the stored blocks lie, if this is a TIFF whose blocks can be read without GDAL: one sample to a pixel in
    /// this plane, whole bytes, Deflate or no compression at all, no mask of its own.
    #[must_use]
    pub fn stored(&self) -> Option<StoredBlocks> {
        let structure = |name: &str| self.dataset.metadata_item(name, "IMAGE_STRUCTURE");
        let band = self.dataset.rasterband(self.index).ok()?;
        let alone = self.dataset.raster_count() == 1 || structure("INTERLEAVE").as_deref() == Some("BAND");
        let whole = band.metadata_item("NBITS", "IMAGE_STRUCTURE").is_none();
        if self.dataset.driver().short_name() != "GTiff" || !alone || !whole || self.masked {
            return None;
        }
        let compression = match structure("COMPRESSION").as_deref() {
            None => Compression::None,
            Some("DEFLATE") => Compression::Deflate,
            Some(_) => return None,
        };
        let predictor = structure("PREDICTOR").map_or(Some(1), |p| p.parse::<u8>().ok())?;
        let sample = StoredSample::of(band.band_type(), predictor)?;
        let (across, down) = self.layout.blocks();
        let place = |(x, y)| {
            let item = |what: &str| band.metadata_item(&format!("BLOCK_{what}_{x}_{y}"), "TIFF");
            let place = item("OFFSET").zip(item("SIZE"));
            place.and_then(|(offset, size)| Some((offset.parse().ok()?, size.parse().ok()?))).unwrap_or_default()
        };
        let places = (0..down).flat_map(|y| (0..across).map(move |x| (x, y))).map(place).collect();
        Some(StoredBlocks { compression, sample, places, across })
    }

    /// Stored bytes of a block, as the GeoTIFF's index tells (none where the block is not stored); the decoded size
    /// where there is no such index.
    fn stored_bytes(&self, block: Block) -> u64 {
        if self.dataset.driver().short_name() == "GTiff" {
            let key = format!("BLOCK_SIZE_{}_{}", block.x, block.y);
            let told = self.dataset.rasterband(self.index).ok().and_then(|band| band.metadata_item(&key, "TIFF"));
            return told.and_then(|size| size.parse().ok()).unwrap_or(0);
        }
        let (_, _, w, h) = self.layout.rect(block);
        (w * h * 2) as u64
    }
}

#[allow(clippy::cast_possible_wrap)]
const fn as_isize(n: usize) -> isize {
    n as isize
}

/// What went wrong on the way to a file on another machine.
fn fault(mounted: Option<&Mounted>) -> Option<ReadError> {
    mounted.and_then(|mounted| mounted.file().take_fault())
}

fn choose(dataset: &Dataset, href: &str, name: Option<&str>) -> Result<usize, ReadError> {
    let count = dataset.raster_count();
    if count == 1 {
        return Ok(1);
    }
    let described = |index: &usize| {
        let description = dataset.rasterband(*index).and_then(|band| band.description()).unwrap_or_default();
        name.is_some_and(|wanted| description == wanted)
    };
    let wanted = name.map_or_else(|| "a single one was expected".to_owned(), |n| format!("none is named `{n}`"));
    let none = || ReadError::permanent(href, format!("it has {count} bands and {wanted}"));
    (1..=count).find(described).ok_or_else(none)
}

fn layout(dataset: &Dataset, index: usize, href: &str) -> Result<(Layout, bool), ReadError> {
    let band = dataset.rasterband(index).map_err(|e| said(href, href, &e))?;
    let (width, height) = band.size();
    let reference = dataset.spatial_ref().ok();
    let flags = band.mask_flags().map_err(|e| said(href, href, &e))?;
    let layout = Layout {
        href: href.to_owned(),
        epsg: reference.as_ref().and_then(|r| r.auth_code().ok()).and_then(|code| u32::try_from(code).ok()),
        wkt: reference.and_then(|r| r.to_wkt().ok()),
        geotransform: dataset.geo_transform().map_err(|_| ReadError::permanent(href, "it has no geotransform"))?,
        width,
        height,
        block: band.block_size(),
        sample: sample(band.band_type(), href)?,
        nodata: band.no_data_value(),
        scale: band.scale().unwrap_or(1.0),
        offset: band.offset().unwrap_or(0.0),
    };
    Ok((layout, flags.is_per_dataset() || flags.is_alpha()))
}

fn sample(data_type: GdalDataType, href: &str) -> Result<Sample, ReadError> {
    match data_type {
        GdalDataType::UInt8 | GdalDataType::UInt16 => Ok(Sample::U16),
        GdalDataType::Int16 | GdalDataType::UInt32 | GdalDataType::Int32 => Ok(Sample::Integer),
        GdalDataType::Float32 => Ok(Sample::F32),
        GdalDataType::Float64 => Ok(Sample::F64),
        other => Err(ReadError::permanent(href, format!("its samples are {other}, which is not read"))),
    }
}

impl Raster for RasterBand {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn version(&self) -> Option<&str> {
        self.mounted.as_ref()?.file().head().version.tag.as_deref()
    }
}

impl Fetch for RasterBand {
    fn fetch(&mut self, blocks: &[Block], into: &mut Fetched) -> Result<(), ReadError> {
        into.blocks = blocks.iter().map(|block| (*block, 0..0)).collect();
        into.size = blocks.iter().map(|block| self.stored_bytes(*block)).sum();
        Ok(())
    }
}

impl Decode for RasterBand {
    fn decode(&mut self, _: &Fetched, block: Block, rows: Range<usize>, each: &mut Rows<'_>) -> Result<(), ReadError> {
        let (_, _, width, _) = self.layout.rect(block);
        match self.layout.sample {
            Sample::U16 => hand_out(rows.start, width, &self.pixels::<u16>(block, &rows)?, each, Row::U16),
            Sample::Integer => hand_out(rows.start, width, &self.pixels::<f64>(block, &rows)?, each, Row::F64),
            Sample::F32 | Sample::F64 => {
                hand_out(rows.start, width, &self.pixels::<f32>(block, &rows)?, each, Row::F32);
            }
        }
        Ok(())
    }

    fn validity(&mut self, block: Block) -> Result<Option<Vec<bool>>, ReadError> {
        if !self.masked {
            return Ok(None);
        }
        let (x, y, w, h) = self.layout.rect(block);
        let failed = |e: GdalError| self.failed(&e);
        let band = self.dataset.rasterband(self.index).map_err(failed)?;
        let mask = band.open_mask_band().map_err(failed)?;
        let mask = mask.read_as::<u8>((as_isize(x), as_isize(y)), (w, h), (w, h), None).map_err(failed)?;
        Ok(Some(mask.data().iter().map(|value| *value != 0).collect()))
    }
}

/// Hands out the rows of a rectangle of samples, the first of which is row `first` of the block.
fn hand_out<'a, T>(first: usize, width: usize, samples: &'a [T], each: &mut Rows<'_>, row: fn(&'a [T]) -> Row<'a>) {
    for (y, samples) in (first..).zip(samples.chunks_exact(width)) {
        each(y, row(samples));
    }
}
