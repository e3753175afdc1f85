//! Which layers the next few groups of 64 pixels need: the masks are read some words at a time, layer by layer, and
//! what is not clear anywhere in a group is left out before its values are asked for.
//!
//! ```text
//! words of layer 0: w00 w01 w02 …          group 0: (layer 0, w00), (layer 2, w20), …
//! words of layer 1:   0 w11   0 …    ─►    group 1: (layer 0, w01), (layer 1, w11), …
//! words of layer 2: w20   0   0 …          …
//! ```

use super::Layer;
use super::lanes::LANES;

/// Words of a line of memory.
const WORDS: usize = 8;

/// What is clear of a layer in a group.
#[derive(Clone, Copy, Default)]
pub(super) struct Live<'a> {
    /// The layer's values from the group on.
    pub(super) values: &'a [u16],
    /// One bit per pixel of the group, not all zero.
    pub(super) word: u64,
}

/// `N` consecutive groups.
pub(super) struct Tile<'a, const N: usize> {
    /// As much room for each group as there are layers.
    live: Vec<Live<'a>>,
    depth: usize,
    used: [usize; N],
    any: [u64; N],
    clear: [u32; N],
}

impl<const N: usize> Default for Tile<'_, N> {
    fn default() -> Self {
        Self { live: Vec::new(), depth: 0, used: [0; N], any: [0; N], clear: [0; N] }
    }
}

impl<'a, const N: usize> Tile<'a, N> {
    /// Goes to the groups from `N * tile` on.
    #[inline(always)]
    pub(super) fn read(&mut self, layers: &[Layer<'a>], tile: usize) {
        let (mut used, mut any, mut clear) = ([0; N], [0; N], [0; N]);
        self.depth = layers.len();
        self.live.resize(N * self.depth, Live::default());
        for layer in layers {
            prefetch(layer.clear.stored(N * tile + 2 * WORDS), 0);
            let words = layer.clear.words_at::<N>(N * tile);
            for (at, word) in words.into_iter().enumerate() {
                any[at] |= word;
                clear[at] += word.count_ones();
                // Put down in any case, and written over where it is empty: cheaper than to foresee which are.
                let values = layer.values.get(LANES * (N * tile + at)..).unwrap_or(&[]);
                self.live[at * self.depth + used[at]] = Live { values, word };
                used[at] += usize::from(word != 0);
            }
        }
        (self.used, self.any, self.clear) = (used, any, clear);
    }

    /// One of the groups.
    #[inline(always)]
    pub(super) fn group(&self, at: usize) -> Group<'_> {
        let live = &self.live[at * self.depth..][..self.used[at]];
        Group { live, any: self.any[at], clear: self.clear[at] as usize }
    }
}

/// What is clear of 64 pixels.
#[derive(Clone, Copy)]
pub(super) struct Group<'a> {
    /// The layers that are, in order.
    pub(super) live: &'a [Live<'a>],
    /// Where any of them is.
    pub(super) any: u64,
    /// How many values.
    pub(super) clear: usize,
}

impl<'a> Group<'a> {
    /// Its rows' values, to be asked for; those so many pixels further on.
    #[inline(always)]
    pub(super) fn ahead(&self, pixels: usize) -> Ahead<'a> {
        Ahead { rows: self.live.iter(), pixels }
    }
}

/// Rows of values that will be needed soon. They are asked for a few at a time in the midst of the sorting: all at
/// once they would be more than a core can wait for, so that nothing else were done meanwhile.
#[derive(Default)]
pub(super) struct Ahead<'a> {
    rows: std::slice::Iter<'a, Live<'a>>,
    pixels: usize,
}

impl Ahead<'_> {
    /// How many have not been asked for.
    #[inline(always)]
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Asks for the next so many rows.
    #[inline(always)]
    pub(super) fn ask(&mut self, rows: usize) {
        for live in self.rows.by_ref().take(rows) {
            prefetch(live.values, self.pixels);
            prefetch(live.values, self.pixels + LANES / 2);
        }
    }
}

/// Asks for the line of memory with the value at `at`, into the second-level cache: layers lie at equal distances, so
/// that all their lines would compete for the same few places of the first one.
#[inline(always)]
#[cfg_attr(not(target_arch = "x86_64"), allow(unused_variables))]
fn prefetch<T>(values: &[T], at: usize) {
    #[cfg(target_arch = "x86_64")]
    if let Some(value) = values.get(at) {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        // SAFETY: a hint about memory that the slice covers, with an instruction that every x86-64 has.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(std::ptr::from_ref(value).cast()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bits::Bits;

    /// Layers that are clear nowhere in a group are not in it; the others are, in order, with their values and words.
    #[test]
    fn a_group_has_what_is_clear_in_it() {
        const GROUPS: usize = 7;
        let pixels = LANES * GROUPS - 9;
        let is_clear = |layer: usize, pixel: usize| (pixel / LANES + layer).is_multiple_of(3) && pixel % 5 != layer;
        let values: Vec<u16> = (0..pixels).map(|pixel| pixel as u16).collect();
        let masks: Vec<Bits> = (0..5)
            .map(|layer| Bits::from_pixels(&(0..pixels).map(|p| is_clear(layer, p)).collect::<Vec<_>>(), |clear| clear))
            .collect();
        let layers: Vec<Layer<'_>> =
            masks.iter().map(|mask| Layer { values: &values, clear: mask.as_view() }).collect();
        let mut tile = Tile::<4>::default();
        for group in 0..GROUPS + 1 {
            if group % 4 == 0 {
                tile.read(&layers, group / 4);
            }
            let found = tile.group(group % 4);
            let words: Vec<u64> = layers.iter().map(|l| l.clear.word(group)).filter(|word| *word != 0).collect();
            assert_eq!(found.live.iter().map(|live| live.word).collect::<Vec<_>>(), words);
            assert_eq!(found.any, words.iter().fold(0, |any, word| any | word));
            assert_eq!(found.clear, words.iter().map(|word| word.count_ones() as usize).sum::<usize>());
            assert!(found.live.iter().all(|live| *live.values == values[LANES * group..]));
            assert_eq!(found.ahead(0).len(), words.len());
        }
    }

    #[test]
    fn asking_ends_with_the_last_row() {
        let live = [Live { values: &[1; 2 * LANES], word: 1 }; 3];
        let mut ahead = Group { live: &live, any: 1, clear: 3 }.ahead(LANES);
        ahead.ask(2);
        assert_eq!(ahead.len(), 1);
        ahead.ask(usize::MAX);
        assert_eq!(ahead.len(), 0);
        ahead.ask(1);
    }
}
