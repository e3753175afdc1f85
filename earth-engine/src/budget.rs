//! How many requests may be under way at once, and when none may be.
//!
//! Alone a process has a limit of its own. In a cluster the coordinator hands the limit out, a share to each worker:
//! see `quota` there. Whoever is told that too much is asked makes all of the process pause.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// How requests stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Use {
    /// Requests that may be under way at once.
    pub limit: usize,
    /// Requests that are.
    pub under_way: usize,
    /// Requests that wait.
    pub waiting: usize,
    /// Whether Earth Engine said lately that too much is asked of it.
    pub is_paused: bool,
}

impl Use {
    /// Whether there is anything to be shared out.
    #[must_use]
    pub const fn is_idle(&self) -> bool {
        self.under_way == 0 && self.waiting == 0
    }
}

/// A bound of requests.
#[derive(Debug)]
pub struct Budget {
    inner: Mutex<Inner>,
    /// That something has become free.
    free: Notify,
    /// That someone waits, or does so no more.
    wanted: Notify,
}

#[derive(Debug)]
struct Inner {
    limit: usize,
    /// Until when the limit holds, where it is lent.
    until: Option<Instant>,
    under_way: usize,
    waiting: usize,
    paused: Option<Instant>,
}

impl Inner {
    fn limit(&self, now: Instant) -> usize {
        if self.until.is_some_and(|until| until <= now) { 0 } else { self.limit }
    }

    fn pause(&self, now: Instant) -> Option<Duration> {
        self.paused?.checked_duration_since(now).filter(|pause| !pause.is_zero())
    }
}

/// The right to one request; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Permit<'a>(&'a Budget);

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.0.inner().under_way -= 1;
        self.0.free.notify_one();
    }
}

/// One that waits, for as long as it does.
struct Waiting<'a>(&'a Budget);

impl<'a> Waiting<'a> {
    fn begin(budget: &'a Budget) -> Self {
        budget.inner().waiting += 1;
        budget.wanted.notify_one();
        Self(budget)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.inner().waiting -= 1;
    }
}

impl Budget {
    /// So many requests at once.
    #[must_use]
    pub fn of(limit: usize) -> Self {
        let inner = Inner { limit, until: None, under_way: 0, waiting: 0, paused: None };
        Self { inner: Mutex::new(inner), free: Notify::new(), wanted: Notify::new() }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the limit, which is none any more after a while. What is under way goes on.
    pub fn lend(&self, limit: usize, lasting: Duration) {
        let mut inner = self.inner();
        (inner.limit, inner.until) = (limit, Instant::now().checked_add(lasting));
        drop(inner);
        self.free.notify_waiters();
    }

    /// How requests stand.
    #[must_use]
    pub fn used(&self) -> Use {
        let (inner, now) = (self.inner(), Instant::now());
        Use {
            limit: inner.limit(now),
            under_way: inner.under_way,
            waiting: inner.waiting,
            is_paused: inner.pause(now).is_some(),
        }
    }

    /// Resolves when a request begins to wait.
    pub async fn wanted(&self) {
        self.wanted.notified().await;
    }

    /// Lets nothing begin for a while.
    pub(crate) fn pause(&self, lasting: Duration) {
        let mut inner = self.inner();
        let until = Instant::now().checked_add(lasting);
        inner.paused = inner.paused.max(until);
    }

    /// Waits until one more request may be under way.
    pub(crate) async fn take(&self) -> Permit<'_> {
        let _waiting = Waiting::begin(self);
        loop {
            let free = self.free.notified();
            let mut free = std::pin::pin!(free);
            // Whatever becomes free from here on is heard of.
            free.as_mut().enable();
            let pause = {
                let (mut inner, now) = (self.inner(), Instant::now());
                let pause = inner.pause(now);
                if pause.is_none() && inner.under_way < inner.limit(now) {
                    inner.under_way += 1;
                    return Permit(self);
                }
                pause
            };
            match pause {
                Some(pause) => tokio::time::sleep(pause).await,
                None => free.await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
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
        assert!(budget.used().is_idle());
    }

    #[tokio::test]
    async fn what_is_lent_is_waited_for_and_runs_out() {
        let budget = Arc::new(Budget::of(0));
        let waits = tokio::spawn({
            let budget = Arc::clone(&budget);
            async move { drop(budget.take().await) }
        });
        budget.wanted().await;
        assert_eq!(budget.used().waiting, 1);
        budget.lend(1, Duration::from_secs(60));
        waits.await.unwrap();
        budget.lend(5, Duration::ZERO);
        assert_eq!(budget.used().limit, 0);
    }
}
