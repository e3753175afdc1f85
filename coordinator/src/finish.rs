//! From a job whose tasks have all ended to its publication.

use std::collections::BTreeMap;
use std::time::Duration;

use artifacts::{ArtifactStore, Folder, Kind, StoreError, at_once};
use jiff::Timestamp;
use mosaic::grid::Window;
use mosaic::ids::Key;
use mosaic::plan::{Outputs, Planned, QUICKLOOK, TaskKind, parts};
use proto::work::Done;

use crate::changes::{Changes, Today};
use crate::job::Job;
use crate::publish::report::{Failure, Network, Observations, Report, State as ReportState, TaskCounts};
use crate::publish::snapshot::{Origin, Published};
use crate::publish::{
    MadeTile, Picture, Publication, PublishError, SceneProvenance, publish as write_version, unless_lost, version,
};
use crate::table::{JobTable, SetAside, Tally};

/// How a job's tasks went.
pub struct Run {
    tasks: TaskCounts,
    failed: Vec<Failure>,
    /// For each output tile the key of its artifact, where it was made.
    tiles: Vec<Option<Key>>,
    quicklook: Option<Key>,
    bytes_read: u64,
    network: Network,
    elapsed: Duration,
}

impl Run {
    /// Whether nothing failed.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.failed.is_empty()
    }

    const fn state(&self) -> ReportState {
        if self.failed.is_empty() { ReportState::Complete } else { ReportState::Incomplete }
    }

    /// Reads the table of a job whose tasks have ended.
    #[must_use]
    pub fn of(job: &Job, table: &JobTable, elapsed: Duration) -> Self {
        let (progress, layout, planned) = (table.progress(), table.layout(), &job.planned);
        let sum = |of: fn(&Tally) -> u32| progress.kinds.iter().map(|(_, tally)| of(tally) as usize).sum();
        let missing: Vec<u32> = table.failures().keys().copied().collect();
        let is_made = |kind| layout.index(kind).is_some_and(|index| table.state(index).is_made());
        let mosaics = planned.mosaics(&missing).into_iter().enumerate();
        Self {
            tasks: TaskCounts { done: sum(|t| t.done), failed: sum(|t| t.failed), reused: sum(|t| t.reused) },
            failed: table.failures().iter().filter_map(|(index, why)| failure(planned, *index, why)).collect(),
            tiles: mosaics.map(|(output, key)| is_made(TaskKind::Mosaic { output }).then_some(key)).collect(),
            quicklook: is_made(TaskKind::Quicklook).then(|| planned.key(TaskKind::Quicklook, &missing)),
            bytes_read: progress.cost.bytes_read,
            network: network(progress.cost),
            elapsed,
        }
    }
}

const fn network(cost: Done) -> Network {
    Network { requests: cost.requests, bytes: cost.bytes_received, retries: cost.retries }
}

/// What is told of a task that was set aside.
fn failure(planned: &Planned, index: u32, why: &SetAside) -> Option<Failure> {
    let kind = planned.layout().kind(index)?;
    let (tile, window) = place(planned, kind);
    let cause = why.cause.and_then(|cause| planned.layout().kind(cause)).map(|cause| planned.id(cause));
    let reason = cause.map_or_else(|| why.failure.reason.clone(), |id| format!("{id}: {}", why.failure.reason));
    Some(Failure { task: planned.id(kind).to_string(), tile, window, scene: why.failure.scene.clone(), reason })
}

/// Where a task's pixels lie: its tile, and the window there.
fn place(planned: &Planned, kind: TaskKind) -> (Option<String>, Option<Window>) {
    match kind {
        TaskKind::Partial { shard, subtile, .. } | TaskKind::Composite { shard, subtile } => {
            (Some(planned.plan().tiles[shard].tile.to_string()), Some(planned.subtile(shard, subtile).window))
        }
        TaskKind::Mosaic { output } => {
            let tile = &planned.plan().outputs.tiles[output];
            (Some(tile.id.clone()), Some(tile.grid.window()))
        }
        TaskKind::Quicklook => (None, None),
    }
}

