//! What GDAL once said of files, for all threads: opening one costs a millisecond or two, and every sub-tile reads it.

use std::fs::File;
use std::io::Read;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use lru::LruCache;

use super::StoredBlocks;
use crate::read::gdal::RasterBand;
use crate::read::layout::{Layout, Raster};
use crate::read::{Door, EarthEngine, ReadError};

/// Enough for the files of one tile over some years; each takes a few kilobytes.
const FILES: NonZeroUsize = NonZeroUsize::new(4096).unwrap();

/// A file that is read directly.
pub(super) struct Header {
    pub(super) layout: Layout,
    pub(super) blocks: StoredBlocks,
    stamp: Stamp,
}

/// What tells that a file is still the one it was: its length and when it was last written.
type Stamp = (u64, Option<SystemTime>);

/// How a file is read.
pub(super) enum Known {
    /// Directly.
    Direct(Arc<Header>),
    /// By GDAL, which has it open.
    ByGdal(Box<dyn Raster>),
}

/// A file, and the band that was asked for.
type Name = (String, Option<String>);

/// Headers of files, kept for as long as they are used.
pub struct Headers {
    known: Mutex<LruCache<Name, Arc<Header>>>,
    door: Door,
    earth_engine: Arc<EarthEngine>,
}

impl Default for Headers {
    fn default() -> Self {
        Self::behind(Door::default())
    }
}

impl Headers {
    /// Headers of what a door admits.
    #[must_use]
    pub fn behind(door: Door) -> Self {
        Self { known: Mutex::new(LruCache::new(FILES)), door, earth_engine: Arc::default() }
    }

    /// Earth Engine, for what lies there.
    pub(super) fn earth_engine(&self) -> &EarthEngine {
        &self.earth_engine
    }

    /// What may be opened.
    pub(super) const fn door(&self) -> &Door {
        &self.door
    }

    /// How an open file is to be read.
    ///
    /// # Errors
    /// Where GDAL cannot open it.
    pub(super) fn of(&self, file: &File, href: &str, band: Option<&str>) -> Result<Known, ReadError> {
        let name = (href.to_owned(), band.map(str::to_owned));
        let stamp = file.metadata().map(|m| (m.len(), m.modified().ok())).unwrap_or_default();
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(header) = known().get(&name).filter(|header| header.stamp == stamp) {
            return Ok(Known::Direct(Arc::clone(header)));
        }
        let raster = RasterBand::admitted(&self.door, href, band)?;
        let Some(blocks) = raster.stored().filter(|_| is_little_endian(file)) else {
            return Ok(Known::ByGdal(Box::new(raster)));
        };
        let header = Arc::new(Header { layout: raster.into_layout(), blocks, stamp });
        known().put(name, Arc::clone(&header));
        Ok(Known::Direct(header))
    }
}

fn is_little_endian(mut file: &File) -> bool {
    let mut order = [0; 2];
    file.read_exact(&mut order).is_ok() && &order == b"II"
}
