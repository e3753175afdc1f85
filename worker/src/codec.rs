//! Chunks of partials and rows of composites as bytes of a container's frame: little-endian, counts first.

use artifacts::StoreError;
use mosaic::composite::{Composite, CompositeHeader, Plane};
use mosaic::partial::{Chunk, Partial};
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

/// A chunk: the counts, then the rank planes of each band; their number is the greatest count.
#[must_use]
pub fn encode_chunk(chunk: &Chunk) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(2 * (chunk.counts.len() + chunk.ranks.iter().map(Vec::len).sum::<usize>()));
    put_u16(&mut bytes, &chunk.counts);
    chunk.ranks.iter().for_each(|ranks| put_u16(&mut bytes, ranks));
    bytes
}

/// Reads frame `index` of a partial.
///
/// # Errors
/// `Corrupt` where the bytes are no such chunk.
pub fn decode_chunk(header: &Partial, index: usize, bytes: &[u8]) -> Result<Chunk, StoreError> {
    let bad = || not_a("a partial");
    let pixels = frame_pixels(header.width, header.height, header.rows_per_chunk, index);
    let (counts, ranks) = bytes.split_at_checked(2 * pixels).ok_or_else(bad)?;
    let counts = take_u16(counts);
    let depth = usize::from(counts.iter().copied().max().unwrap_or(0));
    let band = 2 * depth * pixels;
    if ranks.len() != band * header.bands.len() {
        return Err(bad());
    }
    let ranks = (0..header.bands.len()).map(|b| take_u16(&ranks[b * band..(b + 1) * band])).collect();
    Ok(Chunk { pixels, counts, ranks })
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
    fn a_chunk_comes_back_as_it_went() {
        let header = Partial {
            width: 2,
            height: 3,
            rows_per_chunk: 2,
            bands: vec![Band::B03, Band::B04],
            scenes: std::collections::BTreeMap::new(),
        };
        let chunk = Chunk { pixels: 2, counts: vec![0, 2], ranks: vec![vec![0, 5, 0, 65535], vec![0, 1, 0, 1]] };
        let bytes = encode_chunk(&chunk);
        assert_eq!(decode_chunk(&header, 1, &bytes).unwrap(), chunk);
        assert!(decode_chunk(&header, 0, &bytes).is_err(), "the first chunk has two rows");
        assert!(decode_chunk(&header, 1, &bytes[..bytes.len() - 1]).is_err());
    }

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
