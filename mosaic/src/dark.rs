//! Whether a scene's pixels contradict the offset that its catalogue speaks for: looked for where it is dark, over water
//! or in shadow, in one row of sixteen.
//!
//! From baseline 04.00 on DN carry 1000 more. Dark pixels tell: with the shift nothing is darker than a little below 1000,
//! without it water and shadow are far below.

use serde::{Deserialize, Serialize};

use crate::bits::Bits;

/// Rows of which one is looked at.
const ROWS: usize = 16;
/// Pixels of a kind that say something.
const ENOUGH: u32 = 32;
/// One in so many pixels is enough to speak of dark ones, and too few to be taken for noise.
const SHARE: u32 = 100;
/// With the shift, a reflectance of -0.03: atmospheric correction errs by less over water.
const FAR_BELOW: u16 = 700;
/// The shift.
const SHIFT: u16 = 1000;
/// With the shift, what is as dark as water or shadow.
const DARK: u16 = 1500;

/// What contradicts a scene's offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Doubt {
    /// It is taken off, and there are pixels far below it: they seem not to carry it.
    NotShifted,
    /// It is not taken off, and where it is dark in every band nothing is below it: they seem to carry it.
    Shifted,
}

impl Doubt {
    /// What it is for people.
    #[must_use]
    pub const fn told(self) -> &'static str {
        match self {
            Self::NotShifted => "1000 is taken from its pixels, and many are far below that: they seem not to carry it",
            Self::Shifted => "its pixels are taken as they are, and the dark ones end at 1000: they seem to carry that",
        }
    }
}

/// What was seen of a scene's bands.
#[derive(Clone, Copy, Debug, Default)]
pub struct Darkness {
    bands: u32,
    far_below: bool,
    ends_at_shift: u32,
}

impl Darkness {
    /// Looks at a band's DN, as they are stored, of the pixels that are clear.
    pub fn look(&mut self, plane: &[u16], clear: &Bits, width: usize) {
        let (mut seen, mut far_below, mut below, mut above) = (0_u32, 0_u32, 0_u32, 0_u32);
        for (y, row) in plane.chunks(width.max(1)).enumerate().step_by(ROWS) {
            for (x, &dn) in row.iter().enumerate() {
                if dn > 0 && clear.get(y * width + x) {
                    seen += 1;
                    far_below += u32::from(dn < FAR_BELOW);
                    below += u32::from(dn < SHIFT);
                    above += u32::from((SHIFT..DARK).contains(&dn));
                }
            }
        }
        let many = |pixels: u32| pixels >= ENOUGH && pixels >= seen / SHARE;
        self.bands += 1;
        self.far_below |= many(far_below);
        self.ends_at_shift += u32::from(many(above) && below * SHARE < above);
    }

    /// What contradicts the offset that is added.
    #[must_use]
    pub const fn doubt(&self, offset: i32) -> Option<Doubt> {
        if offset < 0 && self.far_below {
            Some(Doubt::NotShifted)
        } else if offset == 0 && self.bands > 1 && self.ends_at_shift == self.bands {
            Some(Doubt::Shifted)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two bands of land, a tenth of it dark, with what is added to all.
    fn seen(shift: u16, dark: u16) -> Darkness {
        let (width, height) = (100, 100);
        let mut darkness = Darkness::default();
        for band in [0, 200] {
            let dn = |i: usize| shift + band + if i.is_multiple_of(10) { dark } else { 2500 };
            let plane: Vec<u16> = (0..width * height).map(dn).collect();
            darkness.look(&plane, &Bits::ones(width * height), width);
        }
        darkness
    }

    #[test]
    fn dark_pixels_tell_whether_an_offset_is_right() {
        assert_eq!(seen(1000, 100).doubt(-1000), None);
        assert_eq!(seen(1000, 100).doubt(0), Some(Doubt::Shifted));
        assert_eq!(seen(0, 100).doubt(0), None);
        assert_eq!(seen(0, 100).doubt(-1000), Some(Doubt::NotShifted));
        // A desert has nothing dark, and says nothing.
        assert_eq!((seen(0, 2000).doubt(0), seen(1000, 2000).doubt(-1000)), (None, None));
        // Nothing clear, nothing known.
        let mut none = Darkness::default();
        none.look(&[100; 400], &Bits::zeros(400), 20);
        assert_eq!((none.doubt(0), none.doubt(-1000)), (None, None));
    }
}
