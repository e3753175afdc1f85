//! An observation of a sub-tile by one scene: the score first, then of each band only the blocks that hold a pixel
//! that is still clear. Clear is joint: a pixel without data in one band is lost for all.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use mosaic::accumulate::Observation;
use mosaic::bits::Bits;
use mosaic::grid::PixelGrid;
use mosaic::mask::Threshold;
use mosaic::plan::{Recipe, SceneInput, SourceFile};
use mosaic::projection::Projection;
use tracing::field::Empty;

use super::ReadError;
use super::counters::{Counters, timed};
use super::layout::{Fetched, Layout, Open, Raster, Row, Sample};
use super::lookup::Lookup;
use super::plane::{Placement, blocks_under, wanted_blocks};
use crate::project;

/// A scene that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SceneError {
    /// Its `system:index`.
    pub scene: String,
    /// The raster at fault.
    pub error: ReadError,
}

impl fmt::Display for SceneError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "scene {}: {}", self.scene, self.error)
    }
}

impl std::error::Error for SceneError {}

/// What two sources must share to share a lookup.
type Geometry = (Option<u32>, [u64; 6], usize, usize);

/// Reads scenes onto one working window.
pub struct Observer<'a> {
    opener: &'a mut dyn Open,
    recipe: &'a Recipe,
    window: PixelGrid,
    projection: Arc<dyn Projection>,
    lookups: HashMap<Geometry, Arc<Lookup>>,
    fetched: Fetched,
    counters: Counters,
    /// Blocks under the window of all bands of the scene that was opened last, and scenes that were not opened.
    unopened: (u64, u64),
}

impl<'a> Observer<'a> {
    /// An observer of the window, given as a grid of its own in the UTM zone of its tile.
    ///
    /// # Errors
    /// Where the window's CRS is none.
    pub fn new(opener: &'a mut dyn Open, recipe: &'a Recipe, window: PixelGrid) -> Result<Self, ReadError> {
        let projection = project::of_epsg(window.epsg)?;
        Ok(Self {
            opener,
            recipe,
            window,
            projection,
            lookups: HashMap::new(),
            fetched: Fetched::default(),
            counters: Counters::default(),
            unopened: (0, 0),
        })
    }

