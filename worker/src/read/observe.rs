//! An observation of a sub-tile by one scene: the score first, then of the bands, two at a time, only the blocks that
//! hold a pixel that is still clear. Clear is joint: a pixel without data in one band is lost for all.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use mosaic::accumulate::Observation;
use mosaic::bits::Bits;
use mosaic::dark::{Darkness, Doubt};
use mosaic::edge::Rim;
use mosaic::grid::PixelGrid;
use mosaic::ids::SystemIndex;
use mosaic::mask::Threshold;
use mosaic::plan::{Recipe, SceneInput, SourceFile};
use mosaic::projection::Projection;
use tracing::field::Empty;

use super::ReadError;
use super::counters::{Counters, Traffic, timed};
use super::layout::{Block, Fetched, Layout, Open, Raster, Row, Sample};
use super::lookup::Lookup;
use super::plane::{Placement, Taker, blocks_under, wanted_blocks};
use super::remote::is_remote;
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

/// So many bands are read at once: blocks of as many are inflated together. What one of them lacks narrows only what is
/// read of those that follow.
pub(crate) const AT_ONCE: usize = 2;

/// A raster, and where its pixels go.
type Source = (Box<dyn Raster>, Arc<Lookup>);

/// Takes the rows of blocks: which source it is of, the row within the block, its samples, what the raster's own mask
/// leaves valid of them, and where they go.
type Taking<'a> = dyn FnMut(usize, usize, Row<'_>, Option<&[bool]>, &Placement<'_>) + 'a;

/// Reads scenes onto one working window.
pub struct Observer<'a> {
    opener: &'a mut dyn Open,
    recipe: &'a Recipe,
    /// With its rim, where edges are eroded.
    window: PixelGrid,
    rim: Option<Rim>,
    projection: Arc<dyn Projection>,
    lookups: HashMap<Geometry, Arc<Lookup>>,
    fetched: Vec<Fetched>,
    counters: Counters,
    doubts: BTreeMap<SystemIndex, Doubt>,
    /// Blocks under the window of all bands of the scene that was opened last, and scenes that were not opened.
    unopened: (u64, u64),
    /// The score of the scene that follows.
    ahead: Option<(SystemIndex, Source)>,
}

impl<'a> Observer<'a> {
    /// An observer of the window, given as a grid of its own in the UTM zone of its tile.
    ///
    /// # Errors
    /// Where the window's CRS is none.
    pub fn new(opener: &'a mut dyn Open, recipe: &'a Recipe, window: PixelGrid) -> Result<Self, ReadError> {
        let projection = project::of_epsg(window.epsg)?;
        let by = usize::from(recipe.edge_erosion);
        let rim = (by > 0).then(|| Rim::new(by, window.width, window.height));
        let window = if by > 0 { window.with_rim(by) } else { window };
        Ok(Self {
            opener,
            recipe,
            window,
            rim,
            projection,
            lookups: HashMap::new(),
            fetched: Vec::new(),
            counters: Counters::default(),
            doubts: BTreeMap::new(),
            unopened: (0, 0),
            ahead: None,
        })
    }

