//! A real etcd of one member, killed when it is dropped.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

/// An etcd that listens on loopback.
pub struct Etcd {
    process: Child,
    /// Where clients reach it.
    pub url: String,
    _data: TempDir,
}

impl Etcd {
    /// Starts one; none, said loudly, where it is not installed.
    ///
    /// # Panics
    /// Where it does not come to answer.
    #[must_use]
    pub fn start() -> Option<Self> {
        let data = tempfile::tempdir().expect("a temporary directory");
        let [client, peer] = [free_port(), free_port()].map(|port| format!("http://127.0.0.1:{port}"));
        let mut command = Command::new("etcd");
        command.arg("--data-dir").arg(data.path()).args(["--log-level", "error"]);
        command.args(["--listen-client-urls", &client, "--advertise-client-urls", &client]);
        command.args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer]);
        command.args(["--initial-cluster", &format!("default={peer}")]);
        let Ok(process) = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn() else {
            eprintln!("SKIPPED: etcd is not installed");
            return None;
        };
        let etcd = Self { process, url: client, _data: data };
        let address = etcd.url.trim_start_matches("http://");
        for _ in 0..600 {
            if std::net::TcpStream::connect(address).is_ok() {
                return Some(etcd);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("etcd does not answer");
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A port that nobody listened on a moment ago.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    listener.local_addr().expect("it is bound").port()
}
