//! The processes that are measured: etcd and coordinators.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::sleep;

/// A port that nobody listened on a moment ago.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    listener.local_addr().expect("it is bound").port()
}

/// An etcd of one member, which syncs what it writes.
pub struct Etcd {
    process: Child,
    /// Where clients reach it.
    pub url: String,
}

impl Etcd {
    /// Starts one; none where it is not installed.
    pub async fn start(data: &Path) -> Option<Self> {
        let [client, peer] = [free_port(), free_port()].map(|port| format!("http://127.0.0.1:{port}"));
        let mut command = Command::new("etcd");
        command.arg("--data-dir").arg(data).args(["--log-level", "error"]);
        command.args(["--listen-client-urls", &client, "--advertise-client-urls", &client]);
        command.args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer]);
        command.args(["--initial-cluster", &format!("default={peer}")]);
        command.args(["--auto-compaction-mode", "revision", "--auto-compaction-retention", "10000"]);
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()?;
        let etcd = Self { process, url: client };
        for _ in 0..600 {
            if TcpStream::connect(etcd.address()).await.is_ok() {
                return Some(etcd);
            }
            sleep(Duration::from_millis(50)).await;
        }
        panic!("etcd does not answer");
    }

    fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    /// One of the figures that it tells of itself.
    pub async fn metric(&self, name: &str) -> f64 {
        let mut stream = TcpStream::connect(self.address()).await.expect("etcd listens");
        stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").await.expect("etcd listens");
        let mut text = String::new();
        stream.read_to_string(&mut text).await.expect("etcd answers");
        let value = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok();
        text.lines().find_map(value).unwrap_or_else(|| panic!("etcd does not tell {name}"))
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn proc(process: &Child, file: &str) -> String {
    std::fs::read_to_string(format!("/proc/{}/{file}", process.id())).expect("it runs")
}

/// The processor time that a process has had.
fn cpu(process: &Child) -> Duration {
    let stat = proc(process, "stat");
    // What follows the name, which may hold spaces: state is the third field, times are the 14th and 15th.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: u64 = fields[11..13].iter().filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// A worker whose work is a sleep: this program again.
pub struct Sleeper(Child);

impl Sleeper {
    /// Starts one, which is told to be that.
    pub fn start(told: &str, url: &str) -> Self {
        let this = std::env::current_exe().expect("this program is a file");
        Self(Command::new(this).args([told, url]).spawn().expect("this program starts"))
    }

    /// The processor time that it has had.
    pub fn cpu(&self) -> Duration {
        cpu(&self.0)
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A coordinator.
pub struct Coordinator {
    process: Child,
    /// Where it listens.
    pub url: String,
}

impl Coordinator {
    /// Starts one over the store in a directory.
    pub async fn start(binary: &Path, dir: &Path, etcd: &str) -> Self {
        let mut command = Command::new(binary);
        command.args(["coordinator", "--listen", "127.0.0.1:0", "--etcd", etcd, "--store"]).arg(dir.join("store"));
        let mut process = command.stdout(Stdio::piped()).spawn().expect("clearmosaic starts");
        let stdout = process.stdout.take().expect("it is piped");
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).expect("it tells where it listens");
        assert!(line.starts_with("http://"), "it tells where it listens: {line}");
        // The first one leads before the next one is there.
        sleep(Duration::from_secs(1)).await;
        Self { process, url: line.trim_end().to_owned() }
    }

    fn proc(&self, file: &str) -> String {
        proc(&self.process, file)
    }

    /// The most memory that it had, bytes.
    pub fn peak_memory(&self) -> u64 {
        let status = self.proc("status");
        let kibibytes =
            |line: &str| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok();
        status.lines().find_map(kibibytes).expect("the system tells") << 10
    }

    /// The processor time that it has had.
    pub fn cpu(&self) -> Duration {
        cpu(&self.process)
    }

    /// Kills it.
    pub fn kill(&mut self) {
        self.process.kill().expect("it is a child of this process");
        self.process.wait().expect("it is gone");
    }

    /// Asks it to stop: how long that takes.
    pub async fn terminate(&mut self) -> Duration {
        let since = Instant::now();
        let told = Command::new("kill").arg(self.process.id().to_string()).status();
        assert!(told.is_ok_and(|status| status.success()), "kill runs");
        while self.process.try_wait().expect("it is a child of this process").is_none() {
            sleep(Duration::from_millis(10)).await;
        }
        since.elapsed()
    }
}

impl Drop for Coordinator {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
