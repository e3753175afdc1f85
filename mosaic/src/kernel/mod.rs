//! The median kernel: per pixel, the middle of the clear values of a stack of layers, or all of them in order.
//!
//! ```text
//! layers ─► tile: which are clear anywhere in 64 pixels ─► stack: a row of each, pads for what is masked
//! piles  ───────────────────────────────────────────────────► ┘          │
//!                                           network ─► fuse: program ─► steps ─► middle ranks, or all ranks ─► pile
//!                                                                                                         └─► reduce
//! ```
//!
//! A network compares the same rows whatever the data, so 64 pixels go through it at once. For that, every pixel must
//! have its median at the same rank: masked values become the lowest and the highest value in turn, first lowest.
//! With depth D, of which m are masked, the clear values then lie at ranks ⌈m/2⌉ and up, and their middle at
//!
//! | D | m even | m odd |
//! |---|---|---|
//! | even | D/2 - 1, D/2 | D/2 |
//! | odd | (D-1)/2 | (D-1)/2, (D+1)/2 |
//!
//! Values are the whole of `u16`: the mask alone says what is clear, and a pad that equals a value does no harm.

mod core;
mod dispatch;
mod finish;
mod fuse;
mod lanes;
mod merge;
pub mod network;
mod plane;
mod reduce;
mod steps;
mod tile;

use crate::bits::BitView;
use dispatch::{Job, Level};
use fuse::Program;
use lanes::{LANES, Masks, Row, Stack};
use network::{Ranks, middle_ranks};
use tile::{Ahead, Tile};

pub use self::core::{SLOTS, add, merge_to_core};
pub use finish::{finish, finish_f32};
pub use merge::{Middles, Pile, merge, pile};
pub use plane::{pack_values, unpack_values};
pub use reduce::{Reduced, Reducer, reduce};

/// Packed bytes that [`pile`] cannot have made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPack {
    /// They end too early.
    #[error("packed values are cut short")]
    Short,
    /// There are more of them than the pixels need.
    #[error("packed values go on past their last pixel")]
    Long,
    /// A value has at most 16 bits.
    #[error("packed values of {0} bits")]
    Width(usize),
    /// A pixel has more values than there can be.
    #[error("packed values {depth} deep, of {most} at most")]
    Depth {
        /// The count found.
        depth: u16,
        /// The most that there can be.
        most: u16,
    },
}

/// One observation of one band: its values, and where it is clear.
#[derive(Clone, Copy, Debug)]
pub struct Layer<'a> {
    /// One value per pixel; those that are not clear may be anything.
    pub values: &'a [u16],
    /// One bit per pixel, as many as there are values.
    pub clear: BitView<'a>,
}

