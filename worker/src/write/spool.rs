//! Encoded blocks of a raster, put aside as they come, until it is known how large each of them is.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::tiff::Extent;

/// A file without a name: nothing is left of it, however the process ends.
pub struct Spool {
    file: File,
    end: AtomicU64,
    /// By level, and there row by row.
    extents: Mutex<Vec<Vec<Extent>>>,
}

impl Spool {
    /// A spool beside `path`, for so many blocks in each level.
    ///
    /// # Errors
    /// What the system says.
    pub fn new(path: &Path, blocks: &[usize]) -> io::Result<Self> {
        let file = File::options().read(true).write(true).create_new(true).open(path)?;
        std::fs::remove_file(path)?;
        let extents = blocks.iter().map(|blocks| vec![Extent::default(); *blocks]).collect();
        Ok(Self { file, end: AtomicU64::new(0), extents: Mutex::new(extents) })
    }

    /// Puts a block aside. Any thread may, in any order.
    ///
    /// # Errors
    /// What the system says.
    pub fn put(&self, level: usize, index: usize, block: &[u8]) -> io::Result<()> {
        let offset = self.end.fetch_add(block.len() as u64, Ordering::Relaxed);
        self.file.write_all_at(block, offset)?;
        let mut extents = self.extents.lock().unwrap_or_else(PoisonError::into_inner);
        extents[level][index] = Extent { offset, size: block.len() };
        Ok(())
    }

    /// Where the blocks are, and the file that they are in.
    #[must_use]
    pub fn into_parts(self) -> (Vec<Vec<Extent>>, File) {
        (self.extents.into_inner().unwrap_or_else(PoisonError::into_inner), self.file)
    }
}
