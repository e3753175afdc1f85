//! A network as the processor likes it: comparators joined into steps that keep their rows in registers.
//!
//! ```text
//! Batcher's network, pruned ─► what sorts whole blocks of rows is left out ─► three comparators a step ─► program
//! ```
//!
//! One comparator at a time costs two loads and two stores for a minimum and a maximum. So blocks of sixteen rows, and
//! of eight if as many are left over, are sorted in registers first, and of the merges that follow three comparators on
//! four rows make one step, in the two patterns that consecutive stages of Batcher's merge consist of.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use super::lanes::Row;
use super::network::{Op, Ranks, network};
use super::steps::{join, one, sort_8, sort_16, split};
use super::tile::Ahead;

/// Rows of a block that is sorted in registers.
const BLOCK: usize = 16;
/// Rows of a smaller one behind the last of those.
const HALF: usize = BLOCK / 2;

/// What a step does to its rows a, b, c, d.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// One comparator.
    One(Op),
    /// (a, c), (b, d), then (b, c).
    Join([u16; 4]),
    /// (b, d), then (a, b) and (c, d).
    Split([u16; 4]),
}

impl Step {
    /// Whether its rows are distinct, and among the first `depth`.
    fn fits(&self, depth: usize) -> bool {
        let fit = |rows: &[u16]| {
            let is_first = |(at, row): (usize, &u16)| usize::from(*row) < depth && !rows[..at].contains(row);
            rows.iter().enumerate().all(is_first)
        };
        match self {
            Self::One(op) => fit(&[op.lo, op.hi]),
            Self::Join(quad) | Self::Split(quad) => fit(quad),
        }
    }

    /// # Safety
    /// The step [`Step::fits`] as many rows.
    #[inline(always)]
    unsafe fn run(&self, rows: &mut [Row]) {
        // SAFETY: as the caller has promised; here and below.
        match self {
            Self::Join(quad) => {
                let [a, b, c, d] = unsafe { rows.get_disjoint_unchecked_mut(quad.map(usize::from)) };
                join(a, b, c, d);
            }
            Self::Split(quad) => {
                let [a, b, c, d] = unsafe { rows.get_disjoint_unchecked_mut(quad.map(usize::from)) };
                split(a, b, c, d);
            }
            Self::One(op) => {
                let [lo, hi] = unsafe { rows.get_disjoint_unchecked_mut([op.lo, op.hi].map(usize::from)) };
                one(lo, hi, op.kind);
            }
        }
    }
}

/// What brings rows in order, as far as some ranks need it: first every whole block is sorted, then come the steps.
#[derive(Clone)]
pub(super) struct Program {
    depth: usize,
    /// Each [`Step::fits`] the depth.
    steps: Arc<[Step]>,
}

impl Program {
    fn new(depth: usize, ranks: Ranks) -> Self {
        let steps: Arc<[Step]> = fuse(without_blocks(&network(depth, ranks), depth), depth).into();
        assert!(steps.iter().all(|step| step.fits(depth)), "a step of a program for {depth} rows does not fit");
        Self { depth, steps }
    }

    /// Does it to rows, and asks for others meanwhile: all of them.
    ///
    /// # Panics
    /// Where the rows are not as many as the program is for.
    #[inline(always)]
    pub(super) fn run(&self, rows: &mut [Row], ahead: &mut Ahead<'_>) {
        assert_eq!(rows.len(), self.depth, "rows of another depth than their program's");
        let (blocks, rest) = rows.as_chunks_mut::<BLOCK>();
        for block in blocks {
            sort_16(block);
            ahead.ask(3);
        }
        if let Some(block) = rest.first_chunk_mut::<HALF>() {
            sort_8(block);
            ahead.ask(1);
        }
        let pace = (self.steps.len() / ahead.len().max(1)).max(1);
        for steps in self.steps.chunks(pace) {
            ahead.ask(1);
            for step in steps {
                // SAFETY: a program's steps fit its depth, and there are as many rows.
                unsafe { step.run(rows) };
            }
        }
        ahead.ask(usize::MAX);
    }
}

