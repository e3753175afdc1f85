//! Scores found by listing the directories of a path template.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use mosaic::ids::TileId;
use mosaic::link::{ScoreRef, ScoreTable, ScoreTemplate};
use mosaic::scene::{IndexClue, Scene};
use proto::allow::Allow;

use super::fault::{CatalogueError, Fault};

/// Lists the scores of these scenes' tiles: every directory that the template names for them is listed once, however
/// many scenes it serves. A directory below the template's fixed part that is missing holds no score.
///
/// # Errors
/// Where its fixed directory does not exist, or one cannot be read.
pub(super) fn scores_from_template(
    template: &ScoreTemplate,
    scenes: &[Scene],
    allow: &Allow,
) -> Result<ScoreTable, CatalogueError> {
    let root = template.root();
    if !root.is_empty() && !Path::new(root).is_dir() {
        return Err(Fault::NoScoreDirectory(root.trim_end_matches('/').to_owned()).into());
    }
    let tiles: BTreeSet<TileId> = scenes.iter().map(|scene| scene.tile).collect();
    let directories = directories(template, scenes);
    let outside: Vec<Fault> =
        directories.iter().filter_map(|dir| allow.admit(dir).err()).map(Fault::NotAllowed).collect();
    CatalogueError::unless_none(outside)?;
    let mut listing = Listing { template, tiles, table: ScoreTable::default() };
    let faults: Vec<Fault> = directories.iter().filter_map(|dir| listing.list(dir).err()).collect();
    CatalogueError::unless_none(faults).map(|()| listing.table)
}

/// The directories to list, each once.
pub(super) fn directories<'a>(
    template: &ScoreTemplate,
    scenes: impl IntoIterator<Item = &'a Scene>,
) -> BTreeSet<String> {
    let of_scene = |scene: &Scene| match &scene.index {
        IndexClue::Start { start, tolerance_s } => template.directories(scene.tile, *start, *tolerance_s),
        IndexClue::Exact(_) => BTreeSet::from([template.directory(scene.tile, scene.sensing_start)]),
    };
    scenes.into_iter().flat_map(of_scene).collect()
}

struct Listing<'a> {
    template: &'a ScoreTemplate,
    tiles: BTreeSet<TileId>,
    table: ScoreTable,
}

impl Listing<'_> {
    fn list(&mut self, directory: &str) -> Result<(), Fault> {
        let path = PathBuf::from(if directory.is_empty() { "." } else { directory });
        let fault = |source| Fault::Io { path: path.clone(), source };
        let entries = match std::fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(source) if matches!(source.kind(), ErrorKind::NotFound) => return Ok(()),
            Err(source) => return Err(fault(source)),
        };
        for entry in entries {
            let entry = entry.map_err(fault)?;
            self.add(directory, &entry);
        }
        Ok(())
    }

    fn add(&mut self, directory: &str, entry: &std::fs::DirEntry) {
        let Some((index, href, deeper)) =
            entry.file_name().to_str().and_then(|name| self.template.parse_entry(directory, name))
        else {
            return;
        };
        let ours = index.parts().is_some_and(|parts| self.tiles.contains(&parts.tile));
        // A listing tells what is a plain file; only what lies deeper, or behind a symbolic link, is asked for.
        let plain = !deeper && entry.file_type().is_ok_and(|kind| kind.is_file());
        if ours && (plain || Path::new(&href).is_file()) {
            self.table.insert(index, ScoreRef::at(href));
        }
    }
}
