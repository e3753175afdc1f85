//! Who is let in and who is not, with real processes, certificates and tokens.
#![allow(missing_docs, clippy::unwrap_used)]

mod paths;
mod pki;
mod refused;
mod wire;

use std::path::Path;
use std::time::Duration;

use pki::{Authority, Pair};
use serde_json::json;
use tests::{Coordinator, Etcd, Process, Run, World, assert_same, clearmosaic, command, rasters};

/// A coordinator that wants certificates and tokens, and those that it takes.
pub struct Guarded {
    pub authority: Authority,
    pub client: Pair,
    pub coordinator: Coordinator,
    dir: tempfile::TempDir,
}

/// How a client comes: the values of its flags, none where one is not given.
#[derive(Clone, Copy, Default)]
pub struct Comes<'a> {
    pub url: &'a str,
    pub ca: Option<&'a str>,
    pub pair: Option<&'a Pair>,
    pub token: Option<&'a str>,
}

impl<'a> Comes<'a> {
    /// As flags.
    fn flags(&self) -> Vec<&'a str> {
        let pair = self.pair.iter().flat_map(|pair| ["--cert", &pair.cert, "--key", &pair.key]);
        let ca = self.ca.iter().flat_map(|ca| ["--ca", ca]);
        let token = self.token.iter().flat_map(|token| ["--token-file", token]);
        ["--coordinator", self.url].into_iter().chain(ca).chain(pair).chain(token).collect()
    }

    /// Runs a command as this client.
    pub fn run(&self, args: &[&str]) -> Run {
        let mut client = std::process::Command::new(tests::binary());
        command(client.args(args).args(self.flags()).env_remove("RUST_LOG"))
    }
}

impl Guarded {
    pub fn new(store: &Path) -> Self {
        Self::with(store, &[])
    }

    pub fn with(store: &Path, options: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::new(dir.path(), "authority");
        let client = authority.issue("client");
        let tokens = issue_tokens(dir.path());
        let coordinator = start(&authority, &tokens, store, options);
        Self { authority, client, coordinator, dir }
    }

    /// Another one, which takes the same.
    pub fn another(&self, store: &Path, options: &[&str]) -> Coordinator {
        start(&self.authority, &self.file("tokens"), store, options)
    }

    /// A file in a directory of its own; those named like a role hold its token.
    pub fn file(&self, name: &str) -> String {
        self.dir.path().join(name).to_string_lossy().into_owned()
    }

    /// Someone with everything that is wanted, and the token in this file.
    pub fn comes<'a>(&'a self, token: &'a str) -> Comes<'a> {
        let Self { authority, client, coordinator, .. } = self;
        Comes { url: &coordinator.url, ca: Some(&authority.file), pair: Some(client), token: Some(token) }
    }

    /// A worker with everything that is wanted.
    pub fn worker(&self) -> Process {
        let token = self.file("work");
        self.coordinator.worker(&self.comes(&token).flags()[2..])
    }
}

/// A token for each role, in a file of its name, and the list of them.
fn issue_tokens(dir: &Path) -> String {
    let tokens = dir.join("tokens").to_string_lossy().into_owned();
    for role in ["submit", "work", "read"] {
        let made = clearmosaic(&["token", role, "someone", "--tokens", &tokens]);
        assert!(made.status.success() && made.stderr.is_empty());
        std::fs::write(dir.join(role), made.stdout).unwrap();
    }
    tokens
}

fn start(authority: &Authority, tokens: &str, store: &Path, options: &[&str]) -> Coordinator {
    let own = authority.issue("coordinator");
    let guards = ["--tls-cert", &own.cert, "--tls-key", &own.key, "--client-ca", &authority.file, "--tokens", tokens];
    Coordinator::with("127.0.0.1:0", store, &[&guards[..], options].concat())
}

#[test]
fn the_leader_that_a_follower_names_is_asked_over_tls() {
    let (Some(etcd), store) = (Etcd::start(), tempfile::tempdir().unwrap()) else { return };
    let options = ["--etcd", &etcd.url];
    let first = Guarded::with(store.path(), &options);
    let read = first.file("read");
    // Asked before the second is there, the first one leads.
    assert_eq!(first.comes(&read).run(&["status"]).code, Some(0));
    let second = first.another(store.path(), &options);
    let asked = Comes { url: &second.url, ..first.comes(&read) }.run(&["status"]);
    assert!(asked.stdout.contains("no mosaic"), "{}", asked.stderr);
}

/// An operator, or cert-manager, puts other files in the place of those that everybody has read.
#[test]
fn certificates_and_tokens_that_are_renewed_are_taken_without_a_restart() {
    let world = World::new("few");
    let request = world.write("submitted.json", &json!({"output": "out"}));
    let guarded = Guarded::new(&world.path("store"));
    let _worker = guarded.worker();
    let (submit, read) = (guarded.file("submit"), guarded.file("read"));
    assert_eq!(guarded.comes(&read).run(&["status"]).code, Some(0));
    let eventually = |what: &str, ask: &dyn Fn() -> Run, code: i32| {
        let mut last = ask();
        for _ in 0..200 {
            if last.code == Some(code) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
            last = ask();
        }
        panic!("{what}: {last:?}");
    };
    // Another authority, whose certificates bear the same names.
    let old = std::fs::read(&guarded.authority.file).unwrap();
    std::fs::write(guarded.file("old.pem"), old).unwrap();
    let (old, renewed) = (guarded.file("old.pem"), Authority::new(guarded.dir.path(), "authority"));
    ["client", "coordinator"].iter().for_each(|name| drop(renewed.issue(name)));
    eventually("the new certificate", &|| guarded.comes(&read).run(&["status"]), 0);
    let before = Comes { ca: Some(&old), ..guarded.comes(&read) };
    eventually("whoever trusts the old authority alone", &|| before.run(&["status"]), 2);
    // New tokens in the place of the old.
    std::fs::remove_file(guarded.file("tokens")).unwrap();
    std::fs::copy(&read, guarded.file("old")).unwrap();
    issue_tokens(guarded.dir.path());
    let of_old = guarded.file("old");
    eventually("a token that counts no more", &|| guarded.comes(&of_old).run(&["status"]), 2);
    let made = guarded.comes(&submit).run(&["submit", &request.to_string_lossy(), "--watch", "--json"]);
    assert_eq!(made.complete()["tasks"]["failed"], 0);
}

#[test]
fn a_mosaic_over_mutual_tls_with_tokens_is_that_of_run() {
    let world = World::new("year");
    let _ = world.run("whole", &json!({"slice": "P1M"}), &[]).complete();
    let request = world.write("submitted.json", &json!({"slice": "P1M", "output": "out"}));
    let guarded = Guarded::new(&world.path("store"));
    assert!(guarded.coordinator.url.starts_with("https://"));
    let _workers = [guarded.worker(), guarded.worker()];
    let submit = guarded.file("submit");
    let submitted = guarded.comes(&submit).run(&["submit", &request.to_string_lossy(), "--watch", "--json"]);
    let report = submitted.complete();
    assert_eq!(report["tasks"]["failed"], 0);
    assert_same("over TLS", &rasters(&world.mosaic("out")), &rasters(&world.mosaic("whole")));
    let (read, name) = (guarded.file("read"), report["mosaic"].as_str().unwrap());
    assert!(guarded.comes(&read).run(&["status", name]).stdout.contains("complete"));
}