/// The program for `depth` rows, from a table that the whole process shares.
pub(super) fn program(depth: usize, ranks: Ranks) -> Program {
    type Table = RwLock<HashMap<(usize, Ranks), Program>>;
    static TABLE: OnceLock<Table> = OnceLock::new();
    let table = TABLE.get_or_init(Table::default);
    // A poisoned table is as good as any: entries go in whole.
    if let Some(found) = table.read().unwrap_or_else(PoisonError::into_inner).get(&(depth, ranks)) {
        return found.clone();
    }
    let made = Program::new(depth, ranks);
    table.write().unwrap_or_else(PoisonError::into_inner).entry((depth, ranks)).or_insert(made).clone()
}

/// The comparators without those that sort the whole blocks, which all come before the first that leaves its block.
fn without_blocks(ops: &[Op], depth: usize) -> Vec<Op> {
    let leaves = |size: usize| move |op: &Op| usize::from(op.lo) / size != usize::from(op.hi) / size;
    let upto = |size: usize| depth / size * size;
    let end = ops.iter().position(leaves(BLOCK)).unwrap_or(ops.len());
    let (sorts, merges) = ops.split_at(end);
    // Of the rows behind the last whole block, those of a smaller one.
    let is_done = |op: &&Op| usize::from(op.lo) < upto(BLOCK) || (usize::from(op.hi) < upto(HALF) && !leaves(HALF)(op));
    let halves = sorts.iter().position(leaves(HALF)).unwrap_or(sorts.len());
    let (early, late) = sorts.split_at(halves);
    let late = late.iter().filter(|op| usize::from(op.lo) >= upto(BLOCK));
    early.iter().filter(|op| !is_done(op)).chain(late).chain(merges).copied().collect()
}

fn fuse(ops: Vec<Op>, depth: usize) -> Vec<Step> {
    let mut queue = Queue::new(ops, depth);
    let mut steps = Vec::new();
    for i in 0..queue.ops.len() {
        if !queue.done[i] {
            steps.push(queue.take_step(i));
        }
    }
    steps
}

/// The comparators that are left, in the order in which each row meets them.
struct Queue {
    ops: Vec<Op>,
    done: Vec<bool>,
    /// Per row its comparators, the next one last.
    of_row: Vec<Vec<usize>>,
}

impl Queue {
    fn new(ops: Vec<Op>, depth: usize) -> Self {
        let mut of_row = vec![Vec::new(); depth];
        for (i, op) in ops.iter().enumerate().rev() {
            of_row[usize::from(op.lo)].push(i);
            of_row[usize::from(op.hi)].push(i);
        }
        Self { done: vec![false; ops.len()], ops, of_row }
    }

    /// The comparator that a row meets after `seen` more, and its number.
    fn next(&self, row: u16, seen: usize) -> Option<(usize, Op)> {
        let left = &self.of_row[usize::from(row)];
        let i = *left.get(left.len().checked_sub(seen + 1)?)?;
        Some((i, self.ops[i]))
    }

    fn take(&mut self, i: usize) {
        self.done[i] = true;
        for row in [self.ops[i].lo, self.ops[i].hi] {
            self.of_row[usize::from(row)].pop();
        }
    }

    /// The step that begins with comparator `i`, all before it being done.
    fn take_step(&mut self, i: usize) -> Step {
        let found = self.join(i).or_else(|| self.split(i));
        self.take(i);
        let Some((step, others)) = found else { return Step::One(self.ops[i]) };
        others.into_iter().for_each(|other| self.take(other));
        step
    }

    /// `i` as (a, c), with a (b, d) that is as ready, and the (b, c) that follows both.
    fn join(&self, i: usize) -> Option<(Step, [usize; 2])> {
        let Op { lo: a, hi: c, .. } = self.ops[i];
        let (last, Op { lo: b, hi, .. }) = self.next(c, 1)?;
        let (other, Op { lo, hi: d, .. }) = self.next(b, 0)?;
        let fits = hi == c && b != a && lo == b && d != c;
        let ready = self.next(d, 0)?.0 == other && self.next(b, 1)?.0 == last;
        (fits && ready).then_some((Step::Join([a, b, c, d]), [other, last]))
    }

