//! How often was asked, and what came.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How often was asked, and what came.
#[derive(Debug, Default)]
pub struct Counts {
    pub(crate) asked: AtomicU64,
    pub(crate) again: AtomicU64,
    pub(crate) bytes: AtomicU64,
}

impl Counts {
    /// Requests that were sent, redirects and repetitions too.
    #[must_use]
    pub fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    /// Of these, those that repeat one that failed.
    #[must_use]
    pub fn again(&self) -> u64 {
        self.again.load(Ordering::Relaxed)
    }

    /// Bytes of the answers' bodies, those of failed tries too.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

tokio::task_local! {
    /// Who counts what is asked now, besides those that are asked.
    static ALSO: Arc<Counts>;
}

/// Does something, and has what is asked meanwhile counted here too.
pub async fn counted<T>(counts: Arc<Counts>, what: impl Future<Output = T>) -> T {
    ALSO.scope(counts, what).await
}

/// Adds to one figure of all that count.
pub fn add(own: &Counts, figure: impl Fn(&Counts) -> &AtomicU64, more: u64) {
    figure(own).fetch_add(more, Ordering::Relaxed);
    let _ = ALSO.try_with(|also| figure(also).fetch_add(more, Ordering::Relaxed));
}
