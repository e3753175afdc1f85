//! Output tiles from composites: each pixel as one gets it by itself, however the output is cut into blocks.

// Helpers of tests are tests too; clippy knows only the functions marked so.
#![allow(clippy::unwrap_used, dead_code)]

mod support;

use std::sync::Arc;

use mosaic::aoi::Aoi;
use mosaic::assemble::{Assembler, Block};
use mosaic::composite::Plane;
use mosaic::grid::{Window, origin, tile_grid};
use mosaic::ids::TileId;
use mosaic::owner::Owners;
use mosaic::plan::{OutputTile, Outputs};
use mosaic::projection::{Projection, Utm, utm_of_epsg};
use mosaic::request::{Dtype, Request};
use proptest::prelude::*;
use support::{Degrees, MadeUp, Values, Whole, plan_of, request, tile, tiles};

/// Counts and values that tell tile and pixel apart, every fifth pixel without data.
fn speckled(tile: TileId, column: usize, row: usize) -> (u16, [f32; 2]) {
    let mix = tile.as_str().bytes().fold(column * 31 + row * 1009, |a, b| a * 7 + usize::from(b));
    let count = (mix % 23) as u16;
    if mix % 5 == 0 { (count, [0.0; 2]) } else { (count, [(1 + mix % 9999) as f32, (1 + mix % 7777) as f32]) }
}

/// The whole output tile, in blocks of a side.
fn assemble(
    outputs: &Outputs,
    tile: &OutputTile,
    projection: &Arc<dyn Projection>,
    composites: &MadeUp,
    side: usize,
) -> Result<Block, String> {
    let assembler = Assembler::new(outputs, tile, Arc::clone(projection)).unwrap();
    let (width, height) = (tile.grid.width, tile.grid.height);
    let nothing = || Plane::nodata(outputs.dtype, width * height);
    let mut whole = Block {
        counts: vec![0; width * height],
        bands: outputs.bands.iter().map(|_| nothing()).collect(),
        owned: vec![false; width * height],
    };
    for y0 in (0..height).step_by(side) {
        for x0 in (0..width).step_by(side) {
            let window = Window { x0, y0, width: side.min(width - x0), height: side.min(height - y0) };
            let block = assembler.block(&window, composites).map_err(|e| e.to_string())?;
            for row in 0..window.height {
                let (to, from) = ((y0 + row) * width + x0, row * window.width);
                let run = from..from + window.width;
                whole.counts[to..to + window.width].copy_from_slice(&block.counts[run.clone()]);
                whole.owned[to..to + window.width].copy_from_slice(&block.owned[run]);
                for (to_band, from_band) in whole.bands.iter_mut().zip(&block.bands) {
                    to_band.copy(to, from_band, from, window.width);
                }
            }
        }
    }
    Ok(whole)
}

/// Column and row of the owner's pixel that holds the centre of an output pixel, by the rule as it is written.
fn nearest(
    outputs: &Outputs,
    tile: &OutputTile,
    owners: &Owners,
    projection: &dyn Projection,
    (column, row): (usize, usize),
) -> Option<(TileId, usize, usize)> {
    let (x, y) = tile.grid.centre(column, row);
    let (mut lon, mut lat) = ([x], [y]);
    projection.to_lonlat(&mut lon, &mut lat).unwrap();
    let (lon, lat) = (lon[0], lat[0]);
    let known = utm_of_epsg(tile.grid.epsg).map(|utm| utm.in_zone(x, y));
    let (owner, easting, northing) = if tile.native.is_some() {
        let at = known.unwrap();
        (owners.native_owner(at.zone, at.easting, at.northing)?, at.easting, at.northing)
    } else {
        let place = owners.place(lon, lat, known)?;
        (place.owner, place.easting, place.northing)
    };
    if !outputs.aoi.contains(lon, lat) {
        return None;
    }
    let (ulx, uly) = origin(owner);
    let uly = if owner.is_south() { uly - 1e7 } else { uly };
    let pixel = |metres: f64| (metres / outputs.working_resolution).floor() as usize;
    Some((owner, pixel(easting - ulx), pixel(uly - northing)))
}

