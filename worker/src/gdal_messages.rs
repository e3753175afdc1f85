//! GDAL's messages: kept from the terminal, traced, and the last failure of each thread remembered, as some failures
//! (those of closing a dataset) are told in no other way.

use std::cell::RefCell;
use std::sync::Once;

use gdal::errors::CplErrType;

thread_local! {
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Takes GDAL's messages from now on, for the whole process. Calling it again does nothing.
pub fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        gdal::config::set_error_handler(|class, _, message| {
            let message = &*mosaic::href::scrub(message);
            match class {
                CplErrType::Failure | CplErrType::Fatal => {
                    tracing::debug!(target: "gdal", "{message}");
                    LAST.set(Some(message.to_owned()));
                }
                _ => tracing::debug!(target: "gdal", "{message}"),
            }
        });
    });
}

/// The last failure on this thread since it was last taken.
pub fn take() -> Option<String> {
    LAST.take()
}
