//! Plans: what is needed and no more, whatever the order of things; keys that tell what pixels depend on.

// Helpers of tests are tests too; clippy knows only the functions marked so.
#![allow(clippy::unwrap_used, dead_code)]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use mosaic::aoi::Aoi;
use mosaic::grid::output::{NATIVE_STEP, candidates, native_window};
use mosaic::grid::utm::{forward, inverse};
use mosaic::grid::{SUBTILE_PIXELS, Window, footprint, tile_grid};
use mosaic::ids::TileId;
use mosaic::owner::Owners;
use mosaic::plan::{self, Inputs, Layout, PlanError, Planned, SceneInput, Taken, TaskKind, TileSize};
use mosaic::product::Product;
use mosaic::projection::{Projection, Utm, utm_of_epsg};
use mosaic::request::Request;
use proptest::prelude::*;
use support::{Degrees, Whole, catalogue, plan_of, request, tile, tiles, whole};

/// A sub-tile by tile, column and row.
type Place = (TileId, u16, u16);

fn planned(plan: &Whole) -> BTreeSet<Place> {
    let of = |shard: &plan::TileShard| {
        let tile = shard.tile;
        shard.subtiles.iter().map(move |s| (tile, s.at.column, s.at.row)).collect::<Vec<_>>()
    };
    plan.shards.iter().flat_map(of).collect()
}

fn place(tile: TileId, column: f64, row: f64) -> Place {
    let cell = |at: f64| (at as usize / SUBTILE_PIXELS) as u16;
    (tile, cell(column), cell(row))
}

/// The sub-tiles that hold a pixel which is their tile's and in the area, by looking at every pixel.
fn native_by_pixel(tiles: &[TileId], resolution: f64, aoi: &Aoi) -> BTreeSet<Place> {
    let owners = Owners::new(tiles.iter().copied());
    let mut found = BTreeSet::new();
    for &tile in owners.tiles() {
        let grid = tile_grid(tile, resolution).unwrap();
        let utm = Utm { zone: tile.zone(), south: tile.is_south() };
        let mask = aoi.mask(&grid, &grid.window(), &utm).unwrap();
        for row in 0..grid.height {
            for (start, end) in mask.runs(row, 0, grid.width) {
                for column in start..end {
                    let (e, n) = grid.centre(column, row);
                    if owners.native_owner(tile.zone(), e, n - utm.false_northing()) == Some(tile) {
                        found.insert(place(tile, column as f64, row as f64));
                    }
                }
            }
        }
    }
    found
}

/// What an output in one CRS takes, by looking at every pixel: sub-tiles that hold a pixel within `reach` of a centre,
/// and output tiles that own a pixel.
fn lattice_by_pixel(
    request: &Request,
    tiles: &[TileId],
    resolution: f64,
    aoi: &Aoi,
    projection: &dyn Projection,
    epsg: u32,
    reach: f64,
) -> (BTreeSet<Place>, BTreeSet<String>) {
    let owners = Owners::new(tiles.iter().copied());
    let (mut found, mut outputs) = (BTreeSet::new(), BTreeSet::new());
    let spec = &request.grid;
    for candidate in candidates(aoi, projection, f64::from(spec.tile_pixels) * spec.resolution).unwrap() {
        let grid = candidate.grid(epsg, spec.resolution, spec.tile_pixels as usize);
        for row in 0..grid.height {
            let (mut x, mut y): (Vec<f64>, Vec<f64>) = (0..grid.width).map(|c| grid.centre(c, row)).unzip();
            let known: Vec<_> =
                x.iter().zip(&y).map(|(x, y)| utm_of_epsg(epsg).map(|zone| zone.in_zone(*x, *y))).collect();
            projection.to_lonlat(&mut x, &mut y).unwrap();
            for (column, known) in known.into_iter().enumerate() {
                let (lon, lat) = (x[column], y[column]);
                let Some(at) = owners.place(lon, lat, known).filter(|_| aoi.contains(lon, lat)) else { continue };
                outputs.insert(candidate.to_string());
                let f = footprint(at.owner);
                let (c, r) = ((at.easting - f.west) / resolution, (f.north - at.northing) / resolution);
                let last = 109_800.0 / resolution - 0.5;
                for (dc, dr) in [(-reach, -reach), (reach, -reach), (-reach, reach), (reach, reach), (0.0, 0.0)] {
                    found.insert(place(at.owner, (c + dc).clamp(0.0, last), (r + dr).clamp(0.0, last)));
                }
            }
        }
    }
    (found, outputs)
}

