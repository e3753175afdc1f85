//! Comparator networks: fixed sequences of min and max that sort any input, and so sort many pixels side by side.
//!
//! Batcher's odd-even merge sort for any depth, pruned backwards to the ranks that are asked for: a comparator
//! neither of whose outputs is used any more is dropped, one with a single used output writes only that one.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use super::core::SLOTS;

/// Which of its two outputs a comparator writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Minimum to `lo`, maximum to `hi`.
    Both,
    /// Minimum to `lo`; `hi` is not used any more.
    MinOnly,
    /// Maximum to `hi`; `lo` is not used any more.
    MaxOnly,
}

/// One comparator between two rows, `lo < hi`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Op {
    /// The row that the minimum goes to.
    pub lo: u16,
    /// The row that the maximum goes to.
    pub hi: u16,
    /// What is written.
    pub kind: Kind,
}

/// The ranks that a network has to bring to their rows; what the other rows hold afterwards is not defined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ranks {
    /// Every one: a full sort.
    All,
    /// The two in the middle, [`middle_ranks`].
    Middle,
    /// Those of a core: [`SLOTS`] of them, half of them below the middle of an even number of rows.
    Window,
}

/// The two ranks, counted from 0, between which the median of `depth` rows lies once masked values are replaced by
/// low and high pads in turn: `depth / 2 - 1` and `depth / 2` for an even depth, `depth / 2` and one more for an odd
/// one (the upper one only matters where a pad is without its opposite). Clipped to the rows that there are.
#[must_use]
pub fn middle_ranks(depth: usize) -> (usize, usize) {
    let lower = depth.saturating_sub(1) / 2;
    (lower, (lower + 1).min(depth.saturating_sub(1)))
}

/// The network for `depth` rows, from a table that the whole process shares.
///
/// # Panics
/// Where there are more than 65,536 rows.
#[must_use]
pub fn network(depth: usize, ranks: Ranks) -> Arc<[Op]> {
    type Table = RwLock<HashMap<(usize, Ranks), Arc<[Op]>>>;
    static TABLE: OnceLock<Table> = OnceLock::new();
    let table = TABLE.get_or_init(Table::default);
    // A poisoned table is as good as any: entries go in whole.
    if let Some(found) = table.read().unwrap_or_else(PoisonError::into_inner).get(&(depth, ranks)) {
        return Arc::clone(found);
    }
    let made: Arc<[Op]> = prune(&batcher(depth), depth, ranks).into();
    Arc::clone(table.write().unwrap_or_else(PoisonError::into_inner).entry((depth, ranks)).or_insert(made))
}

/// Batcher's odd-even merge sort of `depth` rows as pairs `(lo, hi)`. It is the network of the next power of two
/// without the comparators that reach past the last row: those would hold the greatest value, which never moves.
fn batcher(depth: usize) -> Vec<(u16, u16)> {
    assert!(depth <= 1 << 16, "a stack of {depth} layers");
    let mut pairs = Vec::new();
    let mut run = 1;
    while run < depth {
        let mut step = run;
        while step > 0 {
            pairs.extend(stage(depth, run, step));
            step /= 2;
        }
        run *= 2;
    }
    pairs
}

/// The comparators over a distance of `step` that help to merge sorted runs of `run` rows into runs of `2 * run`.
fn stage(depth: usize, run: usize, step: usize) -> impl Iterator<Item = (u16, u16)> {
    let first = step % run;
    (first..depth.saturating_sub(step))
        .filter(move |lo| (lo - first) % (2 * step) < step && lo / (2 * run) == (lo + step) / (2 * run))
        .map(move |lo| (lo as u16, (lo + step) as u16))
}

