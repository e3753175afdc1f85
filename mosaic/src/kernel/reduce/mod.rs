//! Reducers: one number of all the clear values of a pixel, which the kernel brings in order for 64 pixels at a time.
//!
//! ```text
//! layers, piles ─► gather: every rank in its row ─► reducer: an exact fraction ─► rounded once ─► plane
//! ```
//!
//! A reducer is a file here and an arm of [`Reducer`]. It tells each pixel's value as a fraction of whole numbers, so
//! that what is written is rounded once: to `uint16` half up, or to the nearest `float32`.

mod mad;
mod mean;
mod percentile;

use super::dispatch::Level;
use super::lanes::{LANES, Row, Stack};
use super::merge::{self, Pile, Sink, put};
use super::network::Ranks;
use super::plane::Wide;
use super::tile::Ahead;
use super::{BadPack, Layer, Programs};
use crate::composite::Plane;

/// How the clear values of a pixel become one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reducer {
    /// The value at so many hundredths of the way from the least to the greatest rank, linear between two ranks: of 0
    /// the least value, of 50 the median, of 100 the greatest value.
    Percentile(u8),
    /// The arithmetic mean.
    Mean,
    /// One more than the median absolute deviation from the exact median: the deviation itself may be 0, which is nodata.
    Mad,
}

/// Where reduced values go.
pub struct Reduced<'a> {
    /// What is wanted.
    pub reducers: &'a [Reducer],
    /// Pixels with fewer values than this, or with none, stay as they are.
    pub min_observations: u16,
    /// How many values each pixel has.
    pub counts: &'a mut [u16],
    /// A plane of each band for the first reducer, then for the next one.
    pub planes: &'a mut [Plane],
}

/// Reduces the values of the piles and layers together, `layers` by band.
///
/// # Errors
/// Where a pile is not as it was packed.
///
/// # Panics
/// Where layers and outputs are not all of one length, or there are not as many planes as bands and reducers ask for.
pub fn reduce(layers: &[Vec<Layer<'_>>], piles: &mut [Pile<'_>], into: Reduced<'_>) -> Result<(), BadPack> {
    reduce_at(Level::best(), layers, piles, into)
}

pub(super) fn reduce_at(
    level: Level,
    layers: &[Vec<Layer<'_>>],
    piles: &mut [Pile<'_>],
    into: Reduced<'_>,
) -> Result<(), BadPack> {
    let (bands, pixels) = (layers.len(), into.counts.len());
    assert_eq!(into.planes.len(), bands * into.reducers.len(), "planes for {bands} bands");
    assert!(into.planes.iter().all(|plane| plane.pixels() == pixels), "planes that are not of {pixels} pixels");
    let programs = Programs::new(0, Ranks::All);
    merge::gather(level, pixels, layers, piles, Reducing { into, bands, programs, counts: Wide::of(0) })
}

/// The exact values of 64 pixels: numerators and denominators.
struct Exact {
    over: [u32; LANES],
    under: [u32; LANES],
}

impl Exact {
    /// Nothing yet.
    const fn new() -> Self {
        Self { over: [0; LANES], under: [1; LANES] }
    }
}

impl Reducer {
    /// The values of 64 pixels, whose ranks are in `rows`; of those without a value something.
    #[inline(always)]
    fn exact(self, rows: &[Row], counts: &Row) -> Exact {
        match self {
            Self::Percentile(hundredths) => percentile::exact(hundredths, rows, counts),
            Self::Mean => mean::exact(rows, counts),
            Self::Mad => mad::exact(rows, counts),
        }
    }
}

struct Reducing<'a> {
    into: Reduced<'a>,
    bands: usize,
    programs: Programs,
    counts: Wide,
}

impl Sink for Reducing<'_> {
    const RANKS: Ranks = Ranks::All;

    #[inline(always)]
    fn group(&mut self, start: usize, counts: &Wide) {
        self.counts = *counts;
        put(&mut self.into.counts[start..], &counts.0);
    }

    #[inline(always)]
    fn quarter(&mut self, band: usize, start: usize, quarter: usize, stack: &mut Stack, ahead: &mut Ahead<'_>) {
        let depth = stack.rows().len();
        stack.apply(self.programs.of(depth), ahead);
        let counts = Row(*self.counts.quarter(quarter));
        let enough = self.into.min_observations.max(1);
        for (at, reducer) in self.into.reducers.iter().enumerate() {
            let exact = reducer.exact(stack.rows(), &counts);
            round(&exact, &counts, enough, &mut self.into.planes[at * self.bands + band], start + LANES * quarter);
        }
    }

    #[inline(always)]
    fn band(&mut self) {}
}

/// Writes 64 pixels, as many as there is room for, where they have enough values.
#[inline(always)]
fn round(exact: &Exact, counts: &Row, enough: u16, plane: &mut Plane, at: usize) {
    let each = exact.over.iter().zip(&exact.under).zip(&counts.0);
    match plane {
        Plane::U16(to) => {
            for (to, ((over, under), _)) in to[at..].iter_mut().zip(each).filter(|(_, (_, count))| **count >= enough) {
                // No value is greater than the greatest of 16 bits.
                *to = ((over + under / 2) / under) as u16;
            }
        }
        Plane::F32(to) => {
            for (to, ((over, under), _)) in to[at..].iter_mut().zip(each).filter(|(_, (_, count))| **count >= enough) {
                // Two roundings are one: no fraction of 32 by 16 bits is that close to the middle of two numbers.
                *to = (f64::from(*over) / f64::from(*under)) as f32;
            }
        }
    }
}

#[cfg(test)]
mod tests;
