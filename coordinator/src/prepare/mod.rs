//! From a request to a plan: reads what the request names, links, looks at headers, and plans. No pixel is read.

pub mod allowed;
mod check;
mod error;
mod files;
mod show;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mosaic::aoi::Aoi;
use mosaic::href::is_local;
use mosaic::ids::{Key, TileId};
use mosaic::link::{LinkOptions, Linkage, LinkedScene, ScoreTemplate, link};
use mosaic::period::Period;
use mosaic::plan::{self, Inputs, Plan, PlanError, SceneInput, TileShard};
use mosaic::projection::{Projection, utm_of_epsg};
use mosaic::request::{AoiSource, Crs, Request, ScoreSource};
use mosaic::scene::{Scene, unique};
use mosaic::select::Selection;
use mosaic::survey::Survey;

pub use error::PrepareError;
pub(crate) use files::plain;
pub use show::{LinkLine, PlanSummary, TileSummary, link_lines, why_nothing};

use crate::catalogue::{self, Afar, Archives, Wanted};

/// A request with everything that was found out for it.
#[derive(Clone)]
pub struct Prepared {
    /// The request, its paths absolute.
    pub request: Request,
    /// Its area.
    pub aoi: Aoi,
    /// Every tile that may have scenes, in order.
    pub tiles: Vec<TileId>,
    /// Its scenes, sorted by what becomes of them.
    pub linkage: Linkage,
    /// What is to be done.
    pub plan: Plan,
    /// The output's CRS by the plan's operation, where it is neither native nor a UTM zone.
    pub projection: Option<Arc<dyn Projection>>,
}

/// Links a request's scenes and scores, without a plan.
///
/// # Errors
/// Everything that is wrong with the request and what it names.
pub fn link_only(
    request: &Request,
    survey: &dyn Survey,
    archives: &Archives,
) -> Result<(Aoi, Vec<TileId>, Linkage), PrepareError> {
    let faults: Vec<String> = request.faults().iter().map(ToString::to_string).collect();
    PrepareError::unless_none(faults)?;
    let aoi = read_aoi(&request.aoi)?;
    let tiles = aoi.only_tiles().map_or_else(|| aoi.tiles(), <[TileId]>::to_vec);
    let Period { start, end } = request.period;
    let wanted = Wanted { tiles: tiles.clone(), start, end, bands: request.bands.clone() };
    let scenes = select(request, &wanted, &archives.opened_by(request.profiles.scenes.as_deref()))?;
    check_bands(request, &scenes)?;
    let scores = &request.scores;
    let profile = request.profiles.scores.as_deref();
    let listed = match template_afar(&scores.source) {
        Some(template) => {
            let allow = archives.allow();
            catalogue::scores_from_afar(&template, &scenes, Afar { survey, profile, allow })
        }
        None => catalogue::scores(&scores.source, scores.band, &wanted, &scenes, &archives.opened_by(profile)),
    };
    let listed = listed.map_err(|e| PrepareError::catalogue(scores.source.field(), &e))?;
    let options = LinkOptions {
        bands: request.bands.clone(),
        max_no_context_fraction: (request.scores.max_no_context_fraction < 1.0)
            .then_some(request.scores.max_no_context_fraction),
    };
    let linkage = link(scenes, &listed, &options);
    check::acquisitions(&linkage.scenes)?;
    Ok((aoi, tiles, linkage))
}

/// A template of scores that leads to another machine.
fn template_afar(source: &ScoreSource) -> Option<ScoreTemplate> {
    let ScoreSource::Template(text) = source else { return None };
    ScoreTemplate::parse(text).ok().filter(|template| !is_local(template.root()))
}

/// A request that can be planned: what it names was read, and looked at.
pub struct Linked {
    /// The request, its paths absolute.
    pub request: Request,
    /// Its area.
    pub aoi: Aoi,
    /// Every tile that may have scenes, in order.
    pub tiles: Vec<TileId>,
    /// Its scenes, sorted by what becomes of them.
    pub linkage: Linkage,
    scenes: BTreeMap<TileId, Vec<SceneInput>>,
    working_resolution: f64,
    projection: Option<Chosen>,
}

