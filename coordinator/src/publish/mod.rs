//! Publication: from artifacts to what people open.
//!
//! ```text
//! <output>/<name> ─► .versions/<name>/<n>/     version    written whole, then the name switches
//!     tiles/<tile id>/<BAND>.tif, count.tif               links to the store's files
//!     mosaic.vrt, mosaic-<epsg>.vrt            vrt
//!     collection.json, items/<tile id>.json    stac       where on the globe: footprint
//!     quicklook.png
//!     report.json                              report
//! ```
//!
//! What the files say is a function of a [`Publication`]; only [`publish`] and `version` touch a disk.

mod error;
pub mod footprint;
pub mod report;
pub mod stac;
pub mod version;
pub mod vrt;

use std::path::{Path, PathBuf};

use artifacts::contents::{Contents, FileEntry};
use jiff::Timestamp;
use mosaic::assemble::TileMeta;
use mosaic::plan::{OutputTile, Outputs, QUICKLOOK, SCALE};
use mosaic::projection::Projection;
use mosaic::request::Request;

pub use error::PublishError;
pub use stac::SceneProvenance;

use report::Report;
use version::Version;

/// Name of the report.
const REPORT: &str = "report.json";

/// The artifact of an output tile that was made.
#[derive(Clone, Debug)]
pub struct MadeTile {
    /// Its directory.
    pub dir: PathBuf,
    /// Its files, and what it says of itself.
    pub contents: Contents<TileMeta>,
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
    pub quicklook: Option<PathBuf>,
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
    /// The mosaic's name in the output directory.
    pub at: PathBuf,
    /// The version's own directory, which never changes.
    pub dir: PathBuf,
}

/// Writes a version of a mosaic into an output directory, and makes the mosaic's name mean it.
///
/// # Errors
/// Where the output cannot be written, is full, or has something else of that name; where an artifact has gone.
pub fn publish(publication: &Publication<'_>, output: &Path) -> Result<Published, PublishError> {
    let version = Version::begin(output, &publication.request.name)?;
    let dir = version.dir();
    let published = fill(publication, &version, &dir);
    if published.is_err() {
        // Nothing means it, and where the device is full its room is wanted.
        let _ = std::fs::remove_dir_all(&dir);
    }
    published
}

/// Writes all files of a version, and switches to it.
fn fill(publication: &Publication<'_>, version: &Version, dir: &Path) -> Result<Published, PublishError> {
    for (tile, made) in publication.made() {
        for file in &made.contents.files {
            version::place(&made.dir.join(&file.name), &dir.join("tiles").join(&tile.id).join(&file.name))?;
        }
    }
    let quicklook = match &publication.quicklook {
        Some(picture) => Some(place_picture(picture, dir)?),
        None => None,
    };
    let mut files = vrt_files(publication);
    files.push(NewFile::new(REPORT, json(publication.report)));
    let listed: Vec<&FileEntry> = files.iter().map(|file| &file.entry).chain(&quicklook).collect();
    for (name, document) in stac::documents(publication, &listed)? {
        version::write(&dir.join(name), &json(&document))?;
    }
    for file in &files {
        version::write(&dir.join(&file.entry.name), &file.bytes)?;
    }
    let at = version.switch()?;
    Ok(Published { version: version.number(), at, dir: dir.to_owned() })
}

fn place_picture(picture: &Path, dir: &Path) -> Result<FileEntry, PublishError> {
    version::place(picture, &dir.join(QUICKLOOK))?;
    Ok(FileEntry::of(dir, QUICKLOOK)?)
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
