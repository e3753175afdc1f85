//! Schedules: what is due is made, once, whoever leads.
//!
//! ```text
//! every moment, for each schedule: has its run ended? ─► noted, told (hooks)
//!                                  decide (pure) ─► wait | skip | queue | miss: noted
//!                                                   stop: the last run is cancelled
//!                                                   start: request of that instant ─► kept ─► schedule and job, at one moment
//!                                                                                              └─► planned (later)
//! ```
//!
//! What is written is written again until an answer comes: it is the same, and means the same. It is compared with the term
//! in which it was decided, so that nobody writes what he decided before another led.

use std::sync::{Arc, Weak};

use artifacts::StoreError;
use jiff::Timestamp;
use mosaic::ids::Key;
use mosaic::request::{Request, Written};
use proto::job::in_brief;
use tokio::time::interval;

use super::{Driver, Inner, PAUSE, SubmitError, TICK, request, submit};
use crate::attachments::Attachments;
use crate::prepare::{PrepareError, allowed};
use crate::schedule::{Came, Decision, Due, Rule, Schedule, ScheduleError, Times, check_name};
use crate::state::{Record, StateError};

/// What a written request's key is made of.
const WRITTEN: &str = "clearmosaic written request";

/// A schedule that is known.
pub(super) struct Scheduled {
    pub(super) schedule: Schedule,
    /// When it is due; none where a zone has gone that there was.
    pub(super) times: Result<Times, ScheduleError>,
    /// Nothing is to be done before.
    wait: Option<Timestamp>,
    /// Whether somebody is being told.
    pub(super) is_telling: bool,
}

impl Scheduled {
    pub(super) fn new(schedule: Schedule) -> Self {
        let times = schedule.times();
        if let Err(error) = &times {
            tracing::error!(%error, schedule = schedule.name, "it is never due");
        }
        Self { schedule, times, wait: None, is_telling: false }
    }

    fn decide(&self, inner: &Inner, now: Timestamp) -> Option<Decision> {
        if self.wait.is_some_and(|until| now < until) {
            return None;
        }
        let times = self.times.as_ref().ok()?;
        Some(self.schedule.decide(times, now, |job| inner.goes_on(job)))
    }
}

/// Why a schedule was not made, or not changed.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleRefused {
    /// It is at fault, or not there.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    /// Its request is.
    #[error(transparent)]
    Request(#[from] SubmitError),
}

impl Inner {
    /// Whether a job is known, and has not ended.
    fn goes_on(&self, job: &str) -> bool {
        self.jobs.get(job).is_some_and(|running| running.record.ended.is_none())
    }

    /// A schedule whose run has ended, which is not noted yet.
    fn run_ended(&self, schedule: &Schedule) -> Option<Schedule> {
        schedule.runs().find_map(|job| {
            let how = self.jobs.get(job)?.record.ended.as_ref()?;
            schedule.ended(job, how)
        })
    }
}

impl Driver {
    /// Every schedule that is known, in order of name.
    #[must_use]
    pub fn schedules(&self) -> Vec<(Schedule, Result<Times, ScheduleError>)> {
        let inner = self.lock();
        inner.schedules.values().map(|known| (known.schedule.clone(), known.times.clone())).collect()
    }

    /// Keeps a request that is made again whenever that is due. The same again changes nothing.
    ///
    /// # Errors
    /// Where the rule or the request is at fault; `Taken` where there is another one, and it is not to be replaced.
    pub async fn create_schedule(
        self: &Arc<Self>,
        name: &str,
        mut written: Written,
        attachments: Attachments,
        rule: Rule,
        replace: bool,
    ) -> Result<Schedule, ScheduleRefused> {
        let now = Timestamp::now();
        check_name(name)?;
        Times::new(&rule.cron, &rule.zone, now)?;
        if let Some(hook) = &rule.hook {
            self.check_hook(hook).map_err(|why| SubmitError::from(PrepareError::one(why)))?;
        }
        let driver = Arc::clone(self);
        let kept = tokio::task::spawn_blocking(move || {
            let fault = |fault: &mosaic::request::Fault| PrepareError::one(fault.to_string());
            attachments.keep(&mut written, &driver.components.store)?;
            let today = written.clone().at(now).map_err(|e| fault(&e))?;
            allowed::fields(&today, &driver.components.allow)?;
            let bare = written.unsigned();
            let key = driver.components.store.keep_document(WRITTEN, &bare)?;
            Ok::<_, SubmitError>((bare.name, key))
        });
        let (mosaic, request) = kept.await.map_err(|panic| SubmitError::Internal(panic.to_string()))??;
        let _alone = self.scheduling.lock().await;
        let mut schedule = Schedule::new(name, &mosaic, request, rule, now);
        let (term, known) = self.schedule(name);
        if let Some(known) = known {
            if (&known.request, &known.rule) == (&schedule.request, &schedule.rule) {
                return Ok(known);
            }
            if !replace {
                return Err(ScheduleError::Taken(name.to_owned()).into());
            }
            // Its last run may go on.
            (schedule.firings, schedule.paused) = (known.firings, known.paused);
        }
        self.keep_schedule(term, schedule.clone(), None).await.map_err(SubmitError::from)?;
        Ok(schedule)
    }

