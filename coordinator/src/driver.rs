//! The driver: holds the table and the jobs, and does what their transitions ask for.
//!
//! The table decides, under one lock and without IO; what follows (waking workers that wait, telling those that watch,
//! publishing) happens after the lock is given back.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

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
use crate::state::{self, Record, Role, StateError};
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
    /// The request could not be noted down.
    #[error(transparent)]
    State(#[from] StateError),
    /// The program's own fault.
    #[error("{0}")]
    Internal(String),
}

/// A coordinator that does not lead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("another coordinator leads")]
pub struct NotLeader {
    /// Where that one is, if there is one.
    pub leader: Option<String>,
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
    /// What must not be forgotten.
    pub state: Arc<dyn state::Store>,
    /// Whether this coordinator leads.
    pub role: watch::Receiver<Role>,
}

/// A job that is known.
struct Running {
    record: Record,
    /// Its plan; none where it had ended before this coordinator led.
    job: Option<Arc<Job>>,
    started: Instant,
    /// Whether its end is being dealt with.
    is_ending: bool,
    progress: watch::Sender<JobProgress>,
}

impl Running {
    fn new(record: Record, job: Option<Arc<Job>>) -> Self {
        let state = record.ended.as_ref().map_or(JobState::Running, state::Ended::state);
        let (job_id, name) = (record.job.clone(), record.request.name.clone());
        let is_ending = record.ended.is_some();
        let progress = watch::Sender::new(JobProgress { job: job_id, name, state, tasks: vec![], bytes_read: 0 });
        Self { record, job, started: Instant::now(), is_ending, progress }
    }
}

#[derive(Default)]
struct Inner {
    table: Table,
    jobs: HashMap<String, Running>,
    /// Whether this coordinator leads, and has loaded what it must know for that.
    is_leading: bool,
    /// Nothing is granted before: workers tell first what they are at.
    grants_from: Duration,
}

/// How often leases and back-offs are looked at.
const TICK: Duration = Duration::from_millis(250);
/// How long a new leader waits for workers to tell what they are at.
const ADOPTION: Duration = Duration::from_secs(2);
/// Between two attempts to read or write what must not be forgotten.
const PAUSE: Duration = Duration::from_millis(500);

/// The coordinator's heart.
pub struct Driver {
    components: Components,
    inner: Mutex<Inner>,
    /// Woken when a task may have become ready.
    ready: Notify,
    epoch: Instant,
}

impl Driver {
    /// A driver that goes on with what there is to do, where it leads. It ticks, and changes its role, while it lives.
    pub async fn start(components: Components) -> Arc<Self> {
        let mut role = components.role.clone();
        let driver = Arc::new(Self {
            components,
            inner: Mutex::new(Inner::default()),
            ready: Notify::new(),
            epoch: Instant::now(),
        });
        tokio::spawn(tick_on(Arc::downgrade(&driver)));
        // Whoever is alone leads before it is first asked.
        driver.assume(&mut role).await;
        tokio::spawn(change_roles(Arc::downgrade(&driver), role));
        driver
    }

    /// Does what the role asks for that has been told last.
    async fn assume(self: &Arc<Self>, role: &mut watch::Receiver<Role>) {
        let now = role.borrow_and_update().clone();
        match now {
            Role::Leader => self.take_over(role).await,
            Role::Follower { .. } => self.step_down(),
        }
    }

    /// Loads what there is to do, and goes on with it, unless the role changes meanwhile.
    async fn take_over(self: &Arc<Self>, role: &mut watch::Receiver<Role>) {
        let records = loop {
            match self.components.state.load().await {
                Ok(records) => break records,
                Err(error) => tracing::error!(%error, "what there is to do cannot be loaded"),
            }
            tokio::time::sleep(PAUSE).await;
            if role.has_changed().unwrap_or(false) {
                return;
            }
        };
        let mut inner = Inner { is_leading: true, ..Inner::default() };
        for record in records {
            let (running, table) = self.go_on_with(record).await;
            let id = running.record.job.clone();
            if let Some(table) = table {
                inner.table.insert(id.clone(), table);
            }
            inner.jobs.insert(id, running);
        }
        inner.grants_from = if inner.table.is_empty() { Duration::ZERO } else { self.now() + ADOPTION };
        if role.has_changed().unwrap_or(false) {
            return;
        }
        let ids: Vec<String> = inner.jobs.keys().cloned().collect();
        *self.lock() = inner;
        ids.iter().for_each(|id| self.follow(id));
    }

    /// A job that another leader began, planned again unless it has ended.
    async fn go_on_with(self: &Arc<Self>, record: Record) -> (Running, Option<JobTable>) {
        if record.ended.is_some() {
            return (Running::new(record, None), None);
        }
        let (driver, request) = (Arc::clone(self), record.request.clone());
        let planned = tokio::task::spawn_blocking(move || driver.plan(request)).await;
        match planned.unwrap_or_else(|panic| Err(SubmitError::Internal(panic.to_string()))) {
            Ok((job, table)) => (Running::new(record, Some(Arc::new(job))), Some(table)),
            // What was good when it was submitted is not any more: that is told, not hidden.
            Err(error) => {
                let failed = state::Ended::Failed { error: error.to_string(), internal: false };
                (Running::new(Record { ended: Some(failed), ..record }, None), None)
            }
        }
    }

    /// Forgets everything: another one leads. Those that watch look for it.
    fn step_down(&self) {
        *self.lock() = Inner::default();
        self.ready.notify_waiters();
    }

