//! Rows of stored bytes back to samples (TIFF 6.0, section 14, and Adobe's Technical Note 3): differences summed up,
//! bytes put together.
//!
//! A running sum waits for each sample before the next. So sixteen bytes are summed up in a few shifts and adds of
//! their own, and only their total waits for those before.

/// 8-bit samples as u16.
pub(super) fn u8s<'a>(raw: &[u8], differences: bool, out: &'a mut Vec<u16>) -> &'a [u16] {
    let mut sum = 0_u8;
    out.clear();
    out.extend(raw.iter().map(|&byte| {
        sum = if differences { sum.wrapping_add(byte) } else { byte };
        u16::from(sum)
    }));
    out
}

/// 16-bit samples.
pub(super) fn u16s<'a>(raw: &[u8], differences: bool, out: &'a mut Vec<u16>) -> &'a [u16] {
    out.resize(raw.len() / 2, 0);
    if differences {
        wide::sum_u16(raw, out);
    } else {
        out.iter_mut().zip(samples(raw)).for_each(|(out, sample)| *out = sample);
    }
    out
}

/// 32-bit floating-point samples. `bytes` is room to work in.
pub(super) fn f32s<'a>(raw: &[u8], bytes_apart: bool, bytes: &mut Vec<u8>, out: &'a mut Vec<f32>) -> &'a [f32] {
    out.resize(raw.len() / 4, 0.0);
    if bytes_apart {
        bytes.resize(raw.len(), 0);
        wide::sum_u8(raw, bytes);
        wide::join(bytes, out);
    } else {
        let samples = raw.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
        out.iter_mut().zip(samples).for_each(|(out, sample)| *out = sample);
    }
    out
}

/// The rest of a running sum, one by one.
macro_rules! sum_rest {
    ($values:expr, $out:expr, $sum:expr) => {{
        let mut sum = $sum;
        for (value, out) in $values.zip($out) {
            sum = value.wrapping_add(sum);
            *out = sum;
        }
    }};
}

/// Little-endian samples.
fn samples(raw: &[u8]) -> impl Iterator<Item = u16> {
    raw.as_chunks::<2>().0.iter().map(|bytes| u16::from_le_bytes(*bytes))
}

/// Each sample from its four bytes, which lie a quarter of the row apart, the highest first.
fn join_rest(bytes: &[u8], from: usize, out: &mut [f32]) {
    let width = out.len();
    for (i, sample) in out.iter_mut().enumerate().skip(from) {
        *sample = f32::from_be_bytes([bytes[i], bytes[width + i], bytes[2 * width + i], bytes[3 * width + i]]);
    }
}

#[cfg(target_arch = "x86_64")]
mod wide {
    use core::arch::x86_64::{
        __m128i, _mm_add_epi8, _mm_add_epi16, _mm_loadu_si128, _mm_setzero_si128, _mm_shuffle_epi32,
        _mm_shufflehi_epi16, _mm_slli_si128, _mm_srli_si128, _mm_storeu_si128, _mm_unpackhi_epi8, _mm_unpackhi_epi16,
        _mm_unpacklo_epi8, _mm_unpacklo_epi16,
    };

    use super::{join_rest, samples};

    #[target_feature(enable = "sse2")]
    fn load<T, const N: usize>(values: &[T; N]) -> __m128i {
        const { assert!(size_of::<[T; N]>() == 16) };
        // SAFETY: 16 bytes of integers; the load needs no alignment.
        unsafe { _mm_loadu_si128(values.as_ptr().cast()) }
    }

    #[target_feature(enable = "sse2")]
    fn store<T, const N: usize>(values: &mut [T; N], vector: __m128i) {
        const { assert!(size_of::<[T; N]>() == 16) };
        // SAFETY: 16 bytes of plain numbers, of which any bits are a value; the store needs no alignment.
        unsafe { _mm_storeu_si128(values.as_mut_ptr().cast(), vector) }
    }

    pub(super) fn sum_u16(raw: &[u8], out: &mut [u16]) {
        // SAFETY: SSE2 is part of x86-64.
        unsafe { sum_u16_sse2(raw, out) }
    }

    #[target_feature(enable = "sse2")]
    fn sum_u16_sse2(raw: &[u8], out: &mut [u16]) {
        let ((whole, rest), (out, out_rest)) = (raw.as_chunks::<16>(), out.as_chunks_mut::<8>());
        let mut before = _mm_setzero_si128();
        for (sixteen, eight) in whole.iter().zip(&mut *out) {
            let x = load(sixteen);
            let x = _mm_add_epi16(x, _mm_slli_si128::<2>(x));
            let x = _mm_add_epi16(x, _mm_slli_si128::<4>(x));
            let x = _mm_add_epi16(x, _mm_slli_si128::<8>(x));
            let total = _mm_shuffle_epi32::<0xFF>(_mm_shufflehi_epi16::<0xFF>(x));
            store(eight, _mm_add_epi16(x, before));
            before = _mm_add_epi16(before, total);
        }
        sum_rest!(samples(rest), out_rest, out.last().map_or(0, |eight| eight[7]));
    }

