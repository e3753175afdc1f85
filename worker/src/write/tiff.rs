//! The head of a cloud-optimised GeoTIFF: everything ahead of its blocks.
//!
//! ```text
//! header ─► GDAL's ghost area ─► directory of the raster ─► of each overview ─► blocks: smallest overview … raster
//! ```
//!
//! What the tags say of the raster comes from GDAL, see `template`; only where the blocks lie is said here. Each
//! block has its size ahead of it and its last four bytes again behind it, so that a reader of the whole may check it.

use super::level::{BLOCK, Level};

/// What GDAL is told of the layout, so that it reads a block with a single request.
const GHOST: &[u8] = b"GDAL_STRUCTURAL_METADATA_SIZE=000140 bytes\n\
    LAYOUT=IFDS_BEFORE_DATA\n\
    BLOCK_ORDER=ROW_MAJOR\n\
    BLOCK_LEADER=SIZE_AS_UINT4\n\
    BLOCK_TRAILER=LAST_4_BYTES_REPEATED\n\
    KNOWN_INCOMPATIBLE_EDITION=NO\n \0";

const SUBFILE_TYPE: u16 = 254;
const WIDTH: u16 = 256;
const HEIGHT: u16 = 257;
const TILE_WIDTH: u16 = 322;
const TILE_HEIGHT: u16 = 323;
const TILE_OFFSETS: u16 = 324;
const TILE_SIZES: u16 = 325;
/// Georeferencing and GDAL's metadata: the raster's alone.
const RASTER_ALONE: [u16; 7] = [33550, 33922, 34264, 34735, 34736, 34737, 42112];

const LONG: u16 = 4;
const LONG8: u16 = 16;

/// One tag of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    id: u16,
    kind: u16,
    /// Its values, little-endian.
    bytes: Vec<u8>,
}

/// Bytes of a value of a type; none of a type that is unknown.
const fn size_of_kind(kind: u16) -> Option<usize> {
    match kind {
        1 | 2 | 6 | 7 => Some(1),
        3 | 8 => Some(2),
        LONG | 9 | 11 | 13 => Some(4),
        5 | 10 | 12 | LONG8 | 17 | 18 => Some(8),
        _ => None,
    }
}

impl Tag {
    fn longs(id: u16, values: &[usize], big: bool) -> Self {
        let bytes = |value: &usize| (*value as u64).to_le_bytes().into_iter().take(if big { 8 } else { 4 });
        Self { id, kind: if big { LONG8 } else { LONG }, bytes: values.iter().flat_map(bytes).collect() }
    }
}

/// Where a block's bytes are, and how many there are; leader and trailer are not among them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// Bytes from the start of the file.
    pub offset: u64,
    /// Bytes.
    pub size: usize,
}

/// Bytes of a block's leader, and of its trailer.
pub const AROUND: usize = 4;

/// The tags of the first directory of a small TIFF; none where it is not one.
#[must_use]
pub fn tags(file: &[u8]) -> Option<Vec<Tag>> {
    let at = |offset: usize, length: usize| file.get(offset..offset.checked_add(length)?);
    let short = |offset| Some(u16::from_le_bytes(at(offset, 2)?.try_into().ok()?));
    let long = |offset| usize::try_from(u32::from_le_bytes(at(offset, 4)?.try_into().ok()?)).ok();
    if at(0, 4)? != b"II\x2a\0" {
        return None;
    }
    let directory = long(4)?;
    let tag = |index: usize| {
        let entry = directory + 2 + 12 * index;
        let (id, kind) = (short(entry)?, short(entry + 2)?);
        let length = long(entry + 4)?.checked_mul(size_of_kind(kind)?)?;
        let from = if length > 4 { long(entry + 8)? } else { entry + 8 };
        Some(Tag { id, kind, bytes: at(from, length)?.to_vec() })
    };
    (0..usize::from(short(directory)?)).map(tag).collect()
}

