//! Which pixels of a window have their centres in an area.

use super::Aoi;
use super::index::LonLatBox;
use crate::grid::{Bounds, PixelGrid, Window, normalise_longitude};
use crate::projection::{Projection, ProjectionError};

/// The classification starts with cells of this many pixels a side ...
const LARGEST_CELL: usize = 1024;
/// ... and stops at these, which are then tested pixel by pixel.
const SMALLEST_CELL: usize = 16;
/// Pieces between the pixels sampled along a side of a cell.
const PIECES: usize = 8;

/// A bit for each pixel of a window, true where its centre lies in the area.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mask {
    width: usize,
    height: usize,
    words_per_row: usize,
    words: Vec<u64>,
}

impl Mask {
    fn none(width: usize, height: usize) -> Self {
        let words_per_row = width.div_ceil(64);
        Self { width, height, words_per_row, words: vec![0; words_per_row * height] }
    }

    /// Columns of the window.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows of the window.
    #[must_use]
    pub fn height(&self) -> usize {
        self.height
    }

    /// Whether a pixel's centre lies in the area; column and row count from the window's corner.
    ///
    /// # Panics
    /// Where there is no such pixel.
    #[must_use]
    #[inline]
    pub fn get(&self, column: usize, row: usize) -> bool {
        assert!(column < self.width, "column {column} of {}", self.width);
        self.words[row * self.words_per_row + column / 64] >> (column % 64) & 1 == 1
    }

    /// A row's pixels from the west.
    pub fn row(&self, row: usize) -> impl Iterator<Item = bool> + '_ {
        (0..self.width).map(move |column| self.get(column, row))
    }

    /// The runs of pixels of a row that lie in the area, between two columns: first column, and the one after the last.
    #[must_use]
    pub fn runs(&self, row: usize, start: usize, end: usize) -> Vec<(usize, usize)> {
        let words = &self.words[row * self.words_per_row..][..self.words_per_row];
        let mut runs: Vec<(usize, usize)> = Vec::new();
        let mut at = start;
        while at < end {
            let word = words[at / 64] >> (at % 64);
            let outside = (word.trailing_zeros() as usize).min(64 - at % 64);
            if outside > 0 {
                at += outside;
                continue;
            }
            let next = (at + word.trailing_ones() as usize).min(end);
            match runs.last_mut() {
                Some(run) if run.1 == at => run.1 = next,
                _ => runs.push((at, next)),
            }
            at = next;
        }
        runs
    }

    /// How many pixels lie in the area.
    #[must_use]
    pub fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether every pixel lies in the area.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.count() == self.width * self.height
    }

    fn set(&mut self, column: usize, row: usize) {
        self.words[row * self.words_per_row + column / 64] |= 1 << (column % 64);
    }

    fn fill(&mut self, cell: &Window) {
        for row in cell.y0..cell.y1() {
            (cell.x0..cell.x1()).for_each(|column| self.set(column, row));
        }
    }
}

/// The work of one mask: a window's pixels, projected as they are asked for.
struct Classifier<'a> {
    aoi: &'a Aoi,
    grid: &'a PixelGrid,
    window: Window,
    projection: &'a dyn Projection,
    mask: Mask,
    lon: Vec<f64>,
    lat: Vec<f64>,
}

impl Aoi {
    /// Which pixels of a grid's window have their centres in the area, as exactly as if each were projected and tested
    /// by itself; those outside of the projection's domain do not. Cells that no edge of the area comes near are
    /// settled by one test.
    ///
    /// # Errors
    /// The projection as a whole fails.
    pub fn mask(
        &self,
        grid: &PixelGrid,
        window: &Window,
        projection: &dyn Projection,
    ) -> Result<Mask, ProjectionError> {
        let mask = Mask::none(window.width, window.height);
        let mut work =
            Classifier { aoi: self, grid, window: *window, projection, mask, lon: Vec::new(), lat: Vec::new() };
        for y0 in (0..window.height).step_by(LARGEST_CELL) {
            for x0 in (0..window.width).step_by(LARGEST_CELL) {
                let width = LARGEST_CELL.min(window.width - x0);
                let height = LARGEST_CELL.min(window.height - y0);
                work.settle(Window { x0, y0, width, height })?;
            }
        }
        Ok(work.mask)
    }