    /// What was read so far.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        let (blocks, scenes) = self.unopened;
        Counters { skipped: self.counters.skipped + blocks * scenes, ..self.counters }
    }

    /// Scenes whose pixels contradict their offset, of those observed since this was last asked.
    pub fn doubts(&mut self) -> BTreeMap<SystemIndex, Doubt> {
        std::mem::take(&mut self.doubts)
    }

    /// What was asked of other machines.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.opener.traffic()
    }

    /// Pixels of the window that is read.
    #[must_use]
    pub const fn pixels(&self) -> usize {
        self.window.width * self.window.height
    }

    /// Observes one scene; none where no pixel of it is clear. The score of the one that follows is asked for meanwhile.
    ///
    /// # Errors
    /// Where a raster of it cannot be read.
    pub fn observe(
        &mut self,
        scene: &SceneInput,
        next: Option<&SceneInput>,
    ) -> Result<Option<Observation>, SceneError> {
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
        let read = span.in_scope(|| self.read(scene, next));
        if read.is_err() {
            self.forget(scene);
        }
        if !span.is_disabled() {
            tell(&span, self.counters() - before, &read);
        }
        read.map_err(|error| SceneError { scene: scene.system_index.to_string(), error })
    }

    /// Forgets what is known of a scene's rasters: they may have changed.
    fn forget(&mut self, scene: &SceneInput) {
        let score = self.recipe.score_band.name();
        self.opener.forget(&scene.score.href, Some(score));
        scene.bands.iter().for_each(|file| self.opener.forget(&file.href, None));
    }

    fn read(&mut self, scene: &SceneInput, next: Option<&SceneInput>) -> Result<Option<Observation>, ReadError> {
        let score = match self.ahead.take() {
            Some((ahead, source)) if ahead == scene.system_index => source,
            _ => self.open_score(&scene.score)?,
        };
        let mut clear = self.clear(score)?;
        if let Some(next) = next {
            self.look_ahead(scene, next, clear.any());
        }
        // Of what is eroded, pixels that are not clear decide as well.
        let deciding = self.rim.map(|rim| rim.deciding(&mut clear));
        if !clear.any() {
            self.unopened.1 += 1;
            return Ok(None);
        }
        let mut bands = scene.bands.iter().map(|file| self.open_band(file)).collect::<Result<Vec<_>, _>>()?;
        for (raster, lookup) in &mut bands {
            let wanted = deciding.as_ref().unwrap_or(&clear);
            let blocks = wanted_blocks(lookup, raster.layout(), wanted, self.window.width);
            raster.expect(&blocks.into_iter().map(|(block, _)| block).collect::<Vec<_>>());
        }
        self.unopened.0 = bands.iter().map(|(raster, lookup)| blocks_under(lookup, raster.layout())).sum();
        // Taken off again as they are read.
        self.counters.skipped += self.unopened.0;
        let mut values = Vec::with_capacity(bands.len());
        let mut darkness = Darkness::default();
        for bands in bands.chunks_mut(AT_ONCE) {
            if !clear.any() {
                return Ok(None);
            }
            let before = self.counters.blocks;
            for (mut plane, data) in self.read_bands(bands, deciding.as_ref().unwrap_or(&clear))? {
                match self.rim.zip(deciding.as_ref()) {
                    Some((rim, deciding)) => {
                        rim.erode(&mut clear, deciding, &data);
                    }
                    None => clear.and(&data),
                }
                darkness.look(&plane, &clear, self.window.width);
                if let Some(rim) = self.rim {
                    plane = rim.cut(&plane);
                }
                mosaic::mask::harmonise(&mut plane, scene.offset);
                values.push(plane);
            }
            self.counters.skipped = self.counters.skipped.saturating_sub(self.counters.blocks - before);
        }
        let doubt = darkness.doubt(scene.offset);
        self.doubts.extend(doubt.map(|doubt| (scene.system_index.clone(), doubt)));
        let clear = match self.rim {
            Some(rim) => rim.cut_bits(&clear),
            None => clear,
        };
        Ok(clear.any().then(|| Observation::new(clear, values)))
    }

    /// Has the score of the next scene asked for, and the heads of what else will be opened. What goes wrong is told when
    /// it is its turn.
    fn look_ahead(&mut self, scene: &SceneInput, next: &SceneInput, is_clear: bool) {
        let bands = scene.bands.iter().filter(|_| is_clear).chain(&next.bands).map(|file| (file.href.as_str(), None));
        self.opener.expect(&bands.collect::<Vec<_>>());
        if !is_remote(&next.score.href) {
            return;
        }
        self.ahead = self.open_score(&next.score).ok().map(|source| (next.system_index.clone(), source));
    }

    /// Opens a score, and has all of its blocks asked for.
    fn open_score(&mut self, score: &SourceFile) -> Result<Source, ReadError> {
        let mut raster = self.open(score, Some(self.recipe.score_band.name()))?;
        let lookup = self.lookup(&raster.layout().clone())?;
        let all = Bits::ones(self.pixels());
        let blocks = wanted_blocks(&lookup, raster.layout(), &all, self.window.width);
        raster.expect(&blocks.into_iter().map(|(block, _)| block).collect::<Vec<_>>());
        Ok((raster, lookup))
    }

    /// Where the score is good enough.
    fn clear(&mut self, (raster, lookup): Source) -> Result<Bits, ReadError> {
        let layout = raster.layout().clone();
        let threshold = Threshold::new(self.recipe.threshold);
        let scaled = |stored: f64| threshold.scaled(stored, layout.scale, layout.offset, layout.nodata);
        let mut clear = Bits::zeros(self.pixels());
        let wanted = Bits::ones(self.pixels());
        self.for_wanted(&mut [(raster, lookup)], &wanted, &mut |_, y, row, valid, placement| {
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

    fn open_band(&mut self, file: &SourceFile) -> Result<Source, ReadError> {
        let raster = self.open(file, None)?;
        if raster.layout().sample != Sample::U16 {
            return Err(ReadError::permanent(&file.href, "its samples are not uint16, as a band's are"));
        }
        let lookup = self.lookup(raster.layout())?;
        Ok((raster, lookup))
    }

    /// Of each band a plane with the DN of the wanted pixels, and which of them have data.
    fn read_bands(&mut self, bands: &mut [Source], wanted: &Bits) -> Result<Vec<(Vec<u16>, Bits)>, ReadError> {
        let mut found: Vec<_> = bands.iter().map(|_| (vec![0; self.pixels()], Bits::zeros(self.pixels()))).collect();
        self.for_wanted(bands, wanted, &mut |band, y, row, valid, placement| {
            // A raster's rows are of its layout's samples, which have been looked at.
            let Row::U16(samples) = row else { return };
            let mut has_data = Bits::nonzero(samples);
            if let Some(valid) = valid {
                has_data.and(&Bits::from_pixels(valid, |valid| valid));
            }
            let (plane, data) = &mut found[band];
            placement.put(y, samples, plane);
            placement.set(y, &has_data, data);
        })?;
        Ok(found)
    }

    fn open(&mut self, file: &SourceFile, band: Option<&str>) -> Result<Box<dyn Raster>, ReadError> {
        let raster = self.opener.open(&file.href, band)?;
        if raster.layout().wkt.is_none() {
            return Err(ReadError::permanent(&file.href, "it has no CRS"));
        }
        // A version of the plan may be a checksum too, which no server tells.
        let is_tag = |version: &str| version.starts_with(['"', 'W']) && version.ends_with('"');
        if raster.version().is_some_and(|found| is_tag(&file.version) && found != file.version) {
            let changed = "it has changed since the run was planned: submit the request again";
            return Err(ReadError::permanent(&file.href, changed));
        }
        Ok(raster)
    }

    /// Fetches and decodes, one block of each source at a time, what holds a wanted pixel.
    fn for_wanted(&mut self, sources: &mut [Source], wanted: &Bits, each: &mut Taking<'_>) -> Result<(), ReadError> {
        let width = self.window.width;
        let blocks = |(raster, lookup): &Source| wanted_blocks(lookup, raster.layout(), wanted, width);
        let blocks: Vec<Vec<(Block, Taker)>> = sources.iter().map(blocks).collect();
        self.fetched.resize_with(self.fetched.len().max(sources.len()), Fetched::default);
        for turn in 0..blocks.iter().map(Vec::len).max().unwrap_or(0) {
            let in_turn = || blocks.iter().enumerate().filter_map(|(at, blocks)| Some((at, blocks.get(turn)?)));
            for (at, (block, taker)) in in_turn() {
                let ((raster, lookup), fetched) = (&mut sources[at], &mut self.fetched[at]);
                let placement = Placement::new(lookup, taker, raster.layout().rect(*block), width);
                timed(&mut self.counters.fetching, || raster.fetch(&[*block], fetched))?;
                self.counters.bytes += fetched.size;
                self.counters.blocks += 1;
                raster.announce(fetched, *block, &placement.rows());
            }
            for (at, (block, taker)) in in_turn() {
                let (raster, lookup) = &mut sources[at];
                let rect = raster.layout().rect(*block);
                let placement = Placement::new(lookup, taker, rect, width);
                let valid = raster.validity(*block)?;
                let valid = |y: usize| valid.as_ref().map(|valid| &valid[y * rect.2..][..rect.2]);
                let mut row = |y: usize, row: Row<'_>| each(at, y, row, valid(y), &placement);
                timed(&mut self.counters.decoding, || {
                    raster.decode(&self.fetched[at], *block, placement.rows(), &mut row)
                })?;
            }
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
