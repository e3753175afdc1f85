//! The mean: the sum of the values over their number.

use super::{Exact, LANES, Row};

#[inline(always)]
pub(super) fn exact(rows: &[Row], counts: &Row) -> Exact {
    let mut exact = Exact::new();
    for (rank, row) in (0..u16::MAX).zip(rows) {
        for lane in 0..LANES {
            // What is above the count is a pad. No more than 65,535 values of 16 bits: the sum has 32.
            exact.over[lane] += if counts.0[lane] > rank { u32::from(row.0[lane]) } else { 0 };
        }
    }
    exact.under = counts.0.map(|count| u32::from(count).max(1));
    exact
}
