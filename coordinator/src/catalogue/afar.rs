//! Scores by a path template on another machine, each asked for by its name. Where a scene does not tell the name of its
//! score, an object store is listed as a directory is; a web server cannot be. A score is missing where the server says
//! so, and nowhere else: a server that cannot be asked is an error.

use std::collections::BTreeSet;

use mosaic::href::{is_web, of_profile, with_profile};
use mosaic::ids::TileId;
use mosaic::link::{ScoreRef, ScoreTable, ScoreTemplate};
use mosaic::scene::Scene;
use mosaic::survey::Survey;
use proto::allow::Allow;

use super::fault::{CatalogueError, Fault};
use super::listing::directories;

/// Who asks other machines for scores.
#[derive(Clone, Copy)]
pub struct Afar<'a> {
    /// Reaches them.
    pub survey: &'a dyn Survey,
    /// The credential profile that opens scores.
    pub profile: Option<&'a str>,
    /// What may be asked.
    pub allow: &'a Allow,
}

/// The scores of these scenes' tiles, by a template on another machine.
///
/// # Errors
/// Where it may not be asked, or does not answer; where it cannot be listed, and a scene does not tell the name of its
/// score.
pub fn scores_from_afar(
    template: &ScoreTemplate,
    scenes: &[Scene],
    afar: Afar<'_>,
) -> Result<ScoreTable, CatalogueError> {
    let outside = directories(template, scenes);
    let outside = outside.iter().filter_map(|dir| afar.allow.admit(dir).err()).map(Fault::NotAllowed);
    CatalogueError::unless_none(outside.collect())?;
    let (named, nameless): (Vec<_>, Vec<_>) = scenes.iter().partition(|scene| scene.index.exact().is_some());
    let mut table = afar.of_these(named.into_iter().filter_map(|scene| name(template, scene)).collect())?;
    let Some(first) = nameless.first() else { return Ok(table) };
    if is_web(template.root()) {
        return Err(Fault::NotNamed { template: template.root().to_owned(), scene: first.id.clone() }.into());
    }
    for (index, score) in afar.listed(template, &nameless)?.into_scores() {
        table.insert(index, score);
    }
    Ok(table)
}

/// The score that a scene has by its name, with its key.
fn name(template: &ScoreTemplate, scene: &Scene) -> Option<ScoreName> {
    let index = scene.index.exact()?;
    Some((index.clone(), template.href(index)?))
}

/// A score's key, and where it would be.
type ScoreName = (mosaic::ids::SystemIndex, String);

impl Afar<'_> {
    /// Those of the scores that there are.
    fn of_these(&self, asked: BTreeSet<ScoreName>) -> Result<ScoreTable, CatalogueError> {
        let hrefs: Vec<String> = asked.iter().map(|(_, href)| with_profile(href, self.profile)).collect();
        let mut table = ScoreTable::default();
        for ((index, href), is_there) in asked.into_iter().zip(self.survey.exist(&hrefs)) {
            match is_there {
                Ok(true) => drop(table.insert(index, ScoreRef::at(href))),
                Ok(false) => {}
                // The others would say the same.
                Err(why) => return Err(Fault::Afar(why).into()),
            }
        }
        Ok(table)
    }

    /// The scores of these scenes' tiles that directories of an object store hold.
    fn listed(&self, template: &ScoreTemplate, scenes: &[&Scene]) -> Result<ScoreTable, CatalogueError> {
        let tiles: BTreeSet<TileId> = scenes.iter().map(|scene| scene.tile).collect();
        let (mut table, mut deeper) = (ScoreTable::default(), BTreeSet::new());
        for directory in &directories(template, scenes.iter().copied()) {
            let names = self.survey.list(&with_profile(directory, self.profile)).map_err(Fault::Afar)?;
            for (index, href, is_deeper) in names.iter().filter_map(|name| template.parse_entry(directory, name)) {
                let is_ours = index.parts().is_some_and(|parts| tiles.contains(&parts.tile));
                if is_ours && is_deeper {
                    deeper.insert((index, href));
                } else if is_ours {
                    table.insert(index, ScoreRef::at(of_profile(&href).0.to_owned()));
                }
            }
        }
        for (index, score) in self.of_these(deeper)?.into_scores() {
            table.insert(index, score);
        }
        Ok(table)
    }
}
