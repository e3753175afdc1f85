//! What the steps of a program do to rows, each with its rows in registers from its first comparator to its last.

use super::lanes::{LANES, Row};
use super::network::Kind;

#[inline(always)]
fn ordered(a: u16, b: u16) -> (u16, u16) {
    (a.min(b), a.max(b))
}

/// One comparator.
#[inline(always)]
pub(super) fn one(lo: &mut Row, hi: &mut Row, kind: Kind) {
    match kind {
        Kind::Both => lo.0.iter_mut().zip(&mut hi.0).for_each(|(a, b)| (*a, *b) = ordered(*a, *b)),
        Kind::MinOnly => lo.0.iter_mut().zip(&hi.0).for_each(|(a, &b)| *a = b.min(*a)),
        Kind::MaxOnly => hi.0.iter_mut().zip(&lo.0).for_each(|(b, &a)| *b = a.max(*b)),
    }
}

/// (a, c), (b, d), then (b, c).
#[inline(always)]
pub(super) fn join(a: &mut Row, b: &mut Row, c: &mut Row, d: &mut Row) {
    for lane in 0..LANES {
        let (v0, v2) = ordered(a.0[lane], c.0[lane]);
        let (v1, v3) = ordered(b.0[lane], d.0[lane]);
        let (v1, v2) = ordered(v1, v2);
        (a.0[lane], b.0[lane], c.0[lane], d.0[lane]) = (v0, v1, v2, v3);
    }
}

/// (b, d), then (a, b) and (c, d).
#[inline(always)]
pub(super) fn split(a: &mut Row, b: &mut Row, c: &mut Row, d: &mut Row) {
    for lane in 0..LANES {
        let (v1, v3) = ordered(b.0[lane], d.0[lane]);
        let (v0, v1) = ordered(a.0[lane], v1);
        let (v2, v3) = ordered(c.0[lane], v3);
        (a.0[lane], b.0[lane], c.0[lane], d.0[lane]) = (v0, v1, v2, v3);
    }
}

/// Comparators on the named values.
macro_rules! compare {
    ($($a:ident $b:ident),*) => { $(let ($a, $b) = ordered($a, $b);)* };
}

/// Sorts eight rows by Batcher's network, 19 comparators.
#[inline(always)]
pub(super) fn sort_8(rows: &mut [Row; 8]) {
    for lane in 0..LANES {
        let [a, b, c, d] = [rows[0].0[lane], rows[1].0[lane], rows[2].0[lane], rows[3].0[lane]];
        let [e, f, g, h] = [rows[4].0[lane], rows[5].0[lane], rows[6].0[lane], rows[7].0[lane]];
        compare!(a b, c d, e f, g h, a c, b d, e g, f h, b c, f g);
        compare!(a e, b f, c g, d h, c e, d f, b c, d e, f g);
        [rows[0].0[lane], rows[1].0[lane], rows[2].0[lane], rows[3].0[lane]] = [a, b, c, d];
        [rows[4].0[lane], rows[5].0[lane], rows[6].0[lane], rows[7].0[lane]] = [e, f, g, h];
    }
}

/// Sorts sixteen rows by Green's network, 60 comparators: none with fewer is known.
#[inline(always)]
pub(super) fn sort_16(rows: &mut [Row; 16]) {
    for lane in 0..LANES {
        let [a, b, c, d] = [rows[0].0[lane], rows[1].0[lane], rows[2].0[lane], rows[3].0[lane]];
        let [e, f, g, h] = [rows[4].0[lane], rows[5].0[lane], rows[6].0[lane], rows[7].0[lane]];
        let [i, j, k, l] = [rows[8].0[lane], rows[9].0[lane], rows[10].0[lane], rows[11].0[lane]];
        let [m, n, o, p] = [rows[12].0[lane], rows[13].0[lane], rows[14].0[lane], rows[15].0[lane]];
        compare!(a n, b m, c p, d o, e i, f g, h l, j k, a f, b h, c j, d e, g n, i o, k p, l m);
        compare!(a b, c d, e f, g i, h j, k l, m n, o p, a c, b d, e k, f l, g h, i j, m o, n p);
        compare!(b c, d m, e g, f h, i k, j l, n o, b e, c g, f i, h k, j n, l o, c e, d g, j m, l n);
        compare!(d f, g i, h j, k m, d e, f g, h i, j k, l m, g h, i j);
        [rows[0].0[lane], rows[1].0[lane], rows[2].0[lane], rows[3].0[lane]] = [a, b, c, d];
        [rows[4].0[lane], rows[5].0[lane], rows[6].0[lane], rows[7].0[lane]] = [e, f, g, h];
        [rows[8].0[lane], rows[9].0[lane], rows[10].0[lane], rows[11].0[lane]] = [i, j, k, l];
        [rows[12].0[lane], rows[13].0[lane], rows[14].0[lane], rows[15].0[lane]] = [m, n, o, p];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every input of zeros and ones, each in a lane of its own: what sorts those sorts anything.
    fn sorts_everything<const N: usize>(sort: impl Fn(&mut [Row; N])) {
        for first in (0..1_usize << N).step_by(LANES) {
            let bit = |row: usize, lane: usize| ((first + lane) >> row & 1) as u16;
            let mut rows: [Row; N] = std::array::from_fn(|row| Row(std::array::from_fn(|lane| bit(row, lane))));
            sort(&mut rows);
            for lane in 0..LANES {
                let zeros = N - (first + lane).count_ones() as usize;
                assert!((0..N).all(|row| rows[row].0[lane] == u16::from(row >= zeros)), "input {:b}", first + lane);
            }
        }
    }

    #[test]
    fn zero_one_principle_in_full() {
        sorts_everything(sort_8);
        sorts_everything(sort_16);
    }
}