    /// Whether this coordinator leads.
    ///
    /// # Errors
    /// Where it does not: who does.
    pub fn leads(&self) -> Result<(), NotLeader> {
        if self.lock().is_leading {
            return Ok(());
        }
        let role = self.components.role.borrow().clone();
        Err(NotLeader { leader: if let Role::Follower { leader } = role { leader } else { None } })
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
                _ => running.record.request.clone(),
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
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let submitted = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        let record = Record { job: id.clone(), request: request.clone(), submitted, ended: None };
        let driver = Arc::clone(self);
        let planned = tokio::task::spawn_blocking(move || driver.plan(request));
        let (job, table) = planned.await.map_err(|e| SubmitError::Internal(e.to_string()))??;
        // Acknowledged is only what would survive this coordinator.
        self.components.state.put(&record).await?;
        {
            let mut inner = self.lock();
            if !inner.is_leading {
                return Err(StateError::NotLeader.into());
            }
            inner.table.insert(id.clone(), table);
            inner.jobs.insert(id.clone(), Running::new(record, Some(Arc::new(job))));
        }
        self.follow(&id);
        Ok(id)
    }

    fn plan(&self, request: Request) -> Result<(Job, JobTable), SubmitError> {
        let Components { store, survey, settings, .. } = &self.components;
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
        jobs.sort_by_key(|running| std::cmp::Reverse(running.record.submitted));
        jobs.into_iter().map(|running| running.progress.borrow().clone()).collect()
    }

    /// Stops a job, and waits until that is noted down; whether there was one to stop.
    pub async fn cancel(self: &Arc<Self>, id: &str) -> bool {
        let cancelled = self.lock().table.cancel(id);
        self.follow(id);
        if let Some(mut progress) = self.progress(id).filter(|_| cancelled) {
            let _ = progress.wait_for(|progress| progress.state.is_final()).await;
        }
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
        if self.now() < inner.grants_from {
            return Vec::new();
        }
        let grants = inner.table.lease(worker, slots, self.now());
        let leases: Vec<Lease> = grants
            .into_iter()
            .filter_map(|grant| {
                let table = inner.table.job(&grant.job)?;
                let (task, _) = table.task(grant.task)?;
                let spec = inner.jobs.get(&grant.job)?.job.as_ref()?.spec(table, task);
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
                let job = inner.jobs.get(&lease.job).and_then(|running| running.job.clone()).ok_or(Unknown)?;
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

    /// Does what the state of a job asks for: wakes those that wait for tasks, tells those that watch, ends it.
    fn follow(self: &Arc<Self>, id: &str) {
        self.ready.notify_waiters();
        let mut inner = self.lock();
        Self::tell(&inner, id);
        let Inner { table, jobs, .. } = &mut *inner;
        let (Some(table), Some(running)) = (table.job(id), jobs.get_mut(id)) else { return };
        let Some(ended) = table.ended().cloned() else { return };
        if std::mem::replace(&mut running.is_ending, true) {
            return;
        }
        tokio::spawn(Arc::clone(self).end(id.to_owned(), ended));
    }

    /// Publishes, where there is something to publish; notes down how the job ended, and tells.
    async fn end(self: Arc<Self>, id: String, ended: Ended) {
        let state = match ended {
            Ended::Settled => {
                self.tell_state(&id, &JobState::Publishing);
                let (driver, job) = (Arc::clone(&self), id.clone());
                let published = tokio::task::spawn_blocking(move || driver.publish(&job)).await;
                let Ok(Some(state)) = published else { return };
                state
            }
            Ended::Fatal(failure) => JobState::Failed { error: failure.reason, internal: false },
            Ended::Cancelled => JobState::Cancelled,
        };
        let record = self.lock().jobs.get(&id).map(|running| running.record.clone());
        let Some(mut record) = record else { return };
        record.ended = state::Ended::of(&state);
        while let Err(error) = self.components.state.put(&record).await {
            tracing::warn!(%error, job = %id, "its end cannot be noted down");
            if matches!(error, StateError::NotLeader) || self.leads().is_err() {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
        if let Some(running) = self.lock().jobs.get_mut(&id) {
            running.record = record;
        }
        self.tell_state(&id, &state);
    }

    fn tell_state(&self, id: &str, state: &JobState) {
        if let Some(running) = self.lock().jobs.get(id) {
            running.progress.send_modify(|progress| progress.state = state.clone());
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

    fn publish(&self, id: &str) -> Option<JobState> {
        let (job, run) = self.run_of(id)?;
        Some(match finish::publish(&job, &run, &self.components.store) {
            Ok((at, report)) => JobState::Published {
                complete: report.failed.is_empty(),
                at: at.display().to_string(),
                report: serde_json::to_string(&report).unwrap_or_default(),
            },
            Err(error) => {
                let internal = matches!(error, PublishError::Artifact(_) | PublishError::Projection(_));
                JobState::Failed { error: error.to_string(), internal }
            }
        })
    }

    /// What publication needs to know of how a job went.
    fn run_of(&self, id: &str) -> Option<(Arc<Job>, Run)> {
        let inner = self.lock();
        let (running, table) = (inner.jobs.get(id)?, inner.table.job(id)?);
        let job = running.job.clone()?;
        let run = Run::of(&job, table, running.started.elapsed());
        Some((job, run))
    }
}

/// Lets time pass for as long as the driver lives.
async fn tick_on(driver: Weak<Driver>) {
    let mut timer = tokio::time::interval(TICK);
    loop {
        timer.tick().await;
        let Some(driver) = driver.upgrade() else { return };
        driver.tick();
    }
}

/// Changes the driver's role with what the election tells, for as long as there is one.
async fn change_roles(driver: Weak<Driver>, mut role: watch::Receiver<Role>) {
    while role.changed().await.is_ok() {
        let Some(driver) = driver.upgrade() else { return };
        driver.assume(&mut role).await;
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
