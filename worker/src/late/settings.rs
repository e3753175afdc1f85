//! What GDAL is told before anyone else calls it.

use std::sync::OnceLock;

use crate::gdal_messages::tell;

/// Bytes of GDAL's block cache.
static CACHE: OnceLock<u64> = OnceLock::new();

/// Bounds GDAL's block cache, in bytes, for the whole process, if that is said before GDAL is first called. What the
/// environment says goes before it.
pub fn set_gdal_cache(bytes: u64) {
    CACHE.get_or_init(|| bytes);
}

/// Where its messages go, and how much it may cache.
pub(super) fn settle_gdal() {
    // SAFETY: the handler is a function of this process, and asks for no data of its own.
    unsafe { gdal_sys::CPLSetErrorHandlerEx(Some(tell), std::ptr::null_mut()) };
    let Some(bytes) = CACHE.get().filter(|_| std::env::var_os("GDAL_CACHEMAX").is_none()) else { return };
    // Below 100,000 GDAL takes the number for megabytes.
    if let Err(error) = gdal::config::set_config_option("GDAL_CACHEMAX", &bytes.max(&100_000).to_string()) {
        tracing::warn!(%error, "GDAL's cache could not be bounded");
    }
}
