//! Calls of a store that are waited for: whoever computes has a thread of its own, and no runtime.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, OnceLock, mpsc};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::task::AbortHandle;

use crate::StoreError;

/// The threads that speak to stores, for the whole process.
fn runtime() -> Result<&'static Runtime, StoreError> {
    static RUNTIME: OnceLock<Result<Runtime, String>> = OnceLock::new();
    let started = RUNTIME.get_or_init(|| {
        let runtime = Builder::new_multi_thread().worker_threads(2).thread_name("store").enable_all().build();
        runtime.map_err(|error| error.to_string())
    });
    started.as_ref().map_err(|why| StoreError::Away { what: "the store".to_owned(), why: why.clone() })
}

/// Whether calls are still waited for.
static GIVEN_UP: AtomicBool = AtomicBool::new(false);
/// How soon it is noticed that they are not.
pub(super) const LOOK: Duration = Duration::from_millis(250);

thread_local! {
    /// Set once nothing that this thread waits for is wanted any more.
    static OFF: RefCell<Option<Arc<AtomicBool>>> = const { RefCell::new(None) };
}

/// What was set before, whatever happens meanwhile.
struct Before(Option<Arc<AtomicBool>>);

impl Drop for Before {
    fn drop(&mut self) {
        OFF.set(self.0.take());
    }
}

/// Does some work, of which no call is waited for once `off` is set: by this thread, and by those that help it with
/// [`at_once`](crate::at_once).
pub fn until<T>(off: &Arc<AtomicBool>, work: impl FnOnce() -> T) -> T {
    let _before = Before(OFF.replace(Some(Arc::clone(off))));
    work()
}

/// Does some work as `until` would for the thread that this was asked of.
pub(crate) fn as_here<T>(off: Option<&Arc<AtomicBool>>, work: impl FnOnce() -> T) -> T {
    match off {
        Some(off) => until(off, work),
        None => work(),
    }
}

/// What this thread looks at.
pub(crate) fn off() -> Option<Arc<AtomicBool>> {
    OFF.with_borrow(Clone::clone)
}

/// Whether nothing is waited for any more, here or anywhere.
pub(super) fn is_off() -> bool {
    let is_set = |off: &Arc<AtomicBool>| off.load(Ordering::Relaxed);
    GIVEN_UP.load(Ordering::Relaxed) || OFF.with_borrow(|off| off.as_ref().is_some_and(is_set))
}

/// What is said of a call that is not waited for.
pub(super) fn given_up_call() -> StoreError {
    StoreError::Away { what: "the store".to_owned(), why: "the call was given up".to_owned() }
}

/// Gives up all calls, those under way and those to come: the process is to end, whatever a store does.
pub fn give_up() {
    GIVEN_UP.store(true, Ordering::Relaxed);
}

/// A call that is under way, to be waited for by who needs its end.
#[derive(Debug)]
pub struct Call<T> {
    told: mpsc::Receiver<T>,
    task: AbortHandle,
}

/// Has a call made, and waits for its end. From any thread, though none of an asynchronous runtime should.
///
/// # Errors
/// `Away` where calls are given up.
pub fn wait<T: Send + 'static>(call: impl Future<Output = T> + Send + 'static) -> Result<T, StoreError> {
    spawn(call)?.wait()
}

/// Begins a call. Nobody need wait for it: it is called off where the call is dropped.
///
/// # Errors
/// `Away` where there are no threads to make it.
pub fn spawn<T: Send + 'static>(call: impl Future<Output = T> + Send + 'static) -> Result<Call<T>, StoreError> {
    let (tell, told) = mpsc::sync_channel(1);
    let task = runtime()?.spawn(async move {
        // Nobody waits any more where calls are given up.
        let _ = tell.send(call.await);
    });
    Ok(Call { told, task: task.abort_handle() })
}

impl<T> Call<T> {
    /// Waits for its end.
    ///
    /// # Errors
    /// `Away` where calls are given up, or [`until`] says that nobody wants it.
    pub fn wait(self) -> Result<T, StoreError> {
        loop {
            match self.told.recv_timeout(LOOK) {
                Ok(answer) => return Ok(answer),
                Err(RecvTimeoutError::Timeout) if !is_off() => {}
                Err(_) => return Err(given_up_call()),
            }
        }
    }
}

impl<T> Drop for Call<T> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::at_once;

    /// Called off when it is under way: its thread goes on, and what it was to bring is let go.
    #[test]
    fn what_nobody_wants_any_more_is_not_waited_for() {
        let (off, held) = (Arc::new(AtomicBool::new(false)), Arc::new(()));
        let hangs = || {
            let (off, held) = (Arc::clone(&off), Arc::clone(&held));
            async move {
                let _held = held;
                off.store(true, Ordering::Relaxed);
                std::future::pending::<()>().await;
            }
        };
        let waited = until(&off, || at_once(&[1, 2], |_| wait(hangs())));
        assert!(waited.iter().all(|waited| matches!(waited, Err(StoreError::Away { .. }))), "{waited:?}");
        while Arc::strong_count(&held) > 1 {
            std::thread::yield_now();
        }
        assert_eq!(wait(async { 7 }).unwrap(), 7, "of this thread, what follows is wanted");
    }
}
