//! What `plan` and `link` tell: for programs as JSON, and the numbers that tables for people are made of.

use mosaic::grid::{mgrs, subtiles};
use mosaic::ids::{SystemIndex, TileId};
use mosaic::period::Period;
use mosaic::plan::{OutputRaster, TilePlan};
use mosaic::request::{Dtype, Request};
use mosaic::scene::Scene;
use serde::Serialize;

use super::Prepared;
use mosaic::link::Linkage;

/// What becomes of one scene: a line of `link --json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LinkLine {
    /// The item's id.
    pub id: String,
    /// Its tile.
    pub tile: TileId,
    /// Its key, where it could be had.
    pub system_index: Option<SystemIndex>,
    /// Whether the key was derived, and not found by tile and time.
    pub exact: bool,
    /// The score's href.
    pub score: Option<String>,
    /// Added to every DN above 0.
    pub offset: i32,
    /// The slice that its sensing start lies in, `2023-08-01..2023-09-01`.
    pub slice: Option<String>,
    /// The id of the item that stays in its stead.
    pub superseded_by: Option<String>,
}

/// Why nothing can be made: how many scenes there are, and what becomes of them.
#[must_use]
pub fn why_nothing(linkage: &Linkage) -> String {
    if linkage.found() == 0 {
        return "no scene of the catalogue lies in the area and the period: look at `aoi`, `period`, `months` and \
                `filter`, or ask `clearmosaic plan`"
            .to_owned();
    }
    format!(
        "none of the {} scenes found can be used ({} without a score, {} without a requested band): ask \
         `clearmosaic link`",
        linkage.found(),
        linkage.unlinked.len(),
        linkage.unusable.len()
    )
}

/// Every scene of a linkage, in order of tile and sensing start.
#[must_use]
pub fn link_lines(request: &Request, linkage: &Linkage) -> Vec<LinkLine> {
    let slices = request.slice.map_or_else(|| vec![request.period], |length| length.slices(&request.period));
    let line = |scene: &Scene, index: Option<&SystemIndex>, exact: bool, score: Option<&str>, by: Option<&str>| {
        let slice = slices.iter().find(|slice| slice.contains(scene.sensing_start));
        let line = LinkLine {
            id: scene.id.clone(),
            tile: scene.tile,
            system_index: index.cloned(),
            exact,
            score: score.map(str::to_owned),
            offset: scene.offset,
            slice: slice.map(Period::to_string),
            superseded_by: by.map(str::to_owned),
        };
        (scene.tile, scene.sensing_start, line)
    };
    let usable = linkage.scenes.iter().chain(linkage.unusable.iter().map(|unusable| &unusable.linked));
    let mut lines: Vec<_> =
        usable.map(|l| line(&l.scene, Some(&l.system_index), l.exact, Some(&l.score.href), None)).collect();
    lines.extend(linkage.unlinked.iter().map(|u| line(&u.scene, u.system_index.as_ref(), u.exact, None, None)));
    lines.extend(linkage.superseded.iter().map(|s| {
        let score = s.score.as_ref().map(|score| score.href.as_str());
        line(&s.scene, Some(&s.system_index), s.exact, score, Some(&s.superseded_by))
    }));
    lines.sort_by(|a, b| (a.0, a.1, &a.2.id).cmp(&(b.0, b.1, &b.2.id)));
    lines.into_iter().map(|(.., line)| line).collect()
}

/// One MGRS tile in a plan's summary.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TileSummary {
    /// The tile.
    pub tile: TileId,
    /// EPSG code of its zone.
    pub epsg: u32,
    /// Easting of its upper-left corner.
    pub ulx: f64,
    /// Northing of its upper-left corner.
    pub uly: f64,
    /// Linked scenes.
    pub scenes: usize,
    /// Sub-tiles to compute.
    pub subtiles: usize,
}

