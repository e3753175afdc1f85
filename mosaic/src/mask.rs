//! Which pixels are clear, and what their DN become (design 2.1 and 2.3).

use crate::flags;

/// The score from which on a pixel is clear.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Threshold {
    exact: f64,
    rounded: f32,
}

/// A stored integer's score may miss the threshold by the rounding of its scale: 6000 x 0.0001 is 0.6.
const ROUNDING: f64 = 1e-9;

impl Threshold {
    /// A threshold of 0 to 1.
    #[must_use]
    #[allow(clippy::cast_possible_truncation)]
    pub fn new(threshold: f64) -> Self {
        Self { exact: threshold, rounded: threshold as f32 }
    }

    /// Whether a score of a floating-point raster is clear: compared as float32 with the threshold rounded to
    /// float32; NaN and nodata are not.
    #[must_use]
    #[inline]
    #[allow(clippy::cast_possible_truncation)]
    pub fn float(&self, score: f32, nodata: Option<f64>) -> bool {
        score >= self.rounded && nodata.is_none_or(|nodata| score != nodata as f32)
    }

    /// Which scores of a floating-point raster are clear, 64 to a word.
    #[allow(clippy::cast_possible_truncation)]
    pub fn floats(&self, scores: &[f32], nodata: Option<f64>) -> impl Iterator<Item = u64> {
        flags::at_least(scores, self.rounded, nodata.map(|nodata| nodata as f32))
    }

    /// Whether a score of an integer raster is clear: stored x scale + offset, in float64; nodata is not.
    #[must_use]
    #[inline]
    #[allow(clippy::float_cmp)]
    pub fn scaled(&self, stored: f64, scale: f64, offset: f64, nodata: Option<f64>) -> bool {
        stored * scale + offset >= self.exact - ROUNDING && nodata.is_none_or(|nodata| stored != nodata)
    }
}

/// Harmonises DN in place: max(DN + offset, 1) where DN > 0, so that dark water stays data; 0 stays nodata.
pub fn harmonise(dn: &mut [u16], offset: i32) {
    if offset == 0 {
        return;
    }
    for dn in dn {
        let shifted = (i32::from(*dn) + offset).clamp(1, i32::from(u16::MAX));
        // The clamp keeps it within u16.
        *dn = if *dn == 0 { 0 } else { u16::try_from(shifted).unwrap_or(u16::MAX) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_float_score_is_compared_in_float32() {
        let at = Threshold::new(0.60);
        assert!(at.float(0.6_f32, None), "0.6 as float32 is the threshold as float32");
        assert!(!at.float(0.599_999_9_f32, None));
        assert!(!at.float(f32::NAN, None));
        assert!(!at.float(0.9, Some(f64::from(0.9_f32))));
        assert!(Threshold::new(0.0).float(0.0, Some(f64::NAN)));
    }

    #[test]
    fn a_scaled_score_on_the_threshold_is_clear() {
        let at = Threshold::new(0.60);
        for (stored, scale) in [(6000.0, 0.0001), (60.0, 0.01), (153.0, 1.0 / 255.0)] {
            assert!(at.scaled(stored, scale, 0.0, None), "{stored} x {scale}");
            assert!(!at.scaled(stored - 1.0, scale, 0.0, None));
        }
        assert!(!at.scaled(65535.0, 0.0001, 0.0, Some(65535.0)));
        assert!(at.scaled(0.0, 0.01, 0.6, None));
    }

    #[test]
    fn dark_water_stays_data() {
        let mut dn = [0, 1, 999, 1000, 1001, 1002, 65535];
        harmonise(&mut dn, -1000);
        assert_eq!(dn, [0, 1, 1, 1, 1, 2, 64535]);
        harmonise(&mut dn, 0);
        assert_eq!(dn[6], 64535);
        harmonise(&mut dn, 2000);
        assert_eq!(dn, [0, 2001, 2001, 2001, 2001, 2002, 65535]);
    }
}
