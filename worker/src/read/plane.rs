//! From source blocks to the working grid: which blocks hold a wanted pixel, and where their samples go.

use std::collections::BTreeMap;
use std::ops::Range;

use mosaic::bits::Bits;

use super::layout::{Block, Layout, Rect};
use super::lookup::{Lookup, OUTSIDE};

/// The working pixels that take their value from one block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taker {
    /// A rectangle of working pixels.
    Window {
        /// Working columns.
        columns: Range<usize>,
        /// Working rows.
        rows: Range<usize>,
    },
    /// Single working pixels, row-major indices.
    Pixels(Vec<usize>),
}

/// The blocks of a source that hold a wanted working pixel, in order of block, each with the pixels that take from it.
#[must_use]
pub fn wanted_blocks(lookup: &Lookup, source: &Layout, wanted: &Bits, width: usize) -> Vec<(Block, Taker)> {
    let (bw, bh) = source.block;
    match lookup {
        Lookup::Aligned { columns, rows } => {
            let across = runs(columns, bw);
            let mut blocks = Vec::new();
            for (y, rows) in runs(rows, bh) {
                for (x, columns) in &across {
                    if wanted.any_in_window(columns.start, rows.start, columns.len(), rows.len(), width) {
                        let taker = Taker::Window { columns: columns.clone(), rows: rows.clone() };
                        blocks.push((Block { x: *x, y }, taker));
                    }
                }
            }
            blocks
        }
        Lookup::Scattered { pixels } => {
            let mut takers: BTreeMap<(usize, usize), Vec<usize>> = BTreeMap::new();
            for pixel in wanted.iter_ones() {
                let (column, row) = pixels[pixel];
                if column != OUTSIDE {
                    takers.entry((row as usize / bh, column as usize / bw)).or_default().push(pixel);
                }
            }
            takers.into_iter().map(|((y, x), pixels)| (Block { x, y }, Taker::Pixels(pixels))).collect()
        }
    }
}

/// Runs of working indices whose source index lies in one block: the block's index and the run.
fn runs(sources: &[u32], block: usize) -> Vec<(usize, Range<usize>)> {
    let mut runs: Vec<(usize, Range<usize>)> = Vec::new();
    for (i, source) in sources.iter().enumerate().filter(|(_, source)| **source != OUTSIDE) {
        let block = *source as usize / block;
        match runs.last_mut() {
            Some((last, run)) if *last == block && run.end == i => run.end = i + 1,
            _ => runs.push((block, i..i + 1)),
        }
    }
    runs
}

/// Puts a block's samples where they are taken, in a plane of the working window.
pub fn place<T: Copy>(
    lookup: &Lookup,
    taker: &Taker,
    (x0, y0, block_width, _): Rect,
    samples: &[T],
    width: usize,
    plane: &mut [T],
) {
    match (lookup, taker) {
        (Lookup::Aligned { columns, rows }, Taker::Window { columns: cs, rows: rs }) => {
            let first = columns[cs.start] as usize;
            let one_to_one = columns[cs.end - 1] as usize - first == cs.len() - 1;
            for r in rs.clone() {
                let source = (rows[r] as usize - y0) * block_width;
                let target = &mut plane[r * width + cs.start..r * width + cs.end];
                if one_to_one {
                    let from = source + first - x0;
                    target.copy_from_slice(&samples[from..from + cs.len()]);
                } else {
                    for (value, column) in target.iter_mut().zip(&columns[cs.clone()]) {
                        *value = samples[source + *column as usize - x0];
                    }
                }
            }
        }
        (Lookup::Scattered { pixels }, Taker::Pixels(taken)) => {
            for pixel in taken {
                let (column, row) = pixels[*pixel];
                plane[*pixel] = samples[(row as usize - y0) * block_width + column as usize - x0];
            }
        }
        _ => debug_assert!(false, "a taker of another lookup"),
    }
}
