use proptest::prelude::*;

use super::core::{add_at, merge_to_core_at};
use super::merge::Middles;
use super::tests::{Pixels, sorted, stack, with_layers};
use super::*;

const BANDS: usize = 2;

struct Out {
    counts: Vec<u16>,
    lower: Vec<Vec<u16>>,
    upper: Vec<Vec<u16>>,
}

impl Out {
    fn middles(&mut self) -> Middles<'_> {
        let Self { counts, lower, upper } = self;
        Middles { counts, lower, upper }
    }

    fn new(pixels: usize) -> Self {
        let planes = || vec![vec![7; pixels]; BANDS];
        Self { counts: vec![7; pixels], lower: planes(), upper: planes() }
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

/// Makes a core of the first dates and adds some of the next ones to it, at every level: how many of the additions
/// the core reached.
fn check_additions(stack: &Pixels, pixels: usize, first: usize, added: &[usize]) -> usize {
    let most = stack.len() as u16;
    let (before, after) = stack.split_at(first);
    let whole = packed(&before.to_vec(), pixels);
    let mut reached = 0;
    for &level in Level::ALL.iter().filter(|level| level.is_available()) {
        let (mut out, mut core) = (Out::new(pixels), Vec::new());
        merge_to_core_at(level, &mut [Pile::new(&whole, most)], out.middles(), &mut core).unwrap();
        check(&out, &before.to_vec(), pixels);
        for &dates in added {
            let new = packed(&after[..dates].to_vec(), pixels);
            let mut out = Out::new(pixels);
            if add_at(level, &core, &mut [Pile::new(&new, most)], out.middles()).unwrap() {
                check(&out, &stack[..first + dates].to_vec(), pixels);
                reached += usize::from(level == Level::best());
            }
        }
    }
    reached
}

#[test]
fn a_year_and_a_month() {
    for (seed, clear) in [256, 200, 100, 20, 0].into_iter().enumerate() {
        let mut stack = stack(seed as u64, 97, 300, clear);
        assert_eq!(check_additions(&stack, 300, 73, &[0, 1, 2, 3, 4, 5, 6]), 7, "six move the middle by three ranks");
        assert_eq!(check_additions(&stack, 300, 0, &[1, 6]), 2, "of nothing all is known");
        // One after the other brighter than all before: the middle leaves the core.
        for (date, layer) in stack.iter_mut().enumerate() {
            layer.iter_mut().flatten().for_each(|value| *value = *value / 100 + 600 * date as u16);
        }
        assert!(clear < 200 || check_additions(&stack, 300, 73, &[6, 24]) == 1);
    }
}

#[test]
fn a_core_is_of_its_values_in_whatever_slices() {
    let stack = stack(5, 40, 300, 128);
    let core = |slices: usize| {
        let packs: Vec<_> = stack.chunks(slices).map(|slice| packed(&slice.to_vec(), 300)).collect();
        let (mut out, mut core) = (Out::new(300), Vec::new());
        let mut piles: Vec<_> = packs.iter().map(|pack| Pile::new(pack, 40)).collect();
        merge_to_core(&mut piles, out.middles(), &mut core).unwrap();
        core
    };
    assert_eq!(core(40), core(7));
}

fn small() -> (Vec<u8>, Vec<u8>) {
    let (pack, mut out, mut core) = (packed(&stack(1, 20, 300, 128), 300), Out::new(300), Vec::new());
    merge_to_core(&mut [Pile::new(&pack, 20)], out.middles(), &mut core).unwrap();
    (pack, core)
}

#[test]
fn a_spoilt_core_is_refused() {
    let (_, core) = small();
    for cut in 0..core.len() {
        assert_eq!(add(&core[..cut], &mut [], Out::new(300).middles()), Err(BadPack::Short));
    }
    let longer = [&core[..], &[0]].concat();
    assert_eq!(add(&longer, &mut [], Out::new(300).middles()), Err(BadPack::Long));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn adding_is_merging(
        seed: u64,
        depth in 0..=120_usize,
        pixels in 1..300_usize,
        clear in 0..=256_u64,
        first in any::<prop::sample::Index>(),
        added in any::<prop::sample::Index>(),
    ) {
        let first = first.index(depth + 1);
        let added = added.index(depth - first + 1);
        let reached = check_additions(&stack(seed, depth, pixels, clear), pixels, first, &[added]);
        prop_assert!(added > SLOTS - 2 || reached == 1, "{added} after {first}");
    }

    /// Whatever the bytes: an error, or some result, and no panic.
    #[test]
    fn a_spoilt_core_does_no_harm(at: prop::sample::Index, flip in 1..=255_u8) {
        let (pack, mut core) = small();
        let at = at.index(core.len());
        core[at] ^= flip;
        let _ = add(&core, &mut [Pile::new(&pack, 20)], Out::new(300).middles());
    }
}