/// The lower and the upper middle value of the clear values of each pixel: equal where their number is odd, both 0
/// where there are none.
///
/// # Panics
/// Where the layers and the outputs are not all of one length, or there are more than 65,535 layers.
pub fn middle(layers: &[Layer<'_>], lower: &mut [u16], upper: &mut [u16]) {
    middle_at(Level::best(), layers, lower, upper);
}

/// How many of the masks are set, per pixel.
///
/// # Panics
/// Where the masks and the output are not all of one length, or there are more than 65,535 masks.
pub fn counts(masks: &[BitView<'_>], out: &mut [u16]) {
    counts_at(Level::best(), masks, out);
}

fn middle_at(level: Level, layers: &[Layer<'_>], lower: &mut [u16], upper: &mut [u16]) {
    assert_eq!(lower.len(), upper.len(), "outputs of different lengths");
    check(layers, lower.len());
    level.run(Middle { layers, lower, upper });
}

fn counts_at(level: Level, masks: &[BitView<'_>], out: &mut [u16]) {
    assert!(masks.iter().all(|mask| mask.len() == out.len()), "masks and counts of different lengths");
    assert!(masks.len() <= usize::from(u16::MAX), "{} masks", masks.len());
    level.run(Counts { masks, out });
}

fn check(layers: &[Layer<'_>], pixels: usize) {
    let fits = |layer: &Layer<'_>| layer.values.len() == pixels && layer.clear.len() == pixels;
    assert!(layers.iter().all(fits), "layers that are not of {pixels} pixels");
    assert!(layers.len() <= usize::from(u16::MAX), "{} layers", layers.len());
}

/// Groups ahead of which memory is asked for values: dozens of streams are more than the processor follows by itself.
const AHEAD: usize = 4;

struct Middle<'a> {
    layers: &'a [Layer<'a>],
    lower: &'a mut [u16],
    upper: &'a mut [u16],
}

impl Job for Middle<'_> {
    #[inline(always)]
    fn run<M: Masks>(self) {
        let mut stack = Stack::new(self.layers.len(), Ranks::Middle);
        let mut programs = Programs::new(self.layers.len(), Ranks::Middle);
        let (mut tile, mut next) = (Tile::<AHEAD>::default(), Tile::<AHEAD>::default());
        next.read(self.layers, 0);
        (0..AHEAD).for_each(|at| next.group(at).ahead(0).ask(usize::MAX));
        for (group, (lower, upper)) in self.lower.chunks_mut(LANES).zip(self.upper.chunks_mut(LANES)).enumerate() {
            let at = group % AHEAD;
            if at == 0 {
                std::mem::swap(&mut tile, &mut next);
                next.read(self.layers, group / AHEAD + 1);
            }
            stack.fill::<M>(tile.group(at));
            let (low, high) = pick(&mut stack, &mut programs, &mut next.group(at).ahead(0));
            lower.copy_from_slice(&low.0[..lower.len()]);
            upper.copy_from_slice(&high.0[..upper.len()]);
        }
    }
}

/// The middle values of a filled stack, 0 where nothing is clear; meanwhile what is needed next is asked for.
#[inline(always)]
fn pick(stack: &mut Stack, programs: &mut Programs, ahead: &mut Ahead<'_>) -> (Row, Row) {
    let depth = stack.rows().len();
    if depth == 0 {
        ahead.ask(usize::MAX);
        return (Row::of(0), Row::of(0));
    }
    stack.apply(programs.of(depth), ahead);
    let (low, high) = middle_ranks(depth);
    let (low, high) = (stack.rows()[low], stack.rows()[high]);
    // After an odd number of pads the next one is a high one, all ones: the pad is the mask of the odd.
    let either = Row::select(&stack.pad, &high, &low);
    let (low, high) = if depth.is_multiple_of(2) { (either, high) } else { (low, either) };
    let none = Row::of(0);
    (Row::select(&stack.any, &low, &none), Row::select(&stack.any, &high, &none))
}

struct Counts<'a> {
    masks: &'a [BitView<'a>],
    out: &'a mut [u16],
}

impl Job for Counts<'_> {
    #[inline(always)]
    fn run<M: Masks>(self) {
        for (group, out) in self.out.chunks_mut(LANES).enumerate() {
            let mut sum = Row::of(0);
            for mask in self.masks {
                // A mask of all ones is minus one.
                sum.0.iter_mut().zip(M::mask(mask.word(group)).0).for_each(|(n, one)| *n = n.wrapping_sub(one));
            }
            out.copy_from_slice(&sum.0[..out.len()]);
        }
    }
}

/// The programs that one call has met, by depth: the process's table is asked once for each.
struct Programs {
    of: Vec<Option<Program>>,
    ranks: Ranks,
}

impl Programs {
    fn new(layers: usize, ranks: Ranks) -> Self {
        Self { of: vec![None; layers + 1], ranks }
    }

    #[inline(always)]
    fn of(&mut self, depth: usize) -> &Program {
        if self.of.len() <= depth {
            self.of.resize(depth + 1, None);
        }
        self.of[depth].get_or_insert_with(|| fuse::program(depth, self.ranks))
    }
}

#[cfg(test)]
mod core_tests;
#[cfg(test)]
mod tests;
