use proptest::prelude::*;

use super::super::tests::{Pixels, sorted, stack, with_layers};
use super::*;
use crate::request::Dtype;

const ALL: [Reducer; 7] = [
    Reducer::Percentile(0),
    Reducer::Percentile(10),
    Reducer::Percentile(50),
    Reducer::Percentile(75),
    Reducer::Percentile(100),
    Reducer::Mean,
    Reducer::Mad,
];

fn middle_of(sorted: &[i64]) -> (i64, i64) {
    (sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2])
}

/// The oracle, by the book: a fraction, of values in order.
fn by_definition(reducer: Reducer, values: &[u16]) -> (i64, i64) {
    let values: Vec<i64> = values.iter().map(|value| i64::from(*value)).collect();
    let n = values.len() as i64;
    match reducer {
        Reducer::Percentile(p) => {
            let at = i64::from(p) * (n - 1);
            let upper = if at % 100 == 0 { at / 100 } else { at / 100 + 1 };
            let (low, high) = (values[(at / 100) as usize], values[upper as usize]);
            (100 * low + (high - low) * (at % 100), 100)
        }
        Reducer::Mean => (values.iter().sum(), n),
        Reducer::Mad => {
            let (low, high) = middle_of(&values);
            let mut twice: Vec<i64> = values.iter().map(|value| (2 * value - low - high).abs()).collect();
            twice.sort_unstable();
            let (low, high) = middle_of(&twice);
            (low + high + 4, 4)
        }
    }
}

/// Reduces the stack, its first layers put into a pile before.
fn reduced(
    level: Level,
    stack: &Pixels,
    pixels: usize,
    piled: usize,
    dtype: Dtype,
    min: u16,
) -> (Vec<u16>, Vec<Plane>) {
    let mut counts = vec![7; pixels];
    let mut planes = vec![Plane::nodata(dtype, pixels); ALL.len()];
    with_layers(stack, 5, |layers| {
        let (first, rest) = layers.split_at(piled.min(layers.len()));
        let mut packed = Vec::new();
        merge::pile(pixels, &[first.to_vec()], &mut [], &mut packed).unwrap();
        let mut piles = vec![Pile::new(&packed, u16::MAX)];
        let into = Reduced { reducers: &ALL, min_observations: min, counts: &mut counts, planes: &mut planes };
        reduce_at(level, &[rest.to_vec()], &mut piles, into).unwrap();
    });
    (counts, planes)
}

fn check(stack: &Pixels, pixels: usize, piled: usize, min: u16) {
    let oracle: Vec<Vec<u16>> = (0..pixels).map(|pixel| sorted(stack, pixel)).collect();
    for &level in Level::ALL.iter().filter(|level| level.is_available()) {
        let (counts, whole) = reduced(level, stack, pixels, piled, Dtype::Uint16, min);
        let (_, exact) = reduced(level, stack, pixels, piled, Dtype::Float32, min);
        for (pixel, values) in oracle.iter().enumerate() {
            assert_eq!(usize::from(counts[pixel]), values.len());
            for (at, reducer) in ALL.into_iter().enumerate() {
                let found = (whole[at].get(pixel), exact[at].get(pixel));
                let mut wanted = (0.0, 0.0);
                if !values.is_empty() && values.len() >= usize::from(min) {
                    let (over, under) = by_definition(reducer, values);
                    wanted = (((2 * over + under) / (2 * under)) as f32, (over as f64 / under as f64) as f32);
                }
                assert_eq!(found, wanted, "{level:?} {reducer:?} of {values:?}");
            }
        }
    }
}

/// Depths to 300, at every density, some of the layers in a pile, with a ragged end.
#[test]
fn equal_the_definition_at_every_depth() {
    for depth in (0..40).chain((40..300).step_by(7)) {
        for (seed, clear) in [256, 100, 4].into_iter().enumerate() {
            let pixels = [130, 64, 300, 63][(depth + seed) % 4];
            let stack = stack((depth * 8 + seed) as u64, depth, pixels, clear);
            check(&stack, pixels, [0, depth / 2, depth][seed], [1, 0, 3][seed]);
        }
    }
}

#[test]
fn equal_the_definition_for_every_mask() {
    for depth in 0..=9_usize {
        let pixels = 1 << depth;
        let mut full = stack(depth as u64, depth, pixels, 256);
        for (layer, values) in full.iter_mut().enumerate() {
            for (mask, value) in values.iter_mut().enumerate() {
                *value = (mask >> layer & 1 == 1).then(|| value.unwrap_or(1));
            }
        }
        check(&full, pixels, depth / 3, 1);
    }
}

#[test]
fn the_median_is_the_kernels_own() {
    let (pixels, depth) = (200, 31);
    let stack = stack(3, depth, pixels, 180);
    let (_, planes) = reduced(Level::best(), &stack, pixels, 9, Dtype::Uint16, 1);
    let (mut lower, mut upper, mut median) = (vec![0; pixels], vec![0; pixels], vec![0; pixels]);
    with_layers(&stack, 0, |layers| super::super::middle(layers, &mut lower, &mut upper));
    let counts: Vec<u16> = (0..pixels).map(|pixel| sorted(&stack, pixel).len() as u16).collect();
    super::super::finish(&lower, &upper, &counts, 1, &mut median);
    assert_eq!(planes[2], Plane::U16(median));
}

proptest! {
    /// Values of all sizes, so that every rounding is met.
    #[test]
    fn equal_the_definition_for_any_values(
        values in prop::collection::vec(prop::collection::vec(prop::option::weighted(0.8, any::<u16>()), 70), 0..24),
        piled in 0_usize..24,
        min in 0_u16..5,
    ) {
        check(&values, 70, piled, min);
    }
}