/// Checks every pixel of every output tile of a plan against the rule, in whole tiles and in odd blocks.
fn check(plan: &Whole, all: &[TileId], projection: Option<Arc<dyn Projection>>, values: Values) -> usize {
    let (outputs, owners) = (&plan.outputs, Owners::new(all.iter().copied()));
    let mut owned = 0;
    for tile in &outputs.tiles {
        let own = || Arc::new(utm_of_epsg(tile.grid.epsg).unwrap()) as Arc<dyn Projection>;
        let projection = projection.clone().unwrap_or_else(own);
        let composites = MadeUp::new(tile, outputs.working_resolution, outputs.dtype, values);
        let whole = assemble(outputs, tile, &projection, &composites, usize::MAX >> 1).unwrap();
        let pieces = assemble(outputs, tile, &projection, &composites, 37).unwrap();
        assert!(whole == pieces, "{} depends on its blocks", tile.id);
        for row in 0..tile.grid.height {
            for column in 0..tile.grid.width {
                let pixel = row * tile.grid.width + column;
                let place = nearest(outputs, tile, &owners, projection.as_ref(), (column, row));
                let (count, bands) = place.map_or((0, [0.0; 2]), |(tile, column, row)| values(tile, column, row));
                assert_eq!(whole.owned[pixel], place.is_some(), "{} {column} {row}", tile.id);
                assert_eq!(whole.counts[pixel], count, "{} {column} {row}: {place:?}", tile.id);
                // The request has B04 before B02, composites the other way round.
                let got = [whole.bands[1].get(pixel), whole.bands[0].get(pixel)];
                assert_eq!(got, bands, "{} {column} {row}: {place:?}", tile.id);
                owned += usize::from(place.is_some());
            }
        }
    }
    owned
}

fn float(request: Request) -> Request {
    let mut request = request;
    request.median.dtype = Dtype::Float32;
    request
}

#[test]
fn native_tiles_copy_their_owners_pixels() {
    let all = tiles(&["33TVM", "33TWM", "33TVL"]);
    let aoi = Aoi::from_geojson(
        r#"{"type": "Polygon", "coordinates": [[[14.7, 45.9], [15.6, 46.2], [14.9, 46.6], [14.2, 46.1], [14.7, 45.9]]]}"#,
    );
    let aoi = aoi.unwrap();
    for grid in ["{resolution: 60}", "{resolution: 60, resampling: bilinear}"] {
        let plan = plan_of(&request(grid), &aoi, &all, 60.0, None);
        assert!(
            check(&plan, &all, None, |t, c, r| {
                let (n, v) = speckled(t, c, r);
                (n, v)
            }) > 10_000
        );
        let plan = plan_of(&float(request(grid)), &aoi, &all, 60.0, None);
        assert!(
            check(&plan, &all, None, |t, c, r| {
                let (n, v) = speckled(t, c, r);
                (n, v.map(|v| if v > 0.0 { v + 0.5 } else { v }))
            }) > 10_000
        );
    }
}

#[test]
fn where_grids_lie_between_each_other_a_centre_on_an_edge_is_the_pixels_to_the_south_east() {
    // At 120 m the origins of neighbours differ by odd multiples of 60 m.
    let all = tiles(&["33TVM", "33TWM", "33TVL", "33TWL"]);
    let apart = |a: &str, b: &str| {
        let (a, b) = (origin(tile(a)), origin(tile(b)));
        ((a.0 - b.0) / 120.0).fract() != 0.0 || ((a.1 - b.1) / 120.0).fract() != 0.0
    };
    assert!(all.iter().any(|other| apart("33TVM", other.as_str())));
    let aoi = Aoi::from_bbox([14.7, 45.8, 15.3, 46.1]).unwrap();
    let plan = plan_of(&request("{resolution: 120}"), &aoi, &all, 120.0, None);
    assert!(check(&plan, &all, None, speckled) > 50_000);
}

