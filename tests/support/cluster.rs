//! Processes that serve: a coordinator and workers, killed when they are dropped.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::{Process, Run, binary, command};

/// Variables of the environment.
type Environment = [(&'static str, String)];

/// `clearmosaic ARGS`, its results the test's to read.
fn start(args: &[&str], environment: &Environment) -> Process {
    let mut command = Command::new(binary());
    command.args(args).env_remove("RUST_LOG").stdout(Stdio::piped()).stderr(Stdio::null());
    command.envs(environment.iter().map(|(name, value)| (*name, value)));
    Process::spawn(&mut command).expect("clearmosaic starts")
}

/// A coordinator that listens on a port of its own.
pub struct Coordinator {
    /// The process.
    pub process: Process,
    /// Where it listens.
    pub url: String,
    /// What its workers' environment says besides.
    environment: Vec<(&'static str, String)>,
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
        Self::within(&[], at, store, options)
    }

    /// The same in an environment, which is its workers' too.
    ///
    /// # Panics
    /// Where it does not tell where it listens.
    #[must_use]
    pub fn within(environment: &Environment, at: &str, store: &Path, options: &[&str]) -> Self {
        let store = store.to_string_lossy();
        let args = [&["coordinator", "--listen", at, "--store", &store], options].concat();
        let mut process = start(&args, environment);
        let mut line = String::new();
        let stdout = process.stdout().expect("it is piped");
        BufReader::new(stdout).read_line(&mut line).expect("it tells where it listens");
        assert!(line.starts_with("http"), "it tells where it listens: {line}");
        Self { process, url: line.trim_end().to_owned(), environment: environment.to_vec() }
    }

    /// The address in its URL.
    #[must_use]
    pub fn address(&self) -> &str {
        self.url.trim_start_matches("http://").trim_start_matches("https://")
    }

    /// A worker of it.
    #[must_use]
    pub fn worker(&self, args: &[&str]) -> Process {
        start(&[&["worker", "--coordinator", &self.url], args].concat(), &self.environment)
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