/// How many of a file's first bytes hold all of its overviews, by what it starts with: the raster's own blocks come
/// last. None where that is not told there.
#[must_use]
pub fn before_raster(start: &[u8]) -> Option<u64> {
    let offsets = tags(start)?.into_iter().find(|tag| tag.id == TILE_OFFSETS && tag.kind == LONG)?.bytes;
    offsets.as_chunks().0.iter().map(|offset| u64::from(u32::from_le_bytes(*offset))).min()
}

/// The head of a file of these levels, whose blocks lie at `extents`, level by level and row by row.
#[must_use]
pub fn head(template: &[Tag], levels: &[(Level, Vec<Extent>)], big: bool) -> Vec<u8> {
    let mut head: Vec<u8> = Vec::new();
    let mut link = if big {
        head.extend(b"II\x2b\0\x08\0\0\0\0\0\0\0\0\0\0\0");
        8
    } else {
        head.extend(b"II\x2a\0\0\0\0\0");
        4
    };
    head.extend(GHOST);
    for (index, (level, extents)) in levels.iter().enumerate() {
        head.resize(head.len().next_multiple_of(8), 0);
        let here = head.len();
        set(&mut head, link, here, big);
        link = directory(&mut head, &level_tags(template, index, *level, extents, big), big);
    }
    head.resize(head.len().next_multiple_of(8), 0);
    head
}

fn level_tags(template: &[Tag], index: usize, level: Level, extents: &[Extent], big: bool) -> Vec<Tag> {
    let offsets: Vec<usize> =
        extents.iter().map(|extent| usize::try_from(extent.offset).unwrap_or(usize::MAX)).collect();
    let sizes: Vec<usize> = extents.iter().map(|extent| extent.size).collect();
    let mut own = vec![
        Tag::longs(WIDTH, &[level.width], false),
        Tag::longs(HEIGHT, &[level.height], false),
        Tag::longs(TILE_WIDTH, &[BLOCK], false),
        Tag::longs(TILE_HEIGHT, &[BLOCK], false),
        Tag::longs(TILE_OFFSETS, &offsets, big),
        Tag::longs(TILE_SIZES, &sizes, false),
    ];
    if index > 0 {
        // A reduced version of another image.
        own.push(Tag::longs(SUBFILE_TYPE, &[1], false));
    }
    let kept = |tag: &&Tag| own.iter().all(|o| o.id != tag.id) && (index == 0 || !RASTER_ALONE.contains(&tag.id));
    let mut tags: Vec<Tag> = template.iter().filter(kept).cloned().collect();
    tags.append(&mut own);
    tags.sort_by_key(|tag| tag.id);
    tags
}

/// Appends a directory, and after it the values that do not fit into it; where to put the offset of the next one.
fn directory(head: &mut Vec<u8>, tags: &[Tag], big: bool) -> usize {
    let (count, word) = if big { (8, 8) } else { (2, 4) };
    let entries = head.len() + count;
    let link = entries + tags.len() * (4 + 2 * word);
    head.extend(&tags.len().to_le_bytes()[..count]);
    head.resize(link + word, 0);
    for (index, Tag { id, kind, bytes }) in tags.iter().enumerate() {
        let entry = entries + index * (4 + 2 * word);
        head[entry..entry + 2].copy_from_slice(&id.to_le_bytes());
        head[entry + 2..entry + 4].copy_from_slice(&kind.to_le_bytes());
        set(head, entry + 4, bytes.len() / size_of_kind(*kind).unwrap_or(1), big);
        let value = entry + 4 + word;
        if bytes.len() <= word {
            head[value..value + bytes.len()].copy_from_slice(bytes);
        } else {
            head.resize(head.len().next_multiple_of(8), 0);
            let here = head.len();
            set(head, value, here, big);
            head.extend(bytes);
        }
    }
    link
}

/// Writes a number or an offset where there is room for it.
fn set(head: &mut [u8], at: usize, value: usize, big: bool) {
    let word = if big { 8 } else { 4 };
    head[at..at + word].copy_from_slice(&(value as u64).to_le_bytes()[..word]);
}
