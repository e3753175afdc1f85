//! NPY, in which Earth Engine gives pixels as they are: a header in Python's words, then samples, a record to a pixel.

use std::sync::OnceLock;

use regex_lite::Regex;

const MAGIC: &[u8] = b"\x93NUMPY";

/// Samples of one band, row by row.
#[derive(Clone, Debug, PartialEq)]
pub enum Samples {
    /// Of unsigned integers of 8 and 16 bits.
    U16(Vec<u16>),
    /// Of other integers up to 32 bits.
    Integer(Vec<f64>),
    /// Of 32-bit floating point.
    F32(Vec<f32>),
    /// Of 64-bit floating point.
    F64(Vec<f64>),
}

impl Samples {
    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        match self {
            Self::U16(samples) => samples.len(),
            Self::F32(samples) => samples.len(),
            Self::Integer(samples) | Self::F64(samples) => samples.len(),
        }
    }

    /// Bytes that they take.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        match self {
            Self::U16(samples) => 2 * samples.len(),
            Self::F32(samples) => 4 * samples.len(),
            Self::Integer(samples) | Self::F64(samples) => 8 * samples.len(),
        }
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// One field of a record.
struct Field {
    name: String,
    kind: Kind,
    offset: usize,
}

/// Little-endian types.
#[derive(Clone, Copy)]
enum Kind {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    F32,
    F64,
}

impl Kind {
    fn of(text: &str) -> Option<Self> {
        Some(match text.trim_start_matches(['<', '|', '=']) {
            "u1" => Self::U8,
            "i1" => Self::I8,
            "u2" => Self::U16,
            "i2" => Self::I16,
            "u4" => Self::U32,
            "i4" => Self::I32,
            "f4" => Self::F32,
            "f8" => Self::F64,
            _ => return None,
        })
    }

    const fn bytes(self) -> usize {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::F64 => 8,
        }
    }
}

/// The named bands of an array of this width and height, in their order.
///
/// # Errors
/// One line where the bytes are no such array: too few of them, say.
pub fn bands(bytes: &[u8], names: &[String], width: usize, height: usize) -> Result<Vec<Samples>, String> {
    let (header, data) = split(bytes).ok_or("what came is no NPY array")?;
    let (rows, columns) = shape(header).ok_or("the array's shape is not told")?;
    if (rows, columns) != (height, width) || header.contains("'fortran_order': True") {
        return Err(format!("the array has {rows} rows of {columns} pixels, not {height} of {width}"));
    }
    let fields = fields(header, names)?;
    let record = fields.iter().map(|field| field.kind.bytes()).sum::<usize>();
    if data.len() != record * width * height {
        return Err(format!("the array has {} bytes, not {}", data.len(), record * width * height));
    }
    let of = |name: &String| {
        let field = fields.iter().find(|field| field.name == *name).ok_or_else(|| format!("no band {name} came"))?;
        Ok(samples(data, record, field))
    };
    names.iter().map(of).collect()
}

fn split(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let rest = bytes.strip_prefix(MAGIC)?;
    let (version, rest) = rest.split_at_checked(2)?;
    let (length, rest) = rest.split_at_checked(if version[0] == 1 { 2 } else { 4 })?;
    let length = length.iter().rev().fold(0, |length, byte| length << 8 | usize::from(*byte));
    let (header, data) = rest.split_at_checked(length)?;
    Some((std::str::from_utf8(header).ok()?, data))
}

