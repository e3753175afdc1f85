//! What the tests of the whole share: the binary, the data, the oracle.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::print_stderr)]

mod archive;
mod callers;
mod cluster;
mod disk;
mod emulator;
mod etcd;
pub mod faults;
mod link;
mod prepared;
mod process;
mod receiver;
mod run;
mod s3;
mod world;

pub use archive::{Archive, Asked, Fault, Faults, Paging, Sas, Seen, StacApi, earth_engine};
pub use callers::Callers;
pub use cluster::Coordinator;
pub use disk::SmallDisk;
pub use emulator::Emulator;
pub use etcd::Etcd;
pub use link::{Link, Mode};
pub use process::Process;
pub use receiver::Receiver;
pub use run::{MADE, Run, artifacts, assert_same, command, rasters, run, run_command};
pub use s3::{BUCKET, S3};
pub use world::{World, json};

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// The root of the workspace.
#[must_use]
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ has a parent")
}

/// The `clearmosaic` binary of this build, built if it is not there; or another one that `CLEARMOSAIC_BINARY` names.
#[must_use]
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(other) = std::env::var_os("CLEARMOSAIC_BINARY") {
            return other.into();
        }
        // target/<profile>/deps/<test> lies beside target/<profile>/clearmosaic.
        let test = std::env::current_exe().expect("a test has a path");
        let profile = test.parent().and_then(Path::parent).expect("target/<profile>/deps");
        let mut build = Command::new(env!("CARGO"));
        // With a test beside it features are those of `cargo test --workspace`: its crates are not compiled once more.
        build.args(["build", "--quiet", "--locked", "--workspace", "--bin", "clearmosaic", "--test", "health"]);
        build.current_dir(root());
        build.env("CARGO_TARGET_DIR", profile.parent().expect("target"));
        if profile.ends_with("release") {
            build.arg("--release");
        }
        assert!(build.status().expect("cargo runs").success(), "clearmosaic does not build");
        profile.join("clearmosaic")
    })
}

/// The real Sentinel-2 of two Slovenian tiles; none, said loudly, where it is not there.
#[must_use]
pub fn slovenia() -> Option<PathBuf> {
    let data = root().join("../shared/data/slovenia-120m");
    if data.join("items.json").is_file() {
        return Some(data.canonicalize().expect("it is there"));
    }
    eprintln!("SKIPPED: {} is not there", data.display());
    None
}

/// Runs `clearmosaic` to its end.
#[must_use]
pub fn clearmosaic(args: &[&str]) -> Output {
    Command::new(binary()).args(args).env_remove("RUST_LOG").output().expect("clearmosaic runs")
}

/// The exit code, and everything on stderr.
#[must_use]
pub fn code_and_stderr(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Runs one of the oracle's scripts; its stdout.
///
/// # Panics
/// Where it fails, with what it said.
#[must_use]
pub fn oracle(script: &str, args: &[&str]) -> String {
    let mut python = Command::new("/usr/bin/python3");
    python.arg(root().join("tests/oracle").join(script)).args(args).env("PYTHONDONTWRITEBYTECODE", "1");
    let output = python.output().expect("python3 runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{script}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text
}
