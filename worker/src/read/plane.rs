//! From source blocks to the working grid: which blocks hold a wanted pixel, and where their samples go.

use std::collections::BTreeMap;
use std::ops::Range;

use mosaic::bits::Bits;

use super::layout::{Block, Layout, Rect};
use super::lookup::{Lookup, OUTSIDE};

/// The working pixels that take their value from one block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taker {
    /// A rectangle of working pixels, from the first row that has a wanted one to the last.
    Window {
        /// Working columns.
        columns: Range<usize>,
        /// Working rows.
        rows: Range<usize>,
    },
    /// Single wanted pixels, row-major indices, in order of the source's rows.
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
                    let rows = wanted.rows_in_window(columns.start, rows.start, columns.len(), rows.len(), width);
                    if !rows.is_empty() {
                        blocks.push((Block { x: *x, y }, Taker::Window { columns: columns.clone(), rows }));
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
            let taker = |((y, x), mut taken): ((usize, usize), Vec<usize>)| {
                taken.sort_by_key(|pixel| pixels[*pixel].1);
                (Block { x, y }, Taker::Pixels(taken))
            };
            takers.into_iter().map(taker).collect()
        }
    }
}

/// One pixel of so many is looked at where all of them would take long; a prime, to wander over the columns.
const SOME: usize = 61;

/// How many blocks of a source lie under the working window. Of a source that is not aligned, about how many: those of
/// the rectangle around some of its pixels.
#[must_use]
pub fn blocks_under(lookup: &Lookup, source: &Layout) -> u64 {
    let (bw, bh) = source.block;
    match lookup {
        Lookup::Aligned { columns, rows } => across(columns.iter(), bw) * across(rows.iter(), bh),
        Lookup::Scattered { pixels } => {
            let some = || pixels.iter().step_by(SOME);
            across(some().map(|(column, _)| column), bw) * across(some().map(|(_, row)| row), bh)
        }
    }
}

/// How many blocks there are from the first source index to the last.
fn across<'a>(sources: impl Iterator<Item = &'a u32>, block: usize) -> u64 {
    let inside = sources.filter(|source| **source != OUTSIDE);
    let ends = inside.fold(None, |ends: Option<(u32, u32)>, source| {
        let (first, last) = ends.unwrap_or((*source, *source));
        Some((first.min(*source), last.max(*source)))
    });
    ends.map_or(0, |(first, last)| (last as usize / block - first as usize / block + 1) as u64)
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

/// Where the samples of one block go on the working window.
pub struct Placement<'a> {
    lookup: &'a Lookup,
    taker: &'a Taker,
    rect: Rect,
    width: usize,
}

impl<'a> Placement<'a> {
    /// The placement of a block that covers `rect` of its raster, on a window `width` pixels wide.
    #[must_use]
    pub const fn new(lookup: &'a Lookup, taker: &'a Taker, rect: Rect, width: usize) -> Self {
        Self { lookup, taker, rect, width }
    }

    /// The rows of the block that any pixel takes from.
    #[must_use]
    pub fn rows(&self) -> Range<usize> {
        let row = |source: u32| source as usize - self.rect.1;
        match (self.lookup, self.taker) {
            (Lookup::Aligned { rows, .. }, Taker::Window { rows: taken, .. }) => {
                row(rows[taken.start])..row(rows[taken.end - 1]) + 1
            }
            (Lookup::Scattered { pixels }, Taker::Pixels(taken)) => match (taken.first(), taken.last()) {
                (Some(first), Some(last)) => row(pixels[*first].1)..row(pixels[*last].1) + 1,
                _ => 0..0,
            },
            _ => self.mismatched(0..0),
        }
    }

    /// Puts a row of the block where it is taken, in a plane of the working window.
    pub fn put(&self, y: usize, samples: &[u16], plane: &mut [u16]) {
        let (x0, ..) = self.rect;
        match (self.lookup, self.taker) {
            (Lookup::Aligned { columns, .. }, Taker::Window { columns: taken, .. }) => {
                let first = columns[taken.start] as usize - x0;
                for r in self.rows_from(y) {
                    let target = &mut plane[r * self.width..][taken.clone()];
                    if is_run(&columns[taken.clone()]) {
                        target.copy_from_slice(&samples[first..first + taken.len()]);
                    } else {
                        for (value, column) in target.iter_mut().zip(&columns[taken.clone()]) {
                            *value = samples[*column as usize - x0];
                        }
                    }
                }
            }
            (Lookup::Scattered { pixels }, Taker::Pixels(taken)) => {
                for pixel in self.pixels_from(pixels, taken, y) {
                    plane[*pixel] = samples[pixels[*pixel].0 as usize - x0];
                }
            }
            _ => self.mismatched(()),
        }
    }

