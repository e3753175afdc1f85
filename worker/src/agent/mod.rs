//! The agent: leases tasks while it has free slots, and room for them; keeps the leases alive; reports how each
//! task ended. It rides out coordinators that are away.
//!
//! ```text
//! ask, with all free slots ──► slot (a thread: executes) ──► report, with all that has ended meanwhile
//!   ▲                            held: renewed on a timer of its own; a lease that is void cancels its task
//!   │                            permits: shares of budgets of requests, claimed on a timer of theirs
//!   └────────────────────────────────────────────────────────┘
//! ```

mod ask;
mod held;
mod permits;
mod report;
mod slot;

use std::sync::Arc;
use std::time::Duration;

use artifacts::StoreError;
use earth_engine::Budgets;
use proto::allow::{Allow, BadPrefix};
use proto::coordinators::Coordinators;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tonic::Status;

use crate::budget::Budget;
use crate::execute::Executor;
use crate::metrics::Metrics;
use ask::{Asker, Work};
use held::Held;
use report::Reporter;
use slot::{Given, Slot};

/// How long a worker that is told to stop goes on with what it has begun, before it hands it back.
const GRACE: Duration = Duration::from_secs(5);

/// How long a slot rests that has handed a task back: what it lacked, others may have.
const BREATH: Duration = Duration::from_secs(2);

/// How an agent works.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Unique among the coordinator's workers.
    pub worker_id: String,
    /// Tasks at once.
    pub slots: usize,
    /// What tasks reserve memory of.
    pub memory: Arc<Budget>,
    /// What tasks reserve room for files of, where the store is elsewhere.
    pub scratch: Arc<Budget>,
    /// Where its figures are counted.
    pub metrics: Arc<Metrics>,
    /// Budgets of requests that it claims shares of; none where another agent does so for the process.
    pub budgets: Option<Arc<Budgets>>,
}

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
    let held = Held::new(coordinators.clone(), settings.worker_id.clone());
    let reporter = Reporter::start(coordinators.clone(), settings.worker_id.clone());
    let mut asker = Asker::new(coordinators, held.clone(), settings.worker_id.clone());
    let slots = Arc::new(Semaphore::new(settings.slots));
    let (mut running, mut renewing, mut claiming) = (JoinSet::new(), JoinSet::new(), JoinSet::new());
    if let Some(budgets) = &settings.budgets {
        claiming.spawn(permits::claim(held.coordinators().clone(), settings.worker_id.clone(), Arc::clone(budgets)));
    }
    while !*stop.borrow() {
        let asked = async {
            let mut free = free(&slots, &settings).await?;
            let work = asker.ask(free.num_permits()).await?;
            // Those that it does not get tasks for are free again.
            let unused = free.num_permits().saturating_sub(work.leases.len());
            drop(free.split(unused));
            Ok::<(OwnedSemaphorePermit, Work), AgentError>((free, work))
        };
        let (mut free, work) = tokio::select! {
            asked = asked => asked?,
            _ = stop.changed() => break,
        };
        let Some(first) = work.leases.first() else { continue };
        if renewing.is_empty() {
            renewing.spawn(held.clone().renew(first.ttl));
        }
        let executor = executors(&work.store, Allow::under(&work.allow)?)?;
        for lease in work.leases {
            let slot = Slot::begin(&lease, Arc::clone(&executor), &settings, &held, &reporter);
            let permit = free.split(1);
            running.spawn(async move {
                if slot.execute(lease).await == Given::Back {
                    tokio::time::sleep(BREATH).await;
                }
                drop(permit);
            });
        }
        while running.try_join_next().is_some() {}
    }
    let finished = tokio::time::timeout(GRACE, async { while running.join_next().await.is_some() {} }).await;
    if finished.is_err() {
        artifacts::remote::give_up();
        held.cancel_all();
        while running.join_next().await.is_some() {}
    }
    claiming.shutdown().await;
    settings.budgets.iter().for_each(|budgets| budgets.close());
    held.say_goodbye().await;
    Ok(())
}

/// Waits for a free slot with room in memory and for files; all that there are.
async fn free(slots: &Arc<Semaphore>, settings: &Settings) -> Result<OwnedSemaphorePermit, Box<Status>> {
    let closed = |e: tokio::sync::AcquireError| Box::new(Status::internal(e.to_string()));
    let mut free = Arc::clone(slots).acquire_owned().await.map_err(closed)?;
    let memory = settings.memory.room(settings.slots).await;
    let room = settings.scratch.room(memory).await;
    let others = u32::try_from(slots.available_permits().min(room - 1)).unwrap_or(u32::MAX);
    if let Ok(others) = Arc::clone(slots).try_acquire_many_owned(others) {
        free.merge(others);
    }
    Ok(free)
}
