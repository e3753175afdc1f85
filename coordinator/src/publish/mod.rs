//! Publication: from artifacts to what people open.
//!
//! ```text
//! <output>/<name> ─► .versions/<name>/<n>/     version    written whole, then the name switches
//!     tiles/<tile id>/<BAND>.tif, count.tif               links to the store's files, or copies
//!     mosaic.vrt, mosaic-<epsg>.vrt            vrt
//!     collection.json, items/<tile id>.json    stac       where on the globe: footprint
//!     quicklook.png
//!     report.json                              report
//! ```
//!
//! What is published is what was made: each file is digested where it comes to lie, or as it passes, and compared with what
//! its artifact lists. Objects that stay within their store are known by their tags, and not read.
//!
//! In an object store the version is `<output>/<name>/<n>/`, and `<output>/<name>/latest.json` says which. What the files
//! say is a function of a [`Publication`]; only [`publish`] and `version` touch a disk or a store.

mod error;
pub mod footprint;
pub mod report;
pub mod stac;
pub mod version;
pub mod vrt;

use artifacts::contents::{Contents, FileEntry};
use artifacts::{Folder, Piece};
use jiff::Timestamp;
use mosaic::assemble::TileMeta;
use mosaic::plan::{OutputTile, Outputs, QUICKLOOK, SCALE, TaskKind};
use mosaic::projection::Projection;
use mosaic::request::Request;

pub use error::{PublishError, unless_lost};
pub use stac::SceneProvenance;

use report::Report;
use version::Version;

/// Name of the report.
const REPORT: &str = "report.json";

/// The artifact of an output tile that was made.
#[derive(Clone, Debug)]
pub struct MadeTile {
    /// Where its files are.
    pub folder: Folder,
    /// Its files, and what it says of itself.
    pub contents: Contents<TileMeta>,
}

/// The picture of a mosaic.
#[derive(Clone, Debug)]
pub struct Picture {
    /// Where it is.
    pub folder: Folder,
    /// Its name there, size and digest.
    pub entry: FileEntry,
    /// The tag that it was put there with, where it is an object.
    pub tag: Option<String>,
}

/// Everything that a publication is made of.
pub struct Publication<'a> {
    /// The request.
    pub request: &'a Request,
    /// The plan's outputs.
    pub outputs: &'a Outputs,
    /// For each of the outputs' tiles, its artifact; none where it could not be made.
    pub tiles: Vec<Option<MadeTile>>,
    /// The picture, where it was made.
    pub quicklook: Option<Picture>,
    /// Every linked scene.
    pub scenes: Vec<SceneProvenance>,
    /// Projection of the output's CRS, where that is no UTM zone on WGS 84.
    pub projection: Option<&'a dyn Projection>,
    /// What became of the request.
    pub report: &'a Report,
    /// When it is published.
    pub now: Timestamp,
    /// This program's version.
    pub software: &'a str,
}

impl<'a> Publication<'a> {
    /// The output tiles that were made.
    pub fn made(&self) -> impl Iterator<Item = (&'a OutputTile, &MadeTile)> {
        self.outputs.tiles.iter().zip(&self.tiles).filter_map(|(tile, made)| Some((tile, made.as_ref()?)))
    }
}

/// A file of a version whose bytes are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFile {
    /// Its name, size and digest.
    pub entry: FileEntry,
    /// Its content.
    pub bytes: Vec<u8>,
}

impl NewFile {
    fn new(name: &str, bytes: Vec<u8>) -> Self {
        let blake3 = blake3::hash(&bytes).to_hex().to_string();
        Self { entry: FileEntry { name: name.to_owned(), size: bytes.len() as u64, blake3 }, bytes }
    }
}

/// A version that its mosaic's name means now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// Its number, from 1.
    pub version: u64,
    /// Where it is: the mosaic's name in the output directory, or the version's URL.
    pub at: String,
}

/// Writes a version of a mosaic where it is published, and makes the mosaic's name mean it. `number` is the version's, or
/// the least that it may be.
///
/// # Errors
/// Where the output cannot be written, is full, or has something else of that name; `Lost` where artifacts have gone, or
/// are not as they were made.
pub fn publish(publication: &Publication<'_>, output: &Folder, number: u64) -> Result<Published, PublishError> {
    let version = Version::begin(output, &publication.request.name, number)?;
    let published = fill(publication, &version);
    if published.is_err() {
        version.abandon();
    }
    published
}

/// Writes all files of a version, its report last, and switches to it.
fn fill(publication: &Publication<'_>, version: &Version) -> Result<Published, PublishError> {
    let folder = version.folder();
    let (tasks, pieces): (Vec<_>, Vec<_>) = pieces(publication).into_iter().unzip();
    unless_lost(tasks.into_iter().zip(folder.place_all(&pieces)))?;
    let mut files = vrt_files(publication);
    files.push(NewFile::new(REPORT, json(publication.report)));
    let picture = publication.quicklook.as_ref().map(|p| FileEntry { name: QUICKLOOK.to_owned(), ..p.entry.clone() });
    let listed: Vec<&FileEntry> = files.iter().map(|file| &file.entry).chain(&picture).collect();
    let documents = stac::documents(publication, &listed)?;
    let documents: Vec<_> = documents.iter().map(|(name, document)| (name.to_string(), json(document))).collect();
    folder.write_all(&documents).map_err(PublishError::output)?;
    for file in &files {
        folder.write(&file.entry.name, &file.bytes).map_err(PublishError::output)?;
    }
    let at = version.switch()?;
    Ok(Published { version: version.number(), at })
}

/// Every file that an artifact has, each with the task that made it.
fn pieces(publication: &Publication<'_>) -> Vec<(TaskKind, Piece)> {
    let mut pieces = Vec::new();
    for (output, (tile, made)) in publication.outputs.tiles.iter().zip(&publication.tiles).enumerate() {
        let Some(MadeTile { folder, contents }) = made else { continue };
        pieces.extend(contents.files.iter().map(|listed| {
            let (name, from) = (format!("tiles/{}/{}", tile.id, listed.name), folder.clone());
            let tag = contents.tags.get(&listed.name).cloned();
            (TaskKind::Mosaic { output }, Piece { name, from, listed: listed.clone(), tag })
        }));
    }
    pieces.extend(publication.quicklook.iter().map(|Picture { folder, entry, tag }| {
        let (name, from) = (QUICKLOOK.to_owned(), folder.clone());
        (TaskKind::Quicklook, Piece { name, from, listed: entry.clone(), tag: tag.clone() })
    }));
    pieces
}

fn vrt_files(publication: &Publication<'_>) -> Vec<NewFile> {
    let tiles: Vec<&OutputTile> = publication.made().map(|(tile, _)| tile).collect();
    let vrts = vrt::vrts(publication.outputs, &tiles).into_iter();
    vrts.map(|vrt| NewFile::new(&vrt.name, vrt.xml.into_bytes())).collect()
}

/// Indented JSON with a closing newline. Nothing that is published has a form that JSON cannot hold.
fn json<T: serde::Serialize>(value: &T) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(value).unwrap_or_default();
    text.push(b'\n');
    text
}
