//! A file system of GDAL's whose files are read by this process itself: `/vsiclearmosaic/<number>/<name>`. So what GDAL
//! reads of other machines is tried again, counted, bounded and admitted as all else is.
//!
//! A file is there for as long as it is mounted. Nothing lies beside it.

use std::collections::HashMap;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::slice;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, OnceLock};

use gdal_sys::{VSIStatBufL, vsi_l_offset};

use super::lock;
use super::paged::Paged;
use crate::read::ReadError;

const PREFIX: &CStr = c"/vsiclearmosaic/";

/// The files that are mounted.
static FILES: LazyLock<Mutex<HashMap<u64, Arc<Paged>>>> = LazyLock::new(Mutex::default);

/// A file that GDAL can open, until this is dropped.
pub(crate) struct Mounted {
    number: u64,
    path: String,
    file: Arc<Paged>,
}

impl Mounted {
    /// Mounts a file under a name of its own.
    ///
    /// # Errors
    /// Where GDAL takes no such file system.
    pub(crate) fn new(file: Paged, href: &str) -> Result<Self, ReadError> {
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        if !is_installed() {
            return Err(ReadError::permanent(href, "this GDAL reads no files but those of this machine"));
        }
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        let path = href.split(['?', '#']).next().unwrap_or(href);
        let name: String = path.rsplit('/').next().unwrap_or_default().chars().filter(|c| *c != '\0').collect();
        let path = format!("{}{number}/{name}", PREFIX.to_string_lossy());
        let file = Arc::new(file);
        lock(&FILES).insert(number, Arc::clone(&file));
        Ok(Self { number, path, file })
    }

    /// What GDAL calls it.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// The file.
    pub(crate) fn file(&self) -> &Paged {
        &self.file
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        lock(&FILES).remove(&self.number);
    }
}

/// The file that a path names; GDAL takes the prefix off before.
fn file(path: *const c_char) -> Option<Arc<Paged>> {
    if path.is_null() {
        return None;
    }
    // SAFETY: GDAL gives strings that end with a zero, and keeps them during the call.
    let path = unsafe { CStr::from_ptr(path) }.to_str().ok()?;
    let number = path.split('/').next()?.parse().ok()?;
    lock(&FILES).get(&number).cloned()
}

/// Makes the file system known to GDAL, once.
fn is_installed() -> bool {
    static INSTALLED: OnceLock<bool> = OnceLock::new();
    *INSTALLED.get_or_init(|| {
        // SAFETY: the structure is GDAL's own, holds functions of the types that it declares, and is copied by the call
        // that takes it.
        unsafe {
            let callbacks = gdal_sys::VSIAllocFilesystemPluginCallbacksStruct();
            let Some(known) = callbacks.as_mut() else { return false };
            known.stat = Some(stat);
            known.open = Some(open);
            known.tell = Some(tell);
            known.seek = Some(seek);
            known.read = Some(read);
            known.eof = Some(eof);
            known.close = Some(close);
            known.sibling_files = Some(siblings);
            let installed = gdal_sys::VSIInstallPluginHandler(PREFIX.as_ptr(), callbacks) == 0;
            gdal_sys::VSIFreeFilesystemPluginCallbacksStruct(callbacks);
            installed
        }
    })
}

/// An open file, and where it is read next.
struct Handle {
    file: Arc<Paged>,
    at: u64,
    is_at_end: bool,
}

/// The handle behind GDAL's pointer.
///
/// # Safety
/// `pointer` is one that `open` gave, and `close` has not taken back.
unsafe fn handle<'a>(pointer: *mut c_void) -> &'a mut Handle {
    // SAFETY: as promised; GDAL uses a handle from one thread at a time.
    unsafe { &mut *pointer.cast::<Handle>() }
}

unsafe extern "C" fn stat(_: *mut c_void, path: *const c_char, into: *mut VSIStatBufL, _: c_int) -> c_int {
    let Some(file) = file(path).filter(|_| !into.is_null()) else { return -1 };
    // SAFETY: a structure of plain numbers, of which all zeros are a value.
    let mut found: libc::stat64 = unsafe { std::mem::zeroed() };
    found.st_size = i64::try_from(file.size()).unwrap_or(i64::MAX);
    found.st_mode = libc::S_IFREG;
    // SAFETY: GDAL gives room for the system's structure, which is what its own name for it means.
    unsafe { into.cast::<libc::stat64>().write(found) };
    0
}

unsafe extern "C" fn open(_: *mut c_void, path: *const c_char, access: *const c_char) -> *mut c_void {
    // SAFETY: GDAL gives a string that ends with a zero, or none.
    let is_to_be_written = !access.is_null()
        && unsafe { CStr::from_ptr(access) }.to_bytes().iter().any(|c| matches!(c, b'w' | b'a' | b'+'));
    match file(path).filter(|_| !is_to_be_written) {
        Some(file) => Box::into_raw(Box::new(Handle { file, at: 0, is_at_end: false })).cast(),
        None => std::ptr::null_mut(),
    }
}

unsafe extern "C" fn tell(pointer: *mut c_void) -> vsi_l_offset {
    // SAFETY: GDAL gives what `open` gave it.
    unsafe { handle(pointer) }.at
}

unsafe extern "C" fn seek(pointer: *mut c_void, offset: vsi_l_offset, whence: c_int) -> c_int {
    // SAFETY: GDAL gives what `open` gave it.
    let handle = unsafe { handle(pointer) };
    handle.at = match whence {
        0 => offset,
        1 => handle.at.wrapping_add(offset),
        2 => handle.file.size().wrapping_add(offset),
        _ => return -1,
    };
    handle.is_at_end = false;
    0
}

unsafe extern "C" fn read(pointer: *mut c_void, into: *mut c_void, size: usize, count: usize) -> usize {
    let Some(length) = size.checked_mul(count).filter(|length| *length > 0 && !into.is_null()) else { return 0 };
    // SAFETY: GDAL gives what `open` gave it.
    let handle = unsafe { handle(pointer) };
    // SAFETY: GDAL gives room for `count` things of `size` bytes; it is zeroed, as a slice must not be uninitialised.
    let buffer = unsafe {
        std::ptr::write_bytes(into.cast::<u8>(), 0, length);
        slice::from_raw_parts_mut(into.cast::<u8>(), length)
    };
    let Some(read) = handle.file.read(handle.at, buffer) else { return 0 };
    handle.at += read as u64;
    handle.is_at_end = read < length;
    read / size
}

unsafe extern "C" fn eof(pointer: *mut c_void) -> c_int {
    // SAFETY: GDAL gives what `open` gave it.
    c_int::from(unsafe { handle(pointer) }.is_at_end)
}

unsafe extern "C" fn close(pointer: *mut c_void) -> c_int {
    // SAFETY: what `open` gave, for the last time.
    drop(unsafe { Box::from_raw(pointer.cast::<Handle>()) });
    0
}

/// Nothing: a list without a name.
unsafe extern "C" fn siblings(_: *mut c_void, _: *const c_char) -> *mut *mut c_char {
    // SAFETY: one empty pointer, of GDAL's own memory, which it frees.
    unsafe { gdal_sys::CPLCalloc(1, size_of::<*mut c_char>()) }.cast()
}
