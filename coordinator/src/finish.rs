//! From a job whose tasks have all ended to its publication.

use std::path::{Path, PathBuf};
use std::time::Duration;

use artifacts::contents::Contents;
use artifacts::{ArtifactStore, Kind};
use jiff::Timestamp;
use mosaic::grid::Window;
use mosaic::ids::Key;
use mosaic::plan::{Plan, QUICKLOOK, Task, TaskKind};

use crate::job::Job;
use crate::publish::report::{Failure, Observations, Report, State as ReportState, TaskCounts};
use crate::publish::{MadeTile, Publication, PublishError, SceneProvenance, publish as write_version};
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

/// Publishes what a job has made: the mosaic's place, and its report.
///
/// # Errors
/// Where the output cannot be written, or an artifact has gone.
pub fn publish(job: &Job, run: &Run, store: &ArtifactStore) -> Result<(PathBuf, Report), PublishError> {
    let prepared = &job.prepared;
    let outputs = &prepared.plan.outputs;
    let tiles = run.tiles.iter().map(|key| made(store, key.as_ref())).collect::<Result<Vec<_>, _>>()?;
    let report = report(job, run, &tiles);
    let quicklook = run.quicklook.as_ref().map(|key| store.path(Kind::Quicklook, key).join(QUICKLOOK));
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
    let published = write_version(&publication, Path::new(&prepared.request.output))?;
    Ok((published.at, report))
}

fn made(store: &ArtifactStore, key: Option<&Key>) -> Result<Option<MadeTile>, PublishError> {
    let Some(key) = key else { return Ok(None) };
    let dir = store.path(Kind::Mosaic, key);
    let contents = Contents::read(&dir, key.as_str())?;
    Ok(Some(MadeTile { dir, contents }))
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
