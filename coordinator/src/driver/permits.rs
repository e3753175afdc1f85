//! Budgets of requests, shared out among workers, and this process, which lists.

use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use proto::permits::{Claim, Share};

use super::Driver;
use crate::state::Role;
use crate::table::Permits;

/// What this process is called among those that claim: no worker can be.
const OWN: &str = "";

impl Driver {
    fn permits(&self) -> MutexGuard<'_, Permits> {
        self.permits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// This coordinator leads from now on, and knows of no share.
    pub(super) fn begin_permits(&self) {
        *self.permits() = Permits::beginning(self.components.rules, self.now());
    }

    /// Tells a worker its shares of what it claims, and how long they are good.
    pub fn claim(&self, worker: &str, number: u64, claims: Vec<Claim>) -> (Vec<Share>, Duration) {
        let now = self.now();
        let mut permits = self.permits();
        (permits.claim(worker, number, claims, now), permits.lease())
    }

    /// Claims what planning needs, also where this coordinator is only about to lead.
    pub(super) fn claim_own(&self) {
        let is_leader = matches!(*self.components.role.borrow(), Role::Leader);
        let (claims, _) = self.components.budgets.claims();
        if !is_leader || claims.is_empty() {
            return;
        }
        let sent = Instant::now();
        let number = u64::try_from(self.now().as_nanos()).unwrap_or(u64::MAX);
        let (shares, lease) = self.claim(OWN, number, claims);
        self.components.budgets.tell(&shares, sent + lease);
    }

    /// A worker has gone, and its shares with it.
    pub(super) fn free_permits(&self, worker: &str) {
        self.permits().leave(worker);
    }
}