    /// Has a schedule start nothing, or go on.
    ///
    /// # Errors
    /// Where there is none, or it cannot be noted down.
    pub async fn pause_schedule(&self, name: &str, paused: bool) -> Result<(), ScheduleRefused> {
        let _alone = self.scheduling.lock().await;
        let (term, known) = self.known(name)?;
        if known.paused != paused {
            let after = if paused { Schedule { paused, ..known } } else { known.resumed(Timestamp::now()) };
            self.keep_schedule(term, after, None).await.map_err(SubmitError::from)?;
        }
        Ok(())
    }

    /// Makes a schedule's request now: its job, or none where that waits. Asked again by the same name it is the same.
    ///
    /// # Errors
    /// Where there is no such schedule, its last run goes on, or its request is no longer good.
    pub async fn run_schedule(self: &Arc<Self>, name: &str, asked: &str) -> Result<Option<String>, ScheduleRefused> {
        let _alone = self.scheduling.lock().await;
        let (term, known) = self.known(name)?;
        if let Some(firing) = known.firings.iter().find(|firing| firing.due.asked.as_deref() == Some(asked)) {
            return Ok(firing.job().map(str::to_owned));
        }
        let now = Timestamp::now();
        let due = Due { at: now, missed: 0, asked: Some(asked.to_owned()) };
        let decision = {
            let inner = self.lock();
            known.meet(due, known.last_job().filter(|job| inner.goes_on(job)))
        };
        match decision {
            Decision::Start(due) => Ok(Some(self.fire_now(term, &known, due, now).await?)),
            Decision::Skip(_, job) => Err(ScheduleError::Busy { name: name.to_owned(), job }.into()),
            Decision::Queue(due) => {
                self.keep_schedule(term, known.queued(due), None).await.map_err(SubmitError::from)?;
                Ok(None)
            }
            Decision::Wait(_) | Decision::Stop(_) | Decision::Miss(_) => Ok(None),
        }
    }

    /// Forgets a schedule. Its run goes on.
    ///
    /// # Errors
    /// Where there is none, or that cannot be noted down.
    pub async fn delete_schedule(&self, name: &str) -> Result<(), ScheduleRefused> {
        let _alone = self.scheduling.lock().await;
        let (term, _) = self.known(name)?;
        self.components.state.drop_schedule(term, name).await.map_err(SubmitError::from)?;
        self.lock().schedules.remove(name);
        Ok(())
    }

    /// The term that this coordinator leads in, and a schedule as it is kept.
    pub(super) fn schedule(&self, name: &str) -> (u64, Option<Schedule>) {
        let inner = self.lock();
        (inner.term, inner.schedules.get(name).map(|known| known.schedule.clone()))
    }

    /// The same of one that is to be there.
    fn known(&self, name: &str) -> Result<(u64, Schedule), ScheduleError> {
        let (term, known) = self.schedule(name);
        Ok((term, known.ok_or_else(|| ScheduleError::Unknown(name.to_owned()))?))
    }

    /// Writes a schedule, and with it the record of a job that it makes, until an answer comes.
    ///
    /// # Errors
    /// `NotLeader`, where another leads since it was decided.
    pub(super) async fn keep_schedule(
        &self,
        term: u64,
        after: Schedule,
        made: Option<&Record>,
    ) -> Result<(), StateError> {
        while let Err(error) = self.components.state.put_schedule(term, &after, made).await {
            tracing::warn!(%error, schedule = after.name, "it cannot be noted down");
            if !matches!(error, StateError::Away(_)) || self.leads().is_err() {
                return Err(error);
            }
            tokio::time::sleep(PAUSE).await;
        }
        let mut inner = self.lock();
        if !inner.is_leading || inner.term != term {
            return Err(StateError::NotLeader);
        }
        let is_telling = inner.schedules.get(&after.name).is_some_and(|known| known.is_telling);
        inner.schedules.insert(after.name.clone(), Scheduled { is_telling, ..Scheduled::new(after) });
        Ok(())
    }

