//! Blocks as they stand in a file: whole, each row as differences (TIFF's predictor 2), and deflated.

use libdeflater::{CompressionError, CompressionLvl, Compressor};
use mosaic::composite::Plane;

use super::level::BLOCK;

/// Of libdeflate's 1 to 12. What differences of noisy pixels have in common is how often each occurs, hardly ever a
/// sequence: looking for those costs time and gains nothing.
///
/// | level | a real median (120 m), B04 | | synthetic, B04 | | its count | |
/// |---|---|---|---|---|---|---|
/// | 1 | 31.9 ms/MB | 0.724 | 13.7 ms/MB | 0.289 | 6.1 ms/MB | 0.019 |
/// | 4 | 37.7 ms/MB | 0.747 | 14.8 ms/MB | 0.297 | 6.2 ms/MB | 0.017 |
/// | 6, as GDAL's | 42.8 ms/MB | 0.747 | 15.0 ms/MB | 0.296 | 8.2 ms/MB | 0.015 |
/// | 9 | 45.4 ms/MB | 0.746 | 19.0 ms/MB | 0.296 | 39.1 ms/MB | 0.013 |
/// | 10 | 119.8 ms/MB | 0.732 | 80.4 ms/MB | 0.290 | 173.7 ms/MB | 0.013 |
const LEVEL: i32 = 1;

/// Encodes blocks, one after the other.
pub struct Encoder {
    compressor: Compressor,
    differences: Vec<u8>,
    encoded: Vec<u8>,
}

impl Default for Encoder {
    fn default() -> Self {
        let compressor = Compressor::new(CompressionLvl::new(LEVEL).unwrap_or_default());
        Self { compressor, differences: Vec::new(), encoded: Vec::new() }
    }
}

impl Encoder {
    /// A block of so many columns, encoded. Beyond its edges it is filled up with nodata.
    ///
    /// # Errors
    /// Never: there is room for whatever the block becomes.
    pub fn encode(&mut self, plane: &Plane, width: usize) -> Result<&[u8], CompressionError> {
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
            Plane::F32(values) => difference(values, width, &mut self.differences, |now, before| {
                now.to_bits().wrapping_sub(before.to_bits()).to_le_bytes()
            }),
        }
        self.encoded.resize(self.compressor.zlib_compress_bound(self.differences.len()), 0);
        let length = self.compressor.zlib_compress(&self.differences, &mut self.encoded)?;
        Ok(&self.encoded[..length])
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