/// Areas around Slovenia, where zones 32 and 33 meet at 12 degrees east: triangles, small and large.
fn area(lon: f64, lat: f64) -> impl Strategy<Value = Aoi> {
    let size = prop_oneof![0.0005..0.02f64, 0.02..0.5f64, 0.5..2.0f64];
    (size, prop::array::uniform6(-1.0..1.0f64), -1.0..1.0f64, -1.0..1.0f64).prop_map(move |(size, p, dx, dy)| {
        let corner = |i: usize| format!("[{}, {}]", lon + dx + size * p[2 * i], lat + dy + size * p[2 * i + 1]);
        let ring = [corner(0), corner(1), corner(2), corner(0)].join(", ");
        Aoi::from_geojson(&format!(r#"{{"type": "Polygon", "coordinates": [[{ring}]]}}"#)).unwrap()
    })
}

/// Tiles on both sides of the boundary of zones 32 and 33, some of them missing.
fn some_tiles() -> impl Strategy<Value = Vec<TileId>> {
    const AROUND: [&str; 10] =
        ["32TPS", "32TPR", "32TQS", "32TQR", "32TQT", "33TTM", "33TUM", "33TUL", "33TUN", "33TTL"];
    prop::sample::subsequence(AROUND.to_vec(), 1..=10).prop_map(|ids| tiles(&ids))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) })]

    #[test]
    fn native_plans_hold_the_sub_tiles_that_own_a_pixel(aoi in area(12.2, 46.4), tiles in some_tiles()) {
        let plan = plan_of(&request("{resolution: 60}"), &aoi, &tiles, 60.0, None);
        prop_assert_eq!(planned(&plan), native_by_pixel(&tiles, 60.0, &aoi));
    }

    #[test]
    fn across_the_equator_too(
        aoi in area(35.0, 0.0), some in prop::sample::subsequence(vec!["36NXF", "36NYF", "36MXE", "36MYE"], 1..=4)
    ) {
        let tiles = tiles(&some);
        let plan = plan_of(&request("{resolution: 60}"), &aoi, &tiles, 60.0, None);
        prop_assert_eq!(planned(&plan), native_by_pixel(&tiles, 60.0, &aoi));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    #[test]
    fn native_windows_hold_the_pixels_within_the_areas_bounds(aoi in area(12.2, 46.4), id in 0..3usize) {
        let tile = tiles(&["33TUM", "33TTM", "32TQS"])[id];
        let grid = tile_grid(tile, 60.0).unwrap();
        let utm = Utm { zone: tile.zone(), south: false };
        let mask = aoi.bounding_box().mask(&grid, &grid.window(), &utm).unwrap();
        let rows: Vec<_> = (0..grid.height).map(|row| mask.runs(row, 0, grid.width)).collect();
        let side = |first: Option<usize>, last: Option<usize>| {
            Some((first? / NATIVE_STEP * NATIVE_STEP, ((last? / NATIVE_STEP + 1) * NATIVE_STEP).min(grid.width)))
        };
        let columns = || rows.iter().flatten();
        let x = side(columns().map(|run| run.0).min(), columns().map(|run| run.1 - 1).max());
        let y = side(rows.iter().position(|r| !r.is_empty()), rows.iter().rposition(|r| !r.is_empty()));
        let want = x.zip(y).map(|((x0, x1), (y0, y1))| Window { x0, y0, width: x1 - x0, height: y1 - y0 });
        prop_assert_eq!(native_window(tile, 60.0, &aoi).unwrap(), want);
    }
}