/// A projection, and its operation's name.
pub(crate) type Chosen = (Arc<dyn Projection>, String);

/// Links a request, and looks at what it takes to plan it.
///
/// # Errors
/// Everything that is wrong with the request and what it names.
pub fn link_all(request: Request, survey: &dyn Survey, archives: &Archives) -> Result<Linked, PrepareError> {
    let (aoi, tiles, mut linkage) = link_only(&request, survey, archives)?;
    allowed::linked(&linkage, archives.allow())?;
    allowed::payments(&request, &linkage)?;
    check::scores(&request, &mut linkage.scenes, survey)?;
    linkage.leave_out_little_context(request.scores.max_no_context_fraction);
    let working_resolution = working_resolution(&request, &linkage.scenes, survey)?;
    let mut scenes: BTreeMap<TileId, Vec<SceneInput>> = BTreeMap::new();
    for linked in &linkage.scenes {
        scenes.entry(linked.scene.tile).or_default().push(files::input(linked, &request, survey));
    }
    let projection = projection(&request, &aoi, survey)?;
    Ok(Linked { request, aoi, tiles, linkage, scenes, working_resolution, projection })
}

/// The projection of a request's output in its area; none where it is native or a UTM zone.
pub(crate) fn projection(request: &Request, aoi: &Aoi, survey: &dyn Survey) -> Result<Option<Chosen>, PrepareError> {
    match request.grid.crs {
        Crs::Epsg(epsg) if utm_of_epsg(epsg).is_none() => {
            let (area, name) = (aoi.bbox(), format!("EPSG:{epsg}"));
            let chosen = survey.projection(&name, area);
            chosen.map(Some).map_err(|e| PrepareError::one(format!("`grid.crs`: {e}")))
        }
        _ => Ok(None),
    }
}

impl Linked {
    /// Plans it. Each tile's shard is given to `keep`, with its index and its key, and let go.
    ///
    /// # Errors
    /// Where it cannot be planned, or a shard is not kept.
    pub fn plan<E: From<PrepareError> + Send>(
        self,
        keep: impl Fn(usize, &Key, &TileShard) -> Result<(), E> + Sync,
    ) -> Result<Prepared, E> {
        let Self { request, aoi, tiles, linkage, scenes, working_resolution, projection } = self;
        let at = Ground { aoi: &aoi, working_resolution, projection: projection.as_ref() };
        let plan = plan(&request, at, scenes, keep)?;
        let projection = projection.map(|(projection, _)| projection);
        Ok(Prepared { request, aoi, tiles, linkage, plan, projection })
    }
}

/// What of a plan is known before it is made.
#[derive(Clone, Copy)]
pub(crate) struct Ground<'a> {
    /// The area.
    pub(crate) aoi: &'a Aoi,
    /// The resolution that composites are made at, metres.
    pub(crate) working_resolution: f64,
    /// The output's projection, where it is neither native nor a UTM zone.
    pub(crate) projection: Option<&'a Chosen>,
}

/// Plans a request whose scenes, as workers read them, are those of these tiles. Each tile's shard is given to `keep`,
/// with its index and its key, and let go.
///
/// # Errors
/// Where it cannot be planned, or a shard is not kept.
pub(crate) fn plan<E: From<PrepareError> + Send>(
    request: &Request,
    at: Ground<'_>,
    scenes: BTreeMap<TileId, Vec<SceneInput>>,
    keep: impl Fn(usize, &Key, &TileShard) -> Result<(), E> + Sync,
) -> Result<Plan, E> {
    let Ground { aoi, working_resolution, projection } = at;
    let utm = match request.grid.crs {
        Crs::Epsg(epsg) => utm_of_epsg(epsg),
        Crs::Native => None,
    };
    let projected = match (projection, &utm) {
        (Some((projection, operation)), _) => Some((projection.as_ref(), operation.clone())),
        (None, Some(utm)) => Some((utm as &dyn Projection, String::new())),
        (None, None) => None,
    };
    let inputs = Inputs { request, aoi, scenes, working_resolution, projection: projected };
    let keep = |index: usize, key: &Key, shard: &TileShard| keep(index, key, shard).map_err(Unkept::Other);
    plan::build(inputs, keep).map_err(|unkept| match unkept {
        Unkept::Plan(error) => PrepareError::one(error.to_string()).into(),
        Unkept::Other(error) => error,
    })
}

