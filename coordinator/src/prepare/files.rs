//! Files as they are when the plan is made: their versions are part of every key.

use std::fs;
use std::os::unix::fs::MetadataExt;

use mosaic::href::{is_local, unsigned, with_profile};
use mosaic::link::LinkedScene;
use mosaic::plan::{SceneInput, SourceFile};
use mosaic::request::Request;
use mosaic::scene::Asset;
use mosaic::survey::Survey;
use serde_json::Value;

/// A linked scene as the worker reads it. Its slice is found when the plan is built.
pub fn input(linked: &LinkedScene, request: &Request, survey: &dyn Survey) -> SceneInput {
    let mut bands = request.bands.clone();
    bands.sort_unstable();
    let scene = &linked.scene;
    let hrefs = scene.bands.values().map(|asset| &asset.href).chain([&linked.score.href]);
    hrefs.filter(|href| unsigned(href) != href.as_str()).for_each(|href| survey.signed(href));
    SceneInput {
        id: scene.id.clone(),
        system_index: linked.system_index.clone(),
        datatake: scene.datatake(),
        offset: scene.offset,
        bands: bands.iter().filter_map(|band| scene.bands.get(band)).map(|found| asset(found, request)).collect(),
        score: file(&linked.score.href, linked.score.version.as_deref(), None, request.profiles.scores.as_deref()),
        score_made: linked.score.properties.iter().map(|(name, value)| (name.clone(), text(value))).collect(),
        slice: 0,
    }
}

/// A property as text, whether it comes from a catalogue or from a file's tags.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn asset(asset: &Asset, request: &Request) -> SourceFile {
    file(&asset.href, asset.checksum.as_deref(), asset.size, request.profiles.scenes.as_deref())
}

/// A file's version: the checksum that the catalogue gives, else size and time of modification.
fn file(href: &str, checksum: Option<&str>, size: Option<u64>, profile: Option<&str>) -> SourceFile {
    let found = if is_local(href) { fs::metadata(href).ok() } else { None };
    let told = found.as_ref().map(|m| format!("{}:{}.{:09}", m.size(), m.mtime(), m.mtime_nsec()));
    let version = checksum.map(str::to_owned).or(told).unwrap_or_else(|| {
        if is_local(href) { "missing".to_owned() } else { size.map_or_else(|| "unknown".into(), |s| s.to_string()) }
    });
    // A signature names no other file, and is no one else's to read in the plan.
    let bare = unsigned(href);
    let href = if is_local(href) { bare.into_owned() } else { with_profile(&bare, profile) };
    SourceFile { href, version, size: found.map(|m| m.size()).or(size) }
}

/// What the system says of a file, without its number.
pub fn plain(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        std::io::ErrorKind::PermissionDenied => "it may not be read".to_owned(),
        std::io::ErrorKind::IsADirectory => "it is a directory, not a file".to_owned(),
        std::io::ErrorKind::InvalidData => "it is not text".to_owned(),
        _ => error.to_string(),
    }
}
