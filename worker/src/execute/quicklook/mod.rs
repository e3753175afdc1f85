//! The picture of the whole mosaic, made from the output tiles' overviews.
//!
//! ```text
//! COGs ─► reduce: the level next finer than the picture, averaged ─► paint: nearest, in the picture's CRS ─► PNG
//! ```

mod reduce;

use artifacts::Kind;
use mosaic::grid::{Bounds, PixelGrid};
use mosaic::ids::Key;
use mosaic::plan::{OutputRaster, OutputTile, Outputs, QUICKLOOK};
use proto::work::Done;
use rayon::prelude::*;
use reduce::{Reduced, Reduction};

use super::stopwatch::Stopwatch;
use super::{Executor, TaskError};
use crate::project;
use crate::read::Counters;
use crate::write::{before_raster, write_png};

/// Longer side at most, in pixels.
const SIDE: usize = 2048;
/// The DN shown as white; 0 is black. As Cloud Score+'s own catalogue page shows its example.
const WHITE: f32 = 2500.0;

impl Executor {
    /// Draws the mosaic.
    pub(super) fn quicklook(&self, key: &Key, outputs: &Outputs, tiles: &[Key]) -> Result<Done, TaskError> {
        let watch = Stopwatch::start();
        let mut made: Vec<(&OutputTile, &Key)> = Vec::new();
        for (tile, key) in outputs.tiles.iter().zip(tiles) {
            if self.store.has(Kind::Mosaic, key)? {
                made.push((tile, key));
            }
        }
        let canvas = canvas(&made.iter().map(|(tile, _)| *tile).collect::<Vec<_>>())?;
        let mut rgba = vec![0; 4 * canvas.width * canvas.height];
        // One tile's bands are there at a time, with their overviews.
        let largest = made.iter().map(|(tile, _)| tile.grid.width * tile.grid.height).max().unwrap_or_default();
        let _room = self.room(outputs.quicklook_rasters().len() * size_of::<f32>() * largest / 3 * 4 + rgba.len())?;
        for (tile, key) in made {
            let reduced = self.reduced(key, outputs, tile, canvas.resolution)?;
            self.pool.install(|| paint(&canvas, &reduced, &mut rgba))?;
        }
        let kept = watch.writing(|| {
            let scratch = self.store.scratch()?;
            write_png(&scratch.path().join(QUICKLOOK), canvas.width, canvas.height, &rgba)?;
            Ok::<_, TaskError>(self.store.keep(Kind::Quicklook, key, scratch, &[QUICKLOOK.to_owned()], ())?)
        })?;
        Ok(watch.done(Counters::default(), kept.files.iter().map(|file| file.size).sum()))
    }

    /// An output tile at about the picture's resolution. Where one of its overviews suffices, only they are brought from
    /// a store that is elsewhere.
    fn reduced(&self, key: &Key, outputs: &Outputs, tile: &OutputTile, resolution: f64) -> Result<Reduced, TaskError> {
        let names: Vec<String> = outputs.quicklook_rasters().iter().map(file).collect();
        let reduction = Reduction::of(&tile.grid, resolution);
        let enough = |start: &[u8]| if reduction.is_by_overview() { before_raster(start) } else { None };
        let files = self.store.files_at_hand(Kind::Mosaic, key, &names, enough)?;
        Ok(self.pool.install(|| reduction.read(files.path(), &names))?)
    }
}

/// A raster's file in its artifact.
fn file(raster: &OutputRaster) -> String {
    format!("{}.tif", raster.name())
}

