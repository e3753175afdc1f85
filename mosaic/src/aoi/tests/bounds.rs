use proptest::prelude::*;

use super::super::Aoi;
use super::{outline, polygon, tile};
use crate::grid::output::{OutputTile, candidates, native_window};
use crate::grid::utm::{forward, inverse};
use crate::grid::{Window, footprint};
use crate::projection::{Projection, ProjectionError, Utm};

/// Spherical Mercator, EPSG:3857.
pub(super) struct Mercator;

const RADIUS: f64 = 6_378_137.0;

impl Projection for Mercator {
    fn to_lonlat(&self, x: &mut [f64], y: &mut [f64]) -> Result<(), ProjectionError> {
        for (x, y) in x.iter_mut().zip(y) {
            (*x, *y) = ((*x / RADIUS).to_degrees(), (*y / RADIUS).sinh().atan().to_degrees());
        }
        Ok(())
    }

    fn from_lonlat(&self, lon: &mut [f64], lat: &mut [f64]) -> Result<(), ProjectionError> {
        for (lon, lat) in lon.iter_mut().zip(lat) {
            (*lon, *lat) = (RADIUS * lon.to_radians(), RADIUS * lat.to_radians().tan().asinh());
        }
        Ok(())
    }
}

#[test]
fn a_parallel_bulges_in_utm() {
    let aoi = Aoi::from_bbox([12.0, 46.0, 18.0, 47.0]).unwrap();
    let bounds = aoi.bounds_in(&Utm { zone: 33, south: false }).unwrap().unwrap();
    // The southern edge is lowest on the central meridian, between its ends.
    let lowest = forward(33, 15.0, 46.0).1;
    assert!((bounds.min_y - lowest).abs() < 1e-3, "{}", bounds.min_y - lowest);
    assert_eq!(bounds, aoi.zone_bounds(33).unwrap());
    let south = aoi.bounds_in(&Utm { zone: 33, south: true }).unwrap().unwrap();
    assert!((south.min_y - bounds.min_y - 1e7).abs() < 1e-6);
}

#[test]
fn native_windows_snap_outwards_from_the_tiles_origin() {
    let tile = tile("33TWL");
    let f = footprint(tile);
    // 10 km by 5 km, beginning 12 km east and 30 km south of the corner.
    let corner = |dx: f64, dy: f64| {
        let (lon, lat) = inverse(33, f.west + dx, f.north - dy);
        [lon, lat]
    };
    let aoi = polygon(&[&[
        corner(12_000.0, 30_000.0),
        corner(12_000.0, 35_000.0),
        corner(22_000.0, 35_000.0),
        corner(22_000.0, 30_000.0),
        corner(12_000.0, 30_000.0),
    ]]);
    let window = native_window(tile, 10.0, &aoi).unwrap().unwrap();
    assert_eq!(window, Window { x0: 1024, y0: 2560, width: 1536, height: 1024 });
    assert_eq!(native_window(super::tile("33TWJ"), 10.0, &aoi).unwrap(), None);
    assert!(native_window(tile, 7.0, &aoi).is_err());
    let whole = Aoi::from_tiles(&[tile]).unwrap();
    for resolution in [10.0, 20.0, 60.0, 120.0] {
        let side = (109_800.0 / resolution) as usize;
        let all = Window { x0: 0, y0: 0, width: side, height: side };
        assert_eq!(native_window(tile, resolution, &whole).unwrap(), Some(all));
    }
}

#[test]
fn output_tiles_are_counted_upwards_from_the_crs_origin() {
    let aoi = Aoi::from_bbox([-0.5, -0.5, 1.0, 0.5]).unwrap();
    // 100 km; a degree is 111.3 km.
    let tiles: Vec<String> = candidates(&aoi, &Mercator, 1e5).unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(tiles, ["x-1y-1", "x-1y0", "x0y-1", "x0y0", "x1y-1", "x1y0"]);
    let tile: OutputTile = "x-3y12".parse().unwrap();
    assert_eq!(tile, OutputTile { column: -3, row: 12 });
    let grid = tile.grid(3857, 10.0, 10_000);
    assert_eq!((grid.ulx, grid.uly, grid.width), (-300_000.0, 1_300_000.0, 10_000));
    for bad in ["x1", "1y2", "x1.0y2", "x+1y2", "x01y2", "x1y2 "] {
        assert!(bad.parse::<OutputTile>().is_err(), "{bad}");
    }
    for side in [0.0, -1.0, f64::NAN, 0.01] {
        assert!(candidates(&aoi, &Mercator, side).is_err(), "{side}");
    }
}

#[test]
fn what_crosses_the_antimeridian_reaches_both_ends_of_mercator_and_not_between() {
    let aoi = Aoi::from_bbox([179.0, -18.0, -179.0, -17.0]).unwrap();
    let bounds = aoi.bounds_in(&Mercator).unwrap().unwrap();
    let end = RADIUS * std::f64::consts::PI;
    assert!((bounds.max_x - end).abs() < 1e-6 && (bounds.min_x + end).abs() < 1e-6);
    assert!(candidates(&aoi, &Mercator, 1e5).unwrap().len() <= 12);
    let Some(fiji) = outline("fiji.geojson") else { return };
    assert!(candidates(&fiji, &Mercator, 1e5).unwrap().len() < 40);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn bounds_hold_every_point_of_the_outline(
        lon in -180.0..180.0f64, lat in -70.0..70.0f64, w in 0.1..20.0f64, h in 0.1..10.0f64, t in 0.0..1.0f64
    ) {
        let ring = [[lon - w, lat], [lon, lat - h], [lon + w, lat], [lon, lat + h], [lon - w, lat]];
        let aoi = polygon(&[&ring]);
        let utm = Utm { zone: crate::grid::zone_of(lon, lat), south: lat < 0.0 };
        let bounds = aoi.bounds_in(&utm).unwrap().unwrap();
        for edge in ring.windows(2) {
            let (mut x, mut y) = ([edge[0][0] + t * (edge[1][0] - edge[0][0])], [edge[0][1] + t * (edge[1][1] - edge[0][1])]);
            utm.from_lonlat(&mut x, &mut y).unwrap();
            prop_assert!(bounds.min_x - 1e-3 <= x[0] && x[0] <= bounds.max_x + 1e-3, "{:?} {:?}", bounds, x);
            prop_assert!(bounds.min_y - 1e-3 <= y[0] && y[0] <= bounds.max_y + 1e-3, "{:?} {:?}", bounds, y);
        }
    }
}
