//! One bit per pixel: where an observation is clear.
//!
//! Row-major, 64 pixels to a word, the first pixel in the lowest bit. Bits past the last pixel are always zero, so
//! that counting and comparing need no care for the tail.

use std::ops::Range;

use crate::flags;

/// A row-major bit mask of `len` pixels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bits {
    len: usize,
    words: Vec<u64>,
}

impl Bits {
    /// `len` pixels, none set.
    #[must_use]
    pub fn zeros(len: usize) -> Self {
        Self { len, words: vec![0; len.div_ceil(64)] }
    }

    /// `len` pixels, all set.
    #[must_use]
    pub fn ones(len: usize) -> Self {
        let mut bits = Self { len, words: vec![u64::MAX; len.div_ceil(64)] };
        bits.clear_tail();
        bits
    }

    /// One bit per pixel, set where `keep` says so: a comparison with a threshold, with nodata, and so on.
    #[must_use]
    pub fn from_pixels<T: Copy>(pixels: &[T], keep: impl Fn(T) -> bool) -> Self {
        Self { len: pixels.len(), words: flags::which(pixels, keep).collect() }
    }

    /// The flags of `len` pixels, 64 to a word, none set past the last one.
    #[must_use]
    pub fn from_flags(len: usize, flags: impl Iterator<Item = u64>) -> Self {
        let mut bits = Self { len, words: flags.collect() };
        bits.words.resize(len.div_ceil(64), 0);
        bits.clear_tail();
        bits
    }

    /// One bit per pixel, set where the value is not 0.
    #[must_use]
    pub fn nonzero(pixels: &[u16]) -> Self {
        Self { len: pixels.len(), words: flags::nonzero(pixels).collect() }
    }

    /// The mask that these words hold, 64 pixels each; `None` where there are more or fewer words than `len` pixels
    /// need, or a bit past the last pixel is set.
    #[must_use]
    pub fn from_words(len: usize, words: Vec<u64>) -> Option<Self> {
        let mut bits = Self { len, words };
        let tail = bits.words.last().copied();
        if bits.words.len() != len.div_ceil(64) {
            return None;
        }
        bits.clear_tail();
        (bits.words.last().copied() == tail).then_some(bits)
    }

    fn clear_tail(&mut self) {
        let used = self.len % 64;
        if let Some(last) = self.words.last_mut().filter(|_| used > 0) {
            *last &= low_bits(used);
        }
    }

    /// How many pixels the mask covers.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the mask covers no pixel at all (not: whether none is set, which is `!any()`).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The words, 64 pixels each.
    #[must_use]
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// Whether pixel `i` is set.
    ///
    /// # Panics
    /// Where `i` is not below `len`.
    #[must_use]
    pub fn get(&self, i: usize) -> bool {
        assert!(i < self.len, "pixel {i} of {}", self.len);
        self.words[i / 64] >> (i % 64) & 1 == 1
    }

    /// Sets or clears pixel `i`.
    ///
    /// # Panics
    /// Where `i` is not below `len`.
    pub fn set(&mut self, i: usize, value: bool) {
        assert!(i < self.len, "pixel {i} of {}", self.len);
        let bit = 1 << (i % 64);
        let word = &mut self.words[i / 64];
        *word = if value { *word | bit } else { *word & !bit };
    }

    /// Sets what is set in `words`, which begin at pixel `start`.
    ///
    /// # Panics
    /// Where a bit past the last pixel is set.
    pub fn set_words(&mut self, start: usize, words: impl IntoIterator<Item = u64>) {
        let (first, shift) = (start / 64, start % 64);
        for (at, word) in (first..).zip(words).filter(|(_, word)| *word != 0) {
            self.words[at] |= word << shift;
            if shift > 0 && word >> (64 - shift) != 0 {
                self.words[at + 1] |= word >> (64 - shift);
            }
        }
        let tail = self.words.last().copied();
        self.clear_tail();
        assert_eq!(self.words.last().copied(), tail, "a pixel past {}", self.len);
    }

    /// Keeps what is set in `other` too.
    ///
    /// # Panics
    /// Where the two differ in length; so do [`Bits::and_not`] and [`Bits::or`].
    pub fn and(&mut self, other: &Self) {
        self.combine(other, |a, b| a & b);
    }

    /// Keeps what is not set in `other`.
    pub fn and_not(&mut self, other: &Self) {
        self.combine(other, |a, b| a & !b);
    }

    /// Adds what is set in `other`.
    pub fn or(&mut self, other: &Self) {
        self.combine(other, |a, b| a | b);
    }

    fn combine(&mut self, other: &Self, op: impl Fn(u64, u64) -> u64) {
        assert_eq!(self.len, other.len, "masks of different lengths");
        for (a, &b) in self.words.iter_mut().zip(&other.words) {
            *a = op(*a, b);
        }
    }

    /// How many pixels are set.
    #[must_use]
    pub fn count_ones(&self) -> u64 {
        self.words.iter().map(|w| u64::from(w.count_ones())).sum()
    }

    /// Whether any pixel is set.
    #[must_use]
    pub fn any(&self) -> bool {
        self.words.iter().any(|&w| w != 0)
    }

