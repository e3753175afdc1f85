//! Leaving out scenes that cannot be read, where a request says `on_unreadable: skip`.
//!
//! ```text
//! tasks fail at scenes ─► what holds these is set aside with them ─► the rest is done ─► planned again without them,
//!    ▲                                                                                    recorded, gone on with
//!    └────────────────────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! The plan is made of what the one before was made of, less these scenes: it is the plan of a catalogue that never had
//! them, so that everything which does not hold them stays done. Its key in the job's record is all that another leader
//! must know. An archive that gives nothing any more is not its scenes' fault: then none is left out, and the job fails.

use std::collections::BTreeMap;
use std::sync::Arc;

use mosaic::href::of_profile;
use mosaic::ids::{SystemIndex, TileId};
use mosaic::plan::{SceneInput, TaskKind};
use mosaic::request::OnUnreadable;
use mosaic::survey::Survey;
use proto::job::JobState;
use tracing::info_span;

use super::{Driver, PAUSE, SubmitError};
use crate::job::Job;
use crate::publish::report::Unreadable;
use crate::table::{Changes, JobTable, Saved};

/// So many other scenes are asked whether their archive gives anything at all.
const WITNESSES: usize = 8;

/// What comes of a job whose tasks have all ended.
pub(super) enum Settled {
    /// It is to be published.
    Whole,
    /// It goes on without scenes that could not be read; or it is no more this coordinator's.
    GoesOn,
    /// A part of this plan of its is lost.
    PlanLost(Arc<Job>),
    /// It cannot go on.
    Ended(JobState),
}

impl Driver {
    /// Plans a job again without the scenes that its tasks failed at, where it may do without, and goes on with it.
    pub(super) async fn leave_out(self: &Arc<Self>, id: &str) -> Settled {
        let Some((job, unreadable)) = self.unreadable(id).filter(|(_, unreadable)| !unreadable.is_empty()) else {
            return Settled::Whole;
        };
        let (without, table) = loop {
            match self.plan_without(id, &job, unreadable.clone()).await {
                Ok(planned) => break planned,
                Err(SubmitError::Store(error)) if error.is_lost() => return Settled::PlanLost(job),
                Err(error) if error.is_away() => tracing::warn!(%error, job = id, "it cannot be planned again yet"),
                Err(error) => {
                    return Settled::Ended(JobState::failed(&error, matches!(error, SubmitError::Internal(_))));
                }
            }
            tokio::time::sleep(PAUSE).await;
            if self.leads().is_err() {
                return Settled::GoesOn;
            }
        };
        for Unreadable { scene, reason, .. } in &unreadable {
            tracing::info!(job = id, %scene, reason, "a scene that cannot be read is left out");
        }
        self.replace(id, &job, without, table).await;
        Settled::GoesOn
    }

    /// The scenes that tasks of a job failed at, where it may do without.
    fn unreadable(&self, id: &str) -> Option<(Arc<Job>, Vec<Unreadable>)> {
        let inner = self.lock();
        let (job, table) = (inner.jobs.get(id)?.job.clone()?, inner.table.job(id)?);
        let skips = job.request.on_unreadable == OnUnreadable::Skip;
        let unreadable = if skips { unreadable(&job, table) } else { Vec::new() };
        Some((job, unreadable))
    }

    async fn plan_without(
        self: &Arc<Self>,
        id: &str,
        job: &Arc<Job>,
        unreadable: Vec<Unreadable>,
    ) -> Result<(Job, JobTable), SubmitError> {
        let span = info_span!("plan");
        let cost = {
            let inner = self.lock();
            inner.jobs.get(id).inspect(|running| running.record.contain(&span));
            inner.table.job(id).map(|table| table.progress().cost).unwrap_or_default()
        };
        let (driver, job) = (Arc::clone(self), Arc::clone(job));
        let plan = move || {
            let (store, survey) = (&driver.components.store, driver.components.survey.as_ref());
            archive_answers(&job.scenes(store)?, &unreadable, survey)?;
            let (job, made) = job.without(unreadable, store, survey)?;
            let mut table = driver.table(&job, &Saved { cost, ..made.clone() });
            // What is there is news to whoever leads next.
            table.put_back(Changes { places: made.places.into_keys().collect(), cost: true, ..Changes::default() });
            Ok((job, table))
        };
        let planned = tokio::task::spawn_blocking(move || span.in_scope(plan)).await;
        planned.unwrap_or_else(|panic| Err(SubmitError::Internal(panic.to_string())))
    }
}

