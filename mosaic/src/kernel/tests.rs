use proptest::prelude::*;

use super::merge::Middles;
use super::*;
use crate::bits::Bits;

/// A stack of layers as the oracle sees it: `None` where masked.
pub(super) type Pixels = Vec<Vec<Option<u16>>>;

/// Repeatable noise, so that a stack of hundreds of layers is one seed.
fn noise(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed;
    move || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

/// Values with many 0, 65535 and ties; `clear` in 256 of them unmasked, blocks of masked pixels too.
pub(super) fn stack(seed: u64, depth: usize, pixels: usize, clear: u64) -> Pixels {
    let mut next = noise(seed);
    let layer = |_| {
        let empty = next().is_multiple_of(5);
        let pixel = |_| {
            let value = match next() % 6 {
                0 => 0,
                1 => u16::MAX,
                2 => 1000 + (next() % 3) as u16,
                _ => next() as u16,
            };
            (!empty && next() % 256 < clear).then_some(value)
        };
        (0..pixels).map(pixel).collect()
    };
    (0..depth).map(layer).collect()
}

/// Hands the stack to `f` as layers, starting `shift` pixels into their masks; masked values are junk.
pub(super) fn with_layers<T>(stack: &Pixels, shift: usize, f: impl FnOnce(&[Layer<'_>]) -> T) -> T {
    let flat = |layer: &Vec<Option<u16>>| {
        let values: Vec<u16> =
            layer.iter().enumerate().map(|(i, v)| v.unwrap_or((i as u16).wrapping_mul(7919))).collect();
        let clear: Vec<bool> = std::iter::repeat_n(true, shift).chain(layer.iter().map(Option::is_some)).collect();
        (values, Bits::from_pixels(&clear, |c| c))
    };
    let flat: Vec<_> = stack.iter().map(flat).collect();
    let layers: Vec<Layer<'_>> =
        flat.iter().map(|(values, clear)| Layer { values, clear: clear.view(shift, values.len()) }).collect();
    f(&layers)
}

/// The oracle: one pixel at a time, sort what is clear.
pub(super) fn sorted(stack: &Pixels, pixel: usize) -> Vec<u16> {
    let mut values: Vec<u16> = stack.iter().filter_map(|layer| layer[pixel]).collect();
    values.sort_unstable();
    values
}

fn check_all(stack: &Pixels, pixels: usize, shift: usize) {
    let oracle: Vec<Vec<u16>> = (0..pixels).map(|p| sorted(stack, p)).collect();
    for &level in Level::ALL.iter().filter(|level| level.is_available()) {
        with_layers(stack, shift, |layers| {
            let (mut lower, mut upper, mut counts) = (vec![7; pixels], vec![7; pixels], vec![7; pixels]);
            middle_at(level, layers, &mut lower, &mut upper);
            counts_at(level, &layers.iter().map(|layer| layer.clear).collect::<Vec<_>>(), &mut counts);
            let mut bytes = Vec::new();
            merge::pile_at(level, pixels, &[layers.to_vec()], &mut [], &mut bytes).unwrap();
            let ranks = merge::unpacked(&bytes, pixels);
            for (p, values) in oracle.iter().enumerate() {
                let n = values.len();
                assert_eq!(usize::from(counts[p]), n, "{level:?} count");
                let (a, b) = if n == 0 { (0, 0) } else { (values[(n - 1) / 2], values[n / 2]) };
                assert_eq!((lower[p], upper[p]), (a, b), "{level:?} {n} of {}", layers.len());
                assert_eq!(ranks[p], *values, "{level:?} ranks");
            }
        });
    }
}

/// Every depth to 300, at every density, sparse ones included, with a ragged end and a shifted mask.
#[test]
fn equals_the_oracle_at_every_depth() {
    for depth in 0..=300 {
        for (seed, clear) in [256, 200, 100, 20, 4].into_iter().enumerate() {
            let pixels = [130, 64, 1, 63, 65][(depth + seed) % 5];
            check_all(&stack((depth * 8 + seed) as u64, depth, pixels, clear), pixels, (depth * 13) % 70);
        }
    }
}

/// Every mask there is up to depth 10, one pixel each.
#[test]
fn equals_the_oracle_for_every_mask() {
    for depth in 0..=10_usize {
        let pixels = 1 << depth;
        let mut full = stack(depth as u64, depth, pixels, 256);
        let mut next = noise(depth as u64);
        for (l, layer) in full.iter_mut().enumerate() {
            for (mask, value) in layer.iter_mut().enumerate() {
                let some = value.unwrap_or(next() as u16);
                *value = (mask >> l & 1 == 1).then_some(some);
            }
        }
        check_all(&full, pixels, 0);
    }
}

#[test]
fn no_layers_and_no_pixels() {
    let (mut lower, mut upper) = ([9; 70], [9; 70]);
    middle(&[], &mut lower, &mut upper);
    assert!(lower.iter().chain(&upper).all(|&v| v == 0));
    check_all(&vec![vec![]; 3], 0, 0);
}

fn twice<'a>(layers: &[Layer<'a>]) -> Vec<Vec<Layer<'a>>> {
    vec![layers.to_vec(), layers.to_vec()]
}

