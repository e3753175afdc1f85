//! Properties of masks, partials and folding: however the observations are cut up, the median is that of them all.
#![allow(clippy::unwrap_used)]

use mosaic::accumulate::{Observation, Observations};
use mosaic::bits::Bits;
use mosaic::kernel::{Pile, finish, finish_f32, pile};
use mosaic::partial::{Middles, rows_per_chunk};
use proptest::prelude::*;

/// One observation: per band one value per pixel, and where it is clear.
type Layer = (Vec<bool>, Vec<Vec<u16>>);

const WIDTH: usize = 7;
const HEIGHT: usize = 11;
const BANDS: usize = 2;

fn value() -> impl Strategy<Value = u16> {
    prop_oneof![Just(0), Just(u16::MAX), 500..504_u16, any::<u16>()]
}

fn layer() -> impl Strategy<Value = Layer> {
    let pixels = WIDTH * HEIGHT;
    let mask = prop_oneof![
        prop::collection::vec(any::<bool>(), pixels),
        Just(vec![true; pixels]),
        prop::collection::vec(prop::bool::weighted(0.05), pixels),
        Just(vec![false; pixels]),
    ];
    (mask, prop::collection::vec(prop::collection::vec(value(), pixels), BANDS))
}

fn observation((clear, values): &Layer) -> Observation {
    Observation::new(Bits::from_pixels(clear, |c| c), values.clone())
}

fn observations(layers: &[Layer]) -> Observations {
    let mut all = Observations::new(WIDTH, HEIGHT, BANDS);
    for layer in layers {
        let given = all.push([observation(layer)]);
        assert_eq!(given, [layer.0.iter().filter(|&&c| c).count() as u64]);
    }
    all
}

fn packed(layers: &[Layer]) -> Vec<u8> {
    let mut bytes = Vec::new();
    observations(layers).pile(0..HEIGHT, &mut [], &mut bytes).unwrap();
    bytes
}

fn piles<'a>(bytes: &[&'a Vec<u8>]) -> Vec<Pile<'a>> {
    bytes.iter().map(|bytes| Pile::new(bytes, 24)).collect()
}

