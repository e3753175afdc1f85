//! Deriving `system:index`, `{part 1}_{part 2}_T{tile}`: part 1 is the datatake's start, part 2 the datastrip's.

use jiff::tz::Offset;
use jiff::{Timestamp, civil};
use serde::{Deserialize, Serialize};

use super::item::Item;
use super::json::{first_text, instant, text};
use super::product::ProductName;
use crate::ids::{SystemIndex, TileId};

/// Old-format products end here, 2016-12-06 00:00 UTC: the key of what was sensed before cannot be derived.
const COMPACT_FROM: i64 = 1_480_982_400;

/// How far part 1 may be off where it is unsure.
const UNSURE_S: i64 = 1800;

/// What an item tells about its `system:index`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IndexClue {
    /// The key itself.
    Exact(SystemIndex),
    /// Part 2 cannot be had: the key is that of the one listed score of the tile whose part 1 fits.
    Start {
        /// Part 1, as far as it is known.
        start: Timestamp,
        /// Seconds that part 1 may be off, either way: 0 where it is sure.
        tolerance_s: i64,
    },
}

impl IndexClue {
    /// The key, where it is known for sure.
    #[must_use]
    pub fn exact(&self) -> Option<&SystemIndex> {
        match self {
            Self::Exact(index) => Some(index),
            Self::Start { .. } => None,
        }
    }
}

/// The three parts of a `system:index`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IndexParts {
    /// Part 1: start of the datatake.
    pub start: Timestamp,
    /// Part 2: start of the datastrip; it may precede part 1.
    pub strip: Timestamp,
    /// The tile.
    pub tile: TileId,
}

impl SystemIndex {
    /// The key made of its parts.
    #[must_use]
    pub fn of(parts: &IndexParts) -> Self {
        Self(format!("{}_{}_T{}", stamp_text(parts.start), stamp_text(parts.strip), parts.tile))
    }

    /// The parts; `None` where the text is no key in Earth Engine's spelling (tile padded to five characters).
    #[must_use]
    pub fn parts(&self) -> Option<IndexParts> {
        let mut texts = self.0.split('_');
        let (start, strip, tile) = (stamp(texts.next()?)?, stamp(texts.next()?)?, texts.next()?.parse().ok()?);
        let parts = IndexParts { start, strip, tile };
        (Self::of(&parts) == *self).then_some(parts)
    }
}

/// Reads `20230815T095031`, UTC.
pub(super) fn stamp(text: &str) -> Option<Timestamp> {
    let digits = |range: &str| range.bytes().all(|b| b.is_ascii_digit());
    if text.len() != 15 || !text.is_ascii() || !digits(&text[..8]) || &text[8..9] != "T" || !digits(&text[9..]) {
        return None;
    }
    let time: civil::DateTime = text.parse().ok()?;
    Offset::UTC.to_timestamp(time).ok()
}

/// Writes `20230815T095031`, UTC.
fn stamp_text(time: Timestamp) -> String {
    let t = Offset::UTC.to_datetime(time);
    let (date, clock) = (t.date(), t.time());
    format!(
        "{:04}{:02}{:02}T{:02}{:02}{:02}",
        date.year(),
        date.month(),
        date.day(),
        clock.hour(),
        clock.minute(),
        clock.second()
    )
}

/// Start of the datatake and what is known of the key; `None` where the item has no time at all.
pub(super) fn clue(item: &Item<'_>, tile: TileId) -> Option<(Timestamp, IndexClue)> {
    // Whoever states the key itself (an export of Earth Engine's own images) has the last word.
    let stated = text(item.properties, "system:index").map(|index| SystemIndex(index.to_owned()));
    if let Some((index, parts)) = stated.and_then(|index| index.parts().map(|parts| (index, parts)))
        && parts.tile == tile
    {
        return Some((parts.start, IndexClue::Exact(index)));
    }
    let Some(start) = datatake_start(item) else {
        // The granule's time at some providers: minutes off, so good for a search within the tolerance only.
        let time = instant(item.properties, "datetime").or_else(|| instant(item.properties, "start_datetime"))?;
        let start = Timestamp::from_second(time.as_second()).ok()?;
        return Some((start, IndexClue::Start { start, tolerance_s: UNSURE_S }));
    };
    if start.as_second() < COMPACT_FROM {
        return Some((start, IndexClue::Start { start, tolerance_s: UNSURE_S }));
    }
    let clue = datastrip_start(item, tile).map_or(IndexClue::Start { start, tolerance_s: 0 }, |strip| {
        IndexClue::Exact(SystemIndex::of(&IndexParts { start, strip, tile }))
    });
    Some((start, clue))
}

