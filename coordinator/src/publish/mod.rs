//! Publication: from artifacts to what people open.
//!
//! ```text
//! <output>/<name> ─► .versions/<name>/<n>/     version    written whole, then the name switches
//!     tiles/<tile id>/<BAND>.tif, count.tif               links to the store's files, or copies
//!     mosaic.vrt, mosaic-<epsg>.vrt            vrt
//!     collection.json, items/<tile id>.json    stac       where on the globe: footprint
//!     quicklook.png
//!     snapshot/                                snapshot   what it came from
//!     report.json                              report     written last: a version that has it is whole
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
pub mod snapshot;
pub mod stac;
pub mod verify;
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
use snapshot::{LIST, Origin, VersionList, VersionMeta};
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
    pub scenes: &'a [SceneProvenance],
    /// Projection of the output's CRS, where that is no UTM zone on WGS 84.
    pub projection: Option<&'a dyn Projection>,
    /// What became of the request.
    pub report: &'a Report,
    /// What it came from.
    pub origin: Origin<'a>,
    /// The version that the name means until then.
    pub predecessor: Option<u64>,
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

/// What a version says of itself among others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbered {
    /// Its number.
    pub number: u64,
    /// The version that the name meant before.
    pub predecessor: Option<u64>,
    /// Where the latest version is, seen from this one, where that is a place of its own.
    pub latest: Option<String>,
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
        Self { entry: FileEntry::of_bytes(name, &bytes), bytes }
    }

    /// Writes it: what was written.
    fn write(&self, to: &Folder) -> Result<FileEntry, PublishError> {
        to.write(&self.entry.name, &self.bytes).map_err(PublishError::output)?;
        Ok(self.entry.clone())
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
    let (folder, predecessor) = (version.folder(), publication.predecessor);
    let numbered = Numbered { number: version.number(), predecessor, latest: version.latest() };
    let (tasks, pieces): (Vec<_>, Vec<_>) = pieces(publication).into_iter().unzip();
    unless_lost(tasks.into_iter().zip(folder.place_all(&pieces)))?;
    let mut listed: Vec<FileEntry> =
        pieces.into_iter().map(|Piece { name, listed, .. }| FileEntry { name, ..listed }).collect();
    let report = NewFile::new(REPORT, json(&numbered_report(publication, &numbered)));
    let vrts = vrt_files(publication);
    let picture = listed.iter().find(|file| file.name == QUICKLOOK).cloned();
    let beside: Vec<&FileEntry> = vrts.iter().chain([&report]).map(|file| &file.entry).chain(&picture).collect();
    let documents = stac::documents(publication, &numbered, &beside)?.into_iter();
    let documents: Vec<NewFile> = documents.map(|(name, document)| NewFile::new(&name, json(&document))).collect();
    let made: Vec<_> = publication.made().collect();
    for files in [documents, vrts] {
        listed.extend(each(folder.all(&files, |file| file.write(&folder)))?);
    }
    listed.extend(each(folder.all(&made, |(tile, made)| snapshot::write_output(&folder, &tile.id, made)))?);
    listed.extend(publication.origin.write(&folder)?);
    listed.push(report.entry.clone());
    let list = list(publication, &numbered, listed);
    let text = list.text(&folder.called(LIST)).map_err(PublishError::output)?;
    folder.write(LIST, &text).map_err(PublishError::output)?;
    report.write(&folder)?;
    let at = version.switch()?;
    version.tell();
    Ok(Published { version: version.number(), at })
}

fn each<T>(written: Vec<Result<T, PublishError>>) -> Result<Vec<T>, PublishError> {
    written.into_iter().collect()
}

/// The report with what a version says of itself.
fn numbered_report(publication: &Publication<'_>, numbered: &Numbered) -> Report {
    let (version, published) = (Some(numbered.number), Some(publication.now));
    Report { version, published, predecessor: numbered.predecessor, ..publication.report.clone() }
}

/// The list of a version's files.
fn list(publication: &Publication<'_>, numbered: &Numbered, files: Vec<FileEntry>) -> VersionList {
    let key = |(tile, made): (&OutputTile, &MadeTile)| Some((tile.id.clone(), made.contents.key.parse().ok()?));
    let name = &publication.request.name;
    let meta = VersionMeta {
        mosaic: name.clone(),
        version: numbered.number,
        predecessor: numbered.predecessor,
        published: publication.now,
        state: publication.report.state,
        outputs: publication.made().filter_map(key).collect(),
    };
    Contents::listing(&snapshot::key_of(name, numbered.number), files, meta)
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
