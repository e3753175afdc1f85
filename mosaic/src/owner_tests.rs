use proptest::prelude::*;

use super::*;
use crate::grid::mgrs::footprint;
use crate::grid::utm::inverse;

fn tile(id: &str) -> TileId {
    id.parse().unwrap()
}

fn owners(ids: &[&str]) -> Owners {
    Owners::new(ids.iter().map(|id| tile(id)))
}

/// The rule as it is written, by looking at every tile.
fn by_definition(tiles: &[TileId], lon: f64, lat: f64) -> Option<TileId> {
    let own = zone_of(lon, lat);
    let in_zone = |zone: u8| forward(zone, lon, lat);
    let (e, n) = in_zone(own);
    let square = tiles.iter().find(|t| t.zone() == own && t.square() == Square::of(own, e, n));
    let nearest = |own_zone: bool| {
        let candidates = tiles.iter().filter(|t| (t.zone() == own) == own_zone).filter_map(|&t| {
            let (e, n) = in_zone(t.zone());
            let f = footprint(t);
            f.holds(e, n).then(|| (f.distance_squared(e, n), t))
        });
        candidates.min_by(nearer).map(|(_, t)| t)
    };
    square.copied().or_else(|| nearest(true)).or_else(|| nearest(false))
}

#[test]
fn where_a_zone_has_no_tile_the_neighbours_owns() {
    assert_eq!(zone_of(12.2, 46.5), 33);
    assert_eq!(owners(&["32TQS"]).owner(12.2, 46.5), Some(tile("32TQS")));
    assert_eq!(owners(&["32TQS", "33TTM"]).owner(12.2, 46.5), Some(tile("33TTM")));
    // Native output of zone 33 knows no other zone.
    let (e, n) = forward(33, 12.2, 46.5);
    assert_eq!(owners(&["32TQS"]).native_owner(33, e, n), None);
    assert_eq!(owners(&[]).owner(12.2, 46.5), None);
}

#[test]
fn the_square_goes_before_the_nearest_centre() {
    let both = owners(&["33TWL", "33TWM"]);
    // The footprint of 33TWM reaches 9,780 m south of its square's south edge at 5,100,000.
    let at = |n: f64| both.native_owner(33, 550_000.0, n);
    assert_eq!(at(5_100_000.0), Some(tile("33TWM")), "the south edge of a square is in");
    assert_eq!(at(5_099_999.9), Some(tile("33TWL")));
    let upper = owners(&["33TWM"]);
    assert_eq!(upper.native_owner(33, 550_000.0, 5_090_230.0), Some(tile("33TWM")));
    assert_eq!(upper.native_owner(33, 550_000.0, 5_090_220.0), None, "the south edge of a footprint is out");
    assert_eq!(upper.native_owner(33, 499_980.0, 5_200_020.0), Some(tile("33TWM")), "its west and north edges are in");
    assert_eq!(upper.native_owner(33, 609_780.0, 5_150_000.0), None, "its east edge is out");
}

#[test]
fn ties_go_to_the_smaller_id() {
    // The corner that the footprints of 33TVM and 33TWM share with no square's tile: equally far from both centres.
    let (a, b) = (footprint(tile("33TVM")), footprint(tile("33TWM")));
    let middle = (a.west + b.west + TILE_SIZE_M) / 2.0;
    let (tied, south) = (owners(&["33TWM", "33TVM"]), a.south() + 1.0);
    assert_eq!(tied.native_owner(33, middle, south), Some(tile("33TVM")));
    assert_eq!(tied.native_owner(33, middle + 1.0, south), Some(tile("33TWM")));
}

#[test]
fn the_hemispheres_are_one_plane() {
    let both = owners(&["36NYF", "36MYE"]);
    assert_eq!((tile("36NYF").square().row, tile("36MYE").square().row), (0, -1));
    assert_eq!(both.native_owner(36, 750_000.0, 10.0), Some(tile("36NYF")));
    assert_eq!(both.native_owner(36, 750_000.0, -10.0), Some(tile("36MYE")));
    assert_eq!(owners(&["36NYF"]).native_owner(36, 750_000.0, -10.0), Some(tile("36NYF")));
}

