//! The median absolute deviation: the median of the distances of the values from their exact median.
//!
//! In order, the values below the median are the closer to it the higher their rank, those above the lower theirs: both
//! ways outwards from the middle, the next distance is the smaller of two. Distances are doubled, so that those from a
//! half are whole.

use super::{Exact, LANES, Row};

#[inline(always)]
pub(super) fn exact(rows: &[Row], counts: &Row) -> Exact {
    let mut exact = Exact::new();
    for lane in 0..LANES {
        let count = usize::from(counts.0[lane]);
        if count > 0 {
            // One more than the deviation, in quarters.
            exact.over[lane] = 4 + in_quarters(count, |rank| u32::from(rows[rank].0[lane]));
            exact.under[lane] = 4;
        }
    }
    exact
}

/// Four times the deviation of so many values, at least one, which `value` gives in order.
#[inline(always)]
fn in_quarters(count: usize, value: impl Fn(usize) -> u32) -> u32 {
    let twice_the_median = value((count - 1) / 2) + value(count / 2);
    // Ranks from `low` up to `high` are counted; the values on both sides of the middle come first.
    let (mut low, mut high) = (count / 2, count / 2);
    let (mut before, mut last) = (0, 0);
    for _ in 0..=count / 2 {
        let below = low.checked_sub(1).map_or(u32::MAX, |rank| twice_the_median - 2 * value(rank));
        let above = if high < count { 2 * value(high) - twice_the_median } else { u32::MAX };
        before = last;
        last = below.min(above);
        if below < above {
            low -= 1;
        } else {
            high += 1;
        }
    }
    if count % 2 == 1 { 2 * last } else { before + last }
}
