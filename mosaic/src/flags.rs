//! Comparisons of pixels, 64 to a word: the first pixel in the lowest bit, zero past the last, as [`Bits`] has them.
//!
//! [`Bits`]: crate::bits::Bits

/// Pixels to a word.
const WORD: usize = 64;

/// Which values are not 0, word by word.
pub fn nonzero(values: &[u16]) -> impl Iterator<Item = u64> + '_ {
    words(values, wide::nonzero, |value| value != 0)
}

/// Which values are at least `threshold`, and not `except`; not a number is neither.
pub fn at_least(values: &[f32], threshold: f32, except: Option<f32>) -> impl Iterator<Item = u64> + '_ {
    // Nothing equals what is not a number.
    let except = except.unwrap_or(f32::NAN);
    let one = move |value: f32| value >= threshold && value != except;
    words(values, move |group| wide::at_least(group, threshold, except), one)
}

/// Which values pass, word by word: for what has no wide form.
pub fn which<T: Copy>(values: &[T], keep: impl Fn(T) -> bool) -> impl Iterator<Item = u64> {
    values.chunks(WORD).map(move |group| pack(group, &keep))
}

fn pack<T: Copy>(group: &[T], keep: impl Fn(T) -> bool) -> u64 {
    group.iter().enumerate().fold(0, |word, (i, &value)| word | (u64::from(keep(value)) << i))
}

/// Whole words by `wide`, what is left over by `one`.
fn words<T: Copy>(
    values: &[T],
    wide: impl Fn(&[T; WORD]) -> u64,
    one: impl Fn(T) -> bool,
) -> impl Iterator<Item = u64> {
    let (whole, rest) = values.as_chunks::<WORD>();
    whole.iter().map(wide).chain((!rest.is_empty()).then(|| pack(rest, one)))
}

/// 64 pixels at once by what every x86-64 has.
#[cfg(target_arch = "x86_64")]
mod wide {
    use core::arch::x86_64::{
        __m128, __m128i, _mm_and_ps, _mm_castps_si128, _mm_cmpeq_epi16, _mm_cmpge_ps, _mm_cmpneq_ps, _mm_loadu_ps,
        _mm_loadu_si128, _mm_movemask_epi8, _mm_packs_epi16, _mm_packs_epi32, _mm_set1_ps, _mm_setzero_si128,
    };

    use super::WORD;

    /// The flags of 16 pixels, two vectors of eight 16-bit flags.
    #[target_feature(enable = "sse2")]
    fn bits(low: __m128i, high: __m128i) -> u64 {
        u64::from(_mm_movemask_epi8(_mm_packs_epi16(low, high)).cast_unsigned())
    }

    pub(super) fn nonzero(values: &[u16; WORD]) -> u64 {
        // SAFETY: SSE2 is part of x86-64.
        unsafe { nonzero_sse2(values) }
    }

    #[target_feature(enable = "sse2")]
    fn nonzero_sse2(values: &[u16; WORD]) -> u64 {
        let mut word = 0;
        for (i, sixteen) in values.as_chunks::<16>().0.iter().enumerate() {
            let zero = |eight: &[u16; 8]| {
                // SAFETY: eight values are 16 bytes; the load needs no alignment.
                let eight = unsafe { _mm_loadu_si128(eight.as_ptr().cast()) };
                _mm_cmpeq_epi16(eight, _mm_setzero_si128())
            };
            let [low, high] = [&sixteen.as_chunks::<8>().0[0], &sixteen.as_chunks::<8>().0[1]];
            word |= bits(zero(low), zero(high)) << (16 * i);
        }
        !word
    }

    pub(super) fn at_least(values: &[f32; WORD], threshold: f32, except: f32) -> u64 {
        // SAFETY: SSE2 is part of x86-64.
        unsafe { at_least_sse2(values, threshold, except) }
    }

    #[target_feature(enable = "sse2")]
    fn at_least_sse2(values: &[f32; WORD], threshold: f32, except: f32) -> u64 {
        let (threshold, except) = (_mm_set1_ps(threshold), _mm_set1_ps(except));
        let keep = |four: &[f32; 4]| -> __m128i {
            // SAFETY: four values are 16 bytes; the load needs no alignment.
            let four: __m128 = unsafe { _mm_loadu_ps(four.as_ptr()) };
            _mm_castps_si128(_mm_and_ps(_mm_cmpge_ps(four, threshold), _mm_cmpneq_ps(four, except)))
        };
        let mut word = 0;
        for (i, sixteen) in values.as_chunks::<16>().0.iter().enumerate() {
            let fours = sixteen.as_chunks::<4>().0;
            let low = _mm_packs_epi32(keep(&fours[0]), keep(&fours[1]));
            let high = _mm_packs_epi32(keep(&fours[2]), keep(&fours[3]));
            word |= bits(low, high) << (16 * i);
        }
        word
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod wide {
    use super::{WORD, pack};

    pub(super) fn nonzero(values: &[u16; WORD]) -> u64 {
        pack(values, |value| value != 0)
    }

    pub(super) fn at_least(values: &[f32; WORD], threshold: f32, except: f32) -> u64 {
        pack(values, |value| value >= threshold && value != except)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn score() -> impl Strategy<Value = f32> {
        prop_oneof![Just(0.6), Just(0.599_999_9), Just(f32::NAN), Just(-0.0), Just(0.9), 0.0_f32..1.0]
    }

    proptest! {
        #[test]
        fn wide_and_single_comparisons_agree(
            values in prop::collection::vec(0..3_u16, 0..200),
            scores in prop::collection::vec(score(), 0..200),
            except in prop::option::of(score()),
        ) {
            let expected: Vec<u64> = which(&values, |v| v != 0).collect();
            prop_assert_eq!(nonzero(&values).collect::<Vec<_>>(), expected);
            let keep = |v: f32| v >= 0.6 && except.is_none_or(|except| v != except);
            let expected: Vec<u64> = which(&scores, keep).collect();
            prop_assert_eq!(at_least(&scores, 0.6, except).collect::<Vec<_>>(), expected);
        }
    }
}