#[test]
fn native_plans_at_ten_metres_are_exact() {
    let all = tiles(&["33TUM", "33TUL", "33TVM", "33TVL", "32TQS"]);
    for (lon, lat, radius) in [(13.6, 46.05, 9_000.0), (12.42, 46.0, 40.0), (13.69, 46.03, 3.0), (13.4, 45.9, 20_000.0)]
    {
        let aoi = Aoi::from_point(lon, lat, radius).unwrap();
        let plan = plan_of(&request("{resolution: 10}"), &aoi, &all, 10.0, None);
        assert_eq!(planned(&plan), native_by_pixel(&all, 10.0, &aoi), "{lon} {lat} {radius}");
    }
}

fn lattice_plan_is_enough(
    grid: &str,
    epsg: u32,
    reach: f64,
    resolution: f64,
    aoi: &Aoi,
    tiles: &[TileId],
    projection: &dyn Projection,
) -> Result<(usize, usize), TestCaseError> {
    let request = request(&format!("{{crs: 'EPSG:{epsg}', {grid}}}"));
    let plan = plan_of(&request, aoi, tiles, resolution, Some(projection));
    let (needed, outputs) = lattice_by_pixel(&request, tiles, resolution, aoi, projection, epsg, reach);
    let planned = planned(&plan);
    prop_assert!(needed.is_subset(&planned), "missing {:?}", needed.difference(&planned));
    prop_assert_eq!(plan.outputs.tiles.iter().map(|t| t.id.clone()).collect::<BTreeSet<_>>(), outputs);
    // Every tile's inputs are planned.
    for input in plan.outputs.tiles.iter().flat_map(|t| &t.inputs) {
        prop_assert!(planned.contains(&(input.tile, input.at.column, input.at.row)));
    }
    Ok((planned.len(), needed.len()))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) })]

    #[test]
    fn plans_of_one_crs_hold_what_the_output_takes(
        aoi in area(12.2, 46.4), tiles in some_tiles(), turn in -0.7..0.7f64, average in any::<bool>()
    ) {
        // Pixels of 450 m by 310 m and more.
        let projection = Degrees { unit: 0.004, turn };
        let (grid, reach) = if average { ("resampling: average", 2.0) } else { ("resampling: cubic", 2.0) };
        let grid = format!("resolution: 1.0, tile_pixels: 40, {grid}");
        lattice_plan_is_enough(&grid, 9999, reach, 60.0, &aoi, &tiles, &projection)?;
    }

    #[test]
    fn so_do_plans_of_another_utm_zone(aoi in area(12.2, 46.4), tiles in some_tiles(), zone in 31u8..=34) {
        let projection = Utm { zone, south: false };
        let grid = "resolution: 240, tile_pixels: 100, resampling: nearest";
        lattice_plan_is_enough(grid, 32600 + u32::from(zone), 0.0, 60.0, &aoi, &tiles, &projection)?;
    }

    #[test]
    fn and_fine_pixels_of_small_areas(
        lon in 11.9..12.3f64, lat in 46.0..46.8f64, radius in 1.0..200.0f64, tiles in some_tiles()
    ) {
        let aoi = Aoi::from_point(lon, lat, radius).unwrap();
        let projection = Degrees { unit: 1.0, turn: 0.0 };
        let grid = "resolution: 0.00002, tile_pixels: 64, resampling: bilinear";
        lattice_plan_is_enough(grid, 4326, 1.0, 60.0, &aoi, &tiles, &projection)?;
    }
}

#[test]
fn few_more_than_needed_are_planned() {
    let all = tiles(&["32TQS", "32TQR", "33TUM", "33TUL", "33TTM"]);
    let aoi = Aoi::from_bbox([11.8, 45.7, 13.0, 46.6]).unwrap();
    let grid = "resolution: 100, tile_pixels: 200, resampling: nearest";
    let projection = Utm { zone: 32, south: false };
    let (planned, needed) = lattice_plan_is_enough(grid, 32632, 0.0, 20.0, &aoi, &all, &projection).unwrap();
    assert!(planned <= needed + needed / 10, "{planned} for {needed}");
}

