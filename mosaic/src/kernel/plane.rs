//! Planes of 256 values packed to as few bits as their group needs.
//!
//! ```text
//! u16 base | u8 width | width x 32 bytes
//! value = value below + base + residual        residual: `width` bits, 0 where there is no value
//! ```
//!
//! A plane is sixteen rows of sixteen values. The residuals of a column follow each other in a column of `width`
//! words of 16 bits, the lowest bits first: so sixteen columns are shifted alike, whatever the width.
//!
//! What lost, in bits for each clear value of a month of B02 / B08: 64 values and widths in steps of four, which fit
//! four rows of sixteen, 9.3 / 12.3; 128 and even widths, 9.6 / 11.5; 1,024, a whole row, 10.8 / 12.2. This is
//! 9.5 / 11.1. (64 values of any width would be 8.5 / 10.2, but in columns too narrow for vectors.)

use super::BadPack;
use super::dispatch::{Job, Level};
use super::lanes::Masks;

/// Values in a plane.
pub(super) const WIDE: usize = 256;
/// Columns of a plane.
const COLUMNS: usize = 16;
/// The widest residual.
const WORD: usize = 16;

/// One value of each of 256 pixels.
#[derive(Clone, Copy)]
#[repr(align(64))]
pub(super) struct Wide(pub [u16; WIDE]);

type Columns = [u16; COLUMNS];

impl Wide {
    pub(super) const fn of(value: u16) -> Self {
        Self([value; WIDE])
    }

    /// The values of its 64 pixels `quarter`.
    #[inline(always)]
    pub(super) fn quarter(&self, quarter: usize) -> &[u16; 64] {
        &self.0.as_chunks::<64>().0[quarter]
    }

    /// The values of its 64 pixels `quarter`.
    #[inline(always)]
    pub(super) fn quarter_mut(&mut self, quarter: usize) -> &mut [u16; 64] {
        &mut self.0.as_chunks_mut::<64>().0[quarter]
    }

    #[inline(always)]
    pub(super) fn max(&self) -> u16 {
        self.0.iter().fold(0, |most, &value| most.max(value))
    }

    #[inline(always)]
    fn row(&self, row: usize) -> &Columns {
        &self.0.as_chunks::<COLUMNS>().0[row]
    }
}

/// Appends a plane: `values` less those `below`, wherever `counts` is above `rank`; elsewhere it means nothing.
#[inline(always)]
pub(super) fn pack(values: &Wide, below: &Wide, counts: &Wide, rank: u16, out: &mut Vec<u8>) {
    let mut deltas = Wide::of(0);
    let (mut least, mut most) = (u16::MAX, 0);
    for i in 0..WIDE {
        let valid = if counts.0[i] > rank { u16::MAX } else { 0 };
        let delta = values.0[i].wrapping_sub(below.0[i]);
        least = least.min(delta | !valid);
        most = most.max(delta & valid);
        deltas.0[i] = delta;
    }
    let base = least.min(most);
    let width = WORD - (most - base).leading_zeros() as usize;
    for (i, delta) in deltas.0.iter_mut().enumerate() {
        *delta = if counts.0[i] > rank { *delta - base } else { 0 };
    }
    out.extend_from_slice(&base.to_le_bytes());
    out.push(width as u8);
    let mut bytes = [0; 2 * COLUMNS * WORD];
    let mut words = bytes.as_chunks_mut::<{ 2 * COLUMNS }>().0.iter_mut();
    let (mut word, mut filled) = ([0; COLUMNS], 0);
    for row in 0..WORD {
        let residuals = deltas.row(row);
        for column in 0..COLUMNS {
            word[column] |= residuals[column] << filled;
        }
        if filled + width < WORD {
            filled += width;
            continue;
        }
        if let Some(out) = words.next() {
            put_columns(&word, out);
        }
        for column in 0..COLUMNS {
            // By 16 in all where nothing is left over.
            word[column] = residuals[column] >> 1 >> (WORD - 1 - filled);
        }
        filled = filled + width - WORD;
    }
    out.extend_from_slice(&bytes[..2 * COLUMNS * width]);
}

/// Takes a plane off the front of `bytes` and puts it on what is `below`. The sum stays within `u16`, so that values
/// ascend from plane to plane whatever the bytes.
#[inline(always)]
pub(super) fn unpack(bytes: &mut &[u8], below: &Wide, out: &mut Wide) -> Result<(), BadPack> {
    let ([low, high, width], rest) = bytes.split_first_chunk::<3>().ok_or(BadPack::Short)?;
    let (base, width) = (u16::from_le_bytes([*low, *high]), usize::from(*width));
    if width > WORD {
        return Err(BadPack::Width(width));
    }
    let (words, rest) = rest.split_at_checked(2 * COLUMNS * width).ok_or(BadPack::Short)?;
    *bytes = rest;
    let (words, _) = words.as_chunks::<{ 2 * COLUMNS }>();
    let Some(last) = words.len().checked_sub(1) else {
        out.0.iter_mut().zip(below.0).for_each(|(out, below)| *out = below.saturating_add(base));
        return Ok(());
    };
    let mask = u16::MAX >> (WORD - width);
    for (row, out) in out.0.as_chunks_mut::<COLUMNS>().0.iter_mut().enumerate() {
        let (word, shift) = (row * width / WORD, row * width % WORD);
        let (low, high) = (columns(&words[word]), columns(&words[(word + 1).min(last)]));
        let below = below.row(row);
        for column in 0..COLUMNS {
            let residual = (low[column] >> shift | high[column] << 1 << (WORD - 1 - shift)) & mask;
            out[column] = below[column].saturating_add(base).saturating_add(residual);
        }
    }
    Ok(())
}

