//! A small file system, to be filled.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file system of a few megabytes, unmounted when it is dropped.
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts one at a new directory; none, said loudly, where it may not be mounted.
    ///
    /// # Panics
    /// Where the directory is there already.
    #[must_use]
    pub fn mount(at: &Path, megabytes: u32) -> Option<Self> {
        fs::create_dir(at).expect("a new directory");
        let size = format!("size={megabytes}m");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(at).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(at.to_owned()));
        }
        eprintln!("SKIPPED: no file system may be mounted here");
        None
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Takes all the room that is left.
    ///
    /// # Panics
    /// Where it does not come to be full.
    pub fn fill(&self) {
        let mut file = fs::File::create(self.filling()).expect("a file without content");
        let block = vec![0; 64 << 10];
        let is_full = (0..1 << 20).any(|_| file.write_all(&block).is_err());
        assert!(is_full, "a small disk holds 64 GiB");
    }

    /// Gives back what `fill` has taken.
    pub fn free(&self) {
        let _ = fs::remove_file(self.filling());
    }

    fn filling(&self) -> PathBuf {
        self.0.join(".filling")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a process that is being killed may still have a file open.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}
