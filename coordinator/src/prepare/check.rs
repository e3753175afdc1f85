//! Scores that cannot be what they claim to be: without a CRS, or nowhere near their scene. Caught from their headers,
//! before anything is read: such a score would leave its scene out in silence.

use std::collections::HashMap;
use std::sync::Arc;

use mosaic::grid::{Bounds, tile_grid};
use mosaic::href::{is_local, with_profile};
use mosaic::link::LinkedScene;
use mosaic::projection::{Projection, Utm, utm_of_epsg};
use mosaic::request::Request;
use mosaic::survey::{RasterSurvey, Survey};
use rayon::prelude::*;

use super::PrepareError;

/// Headers that are held at once.
const AT_ONCE: usize = 256;
/// The whole world, in degrees.
const WORLD: [f64; 4] = [-180.0, -90.0, 180.0, 90.0];

/// Looks at the header of every linked score, and notes what it says of itself where the catalogue does not. One that
/// cannot be opened is left to the tasks, which name it.
pub fn scores(request: &Request, scenes: &mut [LinkedScene], survey: &dyn Survey) -> Result<(), PrepareError> {
    let mut planes = Planes { survey, known: HashMap::new() };
    let mut faults = Vec::new();
    // To look costs a round trip each: several are under way at once.
    let href = |linked: &LinkedScene| match is_local(&linked.score.href) {
        true => linked.score.href.clone(),
        false => with_profile(&linked.score.href, request.profiles.scores.as_deref()),
    };
    let look = |linked: &LinkedScene| survey.raster(&href(linked), Some(request.scores.band.name())).ok();
    let looked = scenes.chunks_mut(AT_ONCE).flat_map(|some| {
        let remote: Vec<_> = some.iter().map(href).filter(|href| !is_local(href)).collect();
        // Asked for all at once; whether they are there is told when they are looked at.
        drop(survey.exist(&remote));
        let found: Vec<_> = some.par_iter().map(&look).collect();
        some.iter_mut().zip(found)
    });
    for (linked, found) in looked {
        let href = linked.score.href.clone();
        let Some(found) = found else { continue };
        if linked.score.version.is_none() {
            linked.score.version.clone_from(&found.version);
        }
        for (tag, value) in &found.tags {
            linked.score.properties.entry(tag.clone()).or_insert_with(|| value.clone().into());
        }
        let problem = if found.wkt.is_some() {
            match planes.meets(linked, request, &found) {
                Ok(true) => continue,
                Ok(false) => "the score raster does not meet its scene".to_owned(),
                Err(problem) => problem,
            }
        } else {
            "the score raster has no CRS".to_owned()
        };
        faults.push(format!("scene {}: {href}: {problem}: mend it, or take it away", linked.system_index));
    }
    PrepareError::unless_none(faults)?;
    acquisitions(scenes)
}

/// Refuses scores that were made from another acquisition than their scene is of, as far as their sources tell.
///
/// # Errors
/// One line for each.
pub fn acquisitions(scenes: &[LinkedScene]) -> Result<(), PrepareError> {
    let line = |linked: &LinkedScene| {
        let LinkedScene { scene, system_index, score, .. } = linked;
        let product = score.foreign_product(&scene.platform, system_index)?;
        let what = "another acquisition: mend it, or take it away";
        Some(format!("scene {system_index}: {}: the score was made from {product}, {what}", score.href))
    };
    PrepareError::unless_none(scenes.iter().filter_map(line).collect())
}

/// Projections of the CRSs that were met.
struct Planes<'a> {
    survey: &'a dyn Survey,
    known: HashMap<String, Arc<dyn Projection>>,
}

impl Planes<'_> {
    /// Whether a score meets the raster of its scene, or its tile where that is not told.
    fn meets(&mut self, linked: &LinkedScene, request: &Request, score: &RasterSurvey) -> Result<bool, String> {
        let tile = linked.scene.tile;
        let zone = Utm { zone: tile.zone(), south: tile.is_south() };
        let told = request.bands.first().and_then(|band| linked.scene.bands.get(band)?.grid.clone());
        let scene = match told {
            Some(grid) => {
                let [a, b, c, d, e, f] = grid.transform;
                let [rows, columns] = grid.shape;
                let size = (columns as usize, rows as usize);
                self.bounds(&format!("EPSG:{}", grid.epsg), [c, a, b, f, d, e], size, zone)?
            }
            None => tile_grid(tile, 60.0).map(|grid| grid.bounds(&grid.window())).map_err(|e| e.to_string())?,
        };
        let crs = score.epsg.map(|code| format!("EPSG:{code}")).or_else(|| score.wkt.clone()).unwrap_or_default();
        let bounds = self.bounds(&crs, score.geotransform, (score.width, score.height), zone)?;
        let overlap = scene.intersection(&bounds);
        Ok(overlap.is_some_and(|o| o.max_x > o.min_x && o.max_y > o.min_y))
    }

    /// The bounds of a raster in the plane of a zone, by its outline.
    fn bounds(&mut self, crs: &str, g: [f64; 6], (width, height): (usize, usize), zone: Utm) -> Result<Bounds, String> {
        const PIECES: i32 = 8;
        let corner = |u: f64, v: f64| {
            let (column, row) = (u * width as f64, v * height as f64);
            (g[0] + column * g[1] + row * g[2], g[3] + column * g[4] + row * g[5])
        };
        let edge = |i| {
            let t = f64::from(i) / f64::from(PIECES);
            [corner(t, 0.0), corner(t, 1.0), corner(0.0, t), corner(1.0, t)]
        };
        let (mut x, mut y): (Vec<f64>, Vec<f64>) = (0..=PIECES).flat_map(edge).unzip();
        let code = crs.strip_prefix("EPSG:").and_then(|code| code.parse().ok());
        if code.and_then(utm_of_epsg) != Some(zone) {
            let plane = self.plane(crs, code.and_then(utm_of_epsg))?;
            plane.to_lonlat(&mut x, &mut y).map_err(|e| e.to_string())?;
            zone.from_lonlat(&mut x, &mut y).map_err(|e| e.to_string())?;
        }
        let finite = x.iter().zip(&y).filter(|(x, y)| x.is_finite() && y.is_finite());
        let point = |(x, y): (&f64, &f64)| Bounds { min_x: *x, min_y: *y, max_x: *x, max_y: *y };
        let nowhere = Bounds { min_x: 0.0, min_y: 0.0, max_x: 0.0, max_y: 0.0 };
        Ok(finite.map(point).reduce(|a, b| a.union(&b)).unwrap_or(nowhere))
    }

    fn plane(&mut self, crs: &str, utm: Option<Utm>) -> Result<Arc<dyn Projection>, String> {
        if let Some(known) = self.known.get(crs) {
            return Ok(Arc::clone(known));
        }
        let plane: Arc<dyn Projection> = match utm {
            Some(utm) => Arc::new(utm),
            None => self.survey.projection(crs, WORLD).map_err(|e| e.to_string())?.0,
        };
        self.known.insert(crs.to_owned(), Arc::clone(&plane));
        Ok(plane)
    }
}