/// Packs some dates at a time, then merges the packs with the dates that are left: to the middle, and to one pack.
fn check_piles(stack: &Pixels, pixels: usize, dates: usize, loose: usize) {
    let most = stack.len() as u16;
    for &level in Level::ALL.iter().filter(|level| level.is_available()) {
        with_layers(stack, 0, |layers| {
            let (kept, packed) = layers.split_at(loose.min(layers.len()));
            let pack = |layers: &[Layer<'_>]| {
                let mut bytes = Vec::new();
                merge::pile_at(level, pixels, &twice(layers), &mut [], &mut bytes).unwrap();
                bytes
            };
            let packs: Vec<Vec<u8>> = packed.chunks(dates).map(pack).collect();
            let piles = || packs.iter().map(|bytes| Pile::new(bytes, most)).collect::<Vec<_>>();
            let mut counts = vec![7; pixels];
            let (mut lower, mut upper) = (vec![vec![7; pixels]; 2], vec![vec![7; pixels]; 2]);
            let middles = Middles { counts: &mut counts, lower: &mut lower, upper: &mut upper };
            merge::merge_at(level, &twice(kept), &mut piles(), middles).unwrap();
            for p in 0..pixels {
                let values = sorted(stack, p);
                let n = values.len();
                assert_eq!(usize::from(counts[p]), n, "{level:?} count");
                let middle = if n == 0 { (0, 0) } else { (values[(n - 1) / 2], values[n / 2]) };
                assert_eq!(((lower[0][p], upper[0][p]), (lower[1][p], upper[1][p])), (middle, middle), "{level:?}");
            }
            let mut again = Vec::new();
            merge::pile_at(level, pixels, &twice(kept), &mut piles(), &mut again).unwrap();
            assert!(again == pack(layers), "{level:?} a pack of packs is not that of the whole");
        });
    }
}

#[test]
fn packs_merge_to_the_same_at_every_depth() {
    for depth in 0..=80 {
        for (seed, clear) in [256, 200, 100, 20, 4].into_iter().enumerate() {
            let pixels = [1, 64, 300, 255, 512][(depth + seed) % 5];
            let stack = stack((depth * 8 + seed) as u64, depth, pixels, clear);
            check_piles(&stack, pixels, 1 + depth % 9, [0, 3, 100][seed % 3]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn packs_merge_to_the_same(seed: u64, depth in 0..=150_usize, pixels in 1..600_usize, clear in 0..=256_u64, dates in 1..40_usize, loose in 0..20_usize) {
        check_piles(&stack(seed, depth, pixels, clear), pixels, dates, loose);
    }

    /// Whatever the bytes: an error, or values that ascend, and no panic.
    #[test]
    fn a_spoilt_pack_does_no_harm(seed: u64, at: prop::sample::Index, flip in 1..=255_u8, cut: prop::sample::Index, more: bool) {
        let mut bytes = Vec::new();
        with_layers(&stack(seed, 9, 300, 180), 0, |layers| pile(300, &[layers.to_vec()], &mut [], &mut bytes)).unwrap();
        let read = |bytes: &[u8]| {
            let (mut counts, mut lower, mut upper) = (vec![0; 300], [vec![0; 300]], [vec![0; 300]]);
            let middles = Middles { counts: &mut counts, lower: &mut lower, upper: &mut upper };
            merge(&[vec![]], &mut [Pile::new(bytes, 9)], middles)?;
            Ok::<_, BadPack>(lower[0].iter().zip(&upper[0]).all(|(lower, upper)| lower <= upper))
        };
        prop_assert_eq!(read(&bytes), Ok(true));
        prop_assert_eq!(read(&bytes[..cut.index(bytes.len())]), Err(BadPack::Short));
        if more {
            bytes.push(flip);
            prop_assert_eq!(read(&bytes), Err(BadPack::Long));
        } else {
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            prop_assert_ne!(read(&bytes), Ok(false));
        }
    }

    #[test]
    fn equals_the_oracle(seed: u64, depth in 0..=300_usize, pixels in 1..200_usize, clear in 0..=256_u64, shift in 0..130_usize) {
        check_all(&stack(seed, depth, pixels, clear), pixels, shift);
    }

    /// The whole of `u16` as it comes, and shrinkable.
    #[test]
    fn equals_the_oracle_for_any_values(stack in (0..40_usize, 1..70_usize).prop_flat_map(|(depth, pixels)| {
        prop::collection::vec(prop::collection::vec(any::<Option<u16>>(), pixels), depth)
    })) {
        let pixels = stack.first().map_or(0, Vec::len);
        check_all(&stack, pixels, 0);
    }
}
