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

use super::ReadError;
use super::layout::{Layout, Open, Raster, Sample, Samples};
use super::lookup::Lookup;
use super::plane::{place, wanted_blocks};
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
    bytes_read: u64,
}

impl<'a> Observer<'a> {
    /// An observer of the window, given as a grid of its own in the UTM zone of its tile.
    ///
    /// # Errors
    /// Where the window's CRS is none.
    pub fn new(opener: &'a mut dyn Open, recipe: &'a Recipe, window: PixelGrid) -> Result<Self, ReadError> {
        let projection = project::of_epsg(window.epsg)?;
        Ok(Self { opener, recipe, window, projection, lookups: HashMap::new(), bytes_read: 0 })
    }

    /// Stored bytes of all blocks read so far.
    #[must_use]
    pub const fn bytes_read(&self) -> u64 {
        self.bytes_read
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
        self.read(scene).map_err(|error| SceneError { scene: scene.system_index.to_string(), error })
    }

    fn read(&mut self, scene: &SceneInput) -> Result<Option<Observation>, ReadError> {
        let mut clear = self.clear(&scene.score)?;
        let mut values = Vec::with_capacity(scene.bands.len());
        for file in &scene.bands {
            if !clear.any() {
                return Ok(None);
            }
            let mut plane = vec![0; self.pixels()];
            self.read_band(file, &clear, &mut plane)?;
            clear.and(&Bits::from_pixels(&plane, |dn| dn != 0));
            mosaic::mask::harmonise(&mut plane, scene.offset);
            values.push(plane);
        }
        Ok(clear.any().then(|| Observation::new(clear, values)))
    }

    /// Where the score is good enough.
    fn clear(&mut self, score: &SourceFile) -> Result<Bits, ReadError> {
        let mut raster = self.open(score, Some(self.recipe.score_band.name()))?;
        let lookup = self.lookup(raster.layout())?;
        let mut clear = vec![false; self.pixels()];
        let wanted = Bits::ones(self.pixels());
        let threshold = Threshold::new(self.recipe.threshold);
        self.for_wanted(raster.as_mut(), &lookup, &wanted, |layout, samples, valid, put| {
            let mut good: Vec<bool> = match &samples {
                Samples::F32(s) => s.iter().map(|v| threshold.float(*v, layout.nodata)).collect(),
                Samples::U16(s) => s.iter().map(|v| scaled(&threshold, layout, f64::from(*v))).collect(),
                Samples::F64(s) => s.iter().map(|v| scaled(&threshold, layout, *v)).collect(),
            };
            if let Some(valid) = valid {
                good.iter_mut().zip(valid).for_each(|(good, valid)| *good &= valid);
            }
            put.put(&good, &mut clear);
            Ok(())
        })?;
        Ok(Bits::from_pixels(&clear, |clear| clear))
    }

    /// DN of the wanted pixels; 0 where there is no data.
    fn read_band(&mut self, file: &SourceFile, wanted: &Bits, plane: &mut [u16]) -> Result<(), ReadError> {
        let mut raster = self.open(file, None)?;
        if raster.layout().sample != Sample::U16 {
            return Err(ReadError::permanent(&file.href, "its samples are not uint16, as a band's are"));
        }
        let lookup = self.lookup(raster.layout())?;
        self.for_wanted(raster.as_mut(), &lookup, wanted, |layout, samples, valid, put| {
            let Samples::U16(mut samples) = samples else {
                return Err(ReadError::permanent(&layout.href, "its samples are not uint16, as a band's are"));
            };
            if let Some(valid) = valid {
                samples.iter_mut().zip(valid).filter(|(_, valid)| !valid).for_each(|(dn, _)| *dn = 0);
            }
            put.put(&samples, plane);
            Ok(())
        })
    }

    fn open(&mut self, file: &SourceFile, band: Option<&str>) -> Result<Box<dyn Raster>, ReadError> {
        let raster = self.opener.open(&file.href, band)?;
        if raster.layout().wkt.is_none() {
            return Err(ReadError::permanent(&file.href, "it has no CRS"));
        }
        Ok(raster)
    }

    /// Fetches and decodes, block by block, what holds a wanted pixel.
    fn for_wanted(
        &mut self,
        raster: &mut dyn Raster,
        lookup: &Lookup,
        wanted: &Bits,
        mut each: impl FnMut(&Layout, Samples, Option<Vec<bool>>, &Put<'_>) -> Result<(), ReadError>,
    ) -> Result<(), ReadError> {
        let width = self.window.width;
        let layout = raster.layout().clone();
        for (block, taker) in wanted_blocks(lookup, &layout, wanted, width) {
            let fetched = raster.fetch(&[block])?;
            self.bytes_read += fetched.bytes;
            let samples = raster.decode(&fetched, block)?;
            let valid = raster.validity(block)?;
            let put = Put { lookup, taker: &taker, rect: layout.rect(block), width };
            each(&layout, samples, valid, &put)?;
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

fn scaled(threshold: &Threshold, layout: &Layout, stored: f64) -> bool {
    threshold.scaled(stored, layout.scale, layout.offset, layout.nodata)
}

/// Where a block's samples go.
struct Put<'a> {
    lookup: &'a Lookup,
    taker: &'a super::plane::Taker,
    rect: super::layout::Rect,
    width: usize,
}

impl Put<'_> {
    fn put<T: Copy>(&self, samples: &[T], plane: &mut [T]) {
        place(self.lookup, self.taker, self.rect, samples, self.width, plane);
    }
}
