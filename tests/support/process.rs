//! Processes that are not to outlive their test, and what can be done to them.

use std::process::{Child, ChildStdout, Command, ExitStatus};
use std::time::{Duration, Instant};

/// How long a process may take to do what it was told.
const PATIENCE: Duration = Duration::from_secs(60);

/// A process that is killed when it is dropped.
pub struct Process(Child);

impl Process {
    /// Starts a command.
    ///
    /// # Errors
    /// Where there is no such program.
    pub fn spawn(command: &mut Command) -> std::io::Result<Self> {
        command.spawn().map(Self)
    }

    /// What it prints, where that is piped and nobody has taken it yet.
    pub fn stdout(&mut self) -> Option<ChildStdout> {
        self.0.stdout.take()
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// SIGKILL: it can do nothing more. Whether it ran until then.
    pub fn kill(&mut self) -> bool {
        let ran = self.status().is_none();
        self.0.kill().expect("it is a child of this process");
        self.0.wait().expect("it is gone");
        ran
    }

    /// Sends it a signal by name.
    ///
    /// # Panics
    /// Where it has ended.
    pub fn signal(&self, name: &str) {
        let kill = Command::new("kill").args([&format!("-{name}"), &self.0.id().to_string()]).status();
        assert!(kill.expect("kill runs").success(), "{name}");
    }

    /// How it ended, if it has.
    pub fn status(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().expect("it is a child of this process")
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// Where that does not come.
    pub fn ended(&mut self) -> ExitStatus {
        let since = Instant::now();
        loop {
            if let Some(status) = self.status() {
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