fn merged(bytes: &[&Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    pile(WIDTH * HEIGHT, &vec![vec![]; BANDS], &mut piles(bytes), &mut out).unwrap();
    out
}

fn middle(bytes: &[&Vec<u8>]) -> Middles {
    Middles::merge(WIDTH * HEIGHT, &vec![vec![]; BANDS], &mut piles(bytes)).unwrap()
}

/// The clear values of one pixel, sorted: the oracle.
fn sorted(layers: &[Layer], band: usize, pixel: usize) -> Vec<u16> {
    let mut values: Vec<u16> = layers.iter().filter(|l| l.0[pixel]).map(|l| l.1[band][pixel]).collect();
    values.sort_unstable();
    values
}

proptest! {
    #[test]
    fn any_partition_merges_to_the_median_of_all(
        layers in prop::collection::vec((layer(), 0..4_usize), 0..24),
        order in Just([0, 1, 2, 3_usize]).prop_shuffle(),
    ) {
        let part = |n: usize| layers.iter().filter(|l| l.1 == n).map(|l| l.0.clone()).collect::<Vec<_>>();
        let parts: Vec<Vec<u8>> = order.iter().map(|&n| packed(&part(n))).collect();
        let all: Vec<Layer> = layers.iter().map(|l| l.0.clone()).collect();
        let whole = packed(&all);
        let of = |picks: &[usize]| merged(&picks.iter().map(|&i| &parts[i]).collect::<Vec<_>>());
        prop_assert_eq!(&of(&[0, 1, 2, 3]), &whole);
        prop_assert_eq!(&of(&[3, 1, 0, 2]), &whole, "commutative");
        prop_assert_eq!(&merged(&[&of(&[0, 1]), &of(&[2, 3])]), &whole, "associative");
        prop_assert_eq!(&merged(&[&parts[0], &of(&[1, 2]), &parts[3]]), &whole, "associative");

        let middle = middle(&parts.iter().collect::<Vec<_>>());
        prop_assert_eq!(&middle, &observations(&all).middle(0..HEIGHT), "with slices or without");
        let mixed = observations(&part(order[0])).merge(0..HEIGHT, &mut piles(&parts[1..].iter().collect::<Vec<_>>()));
        prop_assert_eq!(mixed.as_ref(), Ok(&middle), "packed or not");
        for (band, pixel) in (0..BANDS).flat_map(|b| (0..WIDTH * HEIGHT).map(move |p| (b, p))) {
            let values = sorted(&all, band, pixel);
            let n = values.len();
            prop_assert_eq!(usize::from(middle.counts[pixel]), n);
            let expected = if n == 0 { (0, 0) } else { (values[(n - 1) / 2], values[n / 2]) };
            prop_assert_eq!((middle.lower[band][pixel], middle.upper[band][pixel]), expected);
        }
    }

    #[test]
    fn chunks_of_rows_are_the_rows_of_the_whole(layers in prop::collection::vec(layer(), 0..9), rows in 1..14_usize) {
        let all = observations(&layers);
        let whole = all.middle(0..HEIGHT);
        let mut top = 0;
        while top < HEIGHT {
            let next = (top + rows).min(HEIGHT);
            let mut bytes = Vec::new();
            all.pile(top..next, &mut [], &mut bytes).unwrap();
            let middle = Middles::merge((next - top) * WIDTH, &vec![vec![]; BANDS], &mut piles(&[&bytes])).unwrap();
            prop_assert_eq!(&middle, &all.middle(top..next));
            prop_assert_eq!(&middle.counts, &whole.counts[top * WIDTH..next * WIDTH]);
            prop_assert_eq!(&middle.upper[1], &whole.upper[1][top * WIDTH..next * WIDTH]);
            top = next;
        }
        prop_assert_eq!(top, HEIGHT);
    }

    #[test]
    fn the_first_clear_granule_of_a_datatake_counts(granules in prop::collection::vec(layer(), 1..5)) {
        let mut all = Observations::new(WIDTH, HEIGHT, BANDS);
        let given = all.push(granules.iter().map(observation));
        let middle = all.middle(0..HEIGHT);
        let mut expected = vec![0; granules.len()];
        for pixel in 0..WIDTH * HEIGHT {
            let first = granules.iter().position(|granule| granule.0[pixel]);
            prop_assert_eq!(middle.counts[pixel], u16::from(first.is_some()));
            for band in 0..BANDS {
                prop_assert_eq!(middle.lower[band][pixel], first.map_or(0, |i| granules[i].1[band][pixel]));
            }
            if let Some(i) = first {
                expected[i] += 1;
            }
        }
        prop_assert_eq!(given, expected);
        prop_assert!(all.depth() <= 1);
    }

    #[test]
    fn finishing_rounds_half_up(a: u16, b: u16, count in 0..4_u16, least in 0..4_u16) {
        let (mut out, mut exact) = ([1], [1.0]);
        finish(&[a], &[b], &[count], least, &mut out);
        finish_f32(&[a], &[b], &[count], least, &mut exact);
        let sum = f64::from(a) + f64::from(b);
        let expected = if count >= least.max(1) { sum / 2.0 } else { 0.0 };
        prop_assert_eq!(f64::from(exact[0]), expected);
        prop_assert_eq!(f64::from(out[0]), (expected + 0.5).floor());
    }

    #[test]
    fn bits_are_a_vector_of_booleans(
        pairs in prop::collection::vec(any::<(bool, bool)>(), 1..300),
        window in any::<(u16, u16)>(),
    ) {
        let (a, b): (Vec<bool>, Vec<bool>) = pairs.iter().copied().unzip();
        let bits = |v: &[bool]| Bits::from_pixels(v, |c| c);
        let combined = |op: fn(&mut Bits, &Bits), of: fn(bool, bool) -> bool| {
            let mut out = bits(&a);
            op(&mut out, &bits(&b));
            out == bits(&pairs.iter().map(|&(x, y)| of(x, y)).collect::<Vec<_>>())
        };
        prop_assert!(combined(Bits::and, |x, y| x && y));
        prop_assert!(combined(Bits::or, |x, y| x || y));
        prop_assert!(combined(Bits::and_not, |x, y| x && !y));
        let ones: Vec<usize> = (0..a.len()).filter(|&i| a[i]).collect();
        prop_assert_eq!(bits(&a).iter_ones().collect::<Vec<_>>(), ones.clone());
        prop_assert_eq!(bits(&a).count_ones(), ones.len() as u64);
        prop_assert_eq!(Bits::from_words(a.len(), bits(&a).words().to_vec()), Some(bits(&a)));
        let mut not = Bits::ones(a.len());
        ones.iter().for_each(|&i| not.set(i, false));
        prop_assert_eq!(not, bits(&a.iter().map(|&x| !x).collect::<Vec<_>>()));
        let start = usize::from(window.0) % a.len();
        let len = usize::from(window.1) % (a.len() - start + 1);
        let view = bits(&a);
        let view = view.view(start, len);
        prop_assert!((0..len + 64).all(|i| (view.word(i / 64) >> (i % 64) & 1 == 1) == (i < len && a[start + i])));
    }
}

#[test]
fn windows_of_a_mask() {
    let mut bits = Bits::zeros(10 * 13);
    assert_eq!(bits.rows_in_window(0, 0, 10, 13, 10), 13..13);
    bits.set(4 * 10 + 9, true);
    assert!(bits.get(49) && bits.any());
    assert_eq!((bits.rows_in_window(9, 4, 1, 1, 10), bits.rows_in_window(5, 0, 5, 5, 10)), (4..5, 4..5));
    assert!(bits.rows_in_window(0, 0, 9, 13, 10).is_empty() && bits.rows_in_window(0, 5, 10, 8, 10).is_empty());
    [2 * 10 + 3, 7 * 10, 11 * 10 + 5].into_iter().for_each(|pixel| bits.set(pixel, true));
    assert_eq!((bits.rows_in_window(0, 0, 10, 13, 10), bits.rows_in_window(4, 1, 6, 12, 10)), (2..12, 4..12));
    assert_eq!(Bits::from_words(3, vec![8]), None);
    assert_eq!(Bits::from_words(64, vec![0, 0]), None);
}

#[test]
fn a_chunk_is_at_least_one_row() {
    assert_eq!((rows_per_chunk(1024), rows_per_chunk(100_000), rows_per_chunk(0)), (16, 1, 16 * 1024));
}
