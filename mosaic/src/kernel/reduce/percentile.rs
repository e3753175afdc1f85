//! Percentiles: with n values x0 .. x(n-1) in order, at h = (n - 1) p / 100, between the ranks on both sides of h as far as
//! h is from each. (Hyndman and Fan's seventh way, numpy's `linear`: of p = 50 it is the median.)

use super::{Exact, LANES, Row};

#[inline(always)]
pub(super) fn exact(hundredths: u8, rows: &[Row], counts: &Row) -> Exact {
    let mut exact = Exact::new();
    for lane in 0..LANES {
        let Some(last) = counts.0[lane].checked_sub(1) else { continue };
        let at = u32::from(last) * u32::from(hundredths);
        let (rank, part) = ((at / 100) as usize, at % 100);
        let value = |rank: usize| u32::from(rows[rank].0[lane]);
        exact.over[lane] = value(rank) * (100 - part) + value((rank + 1).min(last.into())) * part;
        exact.under[lane] = 100;
    }
    exact
}
