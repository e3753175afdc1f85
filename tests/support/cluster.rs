//! Processes that serve: a coordinator and workers, killed when they are dropped.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::{Run, binary, command};

/// How long a process may take to do what it was told.
const PATIENCE: Duration = Duration::from_secs(60);

/// A process that is not to outlive its test.
pub struct Process(Child);

impl Process {
    /// Starts `clearmosaic ARGS`; its results are the test's to read.
    fn start(args: &[&str]) -> Self {
        let mut command = Command::new(binary());
        command.args(args).env_remove("RUST_LOG").stdout(Stdio::piped()).stderr(Stdio::null());
        Self(command.spawn().expect("clearmosaic starts"))
    }

    /// Kills it, so that it can do nothing more.
    pub fn kill(&mut self) {
        self.0.kill().expect("it is a child of this process");
        self.0.wait().expect("it is gone");
    }

    /// Sends it a signal by name.
    pub fn signal(&self, name: &str) {
        let kill = Command::new("kill").args([&format!("-{name}"), &self.0.id().to_string()]).status();
        assert!(kill.expect("kill runs").success(), "{name}");
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// Where that does not come.
    pub fn ended(&mut self) -> ExitStatus {
        let since = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().expect("it is a child of this process") {
                return status;
            }
            assert!(since.elapsed() < PATIENCE, "it does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A coordinator that listens on a port of its own.
pub struct Coordinator {
    /// The process.
    pub process: Process,
    /// Where it listens.
    pub url: String,
}

impl Coordinator {
    /// Starts one over a store.
    ///
    /// # Panics
    /// Where it does not tell where it listens.
    #[must_use]
    pub fn start(store: &Path) -> Self {
        Self::with("127.0.0.1:0", store, &[])
    }

    /// Starts one at an address, with other options.
    ///
    /// # Panics
    /// Where it does not tell where it listens.
    #[must_use]
    pub fn with(at: &str, store: &Path, options: &[&str]) -> Self {
        let store = store.to_string_lossy();
        let mut process = Process::start(&[&["coordinator", "--listen", at, "--store", &store], options].concat());
        let mut line = String::new();
        let stdout = process.0.stdout.take().expect("it is piped");
        BufReader::new(stdout).read_line(&mut line).expect("it tells where it listens");
        assert!(line.starts_with("http://"), "it tells where it listens: {line}");
        Self { process, url: line.trim_end().to_owned() }
    }

    /// The address in its URL.
    #[must_use]
    pub fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    /// A worker of it.
    #[must_use]
    pub fn worker(&self, args: &[&str]) -> Process {
        Process::start(&[&["worker", "--coordinator", &self.url], args].concat())
    }

    /// Runs a command that asks it, to its end.
    #[must_use]
    pub fn ask(&self, args: &[&str]) -> Run {
        command(&mut self.asking(args))
    }

    /// A command that asks it, not started.
    #[must_use]
    pub fn asking(&self, args: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.args(args).env("CLEARMOSAIC_COORDINATOR", &self.url).env_remove("RUST_LOG");
        command
    }
}