/// From `GS2A_20230815T095031_042547_N05.09`, else from the product's name.
fn datatake_start(item: &Item<'_>) -> Option<Timestamp> {
    let datatake = first_text(item.properties, &["s2:datatake_id", "eopf:datatake_id", "DATATAKE_IDENTIFIER"]);
    let stated = datatake.and_then(|id| id.split('_').find_map(stamp));
    stated.or_else(|| Some(item.product()?.start))
}

/// From `S2A_OPER_MSI_L2A_DS_2APS_20230815T155057_S20230815T095630_N05.09`, else from the path of an asset.
fn datastrip_start(item: &Item<'_>, tile: TileId) -> Option<Timestamp> {
    let strip = first_text(item.properties, &["s2:datastrip_id", "eopf:datastrip_id", "DATASTRIP_ID"]);
    let stated = strip.and_then(|id| id.split('_').find_map(|part| stamp(part.strip_prefix('S')?)));
    stated
        .or_else(|| granule_time(first_text(item.properties, &["s2:granule_id", "GRANULE_ID"])?, tile))
        .or_else(|| item.hrefs().find_map(|href| path_time(href, tile)))
}

/// From `.../GRANULE/L2A_T36NYH_A015891_20200322T075811/...`.
fn path_time(href: &str, tile: TileId) -> Option<Timestamp> {
    let (_, inside) = href.split_once("GRANULE/")?;
    granule_time(inside.split('/').next()?, tile)
}

/// From `L2A_T36NYH_A015891_20200322T075811`; an old-format name (`S2A_OPER_...`) tells when it was made instead.
fn granule_time(granule: &str, tile: TileId) -> Option<Timestamp> {
    let parts: Vec<&str> = granule.split('_').collect();
    let ours = matches!(parts.first(), Some(&("L1C" | "L2A"))) && parts.get(1)?.parse() == Ok(tile);
    ours.then(|| stamp(parts.last()?)).flatten()
}

/// Name of the product that the item was made from, wherever it says so.
pub(super) fn product(item: &Item<'_>) -> Option<ProductName> {
    ["s2:product_uri", "sentinel:product_id", "PRODUCT_ID"]
        .iter()
        .filter_map(|field| text(item.properties, field))
        .find_map(ProductName::parse)
        .or_else(|| ProductName::parse(item.id))
        .or_else(|| item.hrefs().find_map(ProductName::in_path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_three_parts() {
        let index = SystemIndex("20180101T105441_20180101T105435_T31UDT".into());
        let parts = index.parts().unwrap();
        assert!(parts.strip < parts.start);
        assert_eq!(SystemIndex::of(&parts), index);
    }

    #[test]
    fn other_spellings_are_no_keys() {
        for text in [
            "20180101T105441_20180101T105435_31UDT",
            "20180101T105441_20180101T105435_T1VCG",
            "20180101T105441_20180101T105435_T31UDT_x",
            "20181301T105441_20180101T105435_T31UDT",
            "20180101T105441_20180101T105435",
            "",
        ] {
            assert_eq!(SystemIndex(text.into()).parts(), None, "{text}");
        }
    }

    #[test]
    fn stamps_go_both_ways() {
        assert_eq!(stamp_text(stamp("20161206T000000").unwrap()), "20161206T000000");
        assert_eq!(stamp("20161206T000000").unwrap().as_second(), COMPACT_FROM);
        assert_eq!(stamp("2016-12-06T0000"), None);
    }
}