#[test]
fn the_thin_ends_of_wedges_are_planned() {
    // 33TUM at 20 m: where the meridian of 12 degrees leaves zone 33's squares, wedges get thinner than any lattice.
    let all = tiles(&["32TQS", "33TTM", "33TUM"]);
    for step in 0..40 {
        let lat = 46.0 + f64::from(step) * 0.02;
        // Around the east edge of the square of 33TTM.
        let (e, n) = forward(33, 12.0, lat);
        let (lon, lat) = inverse(33, e + 30.0, n);
        let aoi = Aoi::from_point(lon, lat, 150.0).unwrap();
        let projection = Degrees { unit: 1.0, turn: 0.0 };
        let grid = "resolution: 0.0001, tile_pixels: 64";
        lattice_plan_is_enough(grid, 4326, 0.0, 10.0, &aoi, &all, &projection).unwrap();
    }
}

fn sliced() -> Request {
    Request { slice: Some("P1M".parse().unwrap()), ..request("{resolution: 60}") }
}

fn build(request: &Request, aoi: &Aoi, scenes: BTreeMap<TileId, Vec<SceneInput>>) -> Result<Whole, PlanError> {
    whole(Inputs { request, aoi, scenes, working_resolution: 60.0, projection: None })
}

const DAYS: [&str; 5] = ["2023-01-01", "2023-01-31", "2023-02-01", "2023-06-15", "2023-12-31"];

fn here() -> Aoi {
    Aoi::from_bbox([14.2, 45.8, 15.5, 46.4]).unwrap()
}

#[test]
fn a_plan_does_not_depend_on_the_order_of_scenes() {
    let (aoi, all) = (here(), tiles(&["33TVM", "33TWM", "33TVL"]));
    let forwards = catalogue(&all, &DAYS);
    let mut backwards = forwards.clone();
    backwards.values_mut().for_each(|scenes| scenes.reverse());
    for request in [request("{resolution: 60}"), sliced()] {
        let (a, b) = (build(&request, &aoi, forwards.clone()), build(&request, &aoi, backwards.clone()));
        assert_eq!(a.unwrap(), b.unwrap());
    }
}

#[test]
fn a_scene_is_in_the_slice_that_holds_its_datatakes_start() {
    let plan = build(&sliced(), &here(), catalogue(&[tile("33TVM")], &DAYS)).unwrap();
    assert_eq!(plan.slices.len(), 12);
    let slices: Vec<usize> = plan.shards[0].scenes.iter().map(|scene| scene.slice).collect();
    assert_eq!(slices, [0, 0, 1, 5, 11]);
    for scene in &plan.shards[0].scenes {
        assert!(plan.slices[scene.slice].contains(scene.datatake.start));
    }
    // No partial without a scene.
    let partials: Vec<usize> = plan.shards[0].subtiles[0].partials.iter().map(|partial| partial.slice).collect();
    assert_eq!(partials, [0, 1, 5, 11]);
    assert_eq!(plan.shards[0].scenes_of(Some(0)).count(), 2);
}

#[test]
fn a_scene_outside_of_the_period_is_refused_by_name() {
    for day in ["2022-12-31", "2024-01-01"] {
        for request in [request("{resolution: 60}"), sliced()] {
            let error = build(&request, &here(), catalogue(&[tile("33TVM")], &[day])).unwrap_err();
            let line = format!("scene 33TVM-{day} was sensed outside of 2023-01-01..2024-01-01");
            assert_eq!(error.to_string(), line);
        }
    }
}

#[test]
fn a_tile_without_scenes_owns_nothing() {
    let mut scenes = catalogue(&tiles(&["33TVM", "33TWM"]), &DAYS);
    scenes.insert(tile("33TWM"), Vec::new());
    let with = build(&sliced(), &here(), scenes).unwrap();
    assert_eq!(with, build(&sliced(), &here(), catalogue(&[tile("33TVM")], &DAYS)).unwrap());
}

