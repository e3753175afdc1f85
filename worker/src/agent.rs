//! The agent: leases tasks while it has free slots, keeps the leases alive, reports how each task ended. It rides out
//! coordinators that are away.
//!
//! ```text
//! lease ──► slot (a thread: executes) ──► report
//!   ▲          renew, on a timer of its own; a lease that is void cancels its task
//!   └──────────────────────────────────────────┘
//! ```

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use artifacts::StoreError;
use proto::allow::{Allow, BadPrefix};
use proto::coordinators::{Coordinators, is_away};
use proto::wire::{LeaseTasksRequest, RenewLeasesRequest, ReportTaskRequest};
use proto::work::{Lease, LeaseRef, Outcome};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tonic::{Code, Status};
use tracing::Instrument;

use crate::execute::{Cancel, Executor};
use crate::metrics::Metrics;
use crate::told::Told;

/// How long the coordinator may hold a request for tasks.
const LONG_POLL: Duration = Duration::from_secs(15);
/// Renewal happens three times within a lease, and so often at least: it is how a worker learns that what it does is
/// wanted no more.
const RENEWALS: u32 = 3;
const RENEW_EVERY: Duration = Duration::from_secs(2);
/// How often a report is tried before its task is left to its lease: for about as long as a lease lasts.
const REPORT_TRIES: u32 = 8;
/// The shortest and the longest pause before a coordinator that is away is asked again.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(2)];
/// How long a worker that is told to stop goes on with what it has begun, before it hands it back.
const GRACE: Duration = Duration::from_secs(5);

/// How long a slot rests that has handed a task back: what it lacked, others may have.
const BREATH: Duration = Duration::from_secs(2);

/// How a slot is done with a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Given {
    /// It has come to an end, or was called off.
    Up,
    /// It was handed back for want of something.
    Back,
}

/// How long it may take to say so.
const GOODBYE: Duration = Duration::from_secs(1);

/// How an agent works.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Unique among the coordinator's workers.
    pub worker_id: String,
    /// Tasks at once.
    pub slots: usize,
    /// Where its figures are counted.
    pub metrics: Arc<Metrics>,
}

/// Leases held, each with the means to stop its task.
type Held = Arc<Mutex<HashMap<LeaseRef, Cancel>>>;

