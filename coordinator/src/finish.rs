//! From a job whose tasks have all ended to its publication.

use std::time::Duration;

use artifacts::{ArtifactStore, Folder, Kind, StoreError, at_once};
use jiff::Timestamp;
use mosaic::grid::Window;
use mosaic::ids::Key;
use mosaic::plan::{Plan, QUICKLOOK, Task, TaskKind};

use crate::job::Job;
use crate::publish::report::{Failure, Observations, Report, State as ReportState, TaskCounts};
use crate::publish::{MadeTile, Picture, Publication, PublishError, SceneProvenance, publish as write_version};
use crate::table::{JobTable, State};

/// How a job's tasks went.
pub struct Run {
    tasks: TaskCounts,
    failed: Vec<Failure>,
    /// For each output tile the key of its artifact, where it was made.
    tiles: Vec<Option<Key>>,
    quicklook: Option<Key>,
    bytes_read: u64,
    elapsed: Duration,
}

impl Run {
    /// Reads the table of a job whose tasks have ended.
    #[must_use]
    pub fn of(job: &Job, table: &JobTable, elapsed: Duration) -> Self {
        let mut run = Self {
            tasks: TaskCounts::default(),
            failed: Vec::new(),
            tiles: Vec::new(),
            quicklook: None,
            bytes_read: table.progress().cost.bytes_read,
            elapsed,
        };
        for (task, state) in table.tasks() {
            run.count(job, table, task, state);
        }
        run
    }

    fn count(&mut self, job: &Job, table: &JobTable, task: &Task, state: &State) {
        let done = match state {
            State::Done { cost } => {
                if cost.is_some() {
                    self.tasks.done += 1;
                } else {
                    self.tasks.reused += 1;
                }
                true
            }
            State::Failed(failure) => {
                self.tasks.failed += 1;
                let (tile, window) = place(job.plan(), task);
                let (scene, reason) = (failure.scene.clone(), failure.reason.clone());
                self.failed.push(Failure { task: task.id.to_string(), tile, window, scene, reason });
                false
            }
            _ => false,
        };
        let key = || done.then(|| job.artifact(task, |input| job.is_missing(table, input)).1);
        match task.kind {
            TaskKind::Mosaic { .. } => self.tiles.push(key()),
            TaskKind::Quicklook => self.quicklook = key(),
            _ => {}
        }
    }
}

/// Where a task's pixels lie: its tile, and the window there.
fn place(plan: &Plan, task: &Task) -> (Option<String>, Option<Window>) {
    match task.kind {
        TaskKind::Partial { shard, subtile, .. } | TaskKind::Composite { shard, subtile } => {
            let shard = &plan.shards[shard];
            (Some(shard.tile.to_string()), Some(shard.subtiles[subtile].at.window))
        }
        TaskKind::Mosaic { output } => {
            let tile = &plan.outputs.tiles[output];
            (Some(tile.id.clone()), Some(tile.grid.window()))
        }
        TaskKind::Quicklook => (None, None),
    }
}

/// Publishes what a job has made, as the version of this number: where the mosaic is, and its report.
///
/// # Errors
/// Where the output cannot be written, or an artifact has gone.
pub fn publish(
    job: &Job,
    run: &Run,
    store: &ArtifactStore,
    output: &Folder,
    number: u64,
) -> Result<(String, Report), PublishError> {
    let prepared = &job.prepared;
    let outputs = &prepared.plan.outputs;
    let tiles = made_tiles(store, &run.tiles)?;
    let report = report(job, run, &tiles);
    let quicklook = run.quicklook.as_ref().map(|key| picture(store, key)).transpose()?;
    let publication = Publication {
        request: &prepared.request,
        outputs,
        tiles,
        quicklook,
        scenes: prepared.linkage.scenes.iter().map(SceneProvenance::from).collect(),
        projection: prepared.projection.as_deref(),
        report: &report,
        now: Timestamp::now(),
        software: env!("CARGO_PKG_VERSION"),
    };
    let published = write_version(&publication, output, number)?;
    Ok((published.at, report))
}

fn made_tiles(store: &ArtifactStore, keys: &[Option<Key>]) -> Result<Vec<Option<MadeTile>>, PublishError> {
    let made = |key: &Option<Key>| key.as_ref().map(|key| made(store, key)).transpose();
    if store.is_remote() { at_once(keys, made).into_iter().collect() } else { keys.iter().map(made).collect() }
}

fn made(store: &ArtifactStore, key: &Key) -> Result<MadeTile, PublishError> {
    let contents = store.contents(Kind::Mosaic, key)?;
    Ok(MadeTile { folder: store.folder(Kind::Mosaic, key), contents })
}

fn picture(store: &ArtifactStore, key: &Key) -> Result<Picture, PublishError> {
    let files = store.contents::<()>(Kind::Quicklook, key)?.files;
    let none = || StoreError::Missing(store.called(Kind::Quicklook, key).join(QUICKLOOK).display().to_string());
    let entry = files.into_iter().find(|file| file.name == QUICKLOOK).ok_or_else(none)?;
    Ok(Picture { folder: store.folder(Kind::Quicklook, key), entry })
}

fn report(job: &Job, run: &Run, tiles: &[Option<MadeTile>]) -> Report {
    let histograms = tiles.iter().flatten().map(|made| &made.contents.meta.observations);
    let linked = Report::of_linkage(&job.prepared.request.name, &job.prepared.linkage);
    let state = if run.failed.is_empty() { ReportState::Complete } else { ReportState::Incomplete };
    Report {
        state,
        tasks: run.tasks,
        observations: Observations::of(histograms),
        bytes_read: run.bytes_read,
        seconds: (run.elapsed.as_secs_f64() * 1000.0).round() / 1000.0,
        failed: run.failed.clone(),
        ..linked
    }
}
