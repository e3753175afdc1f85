use proptest::prelude::*;

use super::super::Aoi;
use super::bounds::Mercator;
use super::{outline, polygon, tile};
use crate::grid::utm::forward;
use crate::grid::{PixelGrid, Window, tile_grid, zone_of};
use crate::projection::{Projection, ProjectionError, Utm, utm_of_epsg};

/// The mask by definition: each centre projected and tested by itself.
fn brute_force(aoi: &Aoi, grid: &PixelGrid, window: &Window, projection: &dyn Projection) -> Vec<bool> {
    let pixels = (window.y0..window.y1()).flat_map(|row| (window.x0..window.x1()).map(move |column| (column, row)));
    pixels
        .map(|(column, row)| {
            let (x, y) = grid.centre(column, row);
            let (mut x, mut y) = ([x], [y]);
            projection.to_lonlat(&mut x, &mut y).unwrap();
            aoi.contains(x[0], y[0])
        })
        .collect()
}

fn assert_exact(aoi: &Aoi, grid: &PixelGrid, window: &Window, projection: &dyn Projection) -> usize {
    let mask = aoi.mask(grid, window, projection).unwrap();
    let bits: Vec<bool> = (0..mask.height()).flat_map(|row| mask.row(row).collect::<Vec<_>>()).collect();
    let expected = brute_force(aoi, grid, window, projection);
    let differing = bits.iter().zip(&expected).filter(|(a, b)| a != b).count();
    assert_eq!((bits.len(), differing), (expected.len(), 0));
    assert_eq!(mask.count(), expected.iter().filter(|&&inside| inside).count());
    mask.count()
}

#[test]
fn a_countrys_mask_is_exact() {
    let Some(slovenia) = outline("slovenia.geojson") else { return };
    let grid = tile_grid(tile("33TWL"), 120.0).unwrap();
    let inside = assert_exact(&slovenia, &grid, &grid.window(), &utm_of_epsg(32633).unwrap());
    assert!(0 < inside && inside < grid.window().pixels());
}

#[test]
fn masks_are_exact_across_the_antimeridian() {
    let aoi = polygon(&[&[[179.2, -18.0], [-179.4, -18.2], [-179.9, -17.0], [179.5, -16.9], [179.2, -18.0]]]);
    let grid = PixelGrid { epsg: 32701, ulx: 100_000.0, uly: 8_200_000.0, resolution: 250.0, width: 700, height: 900 };
    assert!(assert_exact(&aoi, &grid, &grid.window(), &Utm { zone: 1, south: true }) > 1000);
    let grid =
        PixelGrid { epsg: 3857, ulx: 19_900_000.0, uly: -1_900_000.0, resolution: 1000.0, width: 300, height: 300 };
    assert!(assert_exact(&aoi, &grid, &grid.window(), &Mercator) > 1000);
}

#[test]
fn what_does_not_project_is_outside() {
    struct Broken;
    impl Projection for Broken {
        fn to_lonlat(&self, x: &mut [f64], y: &mut [f64]) -> Result<(), ProjectionError> {
            for (x, y) in x.iter_mut().zip(y) {
                if *x > 500.0 {
                    (*x, *y) = (f64::INFINITY, f64::NAN);
                } else {
                    (*x, *y) = (*x / 100.0, *y / 100.0);
                }
            }
            Ok(())
        }
        fn from_lonlat(&self, _: &mut [f64], _: &mut [f64]) -> Result<(), ProjectionError> {
            Err(ProjectionError("one way only".into()))
        }
    }
    let aoi = Aoi::from_bbox([1.0, 1.0, 9.0, 9.0]).unwrap();
    let grid = PixelGrid { epsg: 0, ulx: 0.0, uly: 1000.0, resolution: 5.0, width: 200, height: 200 };
    assert_eq!(assert_exact(&aoi, &grid, &grid.window(), &Broken), 80 * 160);
    assert!(aoi.bounds_in(&Broken).is_err());
}