#[test]
fn tasks_follow_what_they_wait_for_and_are_found_by_their_names() {
    for request in [request("{resolution: 60}"), sliced()] {
        let whole = build(&request, &here(), catalogue(&tiles(&["33TVM", "33TWM", "33TVL"]), &DAYS)).unwrap();
        let planned = Planned::new(whole.plan.clone()).unwrap();
        let layout = planned.layout();
        let mut ids = BTreeSet::new();
        for index in 0..layout.len() {
            let kind = layout.kind(index).unwrap();
            let id = planned.id(kind);
            assert_eq!((layout.index(kind), planned.find(&id)), (Some(index), Some(index)), "{id}");
            assert!(layout.inputs(index).iter().all(|input| *input < index), "{id}");
            assert!(layout.of_place(layout.place(index)).contains(&index), "{id}");
            for input in layout.inputs(index) {
                let reads_it = match layout.kind(input).unwrap() {
                    TaskKind::Partial { shard, subtile, .. } => layout.composite_of(shard, subtile) == index,
                    TaskKind::Composite { shard, subtile } => {
                        layout.readers(shard, subtile).any(|output| layout.mosaic(output) == index)
                    }
                    _ => kind == TaskKind::Quicklook,
                };
                assert!(reads_it, "{id}");
            }
            assert_eq!(planned.key(kind, &[]), key_in(&whole, &planned, kind), "{id}");
            ids.insert(id);
        }
        assert_eq!((ids.len() as u32, layout.kind(layout.len())), (layout.len(), None));
        let subtiles: usize = whole.shards.iter().map(|shard| shard.subtiles.len()).sum();
        let partials = if request.slice.is_some() { 4 * subtiles } else { 0 };
        assert_eq!(ids.len(), partials + subtiles + whole.outputs.tiles.len() + 1);
        assert_eq!(layout.inputs(layout.len() - 1).len(), whole.outputs.tiles.len());
        for strange in
            ["", "quicklook/", "mosaic/33TVN", "composite/33TVM/99-0", "partial/33TVM/0-0", "composite/33TVM/a-b"]
        {
            assert_eq!(planned.find(&plan::TaskId(strange.into())), None, "{strange}");
        }
    }
}

/// The key of what a task makes, as the documents that workers read tell it.
fn key_in(whole: &Whole, planned: &Planned, kind: TaskKind) -> mosaic::ids::Key {
    let keys = || whole.outputs.tiles.iter().map(|tile| whole.outputs.key(tile, |_| false)).collect::<Vec<_>>();
    match kind {
        TaskKind::Partial { shard, subtile, partial } => {
            whole.shards[shard].subtiles[subtile].partials[partial].key.clone()
        }
        TaskKind::Composite { shard, subtile } => whole.shards[shard].subtiles[subtile].composite.clone(),
        TaskKind::Mosaic { output } => {
            let alone = planned.output(output);
            alone.key(&alone.tiles[0], |_| false)
        }
        TaskKind::Quicklook => whole.outputs.quicklook_key(&keys()),
    }
}

#[test]
fn a_key_tells_which_composites_could_not_be_made() {
    let whole = build(&sliced(), &here(), catalogue(&tiles(&["33TVM", "33TWM"]), &DAYS)).unwrap();
    let planned = Planned::new(whole.plan.clone()).unwrap();
    let failed: Vec<u32> = planned.layout().composites_of(0).skip(1).step_by(2).collect();
    let tile = &whole.outputs.tiles[0];
    let missing: Vec<usize> = (0..tile.inputs.len()).skip(1).step_by(2).collect();
    assert_eq!(planned.missing(0, &failed), missing);
    let lacks = |input: &plan::CompositeRef| missing.iter().any(|place| tile.inputs[*place] == *input);
    let key = planned.key(TaskKind::Mosaic { output: 0 }, &failed);
    assert_eq!(key, whole.outputs.key(tile, lacks));
    assert_ne!(key, whole.outputs.key(tile, |_| false));
}

#[test]
fn tiles_without_a_sub_tile_have_no_task() {
    let size = |subtiles| TileSize { subtiles, partials: 2 };
    let taken = vec![Taken { shard: 1, subtiles: vec![0, 1] }, Taken { shard: 4, subtiles: vec![0] }];
    let layout = Layout::new([size(0), size(2), size(0), size(0), size(1), size(0)], vec![taken]);
    assert_eq!(layout.len(), 11);
    let shards: Vec<usize> = (0..9).map(|index| layout.place(index)).collect();
    assert_eq!(shards, [1, 1, 1, 1, 1, 1, 4, 4, 4]);
    assert_eq!(layout.inputs(9), [2, 5, 8]);
    assert_eq!(layout.readers(1, 1).collect::<Vec<_>>(), [0]);
    assert!((0..11).all(|index| layout.index(layout.kind(index).unwrap()) == Some(index)));
}

