use std::path::Path;

use proptest::prelude::*;

use super::lonlat::zone_region;
use super::mgrs::{COLUMNS, ROWS, SQUARE_SIZE_M};
use super::utm::{central_meridian, forward};
use super::*;

fn tile(id: &str) -> TileId {
    id.parse().unwrap()
}

fn every_square() -> impl Iterator<Item = Square> {
    (1..=60).flat_map(|zone| ROWS.flat_map(move |row| COLUMNS.map(move |column| Square { zone, column, row })))
}

#[test]
fn origins_are_those_of_the_official_grid() {
    for (id, ulx, uly) in [
        ("33TWL", 499_980.0, 5_100_000.0),
        ("33TWM", 499_980.0, 5_200_020.0),
        ("20EPT", 600_000.0, 3_300_040.0),
        ("24MUA", 300_000.0, 9_600_040.0),
        ("12RWT", 499_980.0, 3_300_000.0),
        ("29RKH", 199_980.0, 2_800_020.0),
        ("35XQA", 699_960.0, 8_100_000.0),
        ("35MNM", 499_980.0, 9_200_020.0),
        ("53NKG", 199_980.0, 700_020.0),
        ("36NYH", 699_960.0, 300_000.0),
        ("55WFR", 600_000.0, 7_600_020.0),
    ] {
        assert_eq!(origin(tile(id)), (ulx, uly), "{id}");
        assert_eq!(tile(id).square().tile(), Some(tile(id)), "{id}");
    }
}

#[test]
fn origins_are_those_of_real_items() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/system-index/items"));
    if !folder.exists() {
        eprintln!("SKIPPED origins_are_those_of_real_items: no {}", folder.display());
        return;
    }
    let mut checked = 0;
    for provider in std::fs::read_dir(folder).unwrap() {
        for item in std::fs::read_dir(provider.unwrap().path()).unwrap() {
            let item: serde_json::Value =
                serde_json::from_slice(&std::fs::read(item.unwrap().path()).unwrap()).unwrap();
            let id = item["id"].as_str().unwrap();
            let tile = id.split('_').find_map(|part| part.parse::<TileId>().ok()).unwrap();
            let transforms =
                item["assets"].as_object().unwrap().values().filter_map(|a| a["proj:transform"].as_array());
            for transform in transforms.filter(|t| t[0].as_f64().is_some_and(|r| [10.0, 20.0, 60.0].contains(&r))) {
                let corner = (transform[2].as_f64().unwrap(), transform[5].as_f64().unwrap());
                assert_eq!(origin(tile), corner, "{id}");
                checked += 1;
            }
            if let Some(epsg) = item["properties"]["proj:epsg"].as_u64() {
                assert_eq!(u64::from(tile.epsg()), epsg, "{id}");
            }
        }
    }
    assert!(checked >= 9, "{checked}");
}

#[test]
fn squares_and_tiles_name_each_other_all_over_the_world() {
    let mut seen = std::collections::HashSet::new();
    for square in every_square() {
        if let Some(tile) = square.tile() {
            assert_eq!(tile.square(), square, "{tile}");
            assert!(seen.insert(tile), "{tile} twice");
            assert_eq!(tile.is_south(), square.row < 0, "{tile}");
        }
    }
    assert!(seen.len() > 80_000);
}

#[test]
fn somewhat_more_squares_meet_their_zones_than_the_official_grid_has_tiles() {
    // The official grid has 56,686: narrow squares at zone edges have no tile of their own.
    let meeting = |zone: u8| every_square().filter(|s| s.zone == zone && s.tile().is_some() && s.meets_zone()).count();
    let world = 53 * meeting(20) + (31..=37).map(meeting).sum::<usize>();
    assert!((60_000..65_000).contains(&world), "{world}");
}

#[test]
fn squares_meet_their_zones_with_their_exceptions() {
    let meets = |id: &str| tile(id).square().meets_zone();
    // 32V reaches west to column K, where 31V ends at 3 degrees.
    for id in ["32VKM", "32VLM", "31VDG", "31XDG", "33XVG", "33XXG", "35XMG", "37XDA", "60KZF", "01KAB", "33TTM"] {
        assert!(meets(id), "{id}");
    }
    for id in ["31VGG", "30XXG", "33TSM", "32TJS"] {
        assert!(id.parse::<TileId>().is_err() || !meets(id), "{id}");
    }
    for zone in [32, 34, 36] {
        let x = every_square().filter(|s| s.zone == zone).filter_map(|s| s.tile()).any(|t| t.band_letter() == 'X');
        assert!(!x, "{zone}X does not exist");
    }
}