#[test]
fn the_hemispheres_are_one_zone() {
    let all = tiles(&["36NXF", "36NYF", "36MXE", "36MYE"]);
    let aoi = Aoi::from_bbox([34.75, -0.12, 35.1, 0.12]).unwrap();
    for resolution in [60.0, 120.0] {
        let plan = plan_of(&request(&format!("{{resolution: {resolution}}}")), &aoi, &all, resolution, None);
        assert!(check(&plan, &all, None, speckled) > 20_000);
    }
    let utm: Arc<dyn Projection> = Arc::new(Utm { zone: 36, south: true });
    let request = request("{crs: 'EPSG:32736', resolution: 60, tile_pixels: 900}");
    let plan = plan_of(&request, &aoi, &all, 60.0, Some(utm.as_ref()));
    assert!(check(&plan, &all, Some(utm), speckled) > 200_000);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(8) })]

    #[test]
    fn outputs_in_one_crs_take_the_nearest_pixel(
        turn in -0.5..0.5f64, unit in 0.002..0.01f64, west in 11.5..12.3f64, south in 45.8..46.4f64,
        some in prop::sample::subsequence(vec!["32TPS", "32TQS", "32TQR", "33TUM", "33TTM", "33TUL"], 1..=6),
    ) {
        let aoi = Aoi::from_bbox([west, south, west + 0.4, south + 0.3]).unwrap();
        let (all, projection) = (tiles(&some), Arc::new(Degrees { unit, turn }));
        let request = request("{crs: 'EPSG:4326', resolution: 0.5, tile_pixels: 50}");
        let plan = plan_of(&request, &aoi, &all, 60.0, Some(projection.as_ref()));
        check(&plan, &all, Some(projection), speckled);
    }

    #[test]
    fn so_do_outputs_in_the_plane_of_a_zone(
        zone in 32u8..=33, west in 11.5..12.3f64, resolution in prop::sample::select(vec![40.0, 60.0, 100.0, 240.0]),
        some in prop::sample::subsequence(vec!["32TPS", "32TQS", "32TQR", "33TUM", "33TTM", "33TUL"], 1..=6),
    ) {
        // Centres lie on the edges of squares and footprints now and then.
        let aoi = Aoi::from_bbox([west, 45.95, west + 0.3, 46.1]).unwrap();
        let (all, projection) = (tiles(&some), Arc::new(Utm { zone, south: false }));
        let grid = format!("{{crs: 'EPSG:{}', resolution: {resolution}, tile_pixels: 150}}", 32600 + u32::from(zone));
        let plan = plan_of(&request(&grid), &aoi, &all, 60.0, Some(projection.as_ref()));
        check(&plan, &all, Some(projection), speckled);
    }
}

#[test]
fn no_kind_of_resampling_reads_what_is_not_planned() {
    let (all, projection) = (tiles(&["32TQS", "33TUM", "33TTM"]), Arc::new(Degrees { unit: 1.0, turn: 0.2 }));
    for resampling in ["bilinear", "cubic", "average"] {
        for (radius, resolution) in [(30.0, 0.0001), (900.0, 0.0005), (40_000.0, 0.02)] {
            let aoi = Aoi::from_point(12.1, 46.3, radius).unwrap();
            let grid =
                format!("{{crs: 'EPSG:4326', resolution: {resolution}, tile_pixels: 64, resampling: {resampling}}}");
            let plan = plan_of(&request(&grid), &aoi, &all, 60.0, Some(projection.as_ref()));
            assert!(!plan.outputs.tiles.is_empty());
            for tile in &plan.outputs.tiles {
                let composites = MadeUp::new(tile, 60.0, Dtype::Uint16, speckled);
                let projection: Arc<dyn Projection> = Arc::clone(&projection) as _;
                let block = assemble(&plan.outputs, tile, &projection, &composites, 64).unwrap();
                assert!(block.owned.contains(&true), "{}: a tile that owns nothing", tile.id);
            }
        }
    }
}

/// One output tile of 33TVM's zone at a resolution with values of a field, and its middle, away from all edges.
fn field(grid: &str, request_of: fn(Request) -> Request, values: Values) -> (Block, OutputTile) {
    let aoi = Aoi::from_bbox([14.2, 45.9, 14.6, 46.2]).unwrap();
    let (all, utm) = (tiles(&["33TVM", "33TVL"]), Arc::new(Utm { zone: 33, south: false }));
    let grid = format!("{{crs: 'EPSG:32633', tile_pixels: 200, {grid}}}");
    let plan = plan_of(&request_of(request(&grid)), &aoi, &all, 60.0, Some(utm.as_ref()));
    let tile = plan.outputs.tiles.iter().max_by_key(|tile| well_inside(tile).count()).unwrap();
    let composites = MadeUp::new(tile, 60.0, plan.outputs.dtype, values);
    let projection: Arc<dyn Projection> = utm;
    let block = assemble(&plan.outputs, tile, &projection, &composites, 64).unwrap();
    (block, tile.clone())
}

/// The pixels of a tile that lie well inside the square of 33TVM and the area.
fn well_inside(tile: &OutputTile) -> impl Iterator<Item = (usize, f64, f64)> + '_ {
    let pixels = (0..200).flat_map(|row| (0..200).map(move |column| (column, row)));
    let centre = |(column, row): (usize, usize)| {
        let (e, n) = tile.grid.centre(column, row);
        (row * 200 + column, e, n)
    };
    pixels.map(centre).filter(|(_, e, n)| (442_000.0..466_000.0).contains(e) && (5_102_000.0..5_114_000.0).contains(n))
}

