//! Rows of composites as bytes of a container's frame: little-endian, counts first.

use artifacts::StoreError;
use mosaic::composite::{Composite, CompositeHeader, Plane};
use mosaic::request::Dtype;

fn put_u16(bytes: &mut Vec<u8>, values: &[u16]) {
    bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
}

fn take_u16(bytes: &[u8]) -> Vec<u16> {
    bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect()
}

fn take_f32(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}

fn not_a(what: &str) -> StoreError {
    StoreError::Corrupt { what: what.to_owned(), why: "a frame has not the size that its header says".to_owned() }
}

/// How many pixels frame `index` of a sub-tile has.
fn frame_pixels(width: usize, height: usize, rows_per_chunk: usize, index: usize) -> usize {
    width * rows_per_chunk.min(height.saturating_sub(index * rows_per_chunk))
}

/// Rows of a composite: the counts, then each band.
#[must_use]
pub fn encode_composite(rows: &Composite) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(rows.bytes());
    put_u16(&mut bytes, &rows.counts);
    for plane in &rows.bands {
        match plane {
            Plane::U16(values) => put_u16(&mut bytes, values),
            Plane::F32(values) => bytes.extend(values.iter().flat_map(|value| value.to_le_bytes())),
        }
    }
    bytes
}

/// Reads frame `index` of a composite.
///
/// # Errors
/// `Corrupt` where the bytes are no such rows.
pub fn decode_composite(header: &CompositeHeader, index: usize, bytes: &[u8]) -> Result<Composite, StoreError> {
    let bad = || not_a("a composite");
    let pixels = frame_pixels(header.width, header.height, header.rows_per_chunk, index);
    let (counts, bands) = bytes.split_at_checked(2 * pixels).ok_or_else(bad)?;
    let band = pixels * if header.dtype == Dtype::Uint16 { 2 } else { 4 };
    if bands.len() != band * header.bands.len() {
        return Err(bad());
    }
    let plane = |b: usize| {
        let bytes = &bands[b * band..(b + 1) * band];
        if header.dtype == Dtype::Uint16 { Plane::U16(take_u16(bytes)) } else { Plane::F32(take_f32(bytes)) }
    };
    Ok(Composite { counts: take_u16(counts), bands: (0..header.bands.len()).map(plane).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use mosaic::band::Band;

    #[test]
    fn rows_of_a_composite_come_back_as_they_went() {
        for dtype in [Dtype::Uint16, Dtype::Float32] {
            let plane = match dtype {
                Dtype::Uint16 => Plane::U16(vec![7, 0]),
                Dtype::Float32 => Plane::F32(vec![7.5, 0.0]),
            };
            let header = CompositeHeader {
                width: 2,
                height: 1,
                rows_per_chunk: 8,
                bands: vec![Band::B8A],
                dtype,
                scenes: std::collections::BTreeMap::new(),
            };
            let rows = Composite { counts: vec![3, 0], bands: vec![plane] };
            assert_eq!(decode_composite(&header, 0, &encode_composite(&rows)).unwrap(), rows);
        }
    }
}
