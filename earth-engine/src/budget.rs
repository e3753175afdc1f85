//! How many requests may be under way at once, and when none may be: whoever is told that too much is asked makes all of
//! the process pause.
//!
//! ```text
//! alone    as many as the environment says, for ever
//! shared   none until a share is told; a share that is not told again runs out, and what is under way is called off
//! ```
//!
//! A share that becomes smaller is obeyed at once by whoever begins; what is under way ends, and until then it is claimed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use proto::permits::{Claim, Share};
use tokio::sync::Notify;

use crate::settings::at_once;

/// A bound of requests.
#[derive(Debug)]
pub struct Budget {
    state: Mutex<State>,
    /// What is waited for may have come.
    changed: Notify,
    /// Told when there is more to do than may be done.
    hungry: Arc<Notify>,
}

#[derive(Debug, Default)]
struct State {
    limit: usize,
    /// When the limit runs out; never, where nobody else has a share.
    until: Option<Instant>,
    /// Until when nothing begins.
    paused: Option<Instant>,
    under_way: usize,
    /// Turns of those that wait, in the order in which they came.
    waiting: BTreeSet<u64>,
    turns: u64,
    /// The most that was wanted at once since it was last asked, and before.
    most: [usize; 2],
}

impl State {
    /// How many may be under way now.
    fn limit(&self, now: Instant) -> usize {
        if self.until.is_some_and(|until| until <= now) { 0 } else { self.limit }
    }

    fn want(&mut self) {
        self.most[0] = self.most[0].max(self.under_way + self.waiting.len());
    }

    /// Whether a turn has come; else when it may, where that is known.
    fn begin(&mut self, turn: u64, now: Instant) -> Result<(), Option<Instant>> {
        if let Some(paused) = self.paused.filter(|paused| *paused > now) {
            return Err(Some(paused));
        }
        if self.waiting.first() != Some(&turn) || self.under_way >= self.limit(now) {
            return Err(None);
        }
        self.waiting.remove(&turn);
        self.under_way += 1;
        Ok(())
    }
}

impl Budget {
    /// So many requests at once, whatever others do.
    #[must_use]
    pub fn of(limit: usize) -> Self {
        Self::new(limit, None, Arc::default())
    }

    fn new(limit: usize, until: Option<Instant>, hungry: Arc<Notify>) -> Self {
        let state = Mutex::new(State { limit, until, ..State::default() });
        Self { state, changed: Notify::new(), hungry }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets nothing begin for a while.
    pub(crate) fn pause(&self, lasting: Duration) {
        let mut state = self.state();
        state.paused = state.paused.max(Instant::now().checked_add(lasting));
    }

    /// Sets how many requests may be under way, and until when.
    fn tell(&self, limit: usize, until: Instant) {
        {
            let mut state = self.state();
            (state.limit, state.until) = (limit, Some(until));
        }
        self.changed.notify_waiters();
    }

    /// What is held of it and what is wanted; and whether that is less than could be used.
    fn claim(&self, credential: &str) -> (Claim, bool) {
        let (mut state, now) = (self.state(), Instant::now());
        let [lately, before] = state.most;
        state.most = [0, lately];
        state.want();
        let wanted = state.most[0].max(lately).max(before);
        let held = state.limit(now).max(state.under_way);
        let is_hungry = !state.waiting.is_empty() && state.under_way >= state.limit(now);
        (Claim { credential: credential.to_owned(), held: count(held), wanted: count(wanted) }, is_hungry)
    }

    /// Waits until one more request may be under way; it may for as long as the permit is held.
    pub(crate) async fn take(&self) -> Permit<'_> {
        let turn = Turn::of(self);
        loop {
            let changed = self.changed.notified();
            let begun = self.state().begin(turn.number, Instant::now());
            match begun {
                Ok(()) => break,
                Err(Some(until)) => tokio::time::sleep_until(until.into()).await,
                Err(None) => {
                    self.hungry.notify_one();
                    changed.await;
                }
            }
        }
        // The next one may have its turn too.
        self.changed.notify_waiters();
        Permit(self)
    }
}

fn count(requests: usize) -> u32 {
    u32::try_from(requests).unwrap_or(u32::MAX)
}

/// One that waits for its turn.
struct Turn<'a> {
    budget: &'a Budget,
    number: u64,
}

impl<'a> Turn<'a> {
    fn of(budget: &'a Budget) -> Self {
        let mut state = budget.state();
        state.turns += 1;
        let number = state.turns;
        state.waiting.insert(number);
        state.want();
        Self { budget, number }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        // It has had its turn, or nobody waits for it any more.
        if self.budget.state().waiting.remove(&self.number) {
            self.budget.changed.notify_waiters();
        }
    }
}

/// A request that may be under way.
#[derive(Debug)]
pub(crate) struct Permit<'a>(&'a Budget);

impl Permit<'_> {
    /// Waits until the share that it is of has run out: what is under way is to be called off.
    pub async fn lapsed(&self) {
        loop {
            let changed = self.0.changed.notified();
            let until = self.0.state().until;
            let Some(until) = until else { return std::future::pending().await };
            if until <= Instant::now() {
                return;
            }
            // Whichever comes first; it is looked at again.
            let _ = tokio::time::timeout_at(until.into(), changed).await;
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.0.state().under_way -= 1;
        self.0.changed.notify_waiters();
    }
}

/// The budgets of a process, one for each credential.
#[derive(Debug, Default)]
pub struct Budgets {
    known: Mutex<BTreeMap<String, Arc<Budget>>>,
    /// Whether somebody shares them out among processes.
    is_shared: bool,
    hungry: Arc<Notify>,
}