/// The scenes that tasks failed at, each once, with what the first of these tasks says of it.
fn unreadable(job: &Job, table: &JobTable) -> Vec<Unreadable> {
    let tile = |task: u32| match table.layout().kind(task)? {
        TaskKind::Partial { shard, .. } | TaskKind::Composite { shard, .. } => {
            Some(job.planned.plan().tiles[shard].tile)
        }
        TaskKind::Mosaic { .. } | TaskKind::Quicklook => None,
    };
    let mut found: BTreeMap<SystemIndex, Unreadable> = BTreeMap::new();
    for (task, why) in table.failures() {
        let (Some(scene), Some(tile)) = (why.failure.scene.clone().map(SystemIndex), tile(*task)) else { continue };
        let reason = why.failure.reason.clone();
        found.entry(scene.clone()).or_insert(Unreadable { scene, tile, reason });
    }
    found.into_values().collect()
}

/// Where a file lies, as far as it shares that with others of its archive: the server, or the bucket there.
fn archive_of(href: &str) -> &str {
    let href = of_profile(href).0;
    match href.split_once("://") {
        Some((scheme, rest)) => &href[..scheme.len() + 3 + rest.find('/').unwrap_or(rest.len())],
        None => "",
    }
}

/// Rasters of one kind in one archive: bands, or scores.
type Shelf = (String, bool);

/// The rasters of a scene, each with its shelf.
fn rasters(scene: &SceneInput) -> impl Iterator<Item = (Shelf, &str)> {
    let bands = scene.bands.iter().map(|file| (file, false));
    bands.chain([(&scene.score, true)]).map(|(file, is_score)| {
        let href = file.href.as_str();
        ((archive_of(href).to_owned(), is_score), href)
    })
}

/// Fails where nothing can be had any more of what unreadable scenes are read from: of a few other scenes there, not one.
fn archive_answers(
    scenes: &BTreeMap<TileId, Vec<SceneInput>>,
    unreadable: &[Unreadable],
    survey: &dyn Survey,
) -> Result<(), SubmitError> {
    let is_at_fault = |scene: &&SceneInput| unreadable.iter().any(|it| it.scene == scene.system_index);
    let (at_fault, others): (Vec<_>, Vec<_>) = scenes.values().flatten().partition(is_at_fault);
    let mut shelves: BTreeMap<Shelf, Vec<&str>> = BTreeMap::new();
    for (shelf, _) in at_fault.into_iter().flat_map(rasters) {
        shelves.entry(shelf).or_default();
    }
    for (shelf, href) in others.into_iter().flat_map(rasters) {
        shelves.entry(shelf).and_modify(|hrefs| hrefs.push(href));
    }
    for ((archive, _), hrefs) in shelves.iter().filter(|(_, hrefs)| !hrefs.is_empty()) {
        let every = hrefs.len().div_ceil(WITNESSES);
        let witnesses: Vec<String> = hrefs.iter().step_by(every).map(|href| (*href).to_owned()).collect();
        if !survey.any_at_hand(&witnesses) {
            return Err(SubmitError::Nothing(archive_gone(archive, unreadable)));
        }
    }
    Ok(())
}

fn archive_gone(archive: &str, unreadable: &[Unreadable]) -> String {
    let whose = if archive.is_empty() { "the disk" } else { archive };
    let first = unreadable.iter().map(|it| format!("scene {}: {}: ", it.scene, it.reason)).next().unwrap_or_default();
    format!("`on_unreadable`: {first}nor can others be had of {whose}, so that none is left out: submit it again later")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_one_server_or_bucket_are_of_one_archive() {
        assert_eq!(archive_of("https://host:1/a/b.tif"), "https://host:1");
        assert_eq!(archive_of("s3://bucket/a.jp2"), "s3://bucket");
        assert_eq!(archive_of("/data/a.tif"), archive_of("/elsewhere/b.tif"));
    }
}
