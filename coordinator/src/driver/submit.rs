//! Taking requests: from what was asked for to a job whose tasks can be had.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use mosaic::request::{OnUnreadable, Request};
use proto::job::{JobState, Priority};
use tracing::info_span;

use super::{Components, Driver, Inner, NoJob, RetryError, Running, SubmitError, request};
use crate::attachments::{self, Attachments};
use crate::catalogue::Archives;
use crate::job::Job;
use crate::prepare::{allowed, link_all, why_nothing};
use crate::publish::version;
use crate::state::{Asked, Record, StateError};
use crate::table::{Changes, JobTable, Saved, Settings};
use crate::trace::Trace;

impl Driver {
    /// Plans a request and starts it. The same name and request give the job that is there, unless it has ended; with
    /// another priority, where one is given.
    ///
    /// # Errors
    /// Where the request is at fault, or nothing is linked.
    pub async fn submit(
        self: &Arc<Self>,
        mut request: Request,
        attachments: Attachments,
        priority: Option<Priority>,
    ) -> Result<String, SubmitError> {
        let store = self.components.store.clone();
        let kept = tokio::task::spawn_blocking(move || attachments.keep(&mut request, &store).map(|()| request));
        let request = kept.await.map_err(|e| SubmitError::Internal(e.to_string()))??;
        self.begin(request, priority).await
    }

    /// Plans the request of a job that failed, or that is incomplete, again. What was done is found in the store; what
    /// has been mended since is read anew.
    ///
    /// # Errors
    /// Where it has not ended, or nothing of it failed; where its request is no longer good.
    pub async fn retry(self: &Arc<Self>, id: &str) -> Result<(), RetryError> {
        let (mut record, job) = {
            let inner = self.lock();
            let running = inner.jobs.get(id).ok_or_else(|| NoJob(id.to_owned()))?;
            match running.progress.borrow().state {
                JobState::Running | JobState::Publishing => return Err(RetryError::Nothing("it has not ended yet")),
                JobState::Published { complete: true, .. } => return Err(RetryError::Nothing("nothing of it failed")),
                _ => (running.record.clone(), running.job.clone()),
            }
        };
        let request = match job {
            Some(job) => job.request.clone(),
            None => self.request_of(&mut record).await?,
        };
        self.begin(request, Some(record.priority)).await?;
        Ok(())
    }

    async fn begin(self: &Arc<Self>, request: Request, priority: Option<Priority>) -> Result<String, SubmitError> {
        let (term, bare) = (self.lock().term, request.unsigned());
        let id = id_of(&bare);
        if self.progress(&id).is_some_and(|progress| !progress.borrow().state.is_final()) {
            self.prefer(&id, priority).await?;
            return Ok(id);
        }
        let mut record = recorded(&bare, priority.unwrap_or_default());
        let refused = |error: &SubmitError| {
            record.told(&JobState::failed(error, false));
        };
        let (job, table) = self.planned(&record, request, true).await.inspect_err(refused)?;
        tracing::info!(job = id, tasks = table.progress().total().total, "a mosaic begins");
        record.plan = Some(job.key.clone());
        // While it was planned another may have led, and have begun it: that one's work is not to be forgotten.
        self.still(term)?;
        // Acknowledged is only what would survive this coordinator.
        self.components.state.forget(&id).await?;
        self.components.state.put(&record).await?;
        {
            let mut inner = self.lock();
            if !inner.is_leading || inner.term != term {
                return Err(StateError::NotLeader.into());
            }
            self.insert(&mut inner, record, job, table);
        }
        self.begun(&id);
        Ok(id)
    }

    /// Fails where this coordinator does not lead in that term any more.
    fn still(&self, term: u64) -> Result<(), StateError> {
        let inner = self.lock();
        if inner.is_leading && inner.term == term { Ok(()) } else { Err(StateError::NotLeader) }
    }

    /// Takes a planned job up: its tasks can be had.
    pub(super) fn insert(&self, inner: &mut Inner, record: Record, job: Job, table: JobTable) {
        let (id, table) = (record.job.clone(), table.with_weight(record.priority.weight()));
        let running = Running::new(record, Some(Arc::new(job)));
        inner.jobs.insert(id.clone(), running.traced(&table, self.components.traced_tasks));
        inner.table.insert(id, table);
    }

    /// Tells those that wait for tasks of a job that was taken up.
    pub(super) fn begun(self: &Arc<Self>, id: &str) {
        self.to_note.notify_one();
        self.wake();
        self.follow(id);
    }