    /// Whether all the ground of a rectangle of a projection's plane lies in the area, or all of it outside, if that
    /// is certain.
    ///
    /// # Errors
    /// The projection as a whole fails.
    pub fn uniform(&self, b: &Bounds, projection: &dyn Projection) -> Result<Option<bool>, ProjectionError> {
        let (mut x, mut y): (Vec<f64>, Vec<f64>) = b.rim(PIECES as u32).unzip();
        projection.to_lonlat(&mut x, &mut y)?;
        let certain = hull(&x, &y).filter(|hull| !self.index.any_edge(hull, |_| true));
        Ok(certain.map(|_| self.contains(x[0], y[0])))
    }
}

impl Classifier<'_> {
    /// Fills a cell of the mask, in quarters unless it is all in or all out.
    fn settle(&mut self, cell: Window) -> Result<(), ProjectionError> {
        if let Some(inside) = self.uniform(&cell)? {
            if inside {
                self.mask.fill(&cell);
            }
            return Ok(());
        }
        if cell.width <= SMALLEST_CELL && cell.height <= SMALLEST_CELL {
            return self.each_pixel(&cell);
        }
        let halves = |start: usize, length: usize| {
            let first = length.div_ceil(2);
            [(start, first), (start + first, length - first)]
        };
        for (y0, height) in halves(cell.y0, cell.height) {
            for (x0, width) in halves(cell.x0, cell.width) {
                if width > 0 && height > 0 {
                    self.settle(Window { x0, y0, width, height })?;
                }
            }
        }
        Ok(())
    }

    /// Whether all of a cell's centres are in or all are out, if that is certain: the box around centres sampled along
    /// the cell's rim, one sample's step wider all round, meets no edge of the area.
    fn uniform(&mut self, cell: &Window) -> Result<Option<bool>, ProjectionError> {
        let at = |start: usize, length: usize, piece: usize| start + (length - 1) * piece / PIECES;
        let (left, top) = (cell.x0, cell.y0);
        let (right, bottom) = (cell.x1() - 1, cell.y1() - 1);
        let rim = (0..PIECES)
            .map(|i| (at(left, cell.width, i), top))
            .chain((0..PIECES).map(|i| (right, at(top, cell.height, i))))
            .chain((0..PIECES).rev().map(|i| (at(left, cell.width, i + 1), bottom)))
            .chain((0..PIECES).rev().map(|i| (left, at(top, cell.height, i + 1))));
        self.project(rim)?;
        let Some(hull) = hull(&self.lon, &self.lat) else { return Ok(None) };
        if self.aoi.index.any_edge(&hull, |_| true) {
            return Ok(None);
        }
        Ok(Some(self.aoi.contains(self.lon[0], self.lat[0])))
    }

    fn each_pixel(&mut self, cell: &Window) -> Result<(), ProjectionError> {
        let pixels = || (cell.y0..cell.y1()).flat_map(|row| (cell.x0..cell.x1()).map(move |column| (column, row)));
        self.project(pixels())?;
        for (i, (column, row)) in pixels().enumerate() {
            if self.aoi.contains(self.lon[i], self.lat[i]) {
                self.mask.set(column, row);
            }
        }
        Ok(())
    }

    /// Longitudes and latitudes of the centres of some of the window's pixels.
    fn project(&mut self, pixels: impl Iterator<Item = (usize, usize)>) -> Result<(), ProjectionError> {
        self.lon.clear();
        self.lat.clear();
        for (column, row) in pixels {
            let (x, y) = self.grid.centre(self.window.x0 + column, self.window.y0 + row);
            self.lon.push(x);
            self.lat.push(y);
        }
        self.projection.to_lonlat(&mut self.lon, &mut self.lat)
    }
}

/// The box around positions along a closed curve, wider by the longest step between two of them. None where the curve
/// leaves the projection's domain or comes near the antimeridian.
fn hull(lon: &[f64], lat: &[f64]) -> Option<LonLatBox> {
    let points: Vec<[f64; 2]> = lon.iter().zip(lat).map(|(&x, &y)| [normalise_longitude(x), y]).collect();
    if !points.iter().flatten().all(|v| v.is_finite()) {
        return None;
    }
    let step = |k: usize| {
        let next = points.iter().cycle().skip(1);
        // What rounding may do to a test is far below a billionth of a degree.
        points.iter().zip(next).map(|(a, b)| (a[k] - b[k]).abs()).fold(1e-9, f64::max)
    };
    let (dx, dy) = (step(0), step(1));
    let b = LonLatBox::around(points.iter().copied());
    let wider = LonLatBox { west: b.west - dx, south: b.south - dy, east: b.east + dx, north: b.north + dy };
    (dx < 180.0 && wider.west > -180.0 && wider.east < 180.0).then_some(wider)
}
