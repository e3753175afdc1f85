//! What GDAL once said of files, for all threads: opening one costs a millisecond or two, and every sub-tile reads it.

use std::fs::File;
use std::io::Read;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use artifacts::remote::{Call, spawn};
use lru::LruCache;
use web::{Counts, counted};

use super::StoredBlocks;
use crate::read::gdal::RasterBand;
use crate::read::layout::{Layout, Raster};
use crate::read::remote::{Heads, Mounted, Version};
use crate::read::{Admitted, Door, EarthEngine, ReadError};

/// Enough for the files of one tile over some years; each takes a few kilobytes.
const FILES: NonZeroUsize = NonZeroUsize::new(4096).unwrap();

/// A file that is read directly.
pub(super) struct Header {
    pub(super) layout: Layout,
    pub(super) blocks: StoredBlocks,
    stamp: Stamp,
}

/// What tells that a file is still the one it was.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Stamp {
    /// Its length and when it was last written.
    Local(u64, Option<SystemTime>),
    /// Its length and its tag. It is not asked for again: who reads a block finds out.
    Remote(Version),
}

/// How a file is read.
pub(super) enum Known {
    /// Directly.
    Direct(Arc<Header>),
    /// By GDAL, which has it open.
    ByGdal(Box<dyn Raster>),
}

/// A file, and the band that was asked for.
type Name = (Admitted, Option<String>);

/// Headers of files, kept for as long as they are used.
pub struct Headers {
    known: Mutex<LruCache<Name, Arc<Header>>>,
    heads: Heads,
    door: Door,
    earth_engine: EarthEngine,
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
        let (known, heads) = (Mutex::new(LruCache::new(FILES)), Heads::default());
        let earth_engine = EarthEngine::new(door.access().clone(), Arc::clone(door.budgets()));
        Self { known, heads, door, earth_engine }
    }

    /// Earth Engine, for what lies there.
    pub(super) const fn earth_engine(&self) -> &EarthEngine {
        &self.earth_engine
    }

    /// What may be opened.
    pub(super) const fn door(&self) -> &Door {
        &self.door
    }

    /// First bytes of files on other machines.
    pub(super) const fn heads(&self) -> &Heads {
        &self.heads
    }

    fn known(&self) -> MutexGuard<'_, LruCache<Name, Arc<Header>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How an open file is to be read.
    ///
    /// # Errors
    /// Where GDAL cannot open it.
    pub(super) fn of(&self, file: &File, source: &Admitted, band: Option<&str>) -> Result<Known, ReadError> {
        let name = (source.clone(), band.map(str::to_owned));
        let (size, written) = file.metadata().map(|m| (m.len(), m.modified().ok())).unwrap_or_default();
        let stamp = Stamp::Local(size, written);
        if let Some(header) = self.known().get(&name).filter(|header| header.stamp == stamp) {
            return Ok(Known::Direct(Arc::clone(header)));
        }
        let raster = RasterBand::admitted(&self.door, source, band, &self.heads)?;
        Ok(self.learn(name, raster, stamp, is_little_endian(file)))
    }

    /// How a file on another machine is to be read; its head is asked for where it is not known.
    ///
    /// # Errors
    /// Where it cannot be had, or GDAL cannot open it.
    pub(super) fn of_remote(
        &self,
        source: &Admitted,
        band: Option<&str>,
        counts: &Arc<Counts>,
    ) -> Result<Known, ReadError> {
        let name = (source.clone(), band.map(str::to_owned));
        if let Some(header) = self.known().get(&name) {
            return Ok(Known::Direct(Arc::clone(header)));
        }
        let paged = self.door.network()?.paged(source, &self.heads, counts)?;
        let (version, little) = (paged.head().version.clone(), paged.head().bytes.starts_with(b"II"));
        let mounted = Mounted::new(paged, &source.href)?;
        let raster = RasterBand::of(&self.door, &source.href, Some(mounted), band)?;
        Ok(self.learn(name, raster, Stamp::Remote(version), little))
    }

    /// Keeps what GDAL says of a file that can be read without it.
    fn learn(&self, name: Name, raster: RasterBand, stamp: Stamp, is_little_endian: bool) -> Known {
        let Some(blocks) = raster.stored().filter(|_| is_little_endian) else {
            return Known::ByGdal(Box::new(raster));
        };
        let header = Arc::new(Header { layout: raster.into_layout(), blocks, stamp });
        self.known().put(name, Arc::clone(&header));
        Known::Direct(header)
    }

    /// Has the head of a file on another machine asked for, as it will be opened soon.
    pub(super) fn expect(&self, source: &Admitted, band: Option<&str>, counts: &Arc<Counts>) -> Option<Call<()>> {
        if self.known().contains(&(source.clone(), band.map(str::to_owned))) {
            return None;
        }
        let remote = self.door.network().ok()?.file(&source.href, source.profile.as_deref()).ok()?;
        let head = counted(Arc::clone(counts), self.heads.read(source, Arc::new(remote)));
        // What goes wrong is told by who opens it.
        spawn(async move { drop(head.await) }).ok()
    }

    /// Forgets a file that could not be read as it was known.
    pub(super) fn forget(&self, source: &Admitted, band: Option<&str>) {
        self.known().pop(&(source.clone(), band.map(str::to_owned)));
        self.heads.forget(source);
    }
}

impl Header {
    /// What a file on another machine is known by.
    pub(super) const fn version(&self) -> Option<&Version> {
        match &self.stamp {
            Stamp::Remote(version) => Some(version),
            Stamp::Local(..) => None,
        }
    }
}

fn is_little_endian(mut file: &File) -> bool {
    let mut order = [0; 2];
    file.read_exact(&mut order).is_ok() && &order == b"II"
}