    /// Gives a job that runs another priority.
    async fn prefer(&self, id: &str, priority: Option<Priority>) -> Result<(), SubmitError> {
        // Its end is not to be written over.
        let _alone = self.records.lock().await;
        let running = self.lock().jobs.get(id).filter(|running| !running.is_ending).map(|r| r.record.clone());
        let (Some(record), Some(priority)) = (running, priority) else { return Ok(()) };
        if record.priority == priority {
            return Ok(());
        }
        self.components.state.put(&Record { priority, ..record }).await?;
        let mut inner = self.lock();
        inner.table.weigh(id, priority.weight());
        if let Some(running) = inner.jobs.get_mut(id) {
            running.record.priority = priority;
            running.progress.send_modify(|progress| progress.priority = priority);
        }
        Ok(())
    }

    /// Plans a job's request, and keeps it, as a part of its trace. Of a new one it is checked first that its output can be written.
    pub(super) async fn planned(
        self: &Arc<Self>,
        record: &Record,
        request: Request,
        is_new: bool,
    ) -> Result<(Job, JobTable), SubmitError> {
        let span = info_span!("plan");
        record.contain(&span);
        let driver = Arc::clone(self);
        let plan = move || {
            // Before anything that it names is touched.
            allowed::fields(&request, &driver.components.allow)?;
            if is_new {
                version::check(&request, &driver.components.access)?;
            }
            driver.plan(request)
        };
        let planned = tokio::task::spawn_blocking(move || span.in_scope(plan)).await;
        planned.unwrap_or_else(|panic| Err(SubmitError::Internal(panic.to_string())))
    }

    fn plan(&self, request: Request) -> Result<(Job, JobTable), SubmitError> {
        let Components { store, survey, allow, access, budgets, .. } = &self.components;
        let archives = Archives::behind(allow.clone()).with(access.clone()).within(Arc::clone(budgets));
        let at_hand = attachments::at_hand(&request, store)?;
        let link = || link_all(at_hand.request.clone(), survey.as_ref(), &archives);
        let mut linked = info_span!("prepare").in_scope(link)?;
        linked.request = request;
        if linked.linkage.scenes.is_empty() {
            return Err(SubmitError::Nothing(why_nothing(&linked.linkage)));
        }
        let (job, made) = info_span!("store the plan").in_scope(|| Job::plan(linked, store))?;
        if job.planned.layout().outputs() == 0 {
            let why = "no pixel of the mosaic has its centre in the area: look at `aoi` and `grid.resolution`";
            return Err(SubmitError::Nothing(why.to_owned()));
        }
        request::keep(&job.request.unsigned(), store)?;
        let mut table = self.table(&job, &made);
        // What is there is news to whoever leads next.
        table.put_back(Changes { places: made.places.into_keys().collect(), ..Changes::default() });
        Ok((job, table))
    }

    /// The tasks of a job, of which these are made.
    pub(super) fn table(&self, job: &Job, made: &Saved) -> JobTable {
        // So many grants can a leader make of a job before its epochs reach those of the next one.
        let first = self.components.state.term() << 32;
        let leaves_out = job.request.on_unreadable == OnUnreadable::Skip;
        let settings = Settings { leaves_out, ..self.components.settings };
        JobTable::restored(Arc::clone(job.planned.layout()), made, first, settings)
    }

    /// Stops a job, and waits until that is noted down; whether there was one to stop.
    pub async fn cancel(self: &Arc<Self>, id: &str) -> bool {
        let cancelled = self.lock().table.cancel(id);
        let cancelled = cancelled || self.cancel_unplanned(id);
        self.follow(id);
        if let Some(mut progress) = self.progress(id).filter(|_| cancelled) {
            let _ = progress.wait_for(|progress| progress.state.is_final()).await;
        }
        cancelled
    }
}

/// The id of the job of a request that bears no rights.
fn id_of(bare: &Request) -> String {
    format!("{}-{}", bare.name, &request::key_of(bare).as_str()[..12])
}

/// The record of a job that begins now, without a plan.
pub(super) fn recorded(bare: &Request, priority: Priority) -> Record {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let submitted = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
    let (job, name, request) = (id_of(bare), bare.name.clone(), Asked::Kept(request::key_of(bare)));
    let trace = Trace::begin(&job);
    Record { job, name, request, submitted, priority, plan: None, ended: None, report: None, trace }
}