/// Packs the values of any number of pixels behind what `out` holds.
pub fn pack_values(values: &[u16], out: &mut Vec<u8>) {
    Level::best().run(PackValues { values, out });
}

/// Takes the values of so many pixels off the front of `bytes`.
///
/// # Errors
/// Where they are not what [`pack_values`] has packed.
pub fn unpack_values(bytes: &mut &[u8], pixels: usize) -> Result<Vec<u16>, BadPack> {
    let (mut values, mut result) = (Vec::with_capacity(pixels), Ok(()));
    Level::best().run(UnpackValues { bytes, pixels, values: &mut values, result: &mut result });
    result.map(|()| values)
}

struct PackValues<'a> {
    values: &'a [u16],
    out: &'a mut Vec<u8>,
}

impl Job for PackValues<'_> {
    #[inline(always)]
    fn run<M: Masks>(self) {
        for group in self.values.chunks(WIDE) {
            let (mut plane, mut counts) = (Wide::of(0), Wide::of(0));
            plane.0[..group.len()].copy_from_slice(group);
            counts.0[..group.len()].fill(1);
            pack(&plane, &Wide::of(0), &counts, 0, self.out);
        }
    }
}

struct UnpackValues<'a, 'b> {
    bytes: &'a mut &'b [u8],
    pixels: usize,
    values: &'a mut Vec<u16>,
    result: &'a mut Result<(), BadPack>,
}

impl Job for UnpackValues<'_, '_> {
    #[inline(always)]
    fn run<M: Masks>(self) {
        let mut plane = Wide::of(0);
        while self.values.len() < self.pixels && self.result.is_ok() {
            *self.result = unpack(self.bytes, &Wide::of(0), &mut plane);
            let left = self.pixels - self.values.len();
            self.values.extend_from_slice(&plane.0[..left.min(WIDE)]);
        }
    }
}

#[inline(always)]
fn put_columns(columns: &Columns, out: &mut [u8; 2 * COLUMNS]) {
    for (pair, column) in out.as_chunks_mut::<2>().0.iter_mut().zip(columns) {
        *pair = column.to_le_bytes();
    }
}

#[inline(always)]
fn columns(bytes: &[u8; 2 * COLUMNS]) -> Columns {
    let mut columns = [0; COLUMNS];
    for (column, pair) in columns.iter_mut().zip(bytes.as_chunks::<2>().0) {
        *column = u16::from_le_bytes(*pair);
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn packed(values: &Wide, below: &Wide, counts: &Wide) -> Vec<u8> {
        let mut bytes = Vec::new();
        pack(values, below, counts, 0, &mut bytes);
        bytes
    }

    #[test]
    fn every_width_comes_back() {
        for width in 0..=16_u32 {
            let most = ((1_u32 << width) - 1) as u16;
            let (mut values, mut below) = (Wide::of(0), Wide::of(0));
            for i in 0..WIDE {
                below.0[i] = (i as u16).wrapping_mul(31) % (u16::MAX - most).saturating_add(1).max(1);
                values.0[i] = below.0[i] + if i % 5 == 0 { most } else { (i as u16).wrapping_mul(7919) & most };
            }
            // Nothing is below the least, so that the width is as asked.
            values.0[1] = below.0[1];
            let bytes = packed(&values, &below, &Wide::of(1));
            assert_eq!(bytes.len(), 3 + 32 * width as usize);
            let (mut out, mut rest) = (Wide::of(9), &bytes[..]);
            unpack(&mut rest, &below, &mut out).unwrap();
            assert!(out.0 == values.0 && rest.is_empty(), "width {width}");
            for cut in 0..bytes.len() {
                assert!(unpack(&mut &bytes[..cut], &below, &mut out).is_err(), "{cut} bytes of width {width}");
            }
        }
    }

    #[test]
    fn a_width_that_is_none_is_refused() {
        let mut bytes = vec![0; 2000];
        bytes[2] = 17;
        assert_eq!(unpack(&mut &bytes[..], &Wide::of(0), &mut Wide::of(0)), Err(BadPack::Width(17)));
    }

    proptest! {
        #[test]
        fn any_number_of_values_comes_back(planes in prop::collection::vec(prop::collection::vec(any::<u16>(), 0..700), 0..3)) {
            let mut bytes = Vec::new();
            planes.iter().for_each(|values| pack_values(values, &mut bytes));
            let mut rest = &bytes[..];
            for values in &planes {
                prop_assert_eq!(&unpack_values(&mut rest, values.len()), &Ok(values.clone()));
            }
            prop_assert!(rest.is_empty());
            prop_assert_eq!(unpack_values(&mut rest, 1), Err(BadPack::Short));
        }
    }

    proptest! {
        #[test]
        fn what_counts_comes_back(values in prop::collection::vec((any::<u16>(), any::<u16>(), 0..3_u16), WIDE)) {
            let (mut above, mut below, mut counts) = (Wide::of(0), Wide::of(0), Wide::of(0));
            for (i, (a, b, count)) in values.into_iter().enumerate() {
                (below.0[i], above.0[i], counts.0[i]) = (a.min(b), a.max(b), count);
            }
            let bytes = packed(&above, &below, &counts);
            let mut out = Wide::of(0);
            unpack(&mut &bytes[..], &below, &mut out).unwrap();
            for i in 0..WIDE {
                prop_assert!(counts.0[i] == 0 || out.0[i] == above.0[i]);
                prop_assert!(out.0[i] >= below.0[i]);
            }
        }
    }
}
