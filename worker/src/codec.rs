//! Rows of composites as bytes of a container's frame: the counts, then each band; integers packed, floating-point
//! numbers little-endian as they are.

use artifacts::StoreError;
use mosaic::composite::{Composite, CompositeHeader, Plane};
use mosaic::kernel::{pack_values, unpack_values};
use mosaic::request::Dtype;

fn not_a_composite() -> StoreError {
    let why = "a frame has not the size that its header says".to_owned();
    StoreError::Corrupt { what: "a composite".to_owned(), why }
}

/// Rows of a composite: the counts, then each band.
#[must_use]
pub fn encode_composite(rows: &Composite) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(rows.bytes());
    pack_values(&rows.counts, &mut bytes);
    for plane in &rows.bands {
        match plane {
            Plane::U16(values) => pack_values(values, &mut bytes),
            Plane::F32(values) => bytes.extend(values.iter().flat_map(|value| value.to_le_bytes())),
        }
    }
    bytes
}

/// Reads frame `index` of a composite.
///
/// # Errors
/// `Corrupt` where the bytes are no such rows.
pub fn decode_composite(header: &CompositeHeader, index: usize, mut bytes: &[u8]) -> Result<Composite, StoreError> {
    let CompositeHeader { width, height, rows_per_chunk, .. } = *header;
    let pixels = width * rows_per_chunk.min(height.saturating_sub(index * rows_per_chunk));
    let values = |bytes: &mut &[u8]| unpack_values(bytes, pixels).map_err(|_| not_a_composite());
    let counts = values(&mut bytes)?;
    let plane = |_: usize| match header.dtype {
        Dtype::Uint16 => values(&mut bytes).map(Plane::U16),
        Dtype::Float32 => {
            let floats = bytes.split_off(..4 * pixels).ok_or_else(not_a_composite)?;
            Ok(Plane::F32(floats.as_chunks().0.iter().map(|float| f32::from_le_bytes(*float)).collect()))
        }
    };
    let bands = (0..header.planes()).map(plane).collect::<Result<_, _>>()?;
    if bytes.is_empty() { Ok(Composite { counts, bands }) } else { Err(not_a_composite()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mosaic::band::Band;
    use mosaic::product::median_alone;

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
                products: median_alone(),
                dtype,
                scenes: std::collections::BTreeMap::new(),
                doubts: std::collections::BTreeMap::new(),
            };
            let rows = Composite { counts: vec![3, 0], bands: vec![plane] };
            let mut bytes = encode_composite(&rows);
            assert_eq!(decode_composite(&header, 0, &bytes).unwrap(), rows);
            assert!(decode_composite(&header, 0, &bytes[1..]).is_err());
            bytes.push(0);
            assert!(decode_composite(&header, 0, &bytes).is_err());
        }
    }
}
