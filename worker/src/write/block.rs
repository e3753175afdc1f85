//! Blocks as they stand in a file: whole, each row as differences (TIFF's predictor 2), and deflated.

use mosaic::composite::Plane;

use super::deflate::deflate;
use super::level::BLOCK;

/// Encodes blocks, one after the other.
#[derive(Default)]
pub struct Encoder {
    differences: Vec<u8>,
    encoded: Vec<u8>,
}

impl Encoder {
    /// A block of so many columns, encoded. Beyond its edges it is filled up with nodata.
    pub fn encode(&mut self, plane: &Plane, width: usize) -> &[u8] {
        let (pixels, sample_size) = match plane {
            Plane::U16(values) => (values.len(), size_of::<u16>()),
            Plane::F32(values) => (values.len(), size_of::<f32>()),
        };
        // What is beyond the edges must not be what was there in the block before.
        if pixels < BLOCK * BLOCK {
            self.differences.clear();
        }
        self.differences.resize(BLOCK * BLOCK * sample_size, 0);
        match plane {
            Plane::U16(values) => {
                let bytes = |now: u16, before: u16| now.wrapping_sub(before).to_le_bytes();
                difference(values, width, &mut self.differences, bytes);
            }
            // Differences are of the bits, as for whole numbers.
            Plane::F32(values) => {
                let bytes = |now: f32, before: f32| now.to_bits().wrapping_sub(before.to_bits()).to_le_bytes();
                difference(values, width, &mut self.differences, bytes);
            }
        }
        deflate(&self.differences, &mut self.encoded);
        &self.encoded
    }
}

/// Writes rows of differences from the sample before; the first after the last of a short row takes it back to nodata.
fn difference<T: Copy + Default, const N: usize>(
    values: &[T],
    width: usize,
    to: &mut [u8],
    bytes: impl Fn(T, T) -> [u8; N],
) {
    for (row, to) in values.chunks_exact(width).zip(to.chunks_exact_mut(N * BLOCK)) {
        let (to, _) = to.as_chunks_mut::<N>();
        to[0] = bytes(row[0], T::default());
        for (to, pair) in to[1..].iter_mut().zip(row.windows(2)) {
            *to = bytes(pair[1], pair[0]);
        }
        if let Some(next) = to.get_mut(width) {
            *next = bytes(T::default(), row[width - 1]);
        }
    }
}