    pub(super) fn sum_u8(raw: &[u8], out: &mut [u8]) {
        // SAFETY: SSE2 is part of x86-64.
        unsafe { sum_u8_sse2(raw, out) }
    }

    #[target_feature(enable = "sse2")]
    fn sum_u8_sse2(raw: &[u8], out: &mut [u8]) {
        let ((whole, rest), (out, out_rest)) = (raw.as_chunks::<16>(), out.as_chunks_mut::<16>());
        let mut before = _mm_setzero_si128();
        for (sixteen, summed) in whole.iter().zip(&mut *out) {
            let x = load(sixteen);
            let x = _mm_add_epi8(x, _mm_slli_si128::<1>(x));
            let x = _mm_add_epi8(x, _mm_slli_si128::<2>(x));
            let x = _mm_add_epi8(x, _mm_slli_si128::<4>(x));
            let x = _mm_add_epi8(x, _mm_slli_si128::<8>(x));
            let last = _mm_srli_si128::<15>(x);
            let last = _mm_unpacklo_epi8(last, last);
            let total = _mm_shuffle_epi32::<0>(_mm_unpacklo_epi16(last, last));
            store(summed, _mm_add_epi8(x, before));
            before = _mm_add_epi8(before, total);
        }
        sum_rest!(rest.iter(), out_rest, out.last().map_or(0, |sixteen| sixteen[15]));
    }

    pub(super) fn join(bytes: &[u8], out: &mut [f32]) {
        // SAFETY: SSE2 is part of x86-64.
        unsafe { join_sse2(bytes, out) }
    }

    #[target_feature(enable = "sse2")]
    fn join_sse2(bytes: &[u8], out: &mut [f32]) {
        let width = out.len();
        let plane = |i: usize| bytes[i * width..(i + 1) * width].as_chunks::<16>().0;
        let (highest, high, low, lowest) = (plane(0), plane(1), plane(2), plane(3));
        let whole = out.as_chunks_mut::<16>().0;
        for (i, sixteen) in whole.iter_mut().enumerate() {
            let (a, b) = (load(&lowest[i]), load(&low[i]));
            let (c, d) = (load(&high[i]), load(&highest[i]));
            let (lower, upper) = (
                [_mm_unpacklo_epi8(a, b), _mm_unpackhi_epi8(a, b)],
                [_mm_unpacklo_epi8(c, d), _mm_unpackhi_epi8(c, d)],
            );
            let fours = sixteen.as_chunks_mut::<4>().0;
            for half in 0..2 {
                store(&mut fours[2 * half], _mm_unpacklo_epi16(lower[half], upper[half]));
                store(&mut fours[2 * half + 1], _mm_unpackhi_epi16(lower[half], upper[half]));
            }
        }
        join_rest(bytes, width / 16 * 16, out);
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod wide {
    use super::{join_rest, samples};

    pub(super) fn sum_u16(raw: &[u8], out: &mut [u16]) {
        sum_rest!(samples(raw), out, 0_u16);
    }

    pub(super) fn sum_u8(raw: &[u8], out: &mut [u8]) {
        sum_rest!(raw.iter(), out, 0_u8);
    }

    pub(super) fn join(bytes: &[u8], out: &mut [f32]) {
        join_rest(bytes, 0, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes without a pattern.
    fn noise(length: usize) -> Vec<u8> {
        (0..length as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
    }

    #[test]
    fn differences_of_16_bits_are_summed_up() {
        for width in 0..70 {
            let raw = noise(2 * width);
            let mut sums = Vec::new();
            u16s(&raw, true, &mut sums);
            let mut sum = 0_u16;
            let expected = raw.chunks(2).map(|b| {
                sum = sum.wrapping_add(u16::from_le_bytes([b[0], b[1]]));
                sum
            });
            assert!(sums.iter().copied().eq(expected), "{width}");
        }
    }

    #[test]
    fn bytes_apart_are_put_together() {
        for width in 0..70 {
            let samples: Vec<f32> = noise(width).iter().map(|&byte| f32::from(byte) / 255.0).collect();
            let plane = |i: usize| samples.iter().map(move |sample| sample.to_be_bytes()[i]);
            let mut raw: Vec<u8> = (0..4).flat_map(plane).collect();
            for i in (1..raw.len()).rev() {
                raw[i] = raw[i].wrapping_sub(raw[i - 1]);
            }
            let (mut bytes, mut joined) = (Vec::new(), Vec::new());
            f32s(&raw, true, &mut bytes, &mut joined);
            assert_eq!(joined, samples);
        }
    }

    #[test]
    fn bytes_are_summed_up_or_taken_as_they_are() {
        let mut out = Vec::new();
        u8s(&[250, 10, 1], true, &mut out);
        assert_eq!(out, [250, 4, 5]);
        u8s(&[250, 10, 1], false, &mut out);
        assert_eq!(out, [250, 10, 1]);
    }
}
