//! Bands of Earth Engine's images, `ee://projects/earthengine-public/assets/COPERNICUS/S2_SR/<index>/B4`.
//!
//! A raster is cut into blocks of the size that a sub-tile's window needs, so that a window takes one request, and a
//! request asks for a block of all bands that were announced for it (`expect`) and lie alike. Requests of one scene are
//! under way together; those of several scenes are where a worker has several slots. What is masked comes as 0.

mod group;

use std::cell::RefCell;
use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use artifacts::{Access, remote};
use earth_engine::{Band, Budgets, Client, Error, Image, Place, SampleType, Samples};
use lru::LruCache;
use mosaic::grid::{PixelGrid, TILE_SIZE_M};

use super::layout::{Block, Decode, Fetch, Fetched, Layout, Raster, Row, Rows, Sample};
use super::{Admitted, ReadError};
pub(super) use group::Group;
use group::Named;

/// Images of which it is known what they are: those of one tile over some years.
const IMAGES: NonZeroUsize = NonZeroUsize::new(4096).unwrap();
/// Side of a block on the ground, metres: that of a sub-tile at 10 m.
const BLOCK_M: f64 = 10_240.0;
/// The smallest and the largest side of a block, pixels.
const SIDES: [usize; 2] = [256, 1024];

/// A client, or why there is none.
type Opened = Result<Arc<Client>, Error>;

/// Earth Engine, for all threads of a process.
pub struct EarthEngine {
    access: Access,
    budgets: Arc<Budgets>,
    /// By the profile that was named.
    clients: Mutex<HashMap<Option<String>, Opened>>,
    images: Mutex<LruCache<String, Arc<Image>>>,
}

impl EarthEngine {
    /// Earth Engine with the credentials of profiles and of the environment, each within its budget. Nothing is asked,
    /// nor a credential looked at, until something is read.
    #[must_use]
    pub fn new(access: Access, budgets: Arc<Budgets>) -> Self {
        Self { access, budgets, clients: Mutex::default(), images: Mutex::new(LruCache::new(IMAGES)) }
    }

    /// The client that a profile lets in, or what the environment says; opened once.
    pub(crate) fn client(&self, profile: Option<&str>) -> Opened {
        let open = || Client::open(&self.access, profile, self.budgets.of(profile)).map(Arc::new);
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        clients.entry(profile.map(str::to_owned)).or_insert_with(open).clone()
    }

    fn image(&self, client: &Arc<Client>, href: &str, asset: &str) -> Result<Arc<Image>, ReadError> {
        let known = || self.images.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(image) = known().get(asset) {
            return Ok(Arc::clone(image));
        }
        let (client, name) = (Arc::clone(client), asset.to_owned());
        let asked = remote::wait(async move { client.image(&name).await });
        let image = Arc::new(given_up(href, asked)?.map_err(|e| said(href, &e))?);
        known().put(asset.to_owned(), Arc::clone(&image));
        Ok(image)
    }

    /// Opens a band. `group` is what the thread's rasters share.
    pub(super) fn open(&self, source: &Admitted, group: &Rc<RefCell<Group>>) -> Result<EarthEngineBand, ReadError> {
        let href = source.href.as_str();
        let no_place = || ReadError::permanent(href, "it is no band of an image: write ee://projects/…/assets/…/BAND");
        let place = Place::parse(href).ok_or_else(no_place)?;
        let client = self.client(source.profile.as_deref()).map_err(|e| said(href, &e))?;
        let image = self.image(&client, href, &place.asset)?;
        let has = || image.bands.iter().map(|band| band.id.as_str()).collect::<Vec<_>>().join(", ");
        let none = || ReadError::permanent(href, format!("the image has no such band: it has {}", has()));
        let band = image.band(&place.band).ok_or_else(none)?;
        let named = Named { place, grid: band.grid.clone(), bytes: bytes(band) };
        let layout = layout(href, band)?;
        Ok(EarthEngineBand { layout, named, client, group: Rc::clone(group), had: Vec::new() })
    }
}

/// Whether an href is of a band of an image.
pub(crate) fn is_image(href: &str) -> bool {
    href.starts_with("ee://")
}

/// How many blocks of a 10 m band a window of a tile may touch, and the pixels of one. With a rim it lies on no lattice.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
pub(crate) fn blocks_under(window: &PixelGrid, has_rim: bool) -> (usize, usize) {
    let is_off = has_rim || window.resolution % 10.0 != 0.0;
    let across = |pixels: usize| {
        let blocks = (pixels as f64 * window.resolution / BLOCK_M).ceil() as usize + if is_off { 2 } else { 0 };
        blocks.min((TILE_SIZE_M / BLOCK_M).ceil() as usize)
    };
    (across(window.width) * across(window.height), side(10.0) * side(10.0))
}

/// Bytes of a sample, at least as many as are sent.
fn bytes(band: &Band) -> usize {
    match band.samples() {
        Some(SampleType::U16) => 2,
        Some(SampleType::F32) => 4,
        _ => 8,
    }
}