/// A plan in numbers: what `plan --json` prints.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlanSummary {
    /// Every 100 km square whose footprint meets the area, with scenes or not.
    pub tiles: Vec<TileSummary>,
    /// The slices of the period.
    pub slices: Vec<Period>,
    /// Scenes found.
    pub scenes: usize,
    /// Scenes without a score: their keys, else their item ids.
    pub unlinked: Vec<String>,
    /// Item ids of scenes that a newer version stands for.
    pub superseded: Vec<String>,
    /// Linked scenes that lack a requested band.
    pub unusable: Vec<String>,
    /// Ids of the output tiles.
    pub outputs: Vec<String>,
    /// Tasks, if nothing is reused.
    pub tasks: usize,
    /// Stored bytes of all scenes and scores, each counted by the share of its tile that is needed: an upper estimate,
    /// as blocks without a clear pixel are not read.
    pub bytes_to_read: u64,
    /// About how many bytes the store will take: medians and partials at the ratio that zlib reaches on reflectances.
    pub bytes_to_store: u64,
}

/// Stored bytes per byte of reflectances, about.
const RATIO: f64 = 0.7;
/// Share of observations that are clear, about.
const CLEAR: f64 = 0.5;

impl Prepared {
    /// The plan in numbers.
    #[must_use]
    pub fn summary(&self) -> PlanSummary {
        let tile = |tile: &TileId| {
            let planned = self.plan.tiles.binary_search_by_key(tile, |planned| planned.tile);
            let planned = planned.ok().map(|index| &self.plan.tiles[index]);
            let (ulx, uly) = mgrs::origin(*tile);
            TileSummary {
                tile: *tile,
                epsg: tile.epsg(),
                ulx,
                uly,
                scenes: planned.map_or(0, |planned| planned.scenes),
                subtiles: planned.map_or(0, |planned| planned.subtiles.len()),
            }
        };
        PlanSummary {
            tiles: self.tiles.iter().map(tile).collect(),
            slices: self.plan.slices.clone(),
            scenes: self.linkage.found(),
            unlinked: self.linkage.unlinked.iter().map(|scene| scene.name().to_owned()).collect(),
            superseded: self.linkage.superseded.iter().map(|s| s.scene.id.clone()).collect(),
            unusable: self.linkage.unusable.iter().map(|u| u.linked.system_index.to_string()).collect(),
            outputs: self.plan.outputs.tiles.iter().map(|tile| tile.id.clone()).collect(),
            tasks: self.plan.tasks(),
            bytes_to_read: self.bytes_to_read(),
            bytes_to_store: self.bytes_to_store(),
        }
    }

    fn bytes_to_read(&self) -> u64 {
        let of_tile = |tile: &TilePlan| {
            let needed = self.pixels(tile);
            tile.bytes as f64 * needed as f64 / (tile.grid.width * tile.grid.height) as f64
        };
        self.plan.tiles.iter().map(of_tile).sum::<f64>() as u64
    }

    /// Pixels of a tile's sub-tiles.
    fn pixels(&self, tile: &TilePlan) -> usize {
        let lattice = subtiles(self.plan.outputs.working_resolution).into_iter().flatten();
        let is_needed = |index: usize| tile.subtiles.binary_search(&(index as u32)).is_ok();
        lattice.enumerate().filter(|(index, _)| is_needed(*index)).map(|(_, at)| at.window.pixels()).sum()
    }

    fn bytes_to_store(&self) -> u64 {
        let outputs = &self.plan.outputs;
        let bands = outputs.bands.len() as f64;
        let sample = |raster: OutputRaster| if raster.dtype(outputs.dtype) == Dtype::Float32 { 4.0 } else { 2.0 };
        let composite: f64 = outputs.rasters().into_iter().map(sample).sum();
        let of_tile = |tile: &TilePlan| {
            let partials = if self.plan.sliced { CLEAR * tile.scenes as f64 * bands * 2.0 } else { 0.0 };
            self.pixels(tile) as f64 * (composite + partials)
        };
        let outputs: usize = outputs.tiles.iter().map(|tile| tile.grid.width * tile.grid.height).sum();
        let all = self.plan.tiles.iter().map(of_tile).sum::<f64>() + outputs as f64 * composite;
        (all * RATIO) as u64
    }
}
