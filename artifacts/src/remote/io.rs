//! Calls of a store that are waited for: whoever computes has a thread of its own, and no runtime.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{OnceLock, mpsc};
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
const LOOK: Duration = Duration::from_millis(250);

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
    /// `Away` where calls are given up.
    pub fn wait(self) -> Result<T, StoreError> {
        loop {
            match self.told.recv_timeout(LOOK) {
                Ok(answer) => return Ok(answer),
                Err(RecvTimeoutError::Timeout) if !GIVEN_UP.load(Ordering::Relaxed) => {}
                Err(_) => {
                    let (what, why) = ("the store".to_owned(), "the call was given up".to_owned());
                    return Err(StoreError::Away { what, why });
                }
            }
        }
    }
}

impl<T> Drop for Call<T> {
    fn drop(&mut self) {
        self.task.abort();
    }
}