#[test]
fn windows_of_one_grid_agree() {
    let aoi = Aoi::from_point(15.5, 45.6, 20_000.0).unwrap();
    let grid = tile_grid(tile("33TWL"), 60.0).unwrap();
    let utm = utm_of_epsg(grid.epsg).unwrap();
    let whole = aoi.mask(&grid, &grid.window(), &utm).unwrap();
    let window = Window { x0: 333, y0: 777, width: 501, height: 403 };
    let part = aoi.mask(&grid, &window, &utm).unwrap();
    for row in 0..part.height() {
        assert!(part.row(row).eq((333..834).map(|column| whole.get(column, row + 777))), "{row}");
    }
    assert!(part.count() > 0);
}

#[test]
fn a_window_wholly_inside_is_full() {
    let aoi = Aoi::from_bbox([10.0, 40.0, 20.0, 50.0]).unwrap();
    let grid = tile_grid(tile("33TWL"), 10.0).unwrap();
    let mask = aoi.mask(&grid, &grid.window(), &utm_of_epsg(32633).unwrap()).unwrap();
    assert!(mask.is_full() && mask.count() == 10_980 * 10_980);
    let far = Aoi::from_bbox([30.0, 40.0, 31.0, 50.0]).unwrap();
    assert_eq!(far.mask(&grid, &grid.window(), &utm_of_epsg(32633).unwrap()).unwrap().count(), 0);
}

#[test]
fn an_outline_of_tens_of_thousands_of_vertices_is_masked_exactly() {
    let vertex = |i: u32| {
        let angle = f64::from(i) / 50_000.0 * std::f64::consts::TAU;
        let radius = 0.5 + 0.01 * (angle * 997.0).sin() + 0.001 * (angle * 9973.0).cos();
        [15.5 + radius * angle.cos(), 45.6 + radius * angle.sin()]
    };
    let mut ring: Vec<[f64; 2]> = (0..50_000).map(vertex).collect();
    ring.push(ring[0]);
    let aoi = polygon(&[&ring]);
    let grid = tile_grid(tile("33TWL"), 20.0).unwrap();
    let mask = aoi.mask(&grid, &grid.window(), &utm_of_epsg(32633).unwrap()).unwrap();
    assert!(mask.count() > 1_000_000, "{} of {} pixels", mask.count(), grid.window().pixels());
    let window = Window { x0: 100, y0: 2500, width: 300, height: 300 };
    assert_exact(&aoi, &grid, &window, &utm_of_epsg(32633).unwrap());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn masks_are_what_testing_each_pixel_gives(
        lon in -180.0..180.0f64, lat in -75.0..78.0f64,
        radii in prop::collection::vec(0.05..1.2f64, 3..12),
        hole in 0.1..0.9f64,
        resolution in prop::sample::select(vec![37.0, 100.0, 600.0, 3_000.0]),
        width in 1usize..200, height in 1usize..200,
        dx in -0.5..1.5f64, dy in -0.5..1.5f64,
    ) {
        let n = radii.len() as f64;
        let ring = |scale: f64| -> Vec<[f64; 2]> {
            let at = |(i, r): (usize, &f64)| {
                let angle = i as f64 / n * std::f64::consts::TAU;
                [lon + scale * r * angle.cos() / lat.to_radians().cos(), lat + scale * r * angle.sin()]
            };
            radii.iter().enumerate().chain([(0, &radii[0])]).map(at).collect()
        };
        let aoi = polygon(&[&ring(1.0), &ring(hole)]);
        let zone = zone_of(lon, lat);
        let (e, north) = forward(zone, lon, lat);
        let ulx = e - dx * width as f64 * resolution;
        let uly = north + dy * height as f64 * resolution;
        let grid = PixelGrid { epsg: 32600 + u32::from(zone), ulx, uly, resolution, width, height };
        let utm = Utm { zone, south: false };
        assert_exact(&aoi, &grid, &grid.window(), &utm);
        let (mut x, mut y) = ([lon], [lat]);
        Mercator.from_lonlat(&mut x, &mut y).unwrap();
        let grid = PixelGrid { epsg: 3857, ulx: x[0] - dx * width as f64 * resolution, uly: y[0] + dy * height as f64 * resolution, ..grid };
        assert_exact(&aoi, &grid, &grid.window(), &Mercator);
    }
}
