use proptest::prelude::*;

use super::core::add_at;
use super::tests::{Pixels, sorted, stack, with_layers};
use super::*;

const BANDS: usize = 2;

struct Out {
    counts: Vec<u16>,
    lower: Vec<Vec<u16>>,
    upper: Vec<Vec<u16>>,
    core: Vec<u8>,
}

impl Out {
    fn added(&mut self) -> Added<'_> {
        let Self { counts, lower, upper, core } = self;
        Added { counts, lower, upper, core }
    }

    fn new(pixels: usize) -> Self {
        let planes = || vec![vec![7; pixels]; BANDS];
        Self { counts: vec![7; pixels], lower: planes(), upper: planes(), core: Vec::new() }
    }
}

fn packed(stack: &Pixels, pixels: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    with_layers(stack, 0, |layers| pile(pixels, &vec![layers.to_vec(); BANDS], &mut [], &mut bytes)).unwrap();
    bytes
}

fn check(found: &Out, stack: &Pixels, pixels: usize) {
    for p in 0..pixels {
        let values = sorted(stack, p);
        let n = values.len();
        assert_eq!(usize::from(found.counts[p]), n, "count");
        let middle = if n == 0 { (0, 0) } else { (values[(n - 1) / 2], values[n / 2]) };
        for band in 0..BANDS {
            assert_eq!((found.lower[band][p], found.upper[band][p]), middle, "of {n} values");
        }
    }
}

/// Adds slice after slice, at every level; how often the core reached, and how often it did not.
fn check_additions(stack: &Pixels, pixels: usize, slices: &[usize]) -> (usize, usize) {
    let most = stack.len() as u16;
    let (mut reached, mut missed) = (0, 0);
    for &level in Level::ALL.iter().filter(|level| level.is_available()) {
        let mut core: Option<Vec<u8>> = None;
        let mut upto = 0;
        for &dates in slices {
            let from = upto;
            upto = stack.len().min(upto + dates);
            let seen = stack[..upto].to_vec();
            let new = packed(&stack[from..upto].to_vec(), pixels);
            let mut out = Out::new(pixels);
            let old = core.as_deref();
            if add_at(level, old, &mut [Pile::new(&new, most)], out.added()).unwrap() {
                reached += 1;
            } else {
                missed += 1;
                let whole = packed(&seen, pixels);
                out = Out::new(pixels);
                assert!(add_at(level, None, &mut [Pile::new(&whole, most)], out.added()).unwrap(), "all is known");
            }
            check(&out, &seen, pixels);
            core = Some(out.core);
        }
    }
    (reached, missed)
}

#[test]
fn a_year_and_a_month() {
    for (seed, clear) in [256, 200, 100, 20, 0].into_iter().enumerate() {
        let mut stack = stack(seed as u64, 79, 300, clear);
        let (_, missed) = check_additions(&stack, 300, &[73, 6]);
        assert_eq!(missed, 0, "six observations move the middle by three ranks");
        // One after the other brighter than all before: the middle leaves the core.
        for (date, layer) in stack.iter_mut().enumerate() {
            layer.iter_mut().flatten().for_each(|value| *value = *value / 100 + 700 * date as u16);
        }
        let (reached, missed) = check_additions(&stack, 300, &[40, 6, 6, 6, 6, 6]);
        assert!(clear < 200 || (missed > 0 && reached > missed), "{reached} and {missed}");
    }
}

#[test]
fn a_spoilt_core_is_refused() {
    let stack = stack(1, 20, 300, 128);
    let (pack, mut out) = (packed(&stack, 300), Out::new(300));
    assert_eq!(add(None, &mut [Pile::new(&pack, 20)], out.added()), Ok(true));
    let core = out.core;
    for cut in 0..core.len() {
        assert_eq!(add(Some(&core[..cut]), &mut [], Out::new(300).added()), Err(BadPack::Short));
    }
    let longer = [&core[..], &[0]].concat();
    assert_eq!(add(Some(&longer), &mut [], Out::new(300).added()), Err(BadPack::Long));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn adding_is_merging(seed: u64, depth in 0..=120_usize, pixels in 1..300_usize, clear in 0..=256_u64, slices in prop::collection::vec(0..30_usize, 1..8)) {
        let _ = check_additions(&stack(seed, depth, pixels, clear), pixels, &slices);
    }

    /// Whatever the bytes: an error, or some result, and no panic.
    #[test]
    fn a_spoilt_core_does_no_harm(seed: u64, at: prop::sample::Index, flip in 1..=255_u8) {
        let stack = stack(seed, 20, 300, 128);
        let (pack, mut out) = (packed(&stack, 300), Out::new(300));
        prop_assert_eq!(add(None, &mut [Pile::new(&pack, 20)], out.added()), Ok(true));
        let mut core = out.core;
        let at = at.index(core.len());
        core[at] ^= flip;
        let _ = add(Some(&core), &mut [Pile::new(&pack, 20)], Out::new(300).added());
    }
}
