//! How many requests may be under way at once, and when none may be: whoever is told that too much is asked makes all of
//! the process pause.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, SemaphorePermit};

/// A bound of requests.
#[derive(Debug)]
pub struct Budget {
    free: Semaphore,
    /// Until when nothing begins.
    paused: Mutex<Option<Instant>>,
}

impl Budget {
    /// So many requests at once.
    #[must_use]
    pub fn of(limit: usize) -> Self {
        Self { free: Semaphore::new(limit), paused: Mutex::default() }
    }

    /// Lets nothing begin for a while.
    pub(crate) fn pause(&self, lasting: Duration) {
        let mut paused = self.paused.lock().unwrap_or_else(PoisonError::into_inner);
        *paused = (*paused).max(Instant::now().checked_add(lasting));
    }

    /// What is left of the pause.
    fn left(&self) -> Option<Duration> {
        let until = (*self.paused.lock().unwrap_or_else(PoisonError::into_inner))?;
        until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
    }

    /// Waits until one more request may be under way; it may for as long as the permit is held.
    pub(crate) async fn take(&self) -> Option<SemaphorePermit<'_>> {
        let permit = self.free.acquire().await;
        // Those that have a turn already do not begin either.
        while let Some(left) = self.left() {
            tokio::time::sleep(left).await;
        }
        permit.ok()
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
        assert_eq!(budget.free.available_permits(), 3);
    }

    #[tokio::test]
    async fn nothing_begins_in_a_pause() {
        let (budget, began) = (Budget::of(2), Instant::now());
        let held = budget.take().await;
        budget.pause(Duration::from_millis(50));
        // A shorter one does not end it.
        budget.pause(Duration::ZERO);
        drop(budget.take().await);
        assert!(held.is_some() && began.elapsed() >= Duration::from_millis(50));
    }
}
