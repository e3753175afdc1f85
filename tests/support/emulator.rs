//! Azure Blob and Google Cloud Storage for the length of a test: Azurite, which is fetched from npm once, and a server of
//! our own, as none that can be had speaks what Google's clients of objects do (`tests/google/server.py`).

use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::prepared::prepared;
use crate::{BUCKET, Process, root};

/// The account that Azurite has: it is the same everywhere.
const USER: &str = "devstoreaccount1";
/// Its key.
const KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
/// The service account that the server of Google's lets in.
const ACCOUNT: &str = "tests@clearmosaic.invalid";

/// What a program takes of its environment.
type Environment = Vec<(&'static str, String)>;

/// A server with an empty bucket; killed when it is dropped.
pub struct Emulator {
    scheme: &'static str,
    environment: Environment,
    profile: String,
    secret: String,
    vsi: &'static str,
    gdal: Environment,
    _process: Process,
    _data: TempDir,
}

impl Emulator {
    /// Starts an Azure Blob server; none, said loudly, where the program cannot be had.
    ///
    /// # Panics
    /// Where it does not answer.
    #[must_use]
    pub fn azure() -> Option<Self> {
        static PROGRAM: OnceLock<Option<PathBuf>> = OnceLock::new();
        let program = PROGRAM.get_or_init(|| prepared("azure")).as_ref()?;
        let data = tempfile::tempdir().expect("a temporary directory");
        let port = free_port();
        let mut node = Command::new("node");
        node.arg(program).args(["--blobPort", &port.to_string(), "--location"]).arg(data.path());
        // What it does not know of a newer protocol is nothing that is asked of it.
        node.args(["--silent", "--disableTelemetry", "--skipApiVersionCheck"]).stdout(Stdio::null());
        let process = Process::spawn(&mut node).expect("node runs");
        wait_until_there(port);
        let endpoint = format!("http://127.0.0.1:{port}/{USER}");
        let connection =
            format!("DefaultEndpointsProtocol=http;AccountName={USER};AccountKey={KEY};BlobEndpoint={endpoint};");
        let azure = Self {
            scheme: "az",
            profile: format!("account_name: {USER}\naccount_key: {KEY}\nendpoint: {endpoint}\nallow_http: true\n"),
            environment: vec![
                ("AZURE_STORAGE_ACCOUNT_NAME", USER.to_owned()),
                ("AZURE_STORAGE_ACCOUNT_KEY", KEY.to_owned()),
                ("AZURE_STORAGE_ENDPOINT", endpoint),
                ("AZURE_ALLOW_HTTP", "true".to_owned()),
            ],
            secret: KEY.to_owned(),
            vsi: "/vsiaz",
            gdal: vec![("AZURE_STORAGE_CONNECTION_STRING", connection)],
            _process: process,
            _data: data,
        };
        Some(azure.with_bucket())
    }

    /// Starts a Google Cloud Storage server. To its environment the machine vouches for who asks, by its metadata server;
    /// to its profile the key of a service account does.
    ///
    /// # Panics
    /// Where it does not answer.
    #[must_use]
    pub fn google() -> Self {
        let data = tempfile::tempdir().expect("a temporary directory");
        let mut python = Command::new("/usr/bin/python3");
        python.arg("-B").arg(root().join("tests/google/server.py")).stdout(Stdio::piped());
        let mut process = Process::spawn(&mut python).expect("python3 runs");
        let mut port = String::new();
        BufReader::new(process.stdout().expect("it is piped")).read_line(&mut port).expect("it tells its port");
        let host = format!("127.0.0.1:{}", port.trim_end());
        let endpoint = format!("http://{host}");
        let secret = private_key(data.path());
        let key = json!({
            "type": "service_account", "client_email": ACCOUNT, "private_key_id": "1", "private_key": secret,
        });
        // A string of JSON is one of YAML too.
        let key = Value::from(key.to_string());
        let google = Self {
            scheme: "gs",
            profile: format!("service_account_key: {key}\nbase_url: {endpoint}\nallow_http: true\n"),
            environment: vec![
                ("GCE_METADATA_HOST", host),
                ("GOOGLE_BASE_URL", endpoint.clone()),
                ("GOOGLE_ALLOW_HTTP", "true".to_owned()),
            ],
            secret,
            vsi: "/vsigs",
            gdal: vec![
                ("CPL_GS_ENDPOINT", format!("{endpoint}/")),
                ("GS_ACCESS_KEY_ID", "tests".to_owned()),
                ("GS_SECRET_ACCESS_KEY", "tests".to_owned()),
            ],
            _process: process,
            _data: data,
        };
        google.with_bucket()
    }

    fn with_bucket(self) -> Self {
        self.done("make", &[]);
        self
    }

    /// The URL of a name in the bucket.
    #[must_use]
    pub fn url(&self, name: &str) -> String {
        format!("{}://{BUCKET}/{name}", self.scheme)
    }

    /// The path of a name in the bucket as GDAL has it.
    #[must_use]
    pub fn vsi(&self, name: &str) -> String {
        format!("{}/{BUCKET}/{name}", self.vsi)
    }

    /// What the environment must say for the program to use it.
    #[must_use]
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// What the environment must say for GDAL to use it.
    #[must_use]
    pub fn gdal(&self) -> &Environment {
        &self.gdal
    }

    /// What a credential profile says for it.
    #[must_use]
    pub fn profile(&self) -> &str {
        &self.profile
    }

    /// A secret that must be seen nowhere: a line of it.
    ///
    /// # Panics
    /// Where it has none.
    #[must_use]
    pub fn secret(&self) -> &str {
        self.secret.lines().find(|line| !line.starts_with('-')).expect("a key has a line")
    }

    /// The names below a prefix, sorted.
    #[must_use]
    pub fn names(&self, prefix: &str) -> Vec<String> {
        let listed = self.done("list", &[prefix]);
        String::from_utf8_lossy(&listed).split_terminator('\n').map(str::to_owned).collect()
    }

    /// Copies all objects below a prefix to a directory.
    pub fn download(&self, prefix: &str, to: &Path) {
        self.done("download", &[prefix, &to.to_string_lossy()]);
    }

    /// Removes objects.
    pub fn remove(&self, names: &[String]) {
        self.done("remove", &names.iter().map(String::as_str).collect::<Vec<_>>());
    }

    /// Asks the server by GDAL's client, not by the program's own.
    fn done(&self, what: &str, args: &[&str]) -> Vec<u8> {
        let mut python = Command::new("/usr/bin/python3");
        python.arg("-B").arg(root().join("tests/objects/vsi.py")).arg(format!("{}/{BUCKET}", self.vsi));
        let asked = python.arg(what).args(args).envs(self.gdal.iter().cloned()).output();
        let Output { status, stdout, stderr } = asked.expect("python3 runs");
        assert!(status.success(), "{what} {args:?}: {}", String::from_utf8_lossy(&stderr));
        stdout
    }
}

/// A port that nobody listened on a moment ago.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    listener.local_addr().expect("it is bound").port()
}

fn wait_until_there(port: u16) {
    for _ in 0..1200 {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("nothing listens on {port}");
}

/// A key as service accounts have them.
fn private_key(dir: &Path) -> String {
    let path = dir.join("key.pem");
    let mut openssl = Command::new("openssl");
    openssl.args(["genpkey", "-quiet", "-algorithm", "RSA", "-out"]).arg(&path);
    assert!(openssl.status().expect("openssl runs").success(), "openssl makes no key");
    std::fs::read_to_string(path).expect("a key is read")
}