    /// What was read so far.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        let (blocks, scenes) = self.unopened;
        Counters { skipped: self.counters.skipped + blocks * scenes, ..self.counters }
    }

    /// Pixels of the window.
    #[must_use]
    pub const fn pixels(&self) -> usize {
        self.window.width * self.window.height
    }

    /// Observes one scene; none where no pixel of it is clear.
    ///
    /// # Errors
    /// Where a raster of it cannot be read.
    pub fn observe(&mut self, scene: &SceneInput) -> Result<Option<Observation>, SceneError> {
        let span = tracing::info_span!(
            "read",
            scene = %scene.system_index,
            bytes = Empty,
            blocks_read = Empty,
            blocks_skipped = Empty,
            decode_us = Empty,
            is_clear = Empty,
            otel.status_code = Empty,
            otel.status_description = Empty,
        );
        let before = self.counters();
        let read = span.in_scope(|| self.read(scene));
        if !span.is_disabled() {
            tell(&span, self.counters() - before, &read);
        }
        read.map_err(|error| SceneError { scene: scene.system_index.to_string(), error })
    }

    fn read(&mut self, scene: &SceneInput) -> Result<Option<Observation>, ReadError> {
        let mut clear = self.clear(&scene.score)?;
        if !clear.any() {
            self.unopened.1 += 1;
            return Ok(None);
        }
        let mut bands = scene.bands.iter().map(|file| self.open_band(file)).collect::<Result<Vec<_>, _>>()?;
        for (raster, lookup) in &mut bands {
            let blocks = wanted_blocks(lookup, raster.layout(), &clear, self.window.width);
            raster.expect(&blocks.into_iter().map(|(block, _)| block).collect::<Vec<_>>());
        }
        self.unopened.0 = bands.iter().map(|(raster, lookup)| blocks_under(lookup, raster.layout())).sum();
        // Taken off again as they are read.
        self.counters.skipped += self.unopened.0;
        let mut values = Vec::with_capacity(bands.len());
        for (mut raster, lookup) in bands {
            if !clear.any() {
                return Ok(None);
            }
            let before = self.counters.blocks;
            let mut plane = vec![0; self.pixels()];
            let data = self.read_band(raster.as_mut(), &lookup, &clear, &mut plane)?;
            self.counters.skipped = self.counters.skipped.saturating_sub(self.counters.blocks - before);
            clear.and(&data);
            mosaic::mask::harmonise(&mut plane, scene.offset);
            values.push(plane);
        }
        Ok(clear.any().then(|| Observation::new(clear, values)))
    }

    /// Where the score is good enough.
    fn clear(&mut self, score: &SourceFile) -> Result<Bits, ReadError> {
        let mut raster = self.open(score, Some(self.recipe.score_band.name()))?;
        let layout = raster.layout().clone();
        let lookup = self.lookup(&layout)?;
        let threshold = Threshold::new(self.recipe.threshold);
        let scaled = |stored: f64| threshold.scaled(stored, layout.scale, layout.offset, layout.nodata);
        let mut clear = Bits::zeros(self.pixels());
        let wanted = Bits::ones(self.pixels());
        self.for_wanted(raster.as_mut(), &lookup, &wanted, |y, row, valid, placement| {
            let mut good = match row {
                Row::F32(s) => Bits::from_flags(s.len(), threshold.floats(s, layout.nodata)),
                Row::U16(s) => Bits::from_pixels(s, |stored| scaled(f64::from(stored))),
                Row::F64(s) => Bits::from_pixels(s, scaled),
            };
            if let Some(valid) = valid {
                good.and(&Bits::from_pixels(valid, |valid| valid));
            }
            placement.set(y, &good, &mut clear);
        })?;
        Ok(clear)
    }

    fn open_band(&mut self, file: &SourceFile) -> Result<(Box<dyn Raster>, Arc<Lookup>), ReadError> {
        let raster = self.open(file, None)?;
        if raster.layout().sample != Sample::U16 {
            return Err(ReadError::permanent(&file.href, "its samples are not uint16, as a band's are"));
        }
        let lookup = self.lookup(raster.layout())?;
        Ok((raster, lookup))
    }

    /// Puts the DN of the wanted pixels into the plane; which of them have data.
    fn read_band(
        &mut self,
        raster: &mut dyn Raster,
        lookup: &Lookup,
        wanted: &Bits,
        plane: &mut [u16],
    ) -> Result<Bits, ReadError> {
        let mut data = Bits::zeros(wanted.len());
        self.for_wanted(raster, lookup, wanted, |y, row, valid, placement| {
            // A raster's rows are of its layout's samples, which have been looked at.
            let Row::U16(samples) = row else { return };
            let mut has_data = Bits::nonzero(samples);
            if let Some(valid) = valid {
                has_data.and(&Bits::from_pixels(valid, |valid| valid));
            }
            placement.put(y, samples, plane);
            placement.set(y, &has_data, &mut data);
        })?;
        Ok(data)
    }

    fn open(&mut self, file: &SourceFile, band: Option<&str>) -> Result<Box<dyn Raster>, ReadError> {
        let raster = self.opener.open(&file.href, band)?;
        if raster.layout().wkt.is_none() {
            return Err(ReadError::permanent(&file.href, "it has no CRS"));
        }
        Ok(raster)
    }

    /// Fetches and decodes, block by block, what holds a wanted pixel; hands out its rows, each with what the raster's
    /// own mask leaves valid of it.
    fn for_wanted(
        &mut self,
        raster: &mut dyn Raster,
        lookup: &Lookup,
        wanted: &Bits,
        mut each: impl FnMut(usize, Row<'_>, Option<&[bool]>, &Placement<'_>),
    ) -> Result<(), ReadError> {
        let width = self.window.width;
        for (block, taker) in wanted_blocks(lookup, raster.layout(), wanted, width) {
            let rect = raster.layout().rect(block);
            let placement = Placement::new(lookup, &taker, rect, width);
            timed(&mut self.counters.fetching, || raster.fetch(&[block], &mut self.fetched))?;
            self.counters.bytes += self.fetched.size;
            self.counters.blocks += 1;
            let valid = raster.validity(block)?;
            let valid = |y: usize| valid.as_ref().map(|valid| &valid[y * rect.2..][..rect.2]);
            let mut each = |y: usize, row: Row<'_>| each(y, row, valid(y), &placement);
            timed(&mut self.counters.decoding, || raster.decode(&self.fetched, block, placement.rows(), &mut each))?;
        }
        Ok(())
    }

    fn lookup(&mut self, source: &Layout) -> Result<Arc<Lookup>, ReadError> {
        let bits = source.geotransform.map(f64::to_bits);
        let geometry = (source.epsg, bits, source.width, source.height);
        if let Some(known) = self.lookups.get(&geometry).filter(|_| source.epsg.is_some()) {
            return Ok(Arc::clone(known));
        }
        let lookup = if source.epsg == Some(self.window.epsg) {
            Lookup::new(&self.window, source, None)?
        } else {
            let own = project::of_source(source)?;
            Lookup::new(&self.window, source, Some((self.projection.as_ref(), own.as_ref())))?
        };
        let lookup = Arc::new(lookup);
        self.lookups.insert(geometry, Arc::clone(&lookup));
        Ok(lookup)
    }
}

/// What a scene's span says of its reading.
fn tell(span: &tracing::Span, took: Counters, read: &Result<Option<Observation>, ReadError>) {
    span.record("bytes", took.bytes).record("blocks_read", took.blocks).record("blocks_skipped", took.skipped);
    span.record("decode_us", u64::try_from(took.decoding.as_micros()).unwrap_or(u64::MAX));
    match read {
        Ok(observation) => span.record("is_clear", observation.is_some()),
        Err(error) => span.record("otel.status_code", "ERROR").record("otel.status_description", error.to_string()),
    };
}