/// What a job is compared with: the version that its mosaic's name means.
pub struct Base {
    /// Its number.
    pub version: u64,
    /// What has changed since; none where the version does not tell what it came from.
    pub changes: Option<Changes>,
    /// Whether the version is the mosaic that the job has made, and all of it is there.
    pub is_the_same: bool,
}

impl Base {
    /// Compares a job with what its mosaic's name means; none where that is nothing.
    ///
    /// # Errors
    /// `PlanLost` where the plan is not in the store any more; what a store says.
    pub fn of(job: &Job, run: &Run, store: &ArtifactStore, output: &Folder) -> Result<Option<Self>, PublishError> {
        let (name, lost) = (&job.request.name, Self { version: 0, changes: None, is_the_same: false });
        let version = version::meant(output, name)?;
        if version == 0 {
            return Ok(None);
        }
        let Some(old) = Published::open(version::folder(output, name, version), name, version)? else {
            return Ok(Some(Self { version, ..lost }));
        };
        let scenes = job.snapshot(store).map_err(plan_lost)?;
        let today = Today { request: &job.request, planned: &job.planned, scenes: &scenes, outputs: run.tiles.clone() };
        let shard = |index: usize| {
            let key = &job.planned.plan().tiles[index].shard;
            store.document(parts::SHARD, key).map_err(plan_lost)
        };
        let changes = match Changes::since(&old, &today, shard) {
            Ok(changes) => changes,
            Err(PublishError::Artifact(error)) if error.is_lost() => {
                tracing::warn!(%error, name, version, "the version is not whole, and nothing is compared with it");
                return Ok(Some(Self { version, ..lost }));
            }
            Err(error) => return Err(error),
        };
        let is_the_same = changes.is_nothing() && old.list.meta.state == run.state() && old.is_there()?;
        Ok(Some(Self { version, changes: Some(changes), is_the_same }))
    }
}

fn plan_lost(error: StoreError) -> PublishError {
    if error.is_lost() { PublishError::PlanLost(error) } else { error.into() }
}

/// The report of a job that has changed nothing: what it says is kept in the store, as no version holds it.
///
/// # Errors
/// What the store says.
pub fn unchanged(job: &Job, run: &Run, store: &ArtifactStore, base: Base) -> Result<Key, PublishError> {
    let snapshot = job.snapshot(store).map_err(plan_lost)?;
    let tiles = made_tiles(store, &run.tiles)?;
    let version = Some(base.version);
    let report = Report { version, since: base.changes, ..report(snapshot.report, &snapshot.scenes, run, &tiles) };
    Ok(store.keep_document(REPORT, &report)?)
}

/// What the report of a job that has changed nothing is kept as.
pub const REPORT: &str = "clearmosaic report";

/// Publishes what a job has made, as the version of this number: where the mosaic is, and its report.
///
/// # Errors
/// Where the output cannot be written; `Lost` where artifacts have gone, or are not as they were made.
pub fn publish(
    job: &Job,
    run: &Run,
    store: &ArtifactStore,
    output: &Folder,
    base: Option<&Base>,
    number: u64,
) -> Result<(String, Report), PublishError> {
    let (plan, outputs) = (job.planned.plan(), outputs(&job.planned));
    let snapshot = job.snapshot(store).map_err(plan_lost)?;
    let tiles = made_tiles(store, &run.tiles)?;
    let since = base.and_then(|base| base.changes.clone());
    let report = Report { since, ..report(snapshot.report.clone(), &snapshot.scenes, run, &tiles) };
    let quicklook = run.quicklook.as_ref().map(|key| (TaskKind::Quicklook, picture(store, key)));
    let quicklook = unless_lost(quicklook)?.pop();
    let publication = Publication {
        request: &job.request,
        outputs: &outputs,
        tiles,
        quicklook,
        scenes: &snapshot.scenes,
        projection: job.projection.as_deref(),
        report: &report,
        origin: Origin { request: &job.request, plan, scenes: &snapshot, store },
        predecessor: base.map(|base| base.version),
        now: Timestamp::now(),
        software: env!("CARGO_PKG_VERSION"),
    };
    let published = write_version(&publication, output, number)?;
    Ok((published.at, report))
}

