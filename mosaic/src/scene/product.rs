//! ESA's product names, which say most of what a catalogue may leave out.

use jiff::Timestamp;

use super::baseline::Baseline;
use super::index::stamp;
use crate::ids::TileId;

/// What a product name tells.
///
/// Compact: `S2A_MSIL2A_20230815T095031_N0509_R079_T33TWL_20230815T155057.SAFE`, with some catalogues' item ids
/// leaving parts out. Old: `S2A_OPER_PRD_MSIL1C_PDMC_20160607T155246_R062_V20150627T102531_20150627T102531`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProductName {
    /// `a` of `S2A`.
    pub unit: char,
    /// Start of the datatake; of the sensing (V-time) in the old format.
    pub start: Timestamp,
    /// `N0509`.
    pub baseline: Option<Baseline>,
    /// `R079`.
    pub orbit: Option<u16>,
    /// `T33TWL`.
    pub tile: Option<TileId>,
    /// Whether the name is of the old format.
    pub is_old: bool,
    /// The last time in the name: when this version was made.
    pub made: Option<Timestamp>,
}

impl ProductName {
    /// Reads a name, or the last part of a path to it; `None` where it is no product's.
    pub fn parse(text: &str) -> Option<Self> {
        let name = text.trim_end_matches('/').rsplit('/').next()?;
        let parts: Vec<&str> = name.split('.').next()?.split('_').collect();
        let unit = unit(parts.first()?)?;
        let old = parts.get(2) == Some(&"PRD");
        let (start, rest) = if old {
            (parts.iter().find_map(|part| stamp(part.strip_prefix('V')?))?, &parts[3..])
        } else {
            parts.get(1).filter(|level| level.starts_with("MSIL"))?;
            (stamp(parts.get(2)?)?, &parts[3..])
        };
        let made = rest.iter().rev().find_map(|part| stamp(part)).filter(|_| !old);
        Some(Self {
            unit,
            start,
            baseline: rest.iter().find_map(|part| Baseline::from_product_part(part)),
            orbit: rest.iter().find_map(|part| orbit(part)),
            tile: rest.iter().filter(|part| part.starts_with('T')).find_map(|part| part.parse().ok()),
            is_old: old,
            made,
        })
    }

    /// The name among the parts of a path, as in `.../S2B_MSIL2A_..._T36NYH_20230612T214223.SAFE/GRANULE/...`.
    pub fn in_path(path: &str) -> Option<Self> {
        path.split('/').filter(|part| part.starts_with("S2")).find_map(Self::parse)
    }
}

/// `a` of `S2A`.
pub(super) fn unit(part: &str) -> Option<char> {
    let mut letters = part.strip_prefix("S2")?.chars();
    let unit = letters.next().filter(|c| ('A'..='D').contains(c))?;
    letters.next().is_none().then(|| unit.to_ascii_lowercase())
}

fn orbit(part: &str) -> Option<u16> {
    part.strip_prefix('R').filter(|digits| digits.len() == 3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_compact_name() {
        let name = ProductName::parse("S2A_MSIL2A_20230815T095031_N0509_R079_T33TWL_20230815T155057.SAFE").unwrap();
        assert_eq!(name.unit, 'a');
        assert_eq!(name.start, "2023-08-15T09:50:31Z".parse().unwrap());
        assert_eq!(name.baseline, "05.09".parse().ok());
        assert_eq!(name.orbit, Some(79));
        assert_eq!(name.tile, "33TWL".parse().ok());
        assert_eq!(name.made, "2023-08-15T15:50:57Z".parse().ok());
    }

    #[test]
    fn reads_an_id_without_a_baseline() {
        let name = ProductName::parse("S2A_MSIL2A_20150704T101006_R022_T35XQA_20210411T133707").unwrap();
        assert_eq!(name.baseline, None);
        assert_eq!(name.made, "2021-04-11T13:37:07Z".parse().ok());
    }

    #[test]
    fn reads_an_old_name() {
        let name =
            ProductName::parse("S2A_OPER_PRD_MSIL1C_PDMC_20160607T155246_R062_V20150627T102531_20150627T102531.SAFE")
                .unwrap();
        assert_eq!(name.start, "2015-06-27T10:25:31Z".parse().unwrap());
        assert_eq!((name.orbit, name.made), (Some(62), None));
    }

    #[test]
    fn refuses_other_names() {
        for text in ["S2B_T20EPT_20250731T131905_L2A", "S2A_33TWL_20230815_0_L2A", "LC08_L1TP", "", "S2A"] {
            assert_eq!(ProductName::parse(text), None, "{text}");
        }
    }
}
