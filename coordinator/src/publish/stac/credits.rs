//! Whom a mosaic is owed to, and on what terms.

use serde_json::{Value, json};

use super::provenance::Sources;

const COPERNICUS_TERMS: &str = "https://sentinels.copernicus.eu/documents/247904/690755/Sentinel_Data_Legal_Notice";
const CC_BY: &str = "https://creativecommons.org/licenses/by/4.0/";
const SCORE_PAGE: &str =
    "https://developers.google.com/earth-engine/datasets/catalog/GOOGLE_CLOUD_SCORE_PLUS_V1_S2_HARMONIZED";
const PASQUARELLA: &str = "Pasquarella, V. J., Brown, C. F., Czerwinski, W., & Rucklidge, W. J. (2023). Comprehensive \
    Quality Assessment of Optical Satellite Imagery Using Weakly Supervised Video Learning. In Proceedings of the \
    IEEE/CVF Conference on Computer Vision and Pattern Recognition Workshops (pp. 2124-2134).";

/// STAC 1.0's word where several licences apply; the links say which.
pub(super) const LICENSE: &str = "various";

/// One sentence for maps and papers.
pub(super) fn attribution(sources: &Sources<'_>) -> String {
    let years = sources.years();
    let copernicus = format!("Contains modified Copernicus Sentinel data {years}");
    if sources.stand_in() {
        return format!("{}; cloud masks from a stand-in for Cloud Score+.", copernicus.trim_end());
    }
    format!("{}; cloud masks from Cloud Score+ (Pasquarella et al., 2023; CC-BY-4.0).", copernicus.trim_end())
}

/// The works to be cited.
pub(super) fn publications(sources: &Sources<'_>) -> Option<Value> {
    (!sources.stand_in()).then(|| json!([{"citation": PASQUARELLA}]))
}

/// Links to the licences, and to the score's own page.
pub(super) fn links(sources: &Sources<'_>) -> Vec<Value> {
    let link = |rel, href, title| json!({"rel": rel, "href": href, "type": "text/html", "title": title});
    let mut links = vec![json!({
        "rel": "license",
        "href": COPERNICUS_TERMS,
        "title": "Legal notice on the use of Copernicus Sentinel data",
    })];
    if !sources.stand_in() {
        links.push(link("license", CC_BY, "CC-BY-4.0 (Cloud Score+)"));
        links.push(link("about", SCORE_PAGE, "Cloud Score+ S2_HARMONIZED V1"));
    }
    links
}

/// Those who made the sources.
pub(super) fn providers(sources: &Sources<'_>) -> Vec<Value> {
    let mut providers = vec![json!({
        "name": "European Union, ESA and the Copernicus programme",
        "description": "Sentinel-2 surface reflectance",
        "roles": ["producer", "licensor"],
        "url": "https://dataspace.copernicus.eu/",
    })];
    if !sources.stand_in() {
        providers.push(json!({
            "name": "Google",
            "description": "Cloud Score+ S2_HARMONIZED V1",
            "roles": ["producer", "licensor"],
            "url": SCORE_PAGE,
        }));
    }
    providers
}