/// Why there is no plan: it cannot be made, or it was not kept.
enum Unkept<E> {
    Plan(PlanError),
    Other(E),
}

impl<E> From<PlanError> for Unkept<E> {
    fn from(error: PlanError) -> Self {
        Self::Plan(error)
    }
}

/// Links and plans a request; the plan's shards are not kept.
///
/// # Errors
/// Everything that is wrong with the request and what it names.
pub fn prepare(request: Request, survey: &dyn Survey, archives: &Archives) -> Result<Prepared, PrepareError> {
    link_all(request, survey, archives)?.plan(|_, _, _| Ok(()))
}

fn read_aoi(source: &AoiSource) -> Result<Aoi, PrepareError> {
    let named = |e: mosaic::aoi::AoiError| PrepareError::one(format!("`aoi`: {e}"));
    match source {
        AoiSource::File(path) => {
            let failed = |e: std::io::Error| PrepareError::one(format!("`aoi`: {path}: {}", plain(&e)));
            let text = std::fs::read_to_string(path).map_err(failed)?;
            Aoi::from_geojson(&text).map_err(|e| PrepareError::one(format!("`aoi`: {path}: {e}")))
        }
        AoiSource::Bbox { bbox } => Aoi::from_bbox(*bbox).map_err(named),
        AoiSource::Tiles { tiles } => Aoi::from_tiles(tiles).map_err(named),
        AoiSource::Point { point: [lon, lat], radius } => Aoi::from_point(*lon, *lat, *radius).map_err(named),
    }
}

/// The catalogue's scenes that the request asks for.
fn select(request: &Request, wanted: &Wanted, archives: &Archives) -> Result<Vec<Scene>, PrepareError> {
    let listed = catalogue::scenes(&request.scenes, wanted, archives);
    let listed = listed.map_err(|e| PrepareError::catalogue(request.scenes.field(), &e))?;
    let selection = Selection {
        start: request.period.start,
        end: request.period.end,
        months: request.months.clone(),
        cloud_cover_max: request.filter.cloud_cover_max,
        platforms: request.filter.platforms.clone(),
        orbits: request.filter.orbits.clone(),
        tiles: wanted.tiles.iter().copied().collect(),
    };
    Ok(unique(listed).into_iter().filter(|scene| selection.admits(scene)).collect())
}

fn check_bands(request: &Request, scenes: &[Scene]) -> Result<(), PrepareError> {
    let had: BTreeSet<_> = scenes.iter().flat_map(|scene| scene.bands.keys().copied()).collect();
    let lacking = request.bands.iter().filter(|band| !scenes.is_empty() && !had.contains(band));
    let list = had.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let line = |band| format!("`bands`: no scene of the catalogue has {band}: it has {list}");
    PrepareError::unless_none(lacking.map(line).collect())
}

/// The resolution that composites are made at, metres: the request's for `native`, else the finest of the requested
/// bands.
fn working_resolution(request: &Request, scenes: &[LinkedScene], survey: &dyn Survey) -> Result<f64, PrepareError> {
    if request.grid.crs == Crs::Native || scenes.is_empty() {
        return Ok(if request.grid.crs == Crs::Native { request.grid.resolution } else { 10.0 });
    }
    let mut finest = f64::INFINITY;
    for linked in scenes {
        for asset in request.bands.iter().filter_map(|band| linked.scene.bands.get(band)) {
            let resolution = match &asset.grid {
                Some(grid) => grid.transform[0].abs(),
                None => survey.raster(&asset.href, None).map_or(asset.resolution, |found| found.geotransform[1].abs()),
            };
            finest = finest.min(resolution);
        }
    }
    let pixels = mosaic::grid::TILE_SIZE_M / finest;
    if pixels.fract() != 0.0 {
        let message = format!("the finest band has {finest} m, which does not divide a tile's 109,800 m");
        return Err(PrepareError::one(format!("`grid.crs`: {message}: use native with a resolution that does")));
    }
    Ok(finest)
}
