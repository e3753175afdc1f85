//! Which offset a scene's pixels need.
//!
//! From baseline 04.00 on ESA's files carry 1000 more in every band. One provider shifts its copies back and says so
//! by a flag, some declare the offset whether or not they did, one declares nothing. So: the flag where there is one,
//! then the baseline. Dates never decide: old scenes get reprocessed.

use std::collections::BTreeMap;

use super::assets::{Asset, declared_offsets};
use super::item::{Item, ItemFault};
use super::json::flag;
use super::{Baseline, Provider};
use crate::band::Band;

/// What takes ESA's shift back.
const SHIFT: i32 = -1000;

/// The offset of a scene whose bands are these.
///
/// Earth Search's flag speaks of its own copies. The JP2 files that the same items list are ESA's and keep the shift:
/// an item of which only those serve goes by its baseline, and beside copies that were shifted back they serve no
/// band, so that one offset holds for all.
pub(super) fn settle(
    item: &Item<'_>,
    provider: Provider,
    baseline: Option<Baseline>,
    bands: &mut BTreeMap<Band, Asset>,
) -> Result<i32, ItemFault> {
    let by_baseline = || {
        let known = baseline.map(|baseline| if baseline >= Baseline::SHIFTED { SHIFT } else { 0 });
        known.or_else(|| declared(item, provider)).ok_or_else(|| ItemFault::NoBaseline(item.id.to_owned()))
    };
    match applied(item) {
        Some(true) if !bands.is_empty() && bands.values().all(is_untouched) => by_baseline(),
        Some(true) => {
            if baseline.is_none_or(|baseline| baseline >= Baseline::SHIFTED) {
                bands.retain(|_, asset| !is_untouched(asset));
            }
            Ok(0)
        }
        Some(false) => by_baseline(),
        None if is_harmonised(item) => Ok(0),
        None => by_baseline(),
    }
}

/// Whether the provider says that its pixels are shifted back; `None` where it says nothing.
fn applied(item: &Item<'_>) -> Option<bool> {
    let own = flag(item.properties, "earthsearch:boa_offset_applied");
    own.or_else(|| flag(item.properties, "sentinel:boa_offset_applied"))
}

/// Earth Engine's `COPERNICUS/S2_SR_HARMONIZED` and its like.
fn is_harmonised(item: &Item<'_>) -> bool {
    [item.collection.unwrap_or_default(), item.id].iter().any(|name| name.contains("_HARMONIZED"))
}

/// ESA's own file in the archive that Earth Search's JP2 assets point to.
fn is_untouched(asset: &Asset) -> bool {
    asset.href.contains("sentinel-s2-l2a/tiles/")
}

/// Without a baseline, the offset that every band declares: only where declared offsets are known to be true.
fn declared(item: &Item<'_>, provider: Provider) -> Option<i32> {
    if provider != Provider::EarthSearchC1 {
        return None;
    }
    let mut offsets = declared_offsets(item);
    let first = offsets.next()?.filter(|offset| matches!(*offset, SHIFT | 0))?;
    offsets.all(|offset| offset == Some(first)).then_some(first)
}
