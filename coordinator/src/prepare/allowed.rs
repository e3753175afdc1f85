//! Whether a request may name what it names: asked before anything of it is touched, and of what its catalogues name
//! before a header is looked at.

use mosaic::href::is_local;
use mosaic::link::{Linkage, LinkedScene, ScoreTemplate};
use mosaic::request::{AoiSource, Request, SceneSource, ScoreSource};
use proto::allow::{Allow, NotAllowed};

use super::PrepareError;
use crate::attachments::is_attachment;
use crate::catalogue::preset;

/// Checks what the fields of a request say and name. Attachments were sent along with it, and are none of anyone else's.
///
/// # Errors
/// Every fault of a field, and every field that names what is not allowed.
pub fn fields(request: &Request, allow: &Allow) -> Result<(), PrepareError> {
    PrepareError::unless_none(request.faults().iter().map(ToString::to_string).collect())?;
    let mut named: Vec<(&str, String)> = Vec::new();
    if let AoiSource::File(path) = &request.aoi {
        named.push(("aoi", path.clone()));
    }
    match &request.scenes {
        SceneSource::Items(path) => named.push(("scenes.items", path.clone())),
        SceneSource::Stac(api) => named.push(("scenes.stac.url", api.url.clone())),
        SceneSource::Preset(name) => named.extend(preset::api(*name).map(|api| ("scenes.preset", api.url))),
        SceneSource::EarthEngine(id) => named.extend(earth_engine(id).map(|at| ("scenes.earth_engine", at))),
    }
    match &request.scores.source {
        ScoreSource::Items(path) => named.push(("scores.items", path.clone())),
        ScoreSource::Stac(api) => named.push(("scores.stac.url", api.url.clone())),
        // One that is none is told of when it is read.
        ScoreSource::Template(text) => {
            let root = ScoreTemplate::parse(text).map(|template| template.root().to_owned());
            named.extend(root.ok().map(|root| ("scores.template", root)));
        }
        ScoreSource::EarthEngine(id) => named.extend(earth_engine(id).map(|at| ("scores.earth_engine", at))),
    }
    named.push(("output", request.output.clone()));
    if is_local(&request.output) {
        // Where its versions are written: that may be a link already.
        named.push(("output", format!("{}/.versions/{}", request.output.trim_end_matches('/'), request.name)));
    }
    let named = named.iter().filter(|(_, href)| !is_attachment(href));
    let refused = named.filter_map(|(field, href)| Some(format!("`{field}`: {}", allow.admit(href).err()?)));
    let mut faults: Vec<String> = refused.collect();
    faults.dedup_by_key(|fault| fault.split(':').next().unwrap_or_default().to_owned());
    PrepareError::unless_none(faults)
}

/// Checks that nobody pays who did not say so: reading what its owner has readers pay for is allowed by
/// `AWS_REQUEST_PAYER`, as GDAL and others have it.
///
/// # Errors
/// Every scene with a requested band that costs; one line for each.
pub fn payments(request: &Request, linkage: &Linkage) -> Result<(), PrepareError> {
    if std::env::var("AWS_REQUEST_PAYER").is_ok_and(|payer| matches!(&*payer, "requester" | "true")) {
        return Ok(());
    }
    let line = |linked: &LinkedScene| {
        let bands = request.bands.iter().filter_map(|band| linked.scene.bands.get(band));
        let asset = bands.into_iter().find(|asset| asset.requester_pays)?;
        let what = "who reads it pays for it: set AWS_REQUEST_PAYER=requester to allow that, or take another archive";
        Some(format!("scene {}: {}: {what}", linked.system_index, asset.href))
    };
    PrepareError::unless_none(linkage.scenes.iter().filter_map(line).collect())
}

/// A collection as an href; one that is none is told of when it is asked for.
fn earth_engine(id: &str) -> Option<String> {
    earth_engine::asset_of(id).map(|asset| format!("ee://{asset}"))
}

/// Checks what the linked scenes of a request are to be read from.
///
/// # Errors
/// Every scene with a raster that is not allowed; one line for each.
pub fn linked(linkage: &Linkage, allow: &Allow) -> Result<(), PrepareError> {
    if allow.is_everything() {
        return Ok(());
    }
    let refused = |scene: &LinkedScene| -> Option<NotAllowed> {
        let bands = scene.scene.bands.values().map(|asset| &asset.href);
        bands.chain([&scene.score.href]).find_map(|href| allow.admit(href).err())
    };
    let line = |scene: &LinkedScene| Some(format!("scene {}: {}", scene.system_index, refused(scene)?));
    PrepareError::unless_none(linkage.scenes.iter().filter_map(line).collect())
}
