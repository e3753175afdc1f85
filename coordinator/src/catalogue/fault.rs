//! What may be wrong with a catalogue.

use std::fmt;
use std::io;
use std::path::PathBuf;

use mosaic::link::BadTemplate;
use mosaic::scene::ItemFault;
use proto::allow::NotAllowed;
use web::WebError;

use crate::prepare::plain;

/// One thing wrong with a catalogue or with a source of scores; its text is one line.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// A file is not there.
    #[error("{}: there is no such file", .0.display())]
    Missing(PathBuf),
    /// A file or directory cannot be read.
    #[error("{}: {}", .path.display(), plain(.source))]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file is not JSON.
    #[error("{file}: not JSON: {source}")]
    Json {
        /// The file.
        file: String,
        /// What is wrong, with line and column.
        source: serde_json::Error,
    },
    /// A file is JSON, but no STAC.
    #[error("{file}: not STAC: expected `type` to be FeatureCollection, Feature, Catalog or Collection, found {found}")]
    NotStac {
        /// The file.
        file: String,
        /// What its `type` is.
        found: String,
    },
    /// A catalogue in an object store.
    #[error("{0}: catalogues are read from files and by https: write its https URL")]
    NotWeb(String),
    /// A web server does not give what is asked for.
    #[error(transparent)]
    Web(WebError),
    /// A STAC API does not do what a search needs.
    #[error("{url}: {what}")]
    Api {
        /// What was asked.
        url: String,
        /// What is wrong with the answer.
        what: String,
    },
    /// Earth Engine does not answer, or not as is wanted.
    #[error(transparent)]
    EarthEngine(earth_engine::Error),
    /// An item is no scene.
    #[error("{file}: {fault}")]
    Item {
        /// The file that holds the item, or who gave it.
        file: String,
        /// What is wrong.
        fault: ItemFault,
    },
    /// An item is no score.
    #[error("{file}: item {item}: {what}")]
    Score {
        /// The file that holds the item, or who gave it.
        file: String,
        /// The item's id.
        item: String,
        /// What is wrong.
        what: ScoreFault,
    },
    /// No item at all has a raster of the band: one line for all of them.
    #[error("none of the {items} items has an asset `{band}`: the first has {has}")]
    NoBand {
        /// How many there are.
        items: usize,
        /// The band.
        band: String,
        /// The assets of the first.
        has: String,
    },
    /// The template is none.
    #[error(transparent)]
    Template(BadTemplate),
    /// The template's fixed directory is not there: a typing error more likely than an empty archive.
    #[error("{0}: there is no such directory")]
    NoScoreDirectory(String),
    /// It leads to what the operator does not allow.
    #[error(transparent)]
    NotAllowed(NotAllowed),
    /// Another machine does not tell which scores there are: one line of its own.
    #[error("{0}")]
    Afar(String),
    /// Scores cannot be listed, and a scene does not tell what its own is called.
    #[error(
        "{template}: a web server cannot be listed, and scene {scene} does not tell the name of its score: \
         name an object store or a directory, or use `items`"
    )]
    NotNamed {
        /// Where the scores are.
        template: String,
        /// The item's id.
        scene: String,
    },
}

/// Why an item is no score.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScoreFault {
    /// It has no key.
    #[error("no system:index: expected a property of that name, or an id like 20230815T095031_20230815T095630_T33TWL")]
    NoIndex,
    /// It has no raster of the band.
    #[error("no score raster: expected an asset `{0}`, or only one with data")]
    NoAsset(String),
    /// Another item has the same key and another raster.
    #[error("{index} has two scores: {first} and {second}")]
    Twice {
        /// The key.
        index: String,
        /// The raster found first.
        first: String,
        /// The other.
        second: String,
    },
}

/// All faults of a catalogue.
#[derive(Debug)]
pub struct CatalogueError {
    faults: Vec<Fault>,
}

impl CatalogueError {
    /// Every fault, in the order of reading; at least one.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    pub(super) fn unless_none(faults: Vec<Fault>) -> Result<(), Self> {
        if faults.is_empty() { Ok(()) } else { Err(Self { faults }) }
    }
}

impl From<Fault> for CatalogueError {
    fn from(fault: Fault) -> Self {
        Self { faults: vec![fault] }
    }
}

impl fmt::Display for CatalogueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, fault) in self.faults.iter().enumerate() {
            write!(f, "{}{fault}", if i > 0 { "\n" } else { "" })?;
        }
        Ok(())
    }
}

impl std::error::Error for CatalogueError {}
