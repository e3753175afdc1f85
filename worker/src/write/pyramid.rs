//! Blocks of all levels, made on all cores: each as soon as those that it is made of are there.
//!
//! Threads take pieces of two by two blocks along a curve that fills one quarter of the raster before the next (Morton's),
//! so that few blocks wait for their neighbours, and that a thread has a composite to itself where grids coincide. Who
//! brings the last quarter of an overview's block writes it and goes on with the next level's.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use mosaic::composite::Plane;
use mosaic::grid::Window;
use rayon::ThreadPool;

use super::block::Encoder;
use super::level::{BLOCK, Level};
use super::{CogWriter, WriteError};

/// A block's place: level, column, row.
type Place = (usize, usize, usize);

/// Fills every level of the writers, which are of one size: `block` makes the planes of a window of the first level, one
/// for each writer, on as many as `threads` threads of the pool at once.
///
/// # Errors
/// The first that `block` or a writer tells.
pub fn fill<E: From<WriteError> + Send>(
    writers: &[CogWriter],
    (width, height): (usize, usize),
    (pool, threads): (&ThreadPool, usize),
    block: impl Fn(&Window) -> Result<Vec<Plane>, E> + Sync,
) -> Result<(), E> {
    let levels = Level::all(width, height);
    let pyramid = Pyramid { writers, levels, next: AtomicUsize::new(0), unfinished: Mutex::default() };
    let (failed, stop) = (Mutex::new(None), AtomicBool::new(false));
    pool.scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|_| {
                if let Err(error) = pyramid.work(&block, &stop) {
                    stop.store(true, Ordering::Relaxed);
                    lock(&failed).get_or_insert(error);
                }
            });
        }
    });
    failed.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Pyramid<'a> {
    writers: &'a [CogWriter],
    levels: Vec<Level>,
    /// The next piece.
    next: AtomicUsize,
    unfinished: Mutex<HashMap<Place, Unfinished>>,
}

/// A block of an overview that still lacks some of its quarters.
struct Unfinished {
    planes: Vec<Plane>,
    lacks: usize,
}

impl Pyramid<'_> {
    /// Makes pieces until none is left.
    fn work<E: From<WriteError>>(
        &self,
        block: &impl Fn(&Window) -> Result<Vec<Plane>, E>,
        stop: &AtomicBool,
    ) -> Result<(), E> {
        let mut encoder = Encoder::default();
        while let Some((column, row)) = self.piece() {
            for at in [(0, 0), (1, 0), (0, 1), (1, 1)] {
                let (column, row) = (2 * column + at.0, 2 * row + at.1);
                let Some(window) = self.levels[0].window((column, row)) else { continue };
                if stop.load(Ordering::Relaxed) {
                    return Ok(());
                }
                self.put((0, column, row), block(&window)?, &mut encoder)?;
            }
        }
        Ok(())
    }

    /// The next piece that is not wholly outside of the raster.
    fn piece(&self) -> Option<(usize, usize)> {
        let (columns, rows) = (self.levels[0].columns().div_ceil(2), self.levels[0].rows().div_ceil(2));
        let side = columns.max(rows).next_power_of_two();
        loop {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            if index >= side * side {
                return None;
            }
            let (column, row) = (every_other_bit(index), every_other_bit(index >> 1));
            if column < columns && row < rows {
                return Some((column, row));
            }
        }
    }

    /// Writes a block, and those of the overviews that lacked nothing else.
    fn put(&self, (level, column, row): Place, planes: Vec<Plane>, encoder: &mut Encoder) -> Result<(), WriteError> {
        let Some(window) = self.levels[level].window((column, row)) else { return Ok(()) };
        for (writer, plane) in self.writers.iter().zip(&planes) {
            writer.put(level, (column, row), &window, plane, encoder)?;
        }
        if level + 1 == self.levels.len() {
            return Ok(());
        }
        let halved = self.writers.iter().zip(planes);
        let halved = halved.map(|(writer, plane)| writer.overviews().halve(&plane, window.width)).collect();
        match self.gather((level, column, row), halved) {
            Some(planes) => self.put((level + 1, column / 2, row / 2), planes, encoder),
            None => Ok(()),
        }
    }

    /// Puts a quarter into its block of the next level; the block where it was the last one.
    fn gather(&self, (level, column, row): Place, quarter: Vec<Plane>) -> Option<Vec<Plane>> {
        let place = (level + 1, column / 2, row / 2);
        let window = self.levels[level + 1].window((place.1, place.2))?;
        let mut unfinished = lock(&self.unfinished);
        let block = unfinished.entry(place).or_insert_with(|| Unfinished {
            planes: self.writers.iter().map(|writer| Plane::nodata(writer.dtype(), window.pixels())).collect(),
            lacks: self.quarters(place),
        });
        let (x, y) = (column % 2 * BLOCK / 2, row % 2 * BLOCK / 2);
        let width = (window.width - x).min(BLOCK / 2);
        for (plane, quarter) in block.planes.iter_mut().zip(&quarter) {
            for row in 0..quarter.pixels() / width {
                plane.copy((y + row) * window.width + x, quarter, row * width, width);
            }
        }
        block.lacks -= 1;
        if block.lacks > 0 {
            return None;
        }
        unfinished.remove(&place).map(|block| block.planes)
    }

    /// How many blocks of the level before a block is made of.
    fn quarters(&self, (level, column, row): Place) -> usize {
        let before = &self.levels[level - 1];
        let of = |at: usize, all: usize| 2.min(all - 2 * at);
        of(column, before.columns()) * of(row, before.rows())
    }
}

/// The even bits of a number, moved together.
fn every_other_bit(number: usize) -> usize {
    (0..usize::BITS / 2).map(|bit| (number >> (2 * bit) & 1) << bit).sum()
}