/// The grid of the picture: in the CRS that most tiles have, over all of them.
fn canvas(tiles: &[&OutputTile]) -> Result<PixelGrid, TaskError> {
    let common = |tile: &&&OutputTile| {
        let epsg = tile.grid.epsg;
        (tiles.iter().filter(|other| other.grid.epsg == epsg).count(), std::cmp::Reverse(epsg))
    };
    let none = || TaskError::Plan("there is no output tile to draw".into());
    let epsg = tiles.iter().max_by_key(common).ok_or_else(none)?.grid.epsg;
    let mut bounds: Option<Bounds> = None;
    for tile in tiles {
        let own = bounds_in(&tile.grid, epsg)?;
        bounds = Some(bounds.map_or(own, |all| all.union(&own)));
    }
    let b = bounds.ok_or_else(none)?;
    let finest = tiles.iter().map(|tile| tile.grid.resolution).fold(f64::INFINITY, f64::min);
    let longest = (b.max_x - b.min_x).max(b.max_y - b.min_y);
    let resolution = finest.max(longest / SIDE as f64);
    let pixels = |length: f64| ((length / resolution).round() as usize).clamp(1, SIDE);
    let (width, height) = (pixels(b.max_x - b.min_x), pixels(b.max_y - b.min_y));
    Ok(PixelGrid { epsg, ulx: b.min_x, uly: b.max_y, resolution, width, height })
}

/// The bounds of a grid in another CRS, by its outline.
fn bounds_in(grid: &PixelGrid, epsg: u32) -> Result<Bounds, TaskError> {
    let b = grid.bounds(&grid.window());
    if grid.epsg == epsg {
        return Ok(b);
    }
    let along = |from: f64, to: f64, i: i32| from + (to - from) * f64::from(i) / 16.0;
    let edge = |i| {
        let (x, y) = (along(b.min_x, b.max_x, i), along(b.min_y, b.max_y, i));
        [(x, b.min_y), (x, b.max_y), (b.min_x, y), (b.max_x, y)]
    };
    let (mut x, mut y): (Vec<f64>, Vec<f64>) = (0..=16).flat_map(edge).unzip();
    transform(grid.epsg, epsg, &mut x, &mut y)?;
    let finite = x.iter().zip(&y).filter(|(x, y)| x.is_finite() && y.is_finite());
    let point = |(x, y): (&f64, &f64)| Bounds { min_x: *x, min_y: *y, max_x: *x, max_y: *y };
    Ok(finite.map(point).reduce(|a, b| a.union(&b)).unwrap_or(b))
}

fn transform(from: u32, to: u32, x: &mut [f64], y: &mut [f64]) -> Result<(), TaskError> {
    let planned = |e: &dyn std::fmt::Display| TaskError::Plan(e.to_string());
    project::of_epsg(from).map_err(|e| planned(&e))?.to_lonlat(x, y).map_err(|e| planned(&e))?;
    project::of_epsg(to).map_err(|e| planned(&e))?.from_lonlat(x, y).map_err(|e| planned(&e))
}

/// Paints a reduced tile where it has data and nothing is painted yet.
fn paint(canvas: &PixelGrid, tile: &Reduced, rgba: &mut [u8]) -> Result<(), TaskError> {
    rgba.par_chunks_exact_mut(4 * canvas.width).enumerate().try_for_each(|(row, rgba)| {
        let (mut x, mut y): (Vec<f64>, Vec<f64>) = (0..canvas.width).map(|column| canvas.centre(column, row)).unzip();
        if canvas.epsg != tile.grid.epsg {
            transform(canvas.epsg, tile.grid.epsg, &mut x, &mut y)?;
        }
        for ((x, y), rgba) in x.into_iter().zip(y).zip(rgba.as_chunks_mut().0) {
            paint_pixel(tile, (x, y), rgba);
        }
        Ok(())
    })
}

/// Paints a pixel whose centre lies at a place in the tile's CRS.
fn paint_pixel(tile: &Reduced, (x, y): (f64, f64), rgba: &mut [u8; 4]) {
    let (c, r) = ((x - tile.grid.ulx) / tile.grid.resolution, (tile.grid.uly - y) / tile.pixel_height);
    let inside = c >= 0.0 && r >= 0.0 && c < tile.grid.width as f64 && r < tile.grid.height as f64;
    if !inside || rgba[3] != 0 {
        return;
    }
    let pixel = r as usize * tile.grid.width + c as usize;
    if tile.bands.iter().all(|band| band[pixel] == 0.0) {
        return;
    }
    // A band that is alone stands for all three.
    let brightness = |channel: usize| {
        let band = &tile.bands[channel.min(tile.bands.len() - 1)];
        (band[pixel] / WHITE * 255.0).round().clamp(0.0, 255.0) as u8
    };
    *rgba = [brightness(0), brightness(1), brightness(2), 255];
}
