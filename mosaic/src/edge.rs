//! Edges where one band's nodata leaks past the others by a pixel or two: at the rim of a swath, bands end in different
//! places, and what is left of them there is not to be trusted. Eroding takes the pixels near nodata from what is clear.

use crate::bits::Bits;

/// A window of pixels with a rim around it, as wide as what is eroded: what lies just outside decides too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rim {
    by: usize,
    width: usize,
    height: usize,
}

impl Rim {
    /// A rim of `by` pixels around a window of this width and height.
    #[must_use]
    pub const fn new(by: usize, width: usize, height: usize) -> Self {
        Self { by, width: width + 2 * by, height: height + 2 * by }
    }

    /// The pixels that decide on those of the window that are clear: themselves, and their neighbours within `by`.
    /// Leaves of `clear`, which is of the window with its rim, only what lies in the window.
    #[must_use]
    pub fn deciding(&self, clear: &mut Bits) -> Bits {
        let mut window = Bits::zeros(self.width * self.height);
        for y in self.by..self.height - self.by {
            (self.by..self.width - self.by).for_each(|x| window.set(y * self.width + x, true));
        }
        clear.and(&window);
        self.dilated(clear)
    }

    /// Takes from what is clear whatever has a deciding pixel without data within `by` pixels, itself or another, by rows
    /// and columns.
    pub fn erode(&self, clear: &mut Bits, deciding: &Bits, data: &Bits) {
        let mut without = deciding.clone();
        without.and_not(data);
        if without.any() {
            clear.and_not(&self.dilated(&without));
        }
    }

    /// The window's part of bits.
    #[must_use]
    pub fn cut_bits(&self, bits: &Bits) -> Bits {
        let flags: Vec<bool> = self.inside().map(|i| bits.get(i)).collect();
        Bits::from_pixels(&flags, |flag| flag)
    }

    /// The window's part of a plane.
    #[must_use]
    pub fn cut(&self, plane: &[u16]) -> Vec<u16> {
        let rows = plane.chunks(self.width).skip(self.by).take(self.height - 2 * self.by);
        rows.flat_map(|row| &row[self.by..self.width - self.by]).copied().collect()
    }

    fn inside(&self) -> impl Iterator<Item = usize> {
        let (by, width, height) = (self.by, self.width, self.height);
        (by..height - by).flat_map(move |y| (by..width - by).map(move |x| y * width + x))
    }

    /// What is set, and all within `by` rows and columns of it.
    fn dilated(&self, bits: &Bits) -> Bits {
        let mut rows = Bits::zeros(self.width * self.height);
        for y in 0..self.height {
            self.spread(self.width, |x| y * self.width + x, bits, &mut rows);
        }
        let mut all = Bits::zeros(self.width * self.height);
        for x in 0..self.width {
            self.spread(self.height, |y| y * self.width + x, &rows, &mut all);
        }
        all
    }

    /// Spreads what is set along a line of pixels, both ways.
    fn spread(&self, length: usize, at: impl Fn(usize) -> usize, from: &Bits, to: &mut Bits) {
        let mut left_forward = 0;
        let mut left_backward = 0;
        for i in 0..length {
            for (place, left) in [(at(i), &mut left_forward), (at(length - 1 - i), &mut left_backward)] {
                *left = if from.get(place) { self.by + 1 } else { left.saturating_sub(1) };
                if *left > 0 {
                    to.set(place, true);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// As by the definition, pixel by pixel.
        #[test]
        fn a_pixel_near_one_without_data_is_not_clear(
            by in 1..4_usize, width in 1..9_usize, height in 1..9_usize, seed in any::<u64>()
        ) {
            let rim = Rim::new(by, width, height);
            let (w, h) = (width + 2 * by, height + 2 * by);
            let mut rng = fastrand::Rng::with_seed(seed);
            let mut random = |share: f64| {
                let flags: Vec<bool> = (0..w * h).map(|_| rng.f64() < share).collect();
                Bits::from_pixels(&flags, |flag| flag)
            };
            let (clear, data) = (random(0.5), random(0.95));
            let mut eroded = clear.clone();
            let deciding = rim.deciding(&mut eroded);
            // What was not asked for has no data, and says nothing by that.
            let mut read = data.clone();
            read.and(&deciding);
            rim.erode(&mut eroded, &deciding, &read);
            let found = rim.cut_bits(&eroded);
            for y in 0..height {
                for x in 0..width {
                    let near = (y..=y + 2 * by).flat_map(|v| (x..=x + 2 * by).map(move |u| v * w + u));
                    let whole = near.into_iter().all(|i| data.get(i));
                    let is_clear = clear.get((y + by) * w + x + by);
                    prop_assert_eq!(found.get(y * width + x), is_clear && whole);
                }
            }
        }
    }

    #[test]
    fn the_window_is_cut_out_of_its_rim() {
        let plane: Vec<u16> = (0..20).collect();
        assert_eq!(Rim::new(1, 3, 2).cut(&plane), [6, 7, 8, 11, 12, 13]);
    }
}
