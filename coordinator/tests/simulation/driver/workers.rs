//! Workers: they lease, renew and report as the agent does, and vanish or stand still on the way.

use std::sync::Arc;
use std::time::Duration;

use coordinator::driver::Driver;
use fastrand::Rng;
use proto::work::{Lease, LeaseRef, Outcome};
use tokio::time::sleep;

use super::{World, made, settings};

/// How long a worker waits for a task before it asks again.
const LONG_POLL: Duration = Duration::from_millis(500);
/// How often a report is tried.
const TRIES: u32 = 8;

struct Worker {
    world: Arc<World>,
    rng: Rng,
    name: String,
    /// The coordinator that it speaks to.
    at: usize,
    has_trouble: bool,
}

/// Works for ever. Whoever vanishes is another one from then on.
pub async fn work(world: Arc<World>, number: u64, has_trouble: bool) {
    let rng = Rng::with_seed(world.seed << 8 | number);
    let mut worker = Worker { world, rng, name: String::new(), at: 0, has_trouble };
    for life in 0.. {
        worker.name = format!("w{number}-{life}");
        worker.live().await;
    }
}

impl Worker {
    /// The coordinator, where it leads.
    fn driver(&self) -> Option<Arc<Driver>> {
        self.world.driver(self.at).filter(|driver| driver.leads().is_ok())
    }

    async fn turn(&mut self) {
        self.at = (self.at + 1) % self.world.places.len();
        sleep(Duration::from_millis(20)).await;
    }

    fn is_bad(&mut self, times: u32) -> bool {
        self.has_trouble && !self.world.is_at_peace() && self.rng.u32(..times) == 0
    }

    /// Until it vanishes.
    async fn live(&mut self) {
        loop {
            let Some(driver) = self.driver() else {
                self.turn().await;
                continue;
            };
            let leases = driver.lease(&self.name, 1, LONG_POLL).await;
            drop(driver);
            for lease in leases {
                if self.is_bad(15) {
                    return;
                }
                self.carry_out(lease).await;
            }
        }
    }

    async fn carry_out(&mut self, lease: Lease) {
        let patience = settings().lease;
        // Past its lease it comes too late, and does not know.
        let stalls = self.is_bad(15);
        let rounds = if self.is_bad(8) { 4 } else { 1 };
        sleep(if stalls { 2 * patience } else { Duration::from_millis(self.rng.u64(1..60)) }).await;
        for _ in 1..rounds {
            sleep(patience / 3).await;
            let void = self.driver().map(|driver| driver.renew(&self.name, std::slice::from_ref(&lease.grant)));
            if void.is_some_and(|void| !void.is_empty()) {
                return self.report(lease.grant, Outcome::HandedBack).await;
            }
        }
        let (store, spec) = (self.world.store.clone(), lease.spec);
        let outcome = tokio::task::spawn_blocking(move || made::make(&store, &spec)).await.expect("it is made");
        self.report(lease.grant, outcome).await;
    }

    async fn report(&mut self, grant: LeaseRef, outcome: Outcome) {
        for attempt in 0..TRIES {
            let taken = match self.driver() {
                Some(driver) => driver.report(&self.name, vec![(grant.clone(), outcome.clone())]).await.is_ok(),
                None => false,
            };
            if taken && !self.is_bad(20) {
                return;
            }
            self.turn().await;
            sleep(Duration::from_millis(10 << attempt)).await;
        }
    }
}