    /// `i` as (b, d), with the (a, b) and (c, d) that follow it.
    fn split(&self, i: usize) -> Option<(Step, [usize; 2])> {
        let Op { lo: b, hi: d, .. } = self.ops[i];
        let (left, Op { lo: a, hi: left_hi, .. }) = self.next(b, 1)?;
        let (right, Op { lo: c, hi: right_hi, .. }) = self.next(d, 1)?;
        let fits = left_hi == b && right_hi == d && a != c && c != b;
        let ready = self.next(a, 0)?.0 == left && self.next(c, 0)?.0 == right;
        (fits && ready).then_some((Step::Split([a, b, c, d]), [left, right]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::lanes::LANES;
    use crate::kernel::network::{Kind, middle_ranks};

    /// Every comparator is in exactly one step, and every row still meets its own in the same order.
    #[test]
    fn fusing_keeps_each_rows_order() {
        for (depth, ranks) in (0..200).flat_map(|depth| [(depth, Ranks::All), (depth, Ranks::Middle)]) {
            let ops = without_blocks(&network(depth, ranks), depth);
            let pairs: Vec<(u16, u16)> = ops.iter().map(|op| (op.lo, op.hi)).collect();
            let unfused: Vec<(u16, u16)> = fuse(ops, depth)
                .into_iter()
                .flat_map(|step| match step {
                    Step::One(op) => vec![(op.lo, op.hi)],
                    Step::Join([a, b, c, d]) => vec![(a, c), (b, d), (b, c)],
                    Step::Split([a, b, c, d]) => vec![(b, d), (a, b), (c, d)],
                })
                .collect();
            assert_eq!(pairs.len(), unfused.len());
            for row in 0..depth as u16 {
                let of_row = |all: &[(u16, u16)]| -> Vec<_> {
                    all.iter().copied().filter(|&(lo, hi)| lo == row || hi == row).collect()
                };
                assert_eq!(of_row(&pairs), of_row(&unfused), "row {row} of {depth}");
            }
        }
    }

    /// Rows of zeros and ones through the whole program, `ones(row, lane)` saying which: the ranks it is for are right.
    fn check(depth: usize, ones: impl Fn(usize, usize) -> bool) {
        let rows: Vec<Row> =
            (0..depth).map(|row| Row(std::array::from_fn(|lane| u16::from(ones(row, lane))))).collect();
        let zeros: [usize; LANES] = std::array::from_fn(|lane| rows.iter().filter(|row| row.0[lane] == 0).count());
        let (lower, upper) = middle_ranks(depth);
        for (ranks, wanted) in [(Ranks::All, 0..=depth - 1), (Ranks::Middle, lower..=upper)] {
            let mut rows = rows.clone();
            program(depth, ranks).run(&mut rows, &mut Ahead::default());
            for rank in wanted {
                let sorted = Row(zeros.map(|zeros| u16::from(rank >= zeros)));
                assert!(rows[rank].0 == sorted.0, "rank {rank} of {depth}, {ranks:?}");
            }
        }
    }

    /// What brings zeros and ones in order brings anything in order: every input up to depth 16.
    #[test]
    fn zero_one_principle_in_full() {
        for depth in 1..=16 {
            for first in (0..1_usize << depth).step_by(LANES) {
                check(depth, |row, lane| (first + lane) >> row & 1 == 1);
            }
        }
    }

    /// Beyond, random ones, with another share of ones in each lane.
    #[test]
    fn zero_one_principle_by_sampling() {
        let mixed = |at: usize| {
            let z = (at as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB) >> 40
        };
        for depth in (17..330).chain([511, 512, 513, 1000]) {
            check(depth, |row, lane| mixed((depth * 1000 + row) * LANES + lane) % 65 < lane as u64);
        }
    }

    #[test]
    #[should_panic(expected = "rows of another depth")]
    fn a_program_takes_no_other_depth() {
        program(9, Ranks::All).run(&mut [Row::of(0); 8], &mut Ahead::default());
    }

    #[test]
    fn steps_that_do_not_fit_are_found() {
        let op = |lo, hi| Step::One(Op { lo, hi, kind: Kind::Both });
        assert!(op(0, 1).fits(2) && Step::Join([0, 1, 2, 3]).fits(4));
        assert!(!op(0, 2).fits(2) && !op(1, 1).fits(2));
        assert!(!Step::Split([0, 1, 2, 4]).fits(4) && !Step::Join([0, 1, 0, 3]).fits(4));
    }

    #[test]
    fn most_comparators_are_fused() {
        let steps = program(73, Ranks::Middle).steps;
        let single = steps.iter().filter(|step| matches!(step, Step::One(_))).count();
        assert!(3 * single < steps.len() * 2, "{single} of {}", steps.len());
        assert!(steps.iter().any(|s| matches!(s, Step::One(Op { kind: Kind::MinOnly | Kind::MaxOnly, .. }))));
    }
}
