use std::collections::BTreeSet;

use proptest::prelude::*;

use super::super::Aoi;
use super::{outline, polygon, tile};
use crate::grid::mgrs::{COLUMNS, ROWS, Square};
use crate::grid::utm::{central_meridian, forward, inverse};
use crate::grid::{footprint, zone_of};
use crate::ids::TileId;

fn names(aoi: &Aoi) -> Vec<String> {
    aoi.tiles().iter().map(ToString::to_string).collect()
}

#[test]
fn a_point_in_the_overlap_needs_both_tiles() {
    // 4.9 km south of the edge between 33TWL and 33TWM.
    let (lon, lat) = inverse(33, 550_000.0, 5_095_100.0);
    assert_eq!(names(&Aoi::from_point(lon, lat, 100.0).unwrap()), ["33TWL", "33TWM"]);
    assert_eq!(names(&Aoi::from_point(lon, lat - 0.05, 100.0).unwrap()), ["33TWL"]);
}

#[test]
fn where_zones_meet_both_are_needed() {
    let tiles = names(&Aoi::from_point(12.2, 46.5, 1_000.0).unwrap());
    assert!(tiles.contains(&"32TQS".into()) && tiles.contains(&"33TTM".into()), "{tiles:?}");
}

#[test]
fn tiles_give_back_themselves_and_their_overlapping_neighbours() {
    let aoi = Aoi::from_tiles(&[tile("33TWL")]).unwrap();
    let expected = ["33TVL", "33TVM", "33TVK", "33TWK", "33TWL", "33TWM", "33TXK", "33TXL", "33TXM"];
    assert_eq!(aoi.tiles(), expected.map(tile).into_iter().collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>());
}

#[test]
fn a_tile_within_a_hole_is_not_needed() {
    let ring = |d: f64| {
        [[15.6 - d, 45.5 - d], [15.6 + d, 45.5 - d], [15.6 + d, 45.5 + d], [15.6 - d, 45.5 + d], [15.6 - d, 45.5 - d]]
    };
    let whole = names(&polygon(&[&ring(4.0)]));
    let holed = names(&polygon(&[&ring(4.0), &ring(1.2)]));
    assert!(whole.contains(&"33TWL".into()) && !holed.contains(&"33TWL".into()));
    assert!(holed.contains(&"33TWM".into()));
}

#[test]
fn fiji_lies_on_both_sides_of_the_antimeridian() {
    let box_tiles = names(&Aoi::from_bbox([177.0, -19.0, -179.0, -16.0]).unwrap());
    for zone in ["60K", "01K"] {
        assert!(box_tiles.iter().any(|t| t.starts_with(zone)), "{zone}: {box_tiles:?}");
    }
    let Some(fiji) = outline("fiji.geojson") else { return };
    let tiles = names(&fiji);
    for zone in ["60K", "01K"] {
        assert!(tiles.iter().any(|t| t.starts_with(zone)), "{zone}: {tiles:?}");
    }
    assert!((8..30).contains(&tiles.len()), "{tiles:?}");
    let [west, _, east, _] = fiji.bbox();
    assert!(west > 177.0 && east < -179.0);
}

#[test]
fn countries_and_continents_have_plausibly_many_tiles() {
    for (name, range) in [
        ("slovenia.geojson", 6..16),
        ("new-zealand.geojson", 45..90),
        ("brazil.geojson", 900..1300),
        ("africa.geojson", 3000..3900),
        ("europe.geojson", 900..1600),
    ] {
        let Some(aoi) = outline(name) else { return };
        let tiles = aoi.tiles();
        assert!(range.contains(&tiles.len()), "{name}: {}", tiles.len());
    }
}

#[test]
fn slovenia_has_the_tiles_it_is_known_for() {
    let Some(slovenia) = outline("slovenia.geojson") else { return };
    let tiles = names(&slovenia);
    for id in ["33TVL", "33TVM", "33TWL", "33TWM", "33TUL", "33TUM", "33TXM"] {
        assert!(tiles.contains(&id.into()), "{id} of {tiles:?}");
    }
}

/// The tiles of an area by definition: a lattice of points in each footprint, for areas much larger than its step.
fn sampled(aoi: &Aoi, zones: &[u8]) -> BTreeSet<TileId> {
    // Rows around the area's, by its southern latitude: the rest cannot hold any of it.
    let first = (forward(zones[3], central_meridian(zones[3]), aoi.bbox()[1]).1 / 1e5) as i32;
    let rows = (*ROWS.start()).max(first - 4)..=(*ROWS.end()).min(first + 14);
    let squares = zones
        .iter()
        .flat_map(|&zone| rows.clone().flat_map(move |row| COLUMNS.map(move |column| Square { zone, column, row })));
    let holds = |square: &Square| {
        let f = square.footprint();
        (0..=20).any(|i| {
            (0..=20).any(|j| {
                let at = |k: i32| 1.0 + f64::from(k) * 109_798.0 / 20.0;
                let (lon, lat) = inverse(square.zone, f.west + at(i), f.south() + at(j));
                aoi.contains(lon, lat)
            })
        })
    };
    squares.filter(holds).filter(Square::meets_zone).filter_map(|square| square.tile()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn every_tile_that_sampling_finds_is_needed(
        lon in -180.0..180.0f64, lat in -78.0..80.0f64, sizes in prop::array::uniform4(0.2..2.5f64)
    ) {
        let ring = [[lon - sizes[0], lat], [lon, lat - sizes[1].min(1.9)], [lon + sizes[2], lat], [lon, lat + sizes[3]], [lon - sizes[0], lat]];
        let aoi = polygon(&[&ring]);
        let zone = i32::from(zone_of(lon, lat));
        let zones: Vec<u8> = (zone - 3..=zone + 3).map(|z| ((z + 59) % 60 + 1) as u8).collect();
        let (found, sampled) = (aoi.tiles(), sampled(&aoi, &zones));
        for tile in &sampled {
            prop_assert!(found.contains(tile), "{} is missing", tile);
        }
        // And no more than those whose outline comes near the area.
        for tile in found {
            let f = footprint(tile);
            let b = aoi.zone_bounds(f.zone).unwrap();
            prop_assert!(b.min_x <= f.east() && b.max_x >= f.west && b.min_y <= f.north && b.max_y >= f.south());
            prop_assert!((lon - central_meridian(f.zone)).abs() < 60.0 || (lon - central_meridian(f.zone)).abs() > 300.0);
        }
    }
}
