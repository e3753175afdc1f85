//! How a band of an image is named in plans: `ee://projects/earthengine-public/assets/COPERNICUS/S2_SR/<index>/B4`.

use std::fmt;

const SCHEME: &str = "ee://";
/// The project that public collections are in.
const PUBLIC: &str = "projects/earthengine-public/assets/";

/// One band of an image.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// The image's full name, `projects/…/assets/…`.
    pub asset: String,
    /// The band's id.
    pub band: String,
}

impl Place {
    /// The place that an href names; none where it is none.
    #[must_use]
    pub fn parse(href: &str) -> Option<Self> {
        let (asset, band) = href.strip_prefix(SCHEME)?.rsplit_once('/')?;
        let is_name = |part: &str| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
        };
        let ok = asset.starts_with("projects/") && asset.split('/').all(is_name) && is_name(band);
        ok.then(|| Self { asset: asset.to_owned(), band: band.to_owned() })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}/{}", self.asset, self.band)
    }
}

/// The full name of a collection or an image: public ones may be named without their project. None where it is no name.
#[must_use]
pub fn asset_of(id: &str) -> Option<String> {
    let id = id.trim_matches('/');
    let name = if id.starts_with("projects/") { id.to_owned() } else { format!("{PUBLIC}{id}") };
    let probe = Place::parse(&format!("{SCHEME}{name}/x"));
    probe.filter(|_| !id.is_empty() && !id.split('/').any(|part| part == "..")).map(|place| place.asset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_its_name() {
        let href = "ee://projects/earthengine-public/assets/COPERNICUS/S2_SR/20230815T095031_20230815T095630_T33TWL/B4";
        let place = Place::parse(href).unwrap();
        assert_eq!((place.to_string().as_str(), place.band.as_str()), (href, "B4"));
        for bad in ["ee://a/b/B4", "ee://projects/a//B4", "https://projects/a/B4", "ee://projects/a/B4?x=1", "ee://"] {
            assert_eq!(Place::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn public_collections_need_no_project() {
        assert_eq!(asset_of("COPERNICUS/S2").unwrap(), "projects/earthengine-public/assets/COPERNICUS/S2");
        assert_eq!(asset_of("projects/mine/assets/x").unwrap(), "projects/mine/assets/x");
        assert!(asset_of("").is_none() && asset_of("COPERNICUS/S2?x").is_none() && asset_of("../S2").is_none());
    }
}