#[test]
fn a_constant_field_stays_constant() {
    for resampling in ["bilinear", "cubic", "average"] {
        for resolution in [25, 60, 70, 190] {
            let grid = format!("resolution: {resolution}, resampling: {resampling}");
            let (block, tile) = field(&grid, |r| r, |_, _, _| (3, [777.0, 1.0]));
            let mut some = 0;
            for (pixel, ..) in well_inside(&tile) {
                assert_eq!(
                    (block.counts[pixel], block.bands[0].get(pixel), block.bands[1].get(pixel)),
                    (3, 1.0, 777.0)
                );
                some += 1;
            }
            assert!(some > 1000, "{resampling} {resolution}");
        }
    }
}

#[test]
fn a_ramp_is_reproduced() {
    // 33TVM begins at easting 399,960 and northing 5,200,020; the ramp is exact at working pixels' centres.
    let ramp: Values = |tile, column, row| {
        let (ulx, uly) = origin(tile);
        let (e, n) = (ulx + column as f64 * 60.0 + 30.0, uly - row as f64 * 60.0 - 30.0);
        (1, [((e - 390_000.0) / 10.0) as f32, ((5_210_000.0 - n) / 10.0) as f32])
    };
    for resampling in ["bilinear", "cubic", "average"] {
        // Averages of whole pixels have their mean in the middle.
        let resolutions: &[i32] = if resampling == "average" { &[120, 180] } else { &[25, 70, 190] };
        for resolution in resolutions {
            let grid = format!("resolution: {resolution}, resampling: {resampling}");
            let (block, tile) = field(&grid, float, ramp);
            for (pixel, e, n) in well_inside(&tile) {
                let (x, y) = (block.bands[1].get(pixel), block.bands[0].get(pixel));
                let want = (((e - 390_000.0) / 10.0) as f32, ((5_210_000.0 - n) / 10.0) as f32);
                assert!(
                    (x - want.0).abs() < 0.01 && (y - want.1).abs() < 0.01,
                    "{resampling} {resolution}: {x} {y} {want:?}"
                );
            }
        }
    }
}

#[test]
fn an_average_of_two_by_two_ignores_nodata() {
    // 120 m pixels of the lattice hold exactly four of 60 m: origins are multiples of 60 m.
    let values: Values = |_, column, row| {
        let v = [[10.0, 20.0], [30.0, 0.0]][row % 2][column % 2];
        (1, [v, v])
    };
    let (block, tile) = field("resolution: 120, resampling: average", |r| r, values);
    let grid = tile_grid(grid_tile(), 60.0).unwrap();
    let mut some = 0;
    for (pixel, e, n) in well_inside(&tile) {
        let (column, row) = (((e - grid.ulx) / 60.0) as usize, ((grid.uly - n) / 60.0) as usize);
        // The pixel to the south-east of the centre is the nearest; without data there the mosaic has none.
        let has_data = values(grid_tile(), column, row).1[0] != 0.0;
        assert_eq!(block.bands[0].get(pixel), if has_data { 20.0 } else { 0.0 }, "{column} {row}");
        some += usize::from(has_data);
    }
    assert!(some > 500);
}

fn grid_tile() -> TileId {
    tile("33TVM")
}

#[test]
fn nothing_is_made_where_the_nearest_pixel_has_no_data() {
    for resampling in ["nearest", "bilinear", "cubic", "average"] {
        for resolution in [25, 70, 190] {
            let (block, tile) = field(&format!("resolution: {resolution}, resampling: {resampling}"), |r| r, speckled);
            let grid = tile_grid(grid_tile(), 60.0).unwrap();
            let mut nodata = 0;
            for (pixel, e, n) in well_inside(&tile) {
                let (column, row) = ((e - grid.ulx) / 60.0, (grid.uly - n) / 60.0);
                let (count, bands) = speckled(grid_tile(), column as usize, row as usize);
                assert_eq!(block.counts[pixel], count, "counts are always the nearest");
                assert_eq!(block.bands[0].get(pixel) == 0.0, bands[0] == 0.0, "{resampling} {resolution}");
                nodata += usize::from(bands[0] == 0.0);
            }
            assert!(nodata > 500);
        }
    }
}