    /// The rows, from the first to the last, in which a pixel is set, of columns `x0..x0 + w` and rows `y0..y0 + h` of
    /// an image `stride` pixels wide; an empty range where none is.
    ///
    /// # Panics
    /// Where the window passes the image's right or lower edge.
    #[must_use]
    pub fn rows_in_window(&self, x0: usize, y0: usize, w: usize, h: usize, stride: usize) -> Range<usize> {
        assert!(x0 + w <= stride, "columns {x0}..{} of {stride}", x0 + w);
        let any = |y: &usize| self.view(y * stride + x0, w).any();
        let mut rows = y0..y0 + h;
        let first = rows.find(any).unwrap_or(y0 + h);
        first..rows.rfind(any).map_or(first + usize::from(first < y0 + h), |last| last + 1)
    }

    /// The positions of the set pixels, ascending.
    pub fn iter_ones(&self) -> impl Iterator<Item = usize> + '_ {
        self.words.iter().enumerate().flat_map(|(i, &word)| OnesOf(word).map(move |bit| 64 * i + bit))
    }

    /// Pixels `start..start + len`.
    ///
    /// # Panics
    /// Where they pass the end.
    #[must_use]
    pub fn view(&self, start: usize, len: usize) -> BitView<'_> {
        assert!(start + len <= self.len, "pixels {start}..{} of {}", start + len, self.len);
        BitView { words: &self.words, start, len }
    }

    /// All pixels.
    #[must_use]
    pub fn as_view(&self) -> BitView<'_> {
        self.view(0, self.len)
    }

    /// Bytes of heap that the mask takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.words.capacity() * size_of::<u64>()
    }
}

/// Some consecutive pixels of a [`Bits`], at any position: a sub-tile's rows need not start on a word.
#[derive(Clone, Copy, Debug)]
pub struct BitView<'a> {
    words: &'a [u64],
    start: usize,
    len: usize,
}

impl BitView<'_> {
    /// How many pixels the view covers.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the view covers no pixel.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The view's pixels `64 * i..64 * i + 64`, zero past its end.
    #[must_use]
    #[inline(always)]
    pub fn word(&self, i: usize) -> u64 {
        let Some(left) = self.len.checked_sub(64 * i) else { return 0 };
        let (at, shift) = (self.start / 64 + i, self.start % 64);
        let word = |at: usize| self.words.get(at).copied().unwrap_or(0);
        let bits = if shift == 0 { word(at) } else { word(at) >> shift | word(at + 1) << (64 - shift) };
        if left < 64 { bits & low_bits(left) } else { bits }
    }

    /// The words `i..i + N`, each as [`BitView::word`] has it.
    #[must_use]
    #[inline(always)]
    pub fn words_at<const N: usize>(&self, i: usize) -> [u64; N] {
        let shift = self.start % 64;
        let stored = self.stored(i);
        match (stored.first_chunk::<N>(), stored.get(N)) {
            (Some(words), _) if shift == 0 && 64 * (i + N) <= self.len => *words,
            (Some(words), Some(after)) if shift > 0 && 64 * (i + N) <= self.len => std::array::from_fn(|n| {
                let next = words.get(n + 1).unwrap_or(after);
                words[n] >> shift | next << (64 - shift)
            }),
            _ => std::array::from_fn(|n| self.word(i + n)),
        }
    }

    /// The words that hold the view's pixels from `64 * i` on, as they are stored: shifted, and past its end.
    #[inline(always)]
    pub(crate) fn stored(&self, i: usize) -> &[u64] {
        self.words.get(self.start / 64 + i..).unwrap_or(&[])
    }

    /// The view's words, 64 pixels each, the last one zero past its end.
    pub fn words(&self) -> impl Iterator<Item = u64> + '_ {
        (0..self.len.div_ceil(64)).map(|i| self.word(i))
    }

    /// Whether any pixel is set.
    #[must_use]
    pub fn any(&self) -> bool {
        self.words().any(|word| word != 0)
    }
}

/// A word with its lowest `n` bits set, `n` below 64.
#[inline(always)]
const fn low_bits(n: usize) -> u64 {
    (1 << n) - 1
}

/// The positions of the set bits of one word, ascending.
pub(crate) struct OnesOf(pub u64);

impl Iterator for OnesOf {
    type Item = usize;

    #[inline(always)]
    fn next(&mut self) -> Option<usize> {
        let bit = self.0.trailing_zeros() as usize;
        self.0 &= self.0.checked_sub(1)?;
        Some(bit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Several words at once are those that are had one by one: shifted or not, in the midst and past the end.
    #[test]
    fn words_at_once() {
        let bits = Bits::from_pixels(&(0..1000_u32).collect::<Vec<_>>(), |pixel| pixel * pixel % 7 < 3);
        for (start, len) in [(0, 1000), (0, 640), (64, 800), (1, 999), (63, 512), (130, 300), (999, 1), (1000, 0)] {
            let view = bits.view(start, len);
            for i in 0..20 {
                assert_eq!(view.words_at::<4>(i), std::array::from_fn(|n| view.word(i + n)), "{start} {len} {i}");
            }
        }
    }
}
