//! GDAL's messages: kept from the terminal, and traced. What fails is told by the call that failed.

use std::ffi::{CStr, c_char};

use gdal_sys::{CPLErr, CPLErrorNum};

/// Takes a message; GDAL is told to hand it over as soon as it is loaded.
///
/// # Safety
/// The message is a C string.
pub(crate) unsafe extern "C" fn tell(_: CPLErr::Type, _: CPLErrorNum, message: *const c_char) {
    // SAFETY: the caller vouches for it.
    let message = unsafe { CStr::from_ptr(message) }.to_string_lossy();
    tracing::debug!(target: "gdal", "{}", mosaic::href::scrub(&message));
}