#[test]
fn every_point_of_a_zone_lies_in_a_square_that_meets_it() {
    let mut missing = 0;
    for lon in (-1800..1800).step_by(7).map(|l| f64::from(l) / 10.0 + 0.013) {
        for lat in (-799..840).step_by(11).map(|l| f64::from(l) / 10.0) {
            let zone = zone_of(lon, lat);
            let (e, n) = forward(zone, lon, lat);
            let square = Square::of(zone, e, n);
            assert!(square.meets_zone(), "{lon} {lat} {square:?}");
            missing += usize::from(square.tile().is_none());
        }
    }
    // Squares whose centres lie beyond 84 north or across 72 north in 32, 34 and 36.
    assert!(missing < 200, "{missing}");
}

#[test]
fn regions_tile_the_globe() {
    let degrees: f64 = (1..=60).flat_map(zone_region).map(|b| (b[2] - b[0]) * (b[3] - b[1])).sum();
    assert_eq!(degrees, 360.0 * 164.0);
}

#[test]
fn footprints_begin_on_multiples_of_60_m_and_overlap_by_9800_m() {
    for square in every_square() {
        let f = square.footprint();
        assert_eq!((f.west % 60.0, f.north % 60.0), (0.0, 0.0));
        let (e, n) = (f64::from(square.column) * SQUARE_SIZE_M, f64::from(square.row) * SQUARE_SIZE_M);
        assert!(f.holds(e, n) && f.holds(e + 99_999.999, n + 99_999.999), "a footprint holds its square");
        let east = Square { column: square.column + 1, ..square }.footprint();
        let south = Square { row: square.row - 1, ..square }.footprint();
        for overlap in [f.east() - east.west, south.north - f.south()] {
            assert!((overlap - 9_800.0).abs() <= 60.0, "{square:?}: {overlap}");
        }
    }
}

#[test]
fn subtiles_tile_the_tile() {
    for (resolution, count, last) in [(10.0, 121, 740), (20.0, 36, 370), (60.0, 4, 806), (1.0, 108 * 108, 232)] {
        let all: Vec<SubTile> = subtiles(resolution).unwrap().collect();
        assert_eq!(all.len(), count);
        let grid = tile_grid(tile("33TWL"), resolution).unwrap();
        assert_eq!(all.iter().map(|s| s.window.pixels()).sum::<usize>(), grid.window().pixels());
        let end = all.last().unwrap();
        assert_eq!((end.window.width, end.window.height, end.window.x1()), (last, last, grid.width));
        assert_eq!(all[1].column, 1);
        assert_eq!((all[1].window.x0, all[1].window.y0), (1024, 0));
    }
    for bad in [7.0, 0.0, -10.0, f64::NAN, f64::INFINITY, 219_600.0, 0.001, 11.0] {
        assert!(matches!(tile_grid(tile("33TWL"), bad), Err(GridError::Resolution(_))), "{bad}");
    }
    assert_eq!(tile_grid(tile("33TWL"), 120.0).unwrap().width, 915);
}

#[test]
fn windows_keep_their_pixels_places() {
    let grid = tile_grid(tile("20EPT"), 20.0).unwrap();
    assert_eq!((grid.epsg, grid.geotransform()), (32720, [600_000.0, 20.0, 0.0, 3_300_040.0, 0.0, -20.0]));
    let window = Window { x0: 1024, y0: 2048, width: 100, height: 50 };
    assert_eq!(grid.windowed(&window).centre(3, 4), grid.centre(1027, 2052));
    assert_eq!(grid.bounds(&window).max_y, 3_300_040.0 - 2048.0 * 20.0);
    assert!(window.holds(1123, 2097) && !window.holds(1124, 2097));
    let other = Window { x0: 1100, y0: 0, width: 1000, height: 2049 };
    assert_eq!(window.intersection(&other), Some(Window { x0: 1100, y0: 2048, width: 24, height: 1 }));
    assert_eq!(window.intersection(&Window { y0: 0, height: 2048, ..other }), None);
}

proptest! {
    #[test]
    fn outlines_follow_their_footprints(zone in 1u8..=60, column in 1..=8i32, row in -88..=90i32) {
        let footprint = Square { zone, column, row }.footprint();
        for [lon, lat] in footprint.outline(4) {
            let (e, n) = forward(zone, lon, lat);
            let off = [(e - footprint.west).abs(), (e - footprint.east()).abs(), (n - footprint.north).abs(), (n - footprint.south()).abs()];
            prop_assert!(off.into_iter().fold(f64::INFINITY, f64::min) < 1e-6);
            prop_assert!((lon - central_meridian(zone)).abs() < 380.0);
        }
    }
}
