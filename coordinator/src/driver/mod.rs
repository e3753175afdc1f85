//! The driver: holds the table and the jobs, and does what their transitions ask for.
//!
//! The table decides, under one lock and without IO; what follows (waking workers that wait, telling those that watch,
//! publishing) happens after the lock is given back.
//!
//! ```text
//! submit ─► plan ─► table ◄─► dispatch (lease, renew, report) ◄─► workers
//!                     │
//! lead (loads, or     ├─► note (notes down how far jobs are, then acknowledges)
//!   forgets it all)    ├─► mend (makes a plan again that is lost)
//!                      └─► end (tells, publishes, notes down how they ended)
//! schedules ─► unplanned ─► plan ─► table
//!     └─► hooks (tells how runs ended)
//! ```

mod dispatch;
mod end;
mod error;
mod hooks;
mod lead;
mod mend;
mod note;
mod permits;
mod publish;
mod request;
mod schedules;
mod submit;
mod unplanned;
mod unreadable;
mod versions;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use artifacts::{Access, ArtifactStore};
use earth_engine::Budgets;
use mosaic::survey::Survey;
use proto::allow::Allow;
use proto::job::{JobProgress, JobState};
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::Instant;
use tracing::info_span;

use crate::job::Job;
use crate::metrics::{Figures, Metrics, REMEMBERED};
use crate::state::{self, Record, Role};
use crate::table::{Expired, JobTable, Permits, Rules, Settings, Table};
use crate::trace::TaskContexts;

use schedules::Scheduled;

pub use error::{NoJob, NotLeader, ReadError, RetryError, SubmitError};
pub use schedules::ScheduleRefused;

/// What the driver needs of the world.
#[derive(Clone)]
pub struct Components {
    /// Where artifacts are.
    pub store: ArtifactStore,
    /// How to get at where mosaics are published.
    pub access: Access,
    /// Headers and projections.
    pub survey: Arc<dyn Survey>,
    /// What requests may name.
    pub allow: Allow,
    /// How patient the table is.
    pub settings: Settings,
    /// How budgets of requests are shared out among processes.
    pub rules: Rules,
    /// This process's own shares of them, for listing.
    pub budgets: Arc<Budgets>,
    /// What must not be forgotten.
    pub state: Arc<dyn state::Store>,
    /// Whether this coordinator leads.
    pub role: watch::Receiver<Role>,
    /// About how many tasks of a mosaic are recorded in its trace.
    pub traced_tasks: u32,
}

/// A job that is known.
struct Running {
    record: Record,
    /// Its plan; none where it had ended before this coordinator led.
    job: Option<Arc<Job>>,
    started: Instant,
    /// What its leases carry, where it is part of a trace.
    contexts: Option<TaskContexts>,
    /// When this coordinator saw it end.
    ended: Option<Instant>,
    /// Whether its end is being dealt with.
    is_ending: bool,
    /// Whether its plan is being made again, and how often that was lost.
    is_mending: bool,
    plan_losses: u32,
    progress: watch::Sender<JobProgress>,
}

impl Running {
    fn new(record: Record, job: Option<Arc<Job>>) -> Self {
        let state = match &record.ended {
            None => JobState::Running,
            Some(ended) => ended.clone().into(),
        };
        let (job_id, name) = (record.job.clone(), record.name().to_owned());
        let is_ending = record.ended.is_some();
        let priority = record.priority;
        let progress = JobProgress { job: job_id, name, state, priority, tasks: vec![], bytes_read: 0 };
        let progress = watch::Sender::new(progress);
        let (contexts, ended, started) = (None, is_ending.then(Instant::now), Instant::now());
        Self { record, job, started, contexts, ended, is_ending, is_mending: false, plan_losses: 0, progress }
    }

    /// The same, its tasks recorded in its trace, or about `most` of them.
    fn traced(mut self, table: &JobTable, most: u32) -> Self {
        let all = table.progress().total();
        let contexts = |trace| TaskContexts::of(trace, all.total - all.reused, most);
        self.contexts = self.record.trace.as_ref().and_then(contexts);
        self
    }

    /// Tells of a task whose worker was not heard of any more: the worker will not.
    fn tell_expired(&self, Expired { task, worker, epoch }: &Expired) {
        let planned = self.job.as_ref().map(|job| &job.planned);
        let Some(task) = planned.and_then(|planned| Some(planned.id(planned.layout().kind(*task)?))) else { return };
        let (status, why) = ("ERROR", "its lease expired");
        let span = info_span!("lease", %task, worker, epoch, otel.status_code = status, otel.status_description = why);
        self.record.contain(&span);
        span.in_scope(|| tracing::warn!(%task, worker, "a lease expired"));
    }
}

#[derive(Default)]
struct Inner {
    table: Table,
    jobs: HashMap<String, Running>,
    /// Those that wait until what they reported is noted down.
    waiting: Vec<oneshot::Sender<()>>,
    schedules: BTreeMap<String, Scheduled>,
    /// In which term they were loaded.
    term: u64,
    /// Whether this coordinator leads, and has loaded what it must know for that.
    is_leading: bool,
    /// Nothing is granted before: workers tell first what they are at.
    grants_from: Duration,
}