#[test]
fn an_epsg_without_an_operation_is_refused() {
    let request = request("{crs: 'EPSG:3035', resolution: 60}");
    assert!(matches!(build(&request, &here(), BTreeMap::new()), Err(PlanError::Projection(_))));
    let plan = plan_of(
        &support::request("{crs: 'EPSG:32633', resolution: 60}"),
        &here(),
        &[tile("33TVM")],
        60.0,
        Some(&Utm { zone: 33, south: false }),
    );
    assert_eq!(plan.outputs.operation, None, "UTM needs none");
}

/// Keys of the first sub-tile: its partials, its composite, and the first output tile's.
fn keys(request: &Request, aoi: &Aoi, scenes: BTreeMap<TileId, Vec<SceneInput>>) -> (Vec<String>, String, String) {
    let plan = build(request, aoi, scenes).unwrap();
    let subtile = &plan.shards[0].subtiles[0];
    (
        subtile.partials.iter().map(|partial| partial.key.to_string()).collect(),
        subtile.composite.to_string(),
        plan.outputs.key(&plan.outputs.tiles[0], |_| false).to_string(),
    )
}

#[test]
fn keys_change_with_whatever_changes_pixels() {
    let all = [tile("33TVM")];
    let scenes = || catalogue(&all, &DAYS);
    let base = keys(&sliced(), &here(), scenes());
    // Scene by scene: the partial of its slice and no other.
    type Change = fn(&mut SceneInput);
    let changes: [Change; 8] = [
        |scene| scene.bands[0].href.push('x'),
        |scene| scene.bands[1].version.push('x'),
        |scene| scene.score.href.push('x'),
        |scene| scene.score.version.push('x'),
        |scene| scene.offset = 0,
        |scene| scene.system_index.0.push('x'),
        |scene| scene.datatake.platform.push('x'),
        |scene| scene.bands.swap(0, 1),
    ];
    for change in changes {
        let mut scenes = scenes();
        change(&mut scenes.get_mut(&all[0]).unwrap()[3]);
        let (partials, composite, mosaic) = keys(&sliced(), &here(), scenes);
        let changed: Vec<bool> = partials.iter().zip(&base.0).map(|(a, b)| a != b).collect();
        assert_eq!(changed, [false, false, true, false]);
        assert!(composite != base.1 && mosaic != base.2);
    }
    let mut fewer = scenes();
    fewer.get_mut(&all[0]).unwrap().remove(1);
    assert_ne!(keys(&sliced(), &here(), fewer).0[0], base.0[0]);
    // The request: all partials.
    let requests: [fn(&mut Request); 3] = [
        |request| request.scores.threshold = 0.61,
        |request| request.scores.band = mosaic::request::ScoreBand::Cs,
        |request| request.bands[0] = mosaic::band::Band::B03,
    ];
    for change in requests {
        let mut request = sliced();
        change(&mut request);
        let changed = keys(&request, &here(), scenes());
        assert!(changed.0.iter().zip(&base.0).all(|(a, b)| a != b) && changed.1 != base.1 && changed.2 != base.2);
    }
    // Resolution and window.
    let coarse = whole(Inputs {
        request: &sliced(),
        aoi: &here(),
        scenes: scenes(),
        working_resolution: 20.0,
        projection: None,
    });
    let coarse = coarse.unwrap();
    let partials: BTreeSet<_> =
        coarse.shards[0].subtiles.iter().flat_map(|s| &s.partials).map(|p| p.key.to_string()).collect();
    assert_eq!(partials.len(), 4 * coarse.shards[0].subtiles.len(), "every window has keys of its own");
    assert!(base.0.iter().all(|key| !partials.contains(key)));
}