/// What of a sorting network is needed for some ranks.
fn prune(pairs: &[(u16, u16)], depth: usize, ranks: Ranks) -> Vec<Op> {
    let mut used: HashSet<u16> = match ranks {
        Ranks::All => (0..depth).map(|r| r as u16).collect(),
        Ranks::Middle => [middle_ranks(depth).0 as u16, middle_ranks(depth).1 as u16].into(),
        Ranks::Window => {
            let middle = depth / 2;
            (middle.saturating_sub(SLOTS / 2)..depth.min(middle + SLOTS / 2)).map(|r| r as u16).collect()
        }
    };
    let mut ops: Vec<Op> = pairs.iter().rev().filter_map(|&pair| keep(pair, &mut used)).collect();
    ops.reverse();
    ops
}

/// The comparator as far as its outputs are used further on; its inputs are used from here on.
fn keep((lo, hi): (u16, u16), used: &mut HashSet<u16>) -> Option<Op> {
    let kind = match (used.contains(&lo), used.contains(&hi)) {
        (true, true) => Kind::Both,
        (true, false) => Kind::MinOnly,
        (false, true) => Kind::MaxOnly,
        (false, false) => return None,
    };
    used.extend([lo, hi]);
    Some(Op { lo, hi, kind })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the network on 64 inputs of zeros and ones at once, one bit each.
    fn run(ops: &[Op], rows: &mut [u64]) {
        for op in ops {
            let (a, b) = (rows[usize::from(op.lo)], rows[usize::from(op.hi)]);
            // What a one-sided comparator does not write is spoilt, to show that nothing reads it.
            rows[usize::from(op.lo)] = if op.kind == Kind::MaxOnly { 0xAAAA_AAAA_AAAA_AAAA } else { a & b };
            rows[usize::from(op.hi)] = if op.kind == Kind::MinOnly { 0xAAAA_AAAA_AAAA_AAAA } else { a | b };
        }
    }

    fn check(depth: usize, inputs: &[u64]) {
        let sorted = |rank: usize| {
            (0..64).fold(0, |word, bit| {
                let ones = inputs.iter().filter(|row| *row >> bit & 1 == 1).count();
                word | (u64::from(rank >= depth - ones) << bit)
            })
        };
        let mut rows = inputs.to_vec();
        run(&network(depth, Ranks::All), &mut rows);
        assert!((0..depth).all(|rank| rows[rank] == sorted(rank)), "all of {depth}");
        let mut rows = inputs.to_vec();
        run(&network(depth, Ranks::Middle), &mut rows);
        let (lower, upper) = middle_ranks(depth);
        assert!([lower, upper].iter().all(|&rank| rows[rank] == sorted(rank)), "middle of {depth}");
    }

    /// A network that sorts every input of zeros and ones sorts everything: all of them up to depth 16.
    #[test]
    fn zero_one_principle_in_full() {
        for depth in 1..=16 {
            for block in 0..(1_u64 << depth).div_ceil(64) {
                let row = |r: usize| (0..64).fold(0, |word, i| word | (((block * 64 + i) >> r & 1) << i));
                check(depth, &(0..depth).map(row).collect::<Vec<_>>());
            }
        }
    }

    /// Beyond, random ones with every share of ones.
    #[test]
    fn zero_one_principle_by_sampling() {
        let mut state = 1_u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state >> 33
        };
        for depth in (17..300).chain([511, 512, 513, 1000]) {
            let rows: Vec<u64> =
                (0..depth).map(|_| (0..64).fold(0, |w, i| w | (u64::from(random() % 64 < i) << i))).collect();
            check(depth, &rows);
        }
    }

    #[test]
    fn pruning_saves_work_and_tiny_depths_need_none() {
        assert!(network(0, Ranks::All).is_empty() && network(1, Ranks::Middle).is_empty());
        assert_eq!(network(2, Ranks::Middle).len(), 1);
        for depth in [24, 73, 146] {
            assert!(network(depth, Ranks::Middle).len() < network(depth, Ranks::All).len());
        }
        assert!(Arc::ptr_eq(&network(73, Ranks::Middle), &network(73, Ranks::Middle)));
    }
}