#[test]
fn the_antimeridian_is_a_zone_boundary_like_any_other() {
    let (lon, lat) = inverse(60, 815_000.0, -1_950_000.0);
    let last = Square::of(60, 815_000.0, -1_950_000.0).tile().unwrap();
    let (e, n) = forward(1, lon, lat);
    let first = Square::of(1, e, n).tile().unwrap();
    assert_eq!(zone_of(lon, lat), 60);
    assert_eq!(Owners::new([first, last]).owner(lon, lat), Some(last));
    assert_eq!(Owners::new([first]).owner(lon, lat), Some(first));
    assert_eq!(Owners::new([first]).owner(lon - 360.0, lat), Some(first));
}

#[test]
fn what_is_not_finite_has_no_owner() {
    let some = owners(&["33TWM"]);
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(some.owner(bad, 46.0), None);
        assert_eq!(some.owner(15.0, bad), None);
        assert_eq!(some.native_owner(33, bad, 5e6), None);
    }
}

/// Tiles around a point, of its zone and all that are near, thinned out by a pattern of bits.
fn tiles_around(lon: f64, lat: f64, keep: u64) -> Vec<TileId> {
    let zone = i32::from(zone_of(lon, lat));
    let squares = (-3..=3).flat_map(|dz| {
        let zone = ((zone + dz + 59) % 60 + 1) as u8;
        let (e, n) = forward(zone, lon, lat);
        let Square { column, row, .. } = Square::of(zone, e, n);
        (-1..=1).flat_map(move |dc| (-1..=1).map(move |dr| Square { zone, column: column + dc, row: row + dr }))
    });
    let tiles = squares.enumerate().filter(|(i, _)| keep >> (i % 63) & 1 == 1);
    tiles.filter_map(|(_, square)| square.tile()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn owners_are_as_defined(
        lon in -180.0..180.0f64, lat in -80.0..84.0f64, keep in any::<u64>(), sparse in any::<u64>()
    ) {
        for keep in [keep, keep & sparse, keep & sparse & sparse.rotate_left(17)] {
            let tiles = tiles_around(lon, lat, keep);
            let owner = Owners::new(tiles.iter().copied()).owner(lon, lat);
            prop_assert_eq!(owner, by_definition(&tiles, lon, lat));
            if let Some(owner) = owner {
                let (e, n) = forward(owner.zone(), lon, lat);
                prop_assert!(footprint(owner).holds(e, n));
            }
        }
    }

    #[test]
    fn near_zone_boundaries_too(
        boundary in 0..60i32, off in -0.3..0.3f64, lat in -80.0..84.0f64, keep in any::<u64>()
    ) {
        let lon = normalise_longitude(f64::from(boundary * 6) + off);
        let tiles = tiles_around(lon, lat, keep);
        prop_assert_eq!(Owners::new(tiles.iter().copied()).owner(lon, lat), by_definition(&tiles, lon, lat));
    }

    #[test]
    fn a_native_owner_is_of_the_zone_and_holds_the_point(
        zone in 1u8..=60, e in 50_000.0..950_000.0f64, n in -8_900_000.0..9_300_000.0f64, keep in any::<u64>()
    ) {
        let around = Square::of(zone, e, n);
        let squares = (-1..=1).flat_map(|c| (-1..=1).map(move |r| (c, r)));
        let tiles: Vec<TileId> = squares.enumerate().filter(|(i, _)| keep >> i & 1 == 1)
            .filter_map(|(_, (c, r))| Square { zone, column: around.column + c, row: around.row + r }.tile()).collect();
        let holding: Vec<TileId> = tiles.iter().copied().filter(|&t| footprint(t).holds(e, n)).collect();
        match Owners::new(tiles).native_owner(zone, e, n) {
            Some(owner) => prop_assert!(holding.contains(&owner)),
            None => prop_assert!(holding.is_empty()),
        }
    }
}

#[test]
fn a_million_points_among_many_tiles_find_their_owner() {
    let tiles: Vec<TileId> =
        (0..60).flat_map(|i| tiles_around(12.0 + f64::from(i % 10), 40.0 + f64::from(i / 10), u64::MAX)).collect();
    let owners = Owners::new(tiles);
    let owned = (0..1_000_000)
        .filter(|&i| owners.owner(12.0 + f64::from(i) * 1e-5, 40.0 + f64::from(i % 1000) * 6e-3).is_some())
        .count();
    assert!(owned > 900_000, "{owned} of a million have one");
}