    /// Sets, in a mask of the working window, the pixels that take from one of a row's samples that are set.
    pub fn set(&self, y: usize, flags: &Bits, mask: &mut Bits) {
        let (x0, ..) = self.rect;
        match (self.lookup, self.taker) {
            (Lookup::Aligned { columns, .. }, Taker::Window { columns: taken, .. }) => {
                let columns = &columns[taken.clone()];
                let run = is_run(columns).then(|| flags.view(columns[0] as usize - x0, columns.len()));
                for r in self.rows_from(y) {
                    let at = r * self.width + taken.start;
                    match &run {
                        Some(run) => mask.set_words(at, run.words()),
                        None => {
                            let set = |column: u32| flags.get(column as usize - x0);
                            mask.set_words(at, mosaic::flags::which(columns, set));
                        }
                    }
                }
            }
            (Lookup::Scattered { pixels }, Taker::Pixels(taken)) => {
                for pixel in self.pixels_from(pixels, taken, y) {
                    mask.set(*pixel, flags.get(pixels[*pixel].0 as usize - x0));
                }
            }
            _ => self.mismatched(()),
        }
    }

    /// The working rows that take from row `y` of the block.
    fn rows_from(&self, y: usize) -> Range<usize> {
        let (Lookup::Aligned { rows, .. }, Taker::Window { rows: taken, .. }) = (self.lookup, self.taker) else {
            return self.mismatched(0..0);
        };
        let source = (self.rect.1 + y) as u32;
        let sources = &rows[taken.clone()];
        let (start, end) = (sources.partition_point(|s| *s < source), sources.partition_point(|s| *s <= source));
        taken.start + start..taken.start + end
    }

    /// The working pixels that take from row `y` of the block.
    fn pixels_from<'b>(&self, pixels: &[(u32, u32)], taken: &'b [usize], y: usize) -> &'b [usize] {
        let source = (self.rect.1 + y) as u32;
        let start = taken.partition_point(|pixel| pixels[*pixel].1 < source);
        let end = taken.partition_point(|pixel| pixels[*pixel].1 <= source);
        &taken[start..end]
    }

    fn mismatched<T>(&self, nothing: T) -> T {
        debug_assert!(false, "a taker of another lookup");
        nothing
    }
}

/// Whether the columns follow each other without a gap. They ascend, and none is outside.
fn is_run(columns: &[u32]) -> bool {
    match columns {
        [first, .., last] => (last - first) as usize == columns.len() - 1,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::layout::Sample;

    #[test]
    fn of_a_block_the_rows_are_taken_that_hold_a_wanted_pixel() {
        let layout = Layout {
            href: "a.tif".to_owned(),
            epsg: None,
            wkt: None,
            geotransform: [0.0, 10.0, 0.0, 0.0, 0.0, -10.0],
            width: 8,
            height: 8,
            block: (4, 4),
            sample: Sample::U16,
            nodata: None,
            scale: 1.0,
            offset: 0.0,
        };
        let lookup = Lookup::Aligned { columns: (0..8).collect(), rows: (0..8).collect() };
        let mut wanted = Bits::zeros(64);
        [8 + 5, 2 * 8 + 7, 7 * 8 + 3].into_iter().for_each(|pixel| wanted.set(pixel, true));
        let blocks = wanted_blocks(&lookup, &layout, &wanted, 8);
        let expected = [
            (Block { x: 1, y: 0 }, Taker::Window { columns: 4..8, rows: 1..3 }),
            (Block { x: 0, y: 1 }, Taker::Window { columns: 0..4, rows: 7..8 }),
        ];
        assert_eq!(blocks, expected);
        let rows = |at: usize| Placement::new(&lookup, &blocks[at].1, layout.rect(blocks[at].0), 8).rows();
        assert_eq!((rows(0), rows(1)), (1..3, 3..4));
        assert_eq!(blocks_under(&lookup, &layout), 4, "of which two are not wanted");
    }
}
