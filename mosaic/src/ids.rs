//! Names of things, each a type of its own, so that none is taken for another.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An MGRS tile, `33TWL`: zone zero-padded to two digits, latitude band, column and row letter of the 100 km square.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileId([u8; 5]);

/// Text that is no MGRS tile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no MGRS tile: write it as 33TWL")]
pub struct BadTile(pub String);

impl TileId {
    /// The tile of a zone and its letters, if MGRS has them.
    pub(crate) fn from_letters(zone: u8, band: u8, column: u8, row: u8) -> Option<Self> {
        let id = [b'0' + zone / 10, b'0' + zone % 10, band, column, row];
        std::str::from_utf8(&id).ok()?.parse().ok()
    }

    /// The id as text, five characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Only ASCII gets in.
        std::str::from_utf8(&self.0).unwrap_or("?????")
    }

    /// UTM zone, 1 to 60.
    #[must_use]
    pub fn zone(&self) -> u8 {
        (self.0[0] - b'0') * 10 + (self.0[1] - b'0')
    }

    /// Letter of the latitude band, C to X.
    #[must_use]
    pub fn band_letter(&self) -> char {
        self.0[2].into()
    }

    /// Letter of the column of the 100 km square.
    #[must_use]
    pub fn column_letter(&self) -> char {
        self.0[3].into()
    }

    /// Letter of the row of the 100 km square.
    #[must_use]
    pub fn row_letter(&self) -> char {
        self.0[4].into()
    }

    /// Whether the tile's northings count from 10,000,000 m at the equator (latitude bands C to M).
    #[must_use]
    pub fn is_south(&self) -> bool {
        self.0[2] < b'N'
    }

    /// EPSG code of the tile's UTM zone, WGS 84: 326zz north, 327zz south.
    #[must_use]
    pub fn epsg(&self) -> u32 {
        u32::from(self.zone()) + if self.is_south() { 32700 } else { 32600 }
    }
}

impl FromStr for TileId {
    type Err = BadTile;

    /// Reads `33TWL`, `1VCG`, `T33TWL` and `MGRS-1VCG` alike.
    fn from_str(text: &str) -> Result<Self, BadTile> {
        let bad = || BadTile(text.to_owned());
        let bare = text.strip_prefix("MGRS-").unwrap_or(text);
        let bare = bare.strip_prefix('T').unwrap_or(bare);
        let padded = if bare.len() == 4 { format!("0{bare}") } else { bare.to_owned() };
        let id: [u8; 5] = padded.as_bytes().try_into().map_err(|_| bad())?;
        let zone_ok = id[0].is_ascii_digit()
            && id[1].is_ascii_digit()
            && (1..=60).contains(&((id[0] - b'0') * 10 + (id[1] - b'0')));
        let letter = |b: u8, last: u8| (b'A'..=last).contains(&b) && b != b'I' && b != b'O';
        let zone = usize::from((id[0].wrapping_sub(b'0')).wrapping_mul(10).wrapping_add(id[1].wrapping_sub(b'0')));
        let columns: &[u8] = [b"ABCDEFGH", b"JKLMNPQR", b"STUVWXYZ"][(zone + 2) % 3];
        if zone_ok && letter(id[2], b'X') && id[2] >= b'C' && columns.contains(&id[3]) && letter(id[4], b'V') {
            Ok(Self(id))
        } else {
            Err(bad())
        }
    }
}

impl fmt::Display for TileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for TileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for TileId {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for TileId {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Earth Engine's key of a Sentinel-2 image, and of its Cloud Score+ image:
/// `20230815T095031_20230815T095630_T33TWL`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SystemIndex(pub String);

impl fmt::Display for SystemIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A digest of everything that determines an artifact's content: same key, same bits. Its text, 32 hexadecimal digits,
/// is held in place: a plan holds keys by the hundred thousand.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key([u8; 32]);

impl Key {
    /// The key of a value: BLAKE3 of its canonical JSON (struct fields in order of declaration, maps sorted),
    /// the first 128 bits in hexadecimal.
    ///
    /// # Panics
    /// Never for the plain data types that keys are made of: their JSON form cannot fail.
    #[must_use]
    pub fn of<T: Serialize>(kind: &str, value: &T) -> Self {
        let json = serde_json::to_vec(value).unwrap_or_else(|e| panic!("a key of unserialisable data: {e}"));
        Self::of_bytes(kind, &json)
    }

    /// The key of bytes as they are.
    #[must_use]
    pub fn of_bytes(kind: &str, bytes: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key(kind);
        hasher.update(bytes);
        let mut text = [0; 32];
        text.copy_from_slice(&hasher.finalize().to_hex().as_bytes()[..32]);
        Self(text)
    }

    /// The key as text: 32 hexadecimal digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Only ASCII gets in.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl FromStr for Key {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = <[u8; 32]>::try_from(text.as_bytes()).ok();
        let key = digits.filter(|digits| digits.iter().all(u8::is_ascii_hexdigit)).map(Self);
        key.ok_or_else(|| format!("`{text}` is no artifact key"))
    }
}

impl Serialize for Key {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
