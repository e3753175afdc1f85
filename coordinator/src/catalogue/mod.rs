//! Reading catalogues from disk: what may be wrong with files ends here, what may be wrong with items in `mosaic`.
//!
//! - [`read_catalogue`]: scenes, from a STAC ItemCollection, an item, or a static catalogue;
//! - [`absolute_items`]: a catalogue as one ItemCollection, to be read elsewhere;
//! - [`scores_from_items`]: scores, from a STAC ItemCollection or static catalogue of theirs;
//! - [`scores_from_template`]: scores, by listing the directories that a path template names, each once.

mod fault;
mod gather;
mod listing;
mod scores;
mod walk;

use std::path::Path;

use mosaic::href::Base;
use mosaic::scene::Scene;
use proto::allow::Allow;

pub use fault::{CatalogueError, Fault};
pub use gather::absolute_items;
pub use listing::scores_from_template;
pub use scores::scores_from_items;

/// Reads every scene of a catalogue: a STAC ItemCollection, a single item, or a static catalogue whose child and
/// item links are followed, each file once. The file itself is the caller's to allow; what it links to is asked for.
///
/// # Errors
/// All faults of all files and items at once, each one line that names its file and item.
pub fn read_catalogue(path: &Path, allow: &Allow) -> Result<Vec<Scene>, CatalogueError> {
    let (mut scenes, mut faults) = (Vec::new(), Vec::new());
    walk::each_item(path, allow, &mut faults, |file, item, faults| {
        match Scene::from_item(item, &Base::of_file(&file.to_string_lossy())) {
            Ok(scene) => scenes.push(scene),
            Err(fault) => faults.push(Fault::Item { file: file.to_owned(), fault }),
        }
    });
    CatalogueError::unless_none(faults).map(|()| scenes)
}
