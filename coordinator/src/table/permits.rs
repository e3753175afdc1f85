//! Budgets of requests: a credential may have so many under way at once, in whatever process they are. Pure, as the table.
//!
//! ```text
//! a process claims (what it holds, what it wants) ─► its fair part ─┬─► less than it holds: it is to hold less
//!                                                                   └─► more: as far as nobody else can hold it
//! ```
//!
//! What a process may hold, by all that it has told and was told, is counted as its own until it has told that it holds
//! less, or has not been heard of for as long as a share lasts: it counts that time from when it sent its claim, so that it
//! gives its share up before it is given away. Another leader knows nothing of the shares that were given before: for as
//! long as they last it lets everyone keep what he holds, and gives nothing more.

use std::collections::BTreeMap;
use std::time::Duration;

use proto::permits::{Claim, Share};

use super::Now;

/// How budgets are shared out.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Requests at once of each credential.
    pub limit: u32,
    /// How long a share lasts.
    pub lease: Duration,
    /// How long shares may last that somebody else has given.
    pub grace: Duration,
}

/// How long a share lasts, at most.
const LEASE: Duration = Duration::from_secs(10);

impl Default for Rules {
    /// As many as the environment says.
    fn default() -> Self {
        Self { limit: count(earth_engine::at_once()), lease: LEASE, grace: LEASE }
    }
}

impl Rules {
    /// The same, shares lasting no longer than leases of tasks do.
    #[must_use]
    pub fn within(lease: Duration) -> Self {
        let lease = lease.min(LEASE);
        Self { lease, grace: lease, ..Self::default() }
    }
}

/// A process that has claimed a share.
#[derive(Clone, Copy, Debug, Default)]
struct Holder {
    /// What it may hold.
    counted: u32,
    wanted: u32,
    /// Until when it may hold it.
    until: Now,
    /// Whether it may hold anything.
    is_served: bool,
    /// Since when that is so.
    since: Now,
}

/// What is held of the budgets, by credential and process.
#[derive(Debug)]
pub struct Permits {
    rules: Rules,
    /// Nothing that nobody holds is given before.
    from: Now,
    credentials: BTreeMap<String, BTreeMap<String, Holder>>,
    /// The number of each process's last claims, and when they are forgotten.
    numbers: BTreeMap<String, (u64, Now)>,
}

impl Permits {
    /// Nothing is known of shares that were given before now.
    #[must_use]
    pub const fn beginning(rules: Rules, now: Now) -> Self {
        let from = now.saturating_add(rules.grace);
        Self { rules, from, credentials: BTreeMap::new(), numbers: BTreeMap::new() }
    }

    /// How long a share lasts, from when it was claimed.
    #[must_use]
    pub const fn lease(&self) -> Duration {
        self.rules.lease
    }

    /// Hears what a process claims, and tells its shares; none where it has claimed anew since.
    pub fn claim(&mut self, process: &str, number: u64, claims: Vec<Claim>, now: Now) -> Vec<Share> {
        self.forget(now);
        let (last, until) = self.numbers.entry(process.to_owned()).or_default();
        if number <= *last {
            return Vec::new();
        }
        (*last, *until) = (number, now + self.rules.lease);
        claims.into_iter().map(|claim| self.share(process, claim, now)).collect()
    }

    /// A process holds nothing any more.
    pub fn leave(&mut self, process: &str) {
        for holders in self.credentials.values_mut() {
            let _ = holders.remove(process);
        }
    }

    /// Forgets those that have not been heard of for too long.
    fn forget(&mut self, now: Now) {
        self.numbers.retain(|_, (_, until)| *until > now);
        self.credentials.retain(|_, holders| {
            holders.retain(|_, holder| holder.until > now);
            !holders.is_empty()
        });
    }

    fn share(&mut self, process: &str, Claim { credential, held, wanted }: Claim, now: Now) -> Share {
        let Rules { limit, lease, .. } = self.rules;
        let holders = self.credentials.entry(credential.clone()).or_default();
        let known = holders.get(process).copied();
        let before = known.unwrap_or(Holder { since: now, ..Holder::default() });
        holders.insert(process.to_owned(), Holder { wanted, ..before });
        let others = holders.iter().filter(|(name, _)| *name != process).map(|(_, other)| other.counted);
        let others = others.fold(0, u32::saturating_add);
        let room = if now < self.from { held } else { limit.saturating_sub(others) };
        let permits = fair(holders, limit, lease, now).get(process).copied().unwrap_or(0).min(room);
        let (counted, is_served) = (held.max(permits), permits > 0);
        let since = if is_served == before.is_served { before.since } else { now };
        holders.insert(process.to_owned(), Holder { counted, wanted, until: now + lease, is_served, since });
        Share { credential, permits }
    }
}

/// How much of the limit each is to have: as much as it wants, where that is no more than the others get. Where there are
/// more of them than permits they take turns.
fn fair(holders: &BTreeMap<String, Holder>, limit: u32, turn: Duration, now: Now) -> BTreeMap<String, u32> {
    let rank = |holder: &Holder| match holder.is_served {
        true if now.saturating_sub(holder.since) < turn => 0,
        false => 1,
        true => 2,
    };
    let mut order: Vec<(&String, &Holder)> = holders.iter().filter(|(_, holder)| holder.wanted > 0).collect();
    order.sort_by_key(|(name, holder)| (rank(holder), holder.since, *name));
    let mut given: BTreeMap<String, u32> = BTreeMap::new();
    let mut left = limit;
    while left > 0 && !order.is_empty() {
        let each = (left / count(order.len())).max(1);
        for (name, holder) in &order {
            let given = given.entry((*name).clone()).or_default();
            let more = each.min(holder.wanted - *given).min(left);
            (*given, left) = (*given + more, left - more);
        }
        order.retain(|(name, holder)| given.get(*name).is_some_and(|given| *given < holder.wanted));
    }
    given
}

fn count(processes: usize) -> u32 {
    u32::try_from(processes).unwrap_or(u32::MAX)
}