fn layout(href: &str, band: &Band) -> Result<Layout, ReadError> {
    let sample = match band.samples() {
        Some(SampleType::U16) => Sample::U16,
        Some(SampleType::Integer) => Sample::Integer,
        Some(SampleType::F32) => Sample::F32,
        Some(SampleType::F64) => Sample::F64,
        None => return Err(ReadError::permanent(href, "its samples are of a type that is not read")),
    };
    let [a, b, c, d, e, f] = band.grid.transform();
    let (width, height) = (band.grid.dimensions.width, band.grid.dimensions.height);
    if width == 0 || height == 0 || a == 0.0 || e == 0.0 {
        return Err(ReadError::permanent(href, "it has no grid of its own"));
    }
    let side = side(a.abs());
    Ok(Layout {
        href: href.to_owned(),
        epsg: band.grid.epsg(),
        wkt: band.grid.crs().map(str::to_owned),
        geotransform: [c, a, b, f, d, e],
        width,
        height,
        block: (side.min(width), side.min(height)),
        sample,
        nodata: None,
        scale: 1.0,
        offset: 0.0,
    })
}

/// Side of a block of pixels of so many metres.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn side(metres: f64) -> usize {
    let [least, most] = SIDES;
    ((BLOCK_M / metres).ceil().clamp(1.0, most as f64) as usize).next_power_of_two().clamp(least, most)
}

/// A band of an image.
pub(super) struct EarthEngineBand {
    layout: Layout,
    named: Named,
    client: Arc<Client>,
    group: Rc<RefCell<Group>>,
    had: Vec<(Block, Samples)>,
}

fn given_up<T>(href: &str, called: Result<T, artifacts::StoreError>) -> Result<T, ReadError> {
    called.map_err(|e| ReadError { retryable: true, ..ReadError::permanent(href, e.to_string()) })
}

fn said(href: &str, error: &Error) -> ReadError {
    ReadError { retryable: error.is_passing(), ..ReadError::permanent(href, error.to_string()) }
}

impl Raster for EarthEngineBand {
    fn layout(&self) -> &Layout {
        &self.layout
    }
}

impl Fetch for EarthEngineBand {
    fn fetch(&mut self, blocks: &[Block], into: &mut Fetched) -> Result<(), ReadError> {
        self.had.clear();
        (into.blocks, into.size) = (Vec::new(), 0);
        for block in blocks {
            let got = self.group.borrow_mut().get(&self.client, &self.named, &self.layout, *block);
            let (samples, bytes) = given_up(&self.layout.href, got)?.map_err(|e| said(&self.layout.href, &e))?;
            self.had.push((*block, samples));
            into.blocks.push((*block, 0..0));
            into.size += bytes;
        }
        Ok(())
    }

    fn expect(&mut self, blocks: &[Block]) {
        self.group.borrow_mut().expect(&self.named, blocks);
    }
}

impl Decode for EarthEngineBand {
    fn decode(&mut self, _: &Fetched, block: Block, rows: Range<usize>, each: &mut Rows<'_>) -> Result<(), ReadError> {
        let (.., width, _) = self.layout.rect(block);
        let unfetched = || ReadError::permanent(&self.layout.href, "a block of it was not fetched");
        let (_, samples) = self.had.iter().find(|(had, _)| *had == block).ok_or_else(unfetched)?;
        let mut buffer: Vec<f32> = Vec::new();
        for y in rows {
            let at = y * width..(y + 1) * width;
            match (self.layout.sample, samples) {
                (Sample::U16, Samples::U16(samples)) => each(y, Row::U16(&samples[at])),
                (Sample::F32 | Sample::F64, Samples::F32(samples)) => each(y, Row::F32(&samples[at])),
                (Sample::F32 | Sample::F64, Samples::F64(samples)) => {
                    buffer.clear();
                    buffer.extend(samples[at].iter().map(|value| *value as f32));
                    each(y, Row::F32(&buffer));
                }
                (Sample::Integer, Samples::Integer(samples)) => each(y, Row::F64(&samples[at])),
                _ => {
                    return Err(ReadError::permanent(
                        &self.layout.href,
                        "its pixels are not of the type that it tells",
                    ));
                }
            }
        }
        Ok(())
    }

    fn validity(&mut self, _: Block) -> Result<Option<Vec<bool>>, ReadError> {
        Ok(None)
    }
}

impl Drop for EarthEngineBand {
    fn drop(&mut self) {
        self.group.borrow_mut().forget(&self.named.place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_the_ground_of_a_sub_tile() {
        assert_eq!([10.0, 20.0, 60.0, 120.0, 1.0].map(side), [1024, 512, 256, 256, 1024]);
    }

    #[test]
    fn what_a_window_needs_is_counted_in_whole_blocks() {
        let window = |resolution, width| PixelGrid { epsg: 32633, ulx: 0.0, uly: 0.0, resolution, width, height: 1024 };
        let blocks = |window: &PixelGrid, has_rim| blocks_under(window, has_rim).0;
        assert_eq!(blocks(&window(10.0, 1024), false), 1);
        assert_eq!(blocks(&window(10.0, 740), true), 9);
        assert_eq!(blocks(&window(60.0, 1024), false), 36);
        assert_eq!(blocks(&window(120.0, 915), false), 121);
    }
}