impl Inner {
    /// A job that runs with this plan: another may have led meanwhile, and this one again.
    fn running(&mut self, id: &str, job: &Arc<Job>) -> Option<&mut Running> {
        let is_its = |running: &&mut Running| running.job.as_ref().is_some_and(|its| Arc::ptr_eq(its, job));
        self.jobs.get_mut(id).filter(is_its)
    }
}

/// How often leases and back-offs are looked at.
const TICK: Duration = Duration::from_millis(250);

/// Between two attempts to read or write what must not be forgotten.
const PAUSE: Duration = Duration::from_millis(500);

/// The coordinator's heart.
pub struct Driver {
    components: Components,
    inner: Mutex<Inner>,
    permits: Mutex<Permits>,
    /// Held by whoever writes the record of a job that is known.
    records: tokio::sync::Mutex<()>,
    /// Held by whoever decides on a schedule, and writes it.
    scheduling: tokio::sync::Mutex<()>,
    /// Wakes one of those that wait for tasks, when there is one to be had.
    ready: Notify,
    /// Woken when there is something to note down.
    to_note: Arc<Notify>,
    epoch: Instant,
    /// What is counted besides.
    pub(crate) metrics: Metrics,
}

impl Driver {
    /// A driver that goes on with what there is to do, where it leads. It ticks, and changes its role, while it lives.
    pub async fn start(components: Components) -> Arc<Self> {
        let mut role = components.role.clone();
        let permits = Mutex::new(Permits::beginning(components.rules, Duration::ZERO));
        let driver = Arc::new(Self {
            components,
            permits,
            inner: Mutex::new(Inner::default()),
            records: tokio::sync::Mutex::new(()),
            scheduling: tokio::sync::Mutex::new(()),
            ready: Notify::new(),
            to_note: Arc::new(Notify::new()),
            epoch: Instant::now(),
            metrics: Metrics::default(),
        });
        tokio::spawn(tick_on(Arc::downgrade(&driver)));
        tokio::spawn(note::note_on(Arc::downgrade(&driver), Arc::clone(&driver.to_note)));
        tokio::spawn(schedules::fire_on(Arc::downgrade(&driver)));
        // Whoever is alone leads before it is first asked.
        driver.assume(&mut role).await;
        tokio::spawn(lead::change_roles(Arc::downgrade(&driver), role));
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

    /// What requests may name.
    #[must_use]
    pub const fn allow(&self) -> &Allow {
        &self.components.allow
    }

    /// A job's progress, to be watched.
    #[must_use]
    pub fn progress(&self, id: &str) -> Option<watch::Receiver<JobProgress>> {
        let inner = self.lock();
        // Those that watch are told now and then; whoever asks is told what is.
        Self::tell(&inner, id);
        inner.jobs.get(id).map(|running| running.progress.subscribe())
    }

    /// Every job's progress, that of the newest first.
    #[must_use]
    pub fn all(&self) -> Vec<JobProgress> {
        let inner = self.lock();
        inner.jobs.keys().for_each(|id| Self::tell(&inner, id));
        let mut jobs: Vec<&Running> = inner.jobs.values().collect();
        jobs.sort_by_key(|running| std::cmp::Reverse(running.record.submitted));
        jobs.into_iter().map(|running| running.progress.borrow().clone()).collect()
    }

    /// How each job fares, for those that measure.
    pub(crate) fn figures(&self) -> Vec<Figures> {
        let inner = self.lock();
        let figures = |(id, table): (&str, &JobTable)| {
            let running = inner.jobs.get(id)?;
            let is_old = running.ended.is_some_and(|ended| ended.elapsed() > REMEMBERED);
            (!is_old).then(|| Figures {
                mosaic: running.record.name().to_owned(),
                job: id.to_owned(),
                is_ended: running.ended.is_some(),
                progress: table.progress().clone(),
            })
        };
        inner.table.jobs().filter_map(figures).collect()
    }

    fn tick(self: &Arc<Self>) {
        self.claim_own();
        let ids: Vec<String> = {
            let mut inner = self.lock();
            for (job, expired) in inner.table.tick(self.now()) {
                inner.jobs.get(&job).inspect(|running| running.tell_expired(&expired));
            }
            let running = inner.jobs.iter().filter(|(_, running)| !running.is_ending);
            running.map(|(id, _)| id.clone()).collect()
        };
        ids.iter().for_each(|id| self.follow(id));
        for id in &ids {
            Self::tell(&self.lock(), id);
        }
        self.to_note.notify_one();
        self.wake();
    }

    /// Wakes one of those that wait for tasks, where there is one to be had. Whoever gets one wakes the next.
    fn wake(&self) {
        let (inner, now) = (self.lock(), self.now());
        if now >= inner.grants_from && inner.table.has_work(now) {
            self.ready.notify_one();
        }
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
