//! A network as the processor likes it: comparators joined into steps that keep their rows in registers.
//!
//! One comparator at a time costs two loads and two stores for a minimum and a maximum. So blocks of eight rows are
//! sorted in registers first, and of the merges that follow three comparators on four rows make one step, in the two
//! patterns that consecutive stages of Batcher's merge consist of.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use super::network::{Op, Ranks, network};

/// Rows of a block that is sorted in registers.
pub(super) const BLOCK: usize = 8;

/// What a step does to its rows a, b, c, d.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// One comparator.
    One(Op),
    /// (a, c), (b, d), then (b, c).
    Join([u16; 4]),
    /// (b, d), then (a, b) and (c, d).
    Split([u16; 4]),
}

/// Steps that do what a network does: first every whole block of eight rows is sorted, then these in order.
pub(super) type Program = Arc<[Step]>;

/// The program for `depth` rows, from a table that the whole process shares.
pub(super) fn program(depth: usize, ranks: Ranks) -> Program {
    type Table = RwLock<HashMap<(usize, Ranks), Program>>;
    static TABLE: OnceLock<Table> = OnceLock::new();
    let table = TABLE.get_or_init(Table::default);
    // A poisoned table is as good as any: entries go in whole.
    if let Some(found) = table.read().unwrap_or_else(PoisonError::into_inner).get(&(depth, ranks)) {
        return Arc::clone(found);
    }
    let made: Program = fuse(without_blocks(&network(depth, ranks), depth), depth).into();
    Arc::clone(table.write().unwrap_or_else(PoisonError::into_inner).entry((depth, ranks)).or_insert(made))
}

/// The comparators without those that sort the whole blocks, which all come before the first that leaves its block.
fn without_blocks(ops: &[Op], depth: usize) -> Vec<Op> {
    let block = |row: u16| usize::from(row) / BLOCK;
    let merges = ops.iter().position(|op| block(op.lo) != block(op.hi)).unwrap_or(ops.len());
    let (sorts, merges) = ops.split_at(merges);
    sorts.iter().filter(|op| block(op.lo) >= depth / BLOCK).chain(merges).copied().collect()
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
    use crate::kernel::network::Kind;

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

    #[test]
    fn most_comparators_are_fused() {
        let steps = program(73, Ranks::Middle);
        let single = steps.iter().filter(|step| matches!(step, Step::One(_))).count();
        assert!(3 * single < steps.len() * 2, "{single} of {}", steps.len());
        assert!(steps.iter().any(|s| matches!(s, Step::One(Op { kind: Kind::MinOnly | Kind::MaxOnly, .. }))));
    }
}