fn regex(cell: &'static OnceLock<Option<Regex>>, pattern: &str) -> Option<&'static Regex> {
    cell.get_or_init(|| Regex::new(pattern).ok()).as_ref()
}

fn shape(header: &str) -> Option<(usize, usize)> {
    static SHAPE: OnceLock<Option<Regex>> = OnceLock::new();
    let found = regex(&SHAPE, r"'shape': *\((\d+), *(\d+),?\)")?.captures(header)?;
    Some((found[1].parse().ok()?, found[2].parse().ok()?))
}

/// The fields of a record; an array without records is that of its only band.
fn fields(header: &str, names: &[String]) -> Result<Vec<Field>, String> {
    static FIELD: OnceLock<Option<Regex>> = OnceLock::new();
    static PLAIN: OnceLock<Option<Regex>> = OnceLock::new();
    let named = regex(&FIELD, r"\('([^']+)', *'([^']+)'\)").into_iter().flat_map(|regex| regex.captures_iter(header));
    let mut found: Vec<(String, String)> = named.map(|field| (field[1].to_owned(), field[2].to_owned())).collect();
    if let (true, [only]) = (found.is_empty(), names) {
        let plain = regex(&PLAIN, r"'descr': *'([^']+)'").and_then(|regex| regex.captures(header));
        found.extend(plain.map(|plain| (only.clone(), plain[1].to_owned())));
    }
    let mut offset = 0;
    let field = |(name, kind): (String, String)| {
        let kind = Kind::of(&kind).ok_or_else(|| format!("band {name} is of {kind}, which is not read"))?;
        let at = offset;
        offset += kind.bytes();
        Ok(Field { name, kind, offset: at })
    };
    found.into_iter().map(field).collect()
}

fn samples(data: &[u8], record: usize, field: &Field) -> Samples {
    match field.kind {
        Kind::U8 => Samples::U16(each(data, record, field, |[byte]| byte.into())),
        Kind::U16 => Samples::U16(each(data, record, field, u16::from_le_bytes)),
        Kind::I8 => Samples::Integer(each(data, record, field, |bytes| i8::from_le_bytes(bytes).into())),
        Kind::I16 => Samples::Integer(each(data, record, field, |bytes| i16::from_le_bytes(bytes).into())),
        Kind::U32 => Samples::Integer(each(data, record, field, |bytes| u32::from_le_bytes(bytes).into())),
        Kind::I32 => Samples::Integer(each(data, record, field, |bytes| i32::from_le_bytes(bytes).into())),
        Kind::F32 => Samples::F32(each(data, record, field, f32::from_le_bytes)),
        Kind::F64 => Samples::F64(each(data, record, field, f64::from_le_bytes)),
    }
}

fn each<T, const N: usize>(data: &[u8], record: usize, field: &Field, value: impl Fn([u8; N]) -> T) -> Vec<T> {
    let of = |record: &[u8]| record.get(field.offset..)?.first_chunk().copied();
    data.chunks_exact(record).filter_map(of).map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn array(header: &str, data: &[u8]) -> Vec<u8> {
        let length = u16::try_from(header.len()).unwrap().to_le_bytes();
        [MAGIC, &[1, 0], &length, header.as_bytes(), data].concat()
    }

    #[test]
    fn bands_are_taken_apart() {
        let header = "{'descr': [('B4', '<u2'), ('cs', '<f4')], 'fortran_order': False, 'shape': (1, 2), }\n";
        let mut data = Vec::new();
        for (dn, score) in [(7u16, 0.5f32), (9, 0.25)] {
            data.extend(dn.to_le_bytes());
            data.extend(score.to_le_bytes());
        }
        let names = ["cs".to_owned(), "B4".to_owned()];
        let found = bands(&array(header, &data), &names, 2, 1).unwrap();
        assert_eq!(found, [Samples::F32(vec![0.5, 0.25]), Samples::U16(vec![7, 9])]);
        for cut in 0..array(header, &data).len() {
            assert!(bands(&array(header, &data)[..cut], &names, 2, 1).is_err(), "{cut}");
        }
        assert!(bands(&array(header, &data), &names, 1, 2).unwrap_err().contains("1 rows of 2"));
        assert!(bands(&array(header, &data), &["B8".to_owned()], 2, 1).unwrap_err().contains("no band B8"));
    }

    #[test]
    fn an_array_without_records_is_its_only_band() {
        let header = "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 1), }";
        let found = bands(&array(header, &0.1f64.to_le_bytes()), &["cs".to_owned()], 1, 1).unwrap();
        assert_eq!(found, [Samples::F64(vec![0.1])]);
        let other = header.replace("<f8", ">u2");
        assert!(bands(&array(&other, &[0, 0]), &["cs".to_owned()], 1, 1).unwrap_err().contains(">u2"));
    }
}