#[test]
fn keys_do_not_change_with_what_leaves_pixels_alone() {
    let scenes = || catalogue(&[tile("33TVM")], &DAYS);
    let base = keys(&sliced(), &here(), scenes());
    let mut sized = scenes();
    sized.values_mut().flatten().for_each(|scene| {
        scene.score.size = None;
        scene.id.push('x');
    });
    assert_eq!(keys(&sliced(), &here(), sized), base, "sizes and item ids");
    let with = |change: fn(&mut Request)| {
        let mut request = sliced();
        change(&mut request);
        keys(&request, &here(), scenes())
    };
    assert_eq!(with(|r| r.name = "b".into()), base);
    let reordered = with(|r| r.bands.reverse());
    assert!(reordered.0 == base.0 && reordered.1 == base.1 && reordered.2 != base.2, "the order of bands");
    let at_least = with(|r| r.median.min_observations = 2);
    assert!(at_least.0 == base.0 && at_least.1 != base.1);
    let float = with(|r| r.median.dtype = mosaic::request::Dtype::Float32);
    assert!(float.0 == base.0 && float.1 != base.1);
    let more = with(|r| r.products = vec![Product::Mad, Product::Median]);
    assert!(more.0 == base.0 && more.1 != base.1 && more.2 != base.2, "more products of the same partials");
    let counted = with(|r| r.products = vec![Product::Median]);
    assert_eq!(counted, base, "the count is told in any case");
    let turned = with(|r| r.products = vec![Product::Median, Product::Count, Product::Mad]);
    assert!(turned.1 == more.1 && turned.2 != more.2, "the order of products");
    let longer = with(|r| r.period.end = mosaic::period::parse_instant("2025-01-01").unwrap());
    assert_eq!(longer.0, base.0, "a longer period keeps the partials of its slices");
}

#[test]
fn requests_for_other_areas_share_what_they_have_in_common() {
    let (all, whole) = (tiles(&["33TVM", "33TWM"]), Aoi::from_tiles(&tiles(&["33TVM", "33TWM"])).unwrap());
    let composites = |aoi: &Aoi| -> BTreeMap<Place, String> {
        let plan = build(&sliced(), aoi, catalogue(&all, &DAYS)).unwrap();
        let of = |shard: &plan::TileShard| {
            let tile = shard.tile;
            let one = move |s: &plan::SubTilePlan| ((tile, s.at.column, s.at.row), s.composite.to_string());
            shard.subtiles.iter().map(one).collect::<Vec<_>>()
        };
        plan.shards.iter().flat_map(of).collect()
    };
    let (large, small) = (composites(&whole), composites(&Aoi::from_point(15.0, 46.3, 5_000.0).unwrap()));
    assert!(small.len() < large.len() && !small.is_empty());
    assert!(small.iter().all(|(place, key)| large.get(place) == Some(key)));
}

#[test]
fn a_country_is_planned_whole() {
    // Some 60 tiles of zones 32 and 33 with 36 scenes each.
    let aoi = Aoi::from_bbox([9.0, 44.5, 15.5, 50.5]).unwrap();
    let days: Vec<String> = (0..36).map(|i| format!("2023-{:02}-{:02}", 1 + i / 3, 1 + i % 3 * 10)).collect();
    let days: Vec<&str> = days.iter().map(String::as_str).collect();
    let scenes = catalogue(&aoi.tiles(), &days);
    for (name, grid) in [("native", "{resolution: 10}"), ("one CRS", "{crs: 'EPSG:32632', resolution: 10}")] {
        for slice in [None, Some("P1M".parse().unwrap())] {
            let request = Request { slice, ..request(grid) };
            let utm = Utm { zone: 32, south: false };
            let scenes = scenes.clone();
            let projection = Some((&utm as &dyn Projection, String::new()));
            let inputs = Inputs { request: &request, aoi: &aoi, scenes, working_resolution: 10.0, projection };
            let plan = whole(inputs).unwrap();
            let subtiles: usize = plan.shards.iter().map(|shard| shard.subtiles.len()).sum();
            assert!(plan.shards.len() > 30 && subtiles > 3000, "{name}: {} tiles", plan.shards.len());
            let tasks = Planned::new(plan.plan).unwrap().layout().len();
            assert!(tasks as usize > subtiles, "{name}");
        }
    }
}
