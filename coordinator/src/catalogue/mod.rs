//! Reading catalogues, wherever they are: what may be wrong with files and servers ends here, what may be wrong with
//! items in `mosaic`.
//!
//! - [`scenes`]: of a request's source: files, static catalogues on web servers, STAC APIs;
//! - [`scores`]: from items in the same way, or by listing the directories that a path template names, each once;
//! - [`scores_from_afar`]: by a template on another machine;
//! - [`absolute_items`]: a catalogue as one ItemCollection, to be read elsewhere.

mod afar;
mod archives;
mod earth_engine;
mod fault;
mod gather;
mod listing;
pub mod preset;
mod scores;
mod source;
mod stac_api;
mod walk;

use mosaic::href::Base;
use mosaic::link::{ScoreTable, ScoreTemplate};
use mosaic::request::{SceneSource, ScoreBand, ScoreSource};
use mosaic::scene::Scene;
use serde_json::Value;

pub use afar::{Afar, scores_from_afar};
pub use archives::Archives;
use archives::wait;
pub use fault::{CatalogueError, Fault};
pub use gather::absolute_items;
use source::Source;
pub use source::Wanted;

/// Reads the scenes of a source. One that can be asked is asked for what is wanted; it may give more all the same.
///
/// A file that the source itself names is the caller's to allow; what it links to is asked for.
///
/// # Errors
/// All faults of all files, answers and items at once, each one line that names its file or server, and its item.
pub fn scenes(source: &SceneSource, wanted: &Wanted, archives: &Archives) -> Result<Vec<Scene>, CatalogueError> {
    let (mut scenes, mut faults) = (Vec::new(), Vec::new());
    let mut visit =
        |file: &str, item: &Value, faults: &mut Vec<Fault>| match Scene::from_item(item, &Base::of_file(file)) {
            Ok(mut scene) => {
                wanted.keep_of(&mut scene);
                scenes.push(scene);
            }
            Err(fault) => faults.push(Fault::Item { file: file.to_owned(), fault }),
        };
    wait(Source::of_scenes(source).each_item(wanted, archives, &mut faults, &mut visit))?;
    CatalogueError::unless_none(faults).map(|()| scenes)
}

/// Reads the scores of a source: all that it lists for what is wanted, or for these scenes where it is a template.
///
/// # Errors
/// All faults at once, as for scenes.
pub fn scores(
    source: &ScoreSource,
    band: ScoreBand,
    wanted: &Wanted,
    scenes: &[Scene],
    archives: &Archives,
) -> Result<ScoreTable, CatalogueError> {
    let source = match source {
        ScoreSource::Template(text) => {
            let template = ScoreTemplate::parse(text).map_err(Fault::Template)?;
            return listing::scores_from_template(&template, scenes, archives.allow());
        }
        ScoreSource::Items(at) => Source::Items(at.clone()),
        ScoreSource::Stac(api) => Source::Stac(api.clone()),
        ScoreSource::EarthEngine(collection) => Source::EarthEngine(collection.clone()),
    };
    scores::scores_from_items(&source, band.name(), wanted, archives)
}
