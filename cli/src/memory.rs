//! Divides the memory that the process may use; and how much room it has for files.

use std::path::Path;

use bytesize::ByteSize;

use crate::exit::BadInput;

/// How the memory is divided, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Division {
    /// GDAL's block cache.
    pub gdal: u64,
    /// What tasks may reserve.
    pub tasks: u64,
}

/// What the program and its libraries take before any task: code, PROJ's database, gRPC, threads.
const PROGRAM: u64 = 96 << 20;
/// Less than this is not enough for one task of four bands.
const LEAST: u64 = 192 << 20;

/// Divides what `--memory` gives, or half of the machine.
pub fn divide(given: Option<ByteSize>) -> Result<Division, BadInput> {
    let total = given.map_or_else(half_of_the_machine, |size| size.as_u64());
    if total < LEAST {
        let least = ByteSize(LEAST);
        return Err(BadInput::one(format!("--memory {}: give at least {least}", ByteSize(total))));
    }
    let gdal = (total / 16).clamp(16 << 20, 256 << 20);
    Ok(Division { gdal, tasks: total - PROGRAM - gdal })
}

fn half_of_the_machine() -> u64 {
    let info = rustix::system::sysinfo();
    (info.totalram as u64) * u64::from(info.mem_unit) / 2
}

/// Bytes of files in the making: what `--scratch-size` gives, or what is free in that directory.
pub fn files(given: Option<ByteSize>, scratch: &Path) -> usize {
    let free = || {
        let there = scratch.ancestors().find(|path| path.exists())?;
        let disk = rustix::fs::statvfs(there).ok()?;
        Some(disk.f_bavail.saturating_mul(disk.f_frsize))
    };
    let bytes = given.map(|size| size.as_u64()).or_else(free).unwrap_or(u64::MAX);
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// Makes the allocator keep to one heap, and reuse in it the planes of pixels that are freed.
///
/// By default glibc has a heap for each thread, each holding on to what it once took, and maps large blocks anew each
/// time until it has learnt their size: the process grows well past what its tasks hold, or spends a third of its time
/// in the kernel clearing pages.
pub fn keep_to_one_heap() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: sets three numbers of the allocator, before any thread is started.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
        libc::mallopt(libc::M_MMAP_THRESHOLD, 32 << 20);
        libc::mallopt(libc::M_TRIM_THRESHOLD, libc::c_int::MAX);
    }
}