impl Budgets {
    /// Of a process that asks by itself: as many as [`at_once`] of each.
    #[must_use]
    pub fn alone() -> Arc<Self> {
        Arc::default()
    }

    /// Of one among several: none until it is told.
    #[must_use]
    pub fn shared() -> Arc<Self> {
        Arc::new(Self { is_shared: true, ..Self::default() })
    }

    /// The budget of a credential: that of the profile of this name, else the one that is used where none is named.
    #[must_use]
    pub fn of(&self, profile: Option<&str>) -> Arc<Budget> {
        let name = profile.unwrap_or(crate::client::PROFILE);
        let new = || match self.is_shared {
            true => Budget::new(0, Some(Instant::now()), Arc::clone(&self.hungry)),
            false => Budget::of(at_once()),
        };
        Arc::clone(self.known().entry(name.to_owned()).or_insert_with(|| Arc::new(new())))
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Budget>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is held and wanted of each that is in use; and whether one of them is less than could be used. No process
    /// wants more than [`at_once`].
    #[must_use]
    pub fn claims(&self) -> (Vec<Claim>, bool) {
        let (most, mut are_hungry) = (count(at_once()), false);
        let claim = |(credential, budget): (&String, &Arc<Budget>)| {
            let (claim, is_hungry) = budget.claim(credential);
            are_hungry |= is_hungry;
            let claim = Claim { wanted: claim.wanted.min(most), ..claim };
            (claim.held > 0 || claim.wanted > 0).then_some(claim)
        };
        let claims = self.known().iter().filter_map(claim).collect();
        (claims, are_hungry)
    }

    /// Sets shares, and until when they are good.
    pub fn tell(&self, shares: &[Share], until: Instant) {
        for Share { credential, permits } in shares {
            let known = self.known().get(credential).cloned();
            if let Some(budget) = known.filter(|_| self.is_shared) {
                budget.tell(*permits as usize, until);
            }
        }
    }

    /// Gives all shares up: what is under way is called off.
    pub fn close(&self) {
        let none = |credential: &String| Share { credential: credential.clone(), permits: 0 };
        let shares: Vec<Share> = self.known().keys().map(none).collect();
        self.tell(&shares, Instant::now());
    }

    /// Waits until there is more to do than may be done.
    pub async fn hungry(&self) {
        self.hungry.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn never_more_than_the_limit_and_none_is_forgotten() {
        let (budget, at_once, most) = (Arc::new(Budget::of(3)), Arc::new(AtomicUsize::new(0)), AtomicUsize::new(0));
        let most = Arc::new(most);
        let tasks = (0..40).map(|_| {
            let (budget, at_once, most) = (Arc::clone(&budget), Arc::clone(&at_once), Arc::clone(&most));
            tokio::spawn(async move {
                let permit = budget.take().await;
                most.fetch_max(at_once.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                at_once.fetch_sub(1, Ordering::SeqCst);
                drop(permit);
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.unwrap();
        }
        assert_eq!(most.load(Ordering::SeqCst), 3);
        let state = budget.state();
        assert_eq!((state.under_way, state.waiting.len()), (0, 0));
    }

    #[tokio::test]
    async fn nothing_begins_in_a_pause() {
        let (budget, began) = (Budget::of(2), Instant::now());
        let held = budget.take().await;
        budget.pause(Duration::from_millis(50));
        // A shorter one does not end it.
        budget.pause(Duration::ZERO);
        drop(budget.take().await);
        assert!(began.elapsed() >= Duration::from_millis(50));
        drop(held);
    }

    #[tokio::test]
    async fn a_share_is_waited_for_claimed_and_runs_out() {
        let budgets = Budgets::shared();
        let budget = budgets.of(None);
        assert_eq!(budgets.claims(), (vec![], false), "nobody wants anything");
        let claim = |held, wanted| Claim { credential: "earth-engine".to_owned(), held, wanted };
        let later = Instant::now() + Duration::from_secs(600);
        let (first, second) = (budget.take(), budget.take());
        tokio::pin!(first, second);
        tokio::select! {
            biased;
            _ = &mut first => panic!("it has no share"),
            _ = &mut second => panic!("it has no share"),
            () = budgets.hungry() => {}
        }
        assert_eq!(budgets.claims(), (vec![claim(0, 2)], true));
        let tell = |permits| budgets.tell(&[Share { credential: "earth-engine".to_owned(), permits }], later);
        tell(2);
        let (first, second) = (first.await, second.await);
        tell(1);
        assert_eq!(budgets.claims(), (vec![claim(2, 2)], false), "what is under way is claimed until it ends");
        drop(first);
        assert_eq!(budgets.claims().0[0].held, 1);
        budgets.close();
        second.lapsed().await;
        assert_eq!(budgets.claims().0[0].held, 1);
        drop(second);
        // What is not wanted any more is forgotten after a while.
        let wanted: Vec<u32> = (0..3).filter_map(|_| budgets.claims().0.first().map(|claim| claim.wanted)).collect();
        assert!(wanted.len() < 3 && budgets.claims().0.is_empty(), "{wanted:?}");
    }

    #[tokio::test]
    async fn who_does_not_wait_any_more_stands_in_nobodys_way() {
        let budget = Budget::of(1);
        let held = budget.take().await;
        let mut gone = Box::pin(budget.take());
        tokio::select! { biased; _ = &mut gone => panic!("there is none"), () = std::future::ready(()) => {} }
        let mut next = Box::pin(budget.take());
        tokio::select! { biased; _ = &mut next => panic!("there is none"), () = std::future::ready(()) => {} }
        drop(held);
        drop(gone);
        drop(next.await);
    }
}
