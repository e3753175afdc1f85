//! Calls of a store that are waited for: whoever computes has a thread of its own, and no runtime.

use std::sync::{OnceLock, mpsc};

use tokio::runtime::{Builder, Runtime};

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

/// Has a call made, and waits for its end. From any thread, though none of an asynchronous runtime should.
pub fn wait<T: Send + 'static>(call: impl Future<Output = T> + Send + 'static) -> Result<T, StoreError> {
    let (tell, told) = mpsc::sync_channel(1);
    runtime()?.spawn(async move {
        // Nobody waits any more only where that thread has panicked.
        let _ = tell.send(call.await);
    });
    told.recv().map_err(|_| StoreError::Away { what: "the store".to_owned(), why: "the call was given up".to_owned() })
}