/// Why an agent ends before it is told to.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The coordinator does not want it, or does not speak its language.
    #[error("the coordinator: {}", .0.message())]
    Refused(#[from] Box<Status>),
    /// The store that the coordinator names cannot be used.
    #[error("the coordinator's store: {0}")]
    Store(#[from] StoreError),
    /// What the coordinator allows cannot be made out: nothing is opened.
    #[error("the coordinator's {0}")]
    Allow(#[from] BadPrefix),
}

/// Works until `stop` is set. What is running then is finished, or handed back where it takes long. `executors` opens
/// the store that the coordinator names, for what it allows.
///
/// # Errors
/// Where the coordinator refuses the worker, or its store cannot be opened.
pub async fn work(
    coordinators: Coordinators,
    executors: impl Fn(&str, Allow) -> Result<Arc<Executor>, StoreError>,
    settings: Settings,
    mut stop: watch::Receiver<bool>,
) -> Result<(), AgentError> {
    let held: Held = Held::default();
    let slots = Arc::new(Semaphore::new(settings.slots));
    let (mut running, mut renewing) = (JoinSet::new(), JoinSet::new());
    let (mut pause, mut was_away) = (PAUSES[0], false);
    while !*stop.borrow() {
        let free = tokio::select! {
            free = Arc::clone(&slots).acquire_owned() => free.map_err(|e| Box::new(Status::internal(e.to_string())))?,
            _ = stop.changed() => break,
        };
        let request = LeaseTasksRequest {
            worker_id: settings.worker_id.clone(),
            free_slots: 1,
            wait_ms: u32::try_from(LONG_POLL.as_millis()).unwrap_or(u32::MAX),
        };
        if was_away {
            // Another leader must know what is being done, before it has others do it.
            renew_all(&coordinators, &settings.worker_id, &held).await;
        }
        let mut client = coordinators.work();
        let response = tokio::select! {
            response = client.lease_tasks(request) => response,
            _ = stop.changed() => break,
        };
        let response = match response {
            Ok(response) => response.into_inner(),
            Err(status) if is_away(&status) => {
                if let Some(fault) = coordinators.fault(&status).await {
                    return Err(Box::new(fault).into());
                }
                tracing::warn!(%status, "no coordinator answers");
                coordinators.turn(&status);
                was_away = true;
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    _ = stop.changed() => break,
                }
                pause = (pause * 2).min(PAUSES[1]);
                continue;
            }
            Err(status) => {
                let fault = coordinators.fault(&status).await;
                return Err(Box::new(fault.unwrap_or(status)).into());
            }
        };
        (pause, was_away) = (PAUSES[0], false);
        let Some(lease) = response.leases.into_iter().next() else { continue };
        let lease = Lease::try_from(lease).map_err(|e| Box::new(Status::from(e)))?;
        if renewing.is_empty() {
            let every = (lease.ttl / RENEWALS).min(RENEW_EVERY);
            renewing.spawn(renew(coordinators.clone(), settings.worker_id.clone(), Arc::clone(&held), every));
        }
        let task = Slot {
            coordinators: coordinators.clone(),
            executor: executors(&response.store, Allow::under(&response.allow)?)?,
            worker_id: settings.worker_id.clone(),
            held: Arc::clone(&held),
            metrics: Arc::clone(&settings.metrics),
        };
        running.spawn(async move {
            if task.execute(lease).await == Given::Back {
                tokio::time::sleep(BREATH).await;
            }
            drop(free);
        });
        while running.try_join_next().is_some() {}
    }
    let finished = tokio::time::timeout(GRACE, async { while running.join_next().await.is_some() {} }).await;
    if finished.is_err() {
        artifacts::remote::give_up();
        lock(&held).values().for_each(Cancel::cancel);
        while running.join_next().await.is_some() {}
    }
    say_goodbye(&coordinators, settings.worker_id).await;
    Ok(())
}

/// Tells that nothing is held any more. The coordinator may have granted a task at the moment when nobody listened for it
/// any more: it need not wait for that lease to end.
async fn say_goodbye(coordinators: &Coordinators, worker_id: String) {
    let goodbye = RenewLeasesRequest { worker_id, leases: Vec::new(), leaving: true };
    let mut client = coordinators.work();
    if !matches!(tokio::time::timeout(GOODBYE, client.renew_leases(goodbye)).await, Ok(Ok(_))) {
        tracing::debug!("nobody took leave: what was granted last is left to its lease");
    }
}

fn lock(held: &Held) -> std::sync::MutexGuard<'_, HashMap<LeaseRef, Cancel>> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps the held leases alive; cancels the tasks of those that are void.
async fn renew(coordinators: Coordinators, worker_id: String, held: Held, every: Duration) {
    let mut timer = tokio::time::interval(every);
    loop {
        timer.tick().await;
        renew_all(&coordinators, &worker_id, &held).await;
    }
}

async fn renew_all(coordinators: &Coordinators, worker_id: &str, held: &Held) {
    let leases: Vec<_> = lock(held).keys().cloned().map(Into::into).collect();
    if leases.is_empty() {
        return;
    }
    let mut client = coordinators.work();
    match client.renew_leases(RenewLeasesRequest { worker_id: worker_id.to_owned(), leases, leaving: false }).await {
        Ok(response) => {
            for void in response.into_inner().void_leases {
                if let Some(cancel) = lock(held).get(&LeaseRef::from(void)) {
                    cancel.cancel();
                }
            }
        }
        Err(error) => tracing::warn!(%error, "leases could not be renewed"),
    }
}

/// One task's execution.
struct Slot {
    coordinators: Coordinators,
    executor: Arc<Executor>,
    worker_id: String,
    held: Held,
    metrics: Arc<Metrics>,
}

impl Slot {
    async fn execute(self, lease: Lease) -> Given {
        let cancel = Cancel::default();
        lock(&self.held).insert(lease.grant.clone(), cancel.clone());
        let told = Told::begin(&lease, &self.worker_id, &self.metrics);
        let (executor, spec, span) = (Arc::clone(&self.executor), lease.spec, told.span());
        let called_off = cancel.clone();
        let ended = tokio::task::spawn_blocking(move || span.in_scope(|| executor.run(&spec, &cancel))).await;
        let outcome = ended.unwrap_or_else(|panic| {
            Outcome::Failed(proto::work::Failure {
                kind: proto::work::FailureKind::Permanent,
                reason: format!("the worker's own fault: {panic}"),
                scene: None,
            })
        });
        told.end(&lease.grant, &self.worker_id, &outcome);
        let lacks = outcome == Outcome::HandedBack && called_off.check().is_ok();
        self.report(&lease.grant, outcome).instrument(told.span()).await;
        lock(&self.held).remove(&lease.grant);
        if lacks { Given::Back } else { Given::Up }
    }

    /// Reports until it is acknowledged. NOT_FOUND means that the task is someone else's by now.
    async fn report(&self, grant: &LeaseRef, outcome: Outcome) {
        let request = ReportTaskRequest {
            worker_id: self.worker_id.clone(),
            lease: Some(grant.clone().into()),
            outcome: Some(outcome.into()),
        };
        for attempt in 0..REPORT_TRIES {
            let mut client = self.coordinators.work();
            match client.report_task(request.clone()).await {
                Ok(_) => return,
                Err(status) if status.code() == Code::NotFound => {
                    tracing::debug!(task = %grant.task, "a stale report was refused");
                    return;
                }
                Err(error) => {
                    tracing::warn!(task = %grant.task, %error, "a report was not taken");
                    self.coordinators.turn(&error);
                }
            }
            tokio::time::sleep(Duration::from_millis(100 << attempt)).await;
        }
    }
}
