//! An output tile at about a picture's resolution, from the overview next finer than it.

use std::ops::Range;
use std::path::Path;

use gdal::Dataset;
use mosaic::grid::PixelGrid;
use rayon::prelude::*;

use crate::read::cause;
use crate::write::{Level, WriteError};

/// A reduced output tile: the picture's bands, and the grid that they lie on.
pub struct Reduced {
    /// Its pixels; `resolution` is their width.
    pub grid: PixelGrid,
    /// Pixel height where pixels are not quite square.
    pub pixel_height: f64,
    /// Row by row; 0 is nodata.
    pub bands: Vec<Vec<f32>>,
}

/// How an output tile is reduced.
pub struct Reduction {
    full: PixelGrid,
    /// Which of the raster's levels is read, 0 for its own pixels.
    level: usize,
    /// Columns and rows of that level.
    from: (usize, usize),
    /// Columns and rows that they are reduced to.
    to: (usize, usize),
}

impl Reduction {
    /// How a tile comes to about a resolution, or stays at its own where that is coarser.
    pub fn of(full: &PixelGrid, resolution: f64) -> Self {
        let side = |pixels: usize| ((pixels as f64 * full.resolution / resolution).round() as usize).clamp(1, pixels);
        let to = (side(full.width), side(full.height));
        let suffices = |(_, level): &(usize, Level)| level.width >= to.0 && level.height >= to.1;
        let levels = Level::all(full.width, full.height).into_iter().enumerate();
        let (level, size) =
            levels.take_while(suffices).last().unwrap_or((0, Level { width: full.width, height: full.height }));
        Self { full: *full, level, from: (size.width, size.height), to }
    }

    /// Whether only overviews are read, and nothing of the raster's own pixels.
    pub const fn is_by_overview(&self) -> bool {
        self.level > 0
    }

    /// Reads the bands of these files, on all threads of the pool that it runs in.
    ///
    /// # Errors
    /// Where one of them cannot be read.
    pub fn read(&self, dir: &Path, names: &[String]) -> Result<Reduced, WriteError> {
        let (width, height) = self.to;
        let mut bands = vec![vec![0.0; width * height]; names.len()];
        let rows = height.div_ceil(rayon::current_num_threads());
        let strips = bands.iter_mut().zip(names).flat_map(|(band, name)| {
            band.chunks_mut(rows * width).enumerate().map(move |(strip, pixels)| (name, strip * rows, pixels))
        });
        let strips: Vec<_> = strips.collect();
        strips.into_par_iter().try_for_each(|(name, row, pixels)| self.strip(&dir.join(name), row, pixels))?;
        let pixel = |pixels: usize, reduced: usize| pixels as f64 * self.full.resolution / reduced as f64;
        let grid = PixelGrid { resolution: pixel(self.full.width, width), width, height, ..self.full };
        Ok(Reduced { grid, pixel_height: pixel(self.full.height, height), bands })
    }

    /// Fills some whole rows of a band, the first of which is `row`.
    fn strip(&self, path: &Path, row: usize, into: &mut [f32]) -> Result<(), WriteError> {
        let rows = row..row + into.len() / self.to.0;
        let (first, end) = (self.source(1, rows.start).start, self.source(1, rows.end - 1).end);
        let pixels = self.pixels(path, first..end).map_err(|e| WriteError::new(path, cause(&e)))?;
        let columns: Vec<_> = (0..self.to.0).map(|column| self.source(0, column)).collect();
        for (row, into) in rows.zip(into.chunks_exact_mut(self.to.0)) {
            let source = self.source(1, row);
            let of = &pixels[(source.start - first) * self.from.0..(source.end - first) * self.from.0];
            into.iter_mut().zip(&columns).for_each(|(pixel, columns)| *pixel = mean(of, self.from.0, columns.clone()));
        }
        Ok(())
    }

    /// Which columns (`axis` 0) or rows (1) of the level a reduced one is made of. Each is part of exactly one.
    const fn source(&self, axis: usize, at: usize) -> Range<usize> {
        let (from, to) = if axis == 0 { (self.from.0, self.to.0) } else { (self.from.1, self.to.1) };
        at * from / to..(at + 1) * from / to
    }

    /// Whole rows of the level.
    fn pixels(&self, path: &Path, rows: Range<usize>) -> Result<Vec<f32>, gdal::errors::GdalError> {
        let dataset = Dataset::open(path)?;
        let raster = dataset.rasterband(1)?;
        let level = match self.level.checked_sub(1) {
            Some(overview) => raster.overview(overview)?,
            None => raster,
        };
        let (from, size) = ((0, rows.start.cast_signed()), (self.from.0, rows.len()));
        Ok(level.read_as::<f32>(from, size, size, None)?.into_shape_and_vec().1)
    }
}

/// The mean of some columns of whole rows, nodata left out; nodata where there is nothing else.
fn mean(rows: &[f32], width: usize, columns: Range<usize>) -> f32 {
    let data = rows.chunks_exact(width).flat_map(|row| &row[columns.clone()]).filter(|value| **value != 0.0);
    let (sum, count) = data.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    if count == 0.0 { 0.0 } else { sum / count }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reduction(width: usize, height: usize, resolution: f64) -> Reduction {
        Reduction::of(&PixelGrid { epsg: 3035, ulx: 0.0, uly: 0.0, resolution: 10.0, width, height }, resolution)
    }

    #[test]
    fn the_level_next_finer_is_read() {
        let of = |resolution| {
            let Reduction { level, from, to, .. } = reduction(4608, 4608, resolution);
            (level, from.0, to.0)
        };
        assert_eq!((of(10.0), of(5.0)), ((0, 4608, 4608), (0, 4608, 4608)), "never finer than the tile");
        assert_eq!((of(19.9), of(20.0), of(22.5)), ((0, 4608, 2316), (1, 2304, 2304), (1, 2304, 2048)));
        assert_eq!((of(80.0), of(1e9)), ((3, 576, 576), (4, 288, 1)));
    }

    #[test]
    fn every_pixel_of_the_level_is_part_of_one() {
        for (width, height, resolution) in [(4608, 600, 22.5), (513, 7, 10.3), (700, 700, 123.0)] {
            let reduction = reduction(width, height, resolution);
            for (axis, to, from) in [(0, reduction.to.0, reduction.from.0), (1, reduction.to.1, reduction.from.1)] {
                let all: Vec<usize> = (0..to).flat_map(|at| reduction.source(axis, at)).collect();
                assert!(all.into_iter().eq(0..from));
                assert!((0..to).all(|at| !reduction.source(axis, at).is_empty()));
            }
        }
    }

    #[test]
    fn nodata_does_not_darken() {
        let rows = [1.0, 0.0, 3.0, 5.0, 0.0, 0.0];
        assert_eq!((mean(&rows, 3, 0..1), mean(&rows, 3, 1..2), mean(&rows, 3, 0..3)), (3.0, 0.0, 3.0));
    }
}