#[test]
fn values_stay_within_bounds_next_to_nodata() {
    // Where pixels are missing cubic's negative weights must not outweigh the rest.
    for resampling in ["bilinear", "cubic", "average"] {
        let (block, tile) = field(
            &format!("resolution: 37, resampling: {resampling}"),
            |r| r,
            |tile, c, r| {
                let (count, bands) = speckled(tile, c, r);
                (count, bands.map(|v| if v == 0.0 { 0.0 } else { 1000.0 + v / 100.0 }))
            },
        );
        for (pixel, ..) in well_inside(&tile) {
            let value = block.bands[0].get(pixel);
            assert!(value == 0.0 || (950.0..1150.0).contains(&value), "{resampling}: {value}");
        }
    }
}

#[test]
fn a_composite_that_could_not_be_made_leaves_nodata() {
    struct Failed(MadeUp);
    impl mosaic::assemble::Composites for Failed {
        type Error = String;
        fn get(&self, t: TileId, c: u16, r: u16) -> Result<Option<Arc<mosaic::composite::Composite>>, String> {
            if (c, r) == (0, 0) { Ok(None) } else { self.0.get(t, c, r) }
        }
    }
    let all = [tile("33TVM")];
    let plan = plan_of(&request("{resolution: 60}"), &Aoi::from_tiles(&all).unwrap(), &all, 60.0, None);
    let output = &plan.outputs.tiles[0];
    let composites = Failed(MadeUp::new(output, 60.0, Dtype::Uint16, |_, _, _| (2, [5.0, 6.0])));
    let assembler = Assembler::new(&plan.outputs, output, Arc::new(Utm { zone: 33, south: false })).unwrap();
    let block = assembler.block(&output.grid.window(), &composites).unwrap();
    let at = |column: usize, row: usize| {
        let pixel = row * output.grid.width + column;
        (block.owned[pixel], block.counts[pixel], block.bands[0].get(pixel))
    };
    assert_eq!(at(500, 500), (true, 0, 0.0));
    assert_eq!(at(1500, 500), (true, 2, 6.0));
}

#[test]
fn blocks_are_assembled_fast() {
    let all = tiles(&["33TVM", "33TWM", "33TVL"]);
    let run = |grid: &str, resolution: f64, projection: Option<Arc<dyn Projection>>| {
        let aoi = Aoi::from_bbox([14.2, 45.9, 14.6, 46.2]).unwrap();
        let plan = plan_of(&request(grid), &aoi, &all, resolution, projection.as_deref());
        let utm = Arc::new(Utm { zone: 33, south: false }) as Arc<dyn Projection>;
        let projection = projection.unwrap_or(utm);
        let output = plan.outputs.tiles.iter().find(|tile| tile.id != "33TVL").unwrap();
        let composites =
            MadeUp::new(output, resolution, Dtype::Uint16, |_, c, r| (1, [(c + 1) as f32, (r + 1) as f32]));
        let assembler = Assembler::new(&plan.outputs, output, projection).unwrap();
        let (mut took, mut pixels) = (std::time::Duration::ZERO, 0);
        for y0 in (0..output.grid.height / 512 * 512).step_by(512) {
            for x0 in (0..output.grid.width / 512 * 512).step_by(512) {
                let start = std::time::Instant::now();
                let block = assembler.block(&Window { x0, y0, width: 512, height: 512 }, &composites).unwrap();
                if block.owned.iter().all(|owned| *owned) {
                    took += start.elapsed();
                    pixels += 512 * 512;
                }
            }
        }
        eprintln!("{grid}: {:.2} ns a pixel of {pixels}", took.as_nanos() as f64 / f64::from(pixels.max(1)));
    };
    run("{resolution: 20}", 20.0, None);
    run("{crs: 'EPSG:32633', resolution: 20, tile_pixels: 2048}", 20.0, Some(Arc::new(Utm { zone: 33, south: false })));
    run(
        "{crs: 'EPSG:4326', resolution: 0.0002, tile_pixels: 1024}",
        20.0,
        Some(Arc::new(Degrees { unit: 1.0, turn: 0.0 })),
    );
    run(
        "{crs: 'EPSG:4326', resolution: 0.0002, tile_pixels: 1024, resampling: cubic}",
        20.0,
        Some(Arc::new(Degrees { unit: 1.0, turn: 0.0 })),
    );
    run(
        "{crs: 'EPSG:4326', resolution: 0.0002, tile_pixels: 1024, resampling: average}",
        20.0,
        Some(Arc::new(Degrees { unit: 1.0, turn: 0.0 })),
    );
}
