//! Asking for tasks, whoever leads.

use std::time::Duration;

use proto::coordinators::{Coordinators, is_away};
use proto::wire::{LeaseTasksRequest, LeaseTasksResponse};
use proto::work::Lease;
use tonic::Status;

use super::held::Held;

/// How long the coordinator may hold a request for tasks.
const LONG_POLL: Duration = Duration::from_secs(15);
/// The shortest and the longest pause before a coordinator that is away is asked again.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(2)];

/// Who asks.
pub(super) struct Asker {
    coordinators: Coordinators,
    held: Held,
    worker_id: String,
    /// How long to wait when nobody answers.
    pause: Duration,
    was_away: bool,
}

/// What there is to do, and where.
pub(super) struct Work {
    pub(super) leases: Vec<Lease>,
    /// Where artifacts are.
    pub(super) store: String,
    /// Prefixes of what may be opened.
    pub(super) allow: Vec<String>,
}

impl Asker {
    pub(super) const fn new(coordinators: Coordinators, held: Held, worker_id: String) -> Self {
        Self { coordinators, held, worker_id, pause: PAUSES[0], was_away: false }
    }

    /// Asks for at most so many tasks, and waits for one; none where it is to ask again.
    pub(super) async fn ask(&mut self, slots: usize) -> Result<Work, Box<Status>> {
        let request = LeaseTasksRequest {
            worker_id: self.worker_id.clone(),
            free_slots: u32::try_from(slots).unwrap_or(u32::MAX),
            wait_ms: u32::try_from(LONG_POLL.as_millis()).unwrap_or(u32::MAX),
        };
        loop {
            if self.was_away {
                // Another leader must know what is being done, before it has others do it.
                self.held.renew_now().await;
            }
            match self.coordinators.work().lease_tasks(request.clone()).await {
                Ok(response) => {
                    (self.pause, self.was_away) = (PAUSES[0], false);
                    return work(response.into_inner());
                }
                Err(status) => self.ride_out(status).await?,
            }
        }
    }

    /// Waits a while where nobody answers, and turns to another.
    async fn ride_out(&mut self, status: Status) -> Result<(), Box<Status>> {
        if let Some(fault) = self.coordinators.fault(&status).await {
            return Err(Box::new(fault));
        }
        if !is_away(&status) {
            return Err(Box::new(status));
        }
        tracing::warn!(%status, "no coordinator answers");
        self.coordinators.turn(&status);
        self.was_away = true;
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(PAUSES[1]);
        Ok(())
    }
}

fn work(response: LeaseTasksResponse) -> Result<Work, Box<Status>> {
    let LeaseTasksResponse { leases, store, allow } = response;
    let leases = leases.into_iter().map(Lease::try_from).collect::<Result<_, _>>();
    Ok(Work { leases: leases.map_err(|e| Box::new(Status::from(e)))?, store, allow })
}