/// The plan's outputs, each output tile with its owners.
fn outputs(planned: &Planned) -> Outputs {
    let plan = planned.plan();
    let mut outputs = plan.outputs.clone();
    for (tile, reads) in outputs.tiles.iter_mut().zip(&plan.reads) {
        tile.owners = reads.iter().map(|taken| plan.tiles[taken.shard as usize].tile).collect();
    }
    outputs
}

fn made_tiles(store: &ArtifactStore, keys: &[Option<Key>]) -> Result<Vec<Option<MadeTile>>, PublishError> {
    let made = |key: &Option<Key>| key.as_ref().map(|key| made(store, key)).transpose();
    let found = if store.is_remote() { at_once(keys, made) } else { keys.iter().map(made).collect() };
    let kinds = (0..keys.len()).map(|output| TaskKind::Mosaic { output });
    unless_lost(kinds.zip(found))
}

fn made(store: &ArtifactStore, key: &Key) -> Result<MadeTile, StoreError> {
    let contents = store.contents(Kind::Mosaic, key)?;
    Ok(MadeTile { folder: store.folder(Kind::Mosaic, key), contents })
}

fn picture(store: &ArtifactStore, key: &Key) -> Result<Picture, StoreError> {
    let contents = store.contents::<()>(Kind::Quicklook, key)?;
    let none = || StoreError::Missing(store.called(Kind::Quicklook, key).join(QUICKLOOK).display().to_string());
    let entry = contents.files.into_iter().find(|file| file.name == QUICKLOOK).ok_or_else(none)?;
    Ok(Picture { folder: store.folder(Kind::Quicklook, key), tag: contents.tags.get(QUICKLOOK).cloned(), entry })
}

/// Takes what is not as it was made out of the store, so that nobody takes it for done: the tasks that are to be done
/// again. The picture is drawn anew wherever a raster is: it may show what was spoilt, or lack what was not there.
///
/// # Errors
/// What the store says.
pub fn take_out(job: &Job, run: &Run, store: &ArtifactStore, lost: &[TaskKind]) -> Result<Vec<u32>, StoreError> {
    let of = |kind: &TaskKind| match *kind {
        TaskKind::Mosaic { output } => run.tiles.get(output)?.as_ref().map(|key| (Kind::Mosaic, key)),
        _ => run.quicklook.as_ref().map(|key| (Kind::Quicklook, key)),
    };
    let again: Vec<TaskKind> = lost.iter().filter(|kind| **kind != TaskKind::Quicklook).copied().collect();
    let again = [&again[..], &[TaskKind::Quicklook]].concat();
    again.iter().filter_map(of).try_for_each(|(shelf, key)| store.discard(shelf, key))?;
    Ok(again.into_iter().filter_map(|kind| job.planned.layout().index(kind)).collect())
}

/// Scenes whose pixels contradict their offset, by baseline: that is what decided on it.
fn warnings(scenes: &[SceneProvenance], tiles: &[Option<MadeTile>]) -> Vec<String> {
    let doubts: BTreeMap<_, _> = tiles.iter().flatten().flat_map(|made| &made.contents.meta.doubts).collect();
    let warned = scenes.iter().filter_map(|scene| Some((scene, doubts.get(&scene.system_index)?)));
    let mut lines: Vec<_> = warned
        .map(|(scene, doubt)| {
            let baseline = scene.baseline.map_or_else(|| "unknown".to_owned(), |baseline| baseline.to_string());
            let line = format!(
                "scene {}, processing baseline {baseline}: {}: compare it with its neighbours in time",
                scene.system_index,
                doubt.told()
            );
            (baseline, line)
        })
        .collect();
    lines.sort();
    lines.into_iter().map(|(_, line)| line).collect()
}

fn report(linked: Report, scenes: &[SceneProvenance], run: &Run, tiles: &[Option<MadeTile>]) -> Report {
    let histograms = tiles.iter().flatten().map(|made| &made.contents.meta.observations);
    Report {
        state: run.state(),
        tasks: run.tasks,
        warnings: warnings(scenes, tiles),
        observations: Observations::of(histograms),
        bytes_read: run.bytes_read,
        network: run.network,
        seconds: (run.elapsed.as_secs_f64() * 1000.0).round() / 1000.0,
        failed: run.failed.clone(),
        ..linked
    }
}
