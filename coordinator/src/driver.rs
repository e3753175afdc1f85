//! The driver: holds the table and the jobs, and does what their transitions ask for.
//!
//! The table decides, under one lock and without IO; what follows (waking workers that wait, telling those that watch,
//! publishing) happens after the lock is given back.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use artifacts::{ArtifactStore, StoreError};
use mosaic::ids::Key;
use mosaic::request::Request;
use mosaic::survey::Survey;
use proto::job::{JobProgress, JobState, TaskCounts};
use proto::work::{Lease, LeaseRef, Outcome};
use tokio::sync::{Notify, watch};

use crate::attachments::{AttachmentError, Attachments};
use crate::finish::{self, Run};
use crate::job::Job;
use crate::prepare::{PrepareError, Prepared, prepare};
use crate::publish::{PublishError, version};
use crate::table::{Ended, JobTable, Settings, Table, Unknown};

/// Why a request was not taken.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The request, or what it names, is at fault.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// The plan could not be stored.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The output cannot be written.
    #[error(transparent)]
    Output(#[from] PublishError),
    /// No scene is linked: there is nothing to make a mosaic of.
    #[error("{0}")]
    Nothing(String),
    /// What was sent along with the request is at fault.
    #[error(transparent)]
    Attachment(#[from] AttachmentError),
    /// The program's own fault.
    #[error("{0}")]
    Internal(String),
}

/// Why a job was not tried again.
#[derive(Debug, thiserror::Error)]
pub enum RetryError {
    /// There is no such job.
    #[error(transparent)]
    NoJob(#[from] NoJob),
    /// There is nothing to do again.
    #[error("{0}")]
    Nothing(&'static str),
    /// Its request was not taken any more.
    #[error(transparent)]
    Submit(#[from] SubmitError),
}

/// A job that is not known.
#[derive(Debug, thiserror::Error)]
#[error("there is no job `{0}`")]
pub struct NoJob(pub String);

/// What the driver needs of the world.
#[derive(Clone)]
pub struct Components {
    /// Where artifacts are.
    pub store: ArtifactStore,
    /// Headers and projections.
    pub survey: Arc<dyn Survey>,
    /// How patient the table is.
    pub settings: Settings,
}

struct Running {
    job: Arc<Job>,
    started: Instant,
    progress: watch::Sender<JobProgress>,
}

#[derive(Default)]
struct Inner {
    table: Table,
    jobs: HashMap<String, Running>,
}

/// The coordinator's heart.
pub struct Driver {
    components: Components,
    inner: Mutex<Inner>,
    /// Woken when a task may have become ready.
    ready: Notify,
    epoch: Instant,
}

impl Driver {
    /// A driver without jobs. Its clock ticks while it lives.
    #[must_use]
    pub fn start(components: Components) -> Arc<Self> {
        let driver = Arc::new(Self {
            components,
            inner: Mutex::new(Inner::default()),
            ready: Notify::new(),
            epoch: Instant::now(),
        });
        let ticking = Arc::downgrade(&driver);
        tokio::spawn(async move {
            let mut timer = tokio::time::interval(Duration::from_millis(250));
            loop {
                timer.tick().await;
                let Some(driver) = ticking.upgrade() else { break };
                driver.tick();
            }
        });
        driver
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    /// Where artifacts are.
    #[must_use]
    pub fn store(&self) -> &ArtifactStore {
        &self.components.store
    }

    /// Plans a request and starts it. The same name and request give the job that is there, unless it has ended.
    ///
    /// # Errors
    /// Where the request is at fault, or nothing is linked.
    pub async fn submit(
        self: &Arc<Self>,
        mut request: Request,
        attachments: Attachments,
    ) -> Result<String, SubmitError> {
        attachments.place(&mut request, &self.components.store)?;
        self.begin(request).await
    }

    /// Plans the request of a job that failed, or that is incomplete, again. What was done is found in the store; what
    /// has been mended since is read anew.
    ///
    /// # Errors
    /// Where it has not ended, or nothing of it failed; where its request is no longer good.
    pub async fn retry(self: &Arc<Self>, id: &str) -> Result<(), RetryError> {
        let request = {
            let inner = self.lock();
            let running = inner.jobs.get(id).ok_or_else(|| NoJob(id.to_owned()))?;
            match running.progress.borrow().state {
                JobState::Running | JobState::Publishing => return Err(RetryError::Nothing("it has not ended yet")),
                JobState::Published { complete: true, .. } => return Err(RetryError::Nothing("nothing of it failed")),
                _ => running.job.prepared.request.clone(),
            }
        };
        self.begin(request).await?;
        Ok(())
    }

    async fn begin(self: &Arc<Self>, request: Request) -> Result<String, SubmitError> {
        let id = format!("{}-{}", request.name, &Key::of("clearmosaic request", &request).as_str()[..12]);
        if self.progress(&id).is_some_and(|progress| !progress.borrow().state.is_final()) {
            return Ok(id);
        }
        let driver = Arc::clone(self);
        let planned = tokio::task::spawn_blocking(move || driver.plan(request));
        let (job, table) = planned.await.map_err(|e| SubmitError::Internal(e.to_string()))??;
        self.add(id.clone(), job, table);
        Ok(id)
    }

    fn plan(&self, request: Request) -> Result<(Job, JobTable), SubmitError> {
        let Components { store, survey, settings } = &self.components;
        version::check(Path::new(&request.output), &request.name)?;
        let prepared = prepare(request, survey.as_ref())?;
        if prepared.linkage.scenes.is_empty() {
            return Err(SubmitError::Nothing(nothing(&prepared)));
        }
        if prepared.plan.outputs.tiles.is_empty() {
            let why = "no pixel of the mosaic has its centre in the area: look at `aoi` and `grid.resolution`";
            return Err(SubmitError::Nothing(why.to_owned()));
        }
        let job = Job::store(prepared, store)?;
        let table = job.table(store, *settings);
        Ok((job, table))
    }

    fn add(self: &Arc<Self>, id: String, job: Job, table: JobTable) {
        let name = job.prepared.request.name.clone();
        let empty = JobProgress { job: id.clone(), name, state: JobState::Running, tasks: vec![], bytes_read: 0 };
        let running = Running { job: Arc::new(job), started: Instant::now(), progress: watch::Sender::new(empty) };
        {
            let mut inner = self.lock();
            inner.table.insert(id.clone(), table);
            inner.jobs.insert(id.clone(), running);
        }
        self.follow(&id);
    }

    /// A job's progress, to be watched.
    #[must_use]
    pub fn progress(&self, id: &str) -> Option<watch::Receiver<JobProgress>> {
        self.lock().jobs.get(id).map(|running| running.progress.subscribe())
    }

    /// Every job's progress, that of the newest first.
    #[must_use]
    pub fn all(&self) -> Vec<JobProgress> {
        let inner = self.lock();
        let mut jobs: Vec<&Running> = inner.jobs.values().collect();
        jobs.sort_by_key(|running| std::cmp::Reverse(running.started));
        jobs.into_iter().map(|running| running.progress.borrow().clone()).collect()
    }

    /// Stops a job; whether there was one to stop.
    pub fn cancel(self: &Arc<Self>, id: &str) -> bool {
        let cancelled = self.lock().table.cancel(id);
        self.follow(id);
        cancelled
    }

    /// Grants tasks to a worker, waiting for one at most `patience`.
    pub async fn lease(&self, worker: &str, slots: usize, patience: Duration) -> Vec<Lease> {
        let deadline = tokio::time::Instant::now() + patience;
        loop {
            let woken = self.ready.notified();
            let leases = self.grant(worker, slots);
            if !leases.is_empty() || tokio::time::timeout_at(deadline, woken).await.is_err() {
                return leases;
            }
        }
    }

    fn grant(&self, worker: &str, slots: usize) -> Vec<Lease> {
        let mut inner = self.lock();
        let grants = inner.table.lease(worker, slots, self.now());
        let leases: Vec<Lease> = grants
            .into_iter()
            .filter_map(|grant| {
                let table = inner.table.job(&grant.job)?;
                let (task, _) = table.task(grant.task)?;
                let spec = inner.jobs.get(&grant.job)?.job.spec(table, task);
                let lease = LeaseRef { job: grant.job.clone(), task: task.id.clone(), epoch: grant.epoch };
                Some(Lease { grant: lease, ttl: self.components.settings.lease, spec })
            })
            .collect();
        for lease in &leases {
            Self::tell(&inner, &lease.grant.job);
        }
        leases
    }

    /// Renews leases; returns those that are void.
    pub fn renew(&self, worker: &str, leases: &[LeaseRef]) -> Vec<LeaseRef> {
        self.lock().table.renew(worker, leases, self.now())
    }

    /// Records how a task ended.
    ///
    /// # Errors
    /// `Unknown` where the lease is no longer the worker's.
    pub fn report(self: &Arc<Self>, worker: &str, lease: &LeaseRef, outcome: Outcome) -> Result<(), Unknown> {
        {
            let mut inner = self.lock();
            let lost = if let Outcome::InputsLost(keys) = &outcome { keys.clone() } else { Vec::new() };
            inner.table.report(worker, lease, outcome, self.now())?;
            if !lost.is_empty() {
                let job = inner.jobs.get(&lease.job).map(|running| Arc::clone(&running.job)).ok_or(Unknown)?;
                let key_of = |task: &_| Some(job.artifact(task, |_| false).1);
                inner.table.lost(lease, &lost, key_of);
            }
        }
        self.follow(&lease.job);
        Ok(())
    }

    fn tick(self: &Arc<Self>) {
        let ids: Vec<String> = {
            let mut inner = self.lock();
            inner.table.tick(self.now());
            inner.jobs.keys().cloned().collect()
        };
        ids.iter().for_each(|id| self.follow(id));
    }

    /// Does what the state of a job asks for: wakes those that wait for tasks, tells those that watch, publishes.
    fn follow(self: &Arc<Self>, id: &str) {
        self.ready.notify_waiters();
        let inner = self.lock();
        Self::tell(&inner, id);
        let (Some(table), Some(running)) = (inner.table.job(id), inner.jobs.get(id)) else { return };
        let Some(ended) = table.ended().cloned() else { return };
        let begun = running.progress.borrow().state.clone();
        if begun != JobState::Running {
            return;
        }
        match ended {
            Ended::Settled => {
                running.progress.send_modify(|progress| progress.state = JobState::Publishing);
                let (driver, id) = (Arc::clone(self), id.to_owned());
                tokio::task::spawn_blocking(move || driver.publish(&id));
            }
            Ended::Fatal(failure) => running.progress.send_modify(|progress| {
                progress.state = JobState::Failed { error: failure.reason, internal: false };
            }),
            Ended::Cancelled => running.progress.send_modify(|progress| progress.state = JobState::Cancelled),
        }
    }

    fn tell(inner: &Inner, id: &str) {
        let (Some(table), Some(running)) = (inner.table.job(id), inner.jobs.get(id)) else { return };
        let now = table.progress();
        let counts = now.kinds.iter().filter(|(_, tally)| tally.total > 0).map(|(kind, tally)| TaskCounts {
            kind: (*kind).to_owned(),
            total: tally.total,
            done: tally.done,
            reused: tally.reused,
            failed: tally.failed,
            running: tally.running,
        });
        let counts: Vec<TaskCounts> = counts.collect();
        running.progress.send_if_modified(|progress| {
            let changed = progress.tasks != counts || progress.bytes_read != now.cost.bytes_read;
            progress.tasks = counts;
            progress.bytes_read = now.cost.bytes_read;
            changed
        });
    }

    fn publish(&self, id: &str) {
        let Some((job, run)) = self.run_of(id) else { return };
        let state = match finish::publish(&job, &run, &self.components.store) {
            Ok((at, report)) => JobState::Published {
                complete: report.failed.is_empty(),
                at: at.display().to_string(),
                report: serde_json::to_string(&report).unwrap_or_default(),
            },
            Err(error) => {
                let internal = matches!(error, PublishError::Artifact(_) | PublishError::Projection(_));
                JobState::Failed { error: error.to_string(), internal }
            }
        };
        if let Some(running) = self.lock().jobs.get(id) {
            running.progress.send_modify(|progress| progress.state = state);
        }
    }

    /// What publication needs to know of how a job went.
    fn run_of(&self, id: &str) -> Option<(Arc<Job>, Run)> {
        let inner = self.lock();
        let (running, table) = (inner.jobs.get(id)?, inner.table.job(id)?);
        let run = Run::of(&running.job, table, running.started.elapsed());
        Some((Arc::clone(&running.job), run))
    }
}

/// Why nothing can be made: how many scenes there are, and what becomes of them.
fn nothing(prepared: &Prepared) -> String {
    let linkage = &prepared.linkage;
    if linkage.found() == 0 {
        return "no scene of the catalogue lies in the area and the period: look at `aoi`, `period`, `months` and \
                `filter`, or ask `clearmosaic plan`"
            .to_owned();
    }
    format!(
        "none of the {} scenes found can be used ({} without a score, {} without a requested band): ask \
         `clearmosaic link`",
        linkage.found(),
        linkage.unlinked.len(),
        linkage.unusable.len()
    )
}