    /// Does what schedules ask for now.
    async fn fire(self: &Arc<Self>) {
        let names: Vec<String> = self.lock().schedules.keys().cloned().collect();
        for name in names {
            let _alone = self.scheduling.lock().await;
            if let Err(error) = self.look_at(&name).await {
                tracing::warn!(%error, schedule = name, "what is due could not be done yet");
            }
        }
    }

    async fn look_at(self: &Arc<Self>, name: &str) -> Result<(), SubmitError> {
        let now = Timestamp::now();
        let (term, schedule, ended, decision) = {
            let inner = self.lock();
            let Some(known) = inner.schedules.get(name) else { return Ok(()) };
            (inner.term, known.schedule.clone(), inner.run_ended(&known.schedule), known.decide(&inner, now))
        };
        if let Some(after) = ended {
            self.keep_schedule(term, after, None).await?;
            return Ok(());
        }
        self.tell_hook(&schedule);
        match decision {
            None => {}
            Some(Decision::Wait(until)) => self.wait(&schedule, until),
            Some(Decision::Start(due)) => drop(self.fire_now(term, &schedule, due, now).await?),
            Some(Decision::Skip(due, job)) => {
                self.keep_schedule(term, schedule.fired(due, now, Came::Skipped { job }), None).await?;
            }
            Some(Decision::Queue(due)) => self.keep_schedule(term, schedule.queued(due), None).await?,
            Some(Decision::Miss(due)) => self.keep_schedule(term, schedule.fired(due, now, Came::Missed), None).await?,
            Some(Decision::Stop(job)) => drop(self.cancel(&job).await),
        }
        Ok(())
    }

    /// Nothing is to be looked at before, unless something waits for an end.
    fn wait(&self, schedule: &Schedule, until: Option<Timestamp>) {
        if let Some(known) = self.lock().schedules.get_mut(&schedule.name).filter(|known| known.schedule == *schedule) {
            known.wait = until.filter(|_| schedule.queued.is_none());
        }
    }

    /// Makes a run of what is due: its job. A request that is not good any more is noted as refused.
    async fn fire_now(
        self: &Arc<Self>,
        term: u64,
        schedule: &Schedule,
        due: Due,
        now: Timestamp,
    ) -> Result<String, SubmitError> {
        let request = match self.request_due(schedule.request.clone(), due.at).await {
            Err(error) if !error.is_away() => {
                let came = Came::Refused { error: in_brief(&error.to_string()) };
                self.keep_schedule(term, schedule.fired(due, now, came), None).await?;
                return Err(error);
            }
            request => request?,
        };
        let bare = request.unsigned();
        let record = submit::recorded(&bare, schedule.rule.priority);
        let store = self.components.store.clone();
        let kept = tokio::task::spawn_blocking(move || request::keep(&bare, &store)).await;
        kept.map_err(|panic| SubmitError::Internal(panic.to_string()))??;
        let id = record.job.clone();
        // What it is by now, and nothing after it.
        let alone = self.records.lock().await;
        let goes_on = self.lock().goes_on(&id);
        if !goes_on {
            self.components.state.forget(&id).await?;
        }
        let came = Came::Run { job: id.clone(), ended: None };
        // At one moment: it was due, and this is its job.
        self.keep_schedule(term, schedule.fired(due, now, came), (!goes_on).then_some(&record)).await?;
        tracing::info!(schedule = schedule.name, job = id, "it is due");
        if !goes_on {
            self.take_up_unplanned(record);
        }
        drop(alone);
        Ok(id)
    }

    /// The request that is meant at an instant.
    async fn request_due(self: &Arc<Self>, key: Key, at: Timestamp) -> Result<Request, SubmitError> {
        let store = self.components.store.clone();
        let read = tokio::task::spawn_blocking(move || {
            store.document::<Written>(WRITTEN, &key).map_err(|error| match error {
                StoreError::Away { .. } => error.into(),
                error => SubmitError::Forgotten(error),
            })
        });
        let written = read.await.map_err(|panic| SubmitError::Internal(panic.to_string()))??;
        written.at(at).map_err(|fault| PrepareError::one(fault.to_string()).into())
    }
}

/// Does what schedules ask for, for as long as the driver lives.
pub(super) async fn fire_on(driver: Weak<Driver>) {
    let mut timer = interval(TICK);
    loop {
        timer.tick().await;
        let Some(driver) = driver.upgrade() else { return };
        driver.fire().await;
    }
}
