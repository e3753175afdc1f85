//! Refusals: exit code 2, and one clear line.

use std::process::Command;

use tests::{Coordinator, Run, World, clearmosaic, command};

use crate::pki::Authority;
use crate::{Comes, Guarded};

fn refused(what: &str, run: &Run, words: &[&str]) {
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{what}: {}", run.stderr);
    assert_eq!(run.stderr.lines().count(), 1, "{what}: {}", run.stderr);
    assert!(words.iter().all(|word| run.stderr.contains(word)), "{what}: {:?} lacks one of {words:?}", run.stderr);
    assert!(!run.stderr.contains("internal error"), "{what}: {}", run.stderr);
}

#[test]
fn tokens() {
    let (store, world) = (tempfile::tempdir().unwrap(), World::new("few"));
    let request = world.write("submitted.json", &serde_json::json!({"output": "out"}));
    let submit = ["submit", &*request.to_string_lossy()];
    let guarded = Guarded::new(store.path());
    let [own, work, read] = ["submit", "work", "read"].map(|role| guarded.file(role));
    let unknown = guarded.file("unknown");
    std::fs::write(&unknown, "0123456789abcdef").unwrap();
    let nobody = Comes { token: None, ..guarded.comes(&own) };
    refused("no token", &nobody.run(&["status"]), &["--coordinator https://", "token", "--token-file"]);
    refused("an unknown token", &guarded.comes(&unknown).run(&["status"]), &["does not know this token"]);
    refused("a reader submits", &guarded.comes(&read).run(&submit), &["`someone`", "`read`", "`submit`"]);
    refused("a worker submits", &guarded.comes(&work).run(&submit), &["`someone`", "`work`", "`submit`"]);
    refused("a worker reads", &guarded.comes(&work).run(&["status"]), &["`work`", "`read`"]);
    refused("a reader works", &guarded.comes(&read).run(&["worker"]), &["`read`", "`work`"]);
    refused("a submitter works", &guarded.comes(&own).run(&["worker"]), &["`submit`", "`work`"]);
    refused("nobody works", &nobody.run(&["worker"]), &["token"]);
    let job = guarded.comes(&own).run(&submit).stdout;
    for command in ["cancel", "retry"] {
        refused(command, &guarded.comes(&read).run(&[command, job.trim()]), &["`read`", "`submit`"]);
    }
    let told = guarded.comes(&read).run(&["status", "--json"]);
    assert!(told.stdout.contains(r#""state":"running""#), "nothing was changed: {}", told.stdout);
    let by_environment =
        ["status", "--ca", &guarded.authority.file, "--cert", &guarded.client.cert, "--key", &guarded.client.key];
    let mut asked = guarded.coordinator.asking(&by_environment);
    let known = command(asked.env("CLEARMOSAIC_TOKEN", std::fs::read_to_string(&read).unwrap()));
    assert_eq!(known.code, Some(0), "{}", known.stderr);
}

#[test]
fn certificates() {
    let store = tempfile::tempdir().unwrap();
    let guarded = Guarded::new(store.path());
    let read = guarded.file("read");
    let good = guarded.comes(&read);
    assert_eq!(good.run(&["status"]).code, Some(0));
    let other = Authority::new(store.path(), "other");
    let (strange, expired) = (other.issue("strange"), guarded.authority.until("expired", 2020));
    let cases = [
        ("wrong CA", Comes { ca: Some(&other.file), ..good }, ["its certificate", "--ca"]),
        ("no certificate", Comes { pair: None, ..good }, ["--cert", "--key"]),
        ("an expired certificate", Comes { pair: Some(&expired), ..good }, ["--cert", "expired"]),
        ("a certificate of another CA", Comes { pair: Some(&strange), ..good }, ["--cert", "--client-ca"]),
    ];
    for (what, comes, words) in cases {
        refused(what, &comes.run(&["status"]), &words);
        refused(what, &comes.run(&["worker"]), &words);
    }
}

#[test]
fn coordinators_whose_certificate_is_not_good() {
    let (store, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let authority = Authority::new(dir.path(), "authority");
    let expired = authority.until("expired", 2020);
    let options = ["--tls-cert", &expired.cert, "--tls-key", &expired.key];
    let coordinator = Coordinator::with("127.0.0.1:0", store.path(), &options);
    let comes = Comes { url: &coordinator.url, ca: Some(&authority.file), ..Comes::default() };
    refused("an expired certificate", &comes.run(&["status"]), &["its certificate has expired"]);
}

#[test]
fn tls_on_one_side_alone() {
    let (store, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let authority = Authority::new(dir.path(), "authority");
    let open = Coordinator::start(store.path());
    let url = open.url.replace("http://", "https://");
    let comes = Comes { url: &url, ca: Some(&authority.file), ..Comes::default() };
    refused("TLS to plaintext", &comes.run(&["status"]), &["does not speak TLS"]);
    let guarded = Guarded::new(store.path());
    let url = guarded.coordinator.url.replace("https://", "http://");
    let comes = Comes { url: &url, ..Comes::default() };
    refused("plaintext to TLS", &comes.run(&["status"]), &["TLS", "https://", "--ca"]);
    refused("plaintext to TLS", &comes.run(&["worker"]), &["TLS", "https://", "--ca"]);
}

/// Flags that do not say what they should: nothing is begun.
#[test]
fn flags() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
    let (authority, store) = (Authority::new(dir.path(), "authority"), path("store"));
    let [one, two] = ["one", "two"].map(|name| authority.issue(name));
    let [text, empty, missing] = ["text", "empty", "missing"].map(path);
    std::fs::write(&text, "hello there").unwrap();
    std::fs::write(&empty, "").unwrap();
    let cert = ["--tls-cert", &one.cert, "--tls-key", &one.key];
    let coordinator: &[(&[&str], &[&str])] = &[
        (&["--tls-cert", &one.cert], &["--tls-cert", "--tls-key"]),
        (&["--tls-key", &one.key], &["--tls-key", "--tls-cert"]),
        (&["--tls-cert", &missing, "--tls-key", &one.key], &["--tls-cert", "no such file"]),
        (&["--tls-cert", &text, "--tls-key", &one.key], &["--tls-cert", "certificate in PEM"]),
        (&["--tls-cert", &one.cert, "--tls-key", &text], &["--tls-key", "private key in PEM"]),
        (&["--tls-cert", &one.cert, "--tls-key", &two.key], &["--tls-cert", "cannot be used"]),
        (&["--client-ca", &authority.file], &["--client-ca", "--tls-cert"]),
        (&[&cert[..], &["--client-ca", &empty]].concat(), &["--client-ca", "certificate in PEM"]),
        (&["--tokens", &missing], &["--tokens", "no such file"]),
        (&["--tokens", &empty], &["--tokens", "no token"]),
        (&["--tokens", &text], &["--tokens", "line 1", "clearmosaic token"]),
        (&["--attachments", "much"], &["--attachments"]),
        (&["--listen", "here"], &["--listen", "here"]),
        (&["--listen", "0.0.0.0:0"], &["--listen 0.0.0.0:0", "--tls-cert", "--tokens", "--insecure"]),
        (&[&cert[..], &["--listen", "0.0.0.0:0"]].concat(), &["--listen 0.0.0.0:0", "--tokens", "--insecure"]),
        (&["--tls"], &["--tls"]),
    ];
    for (flags, words) in coordinator {
        let store = ["--store", &store];
        let run = command(Command::new(tests::binary()).arg("coordinator").args(store).args(*flags));
        refused(&format!("coordinator {flags:?}"), &run, words);
    }
    let secured = ["--coordinator", "https://127.0.0.1:1"];
    let client: &[(&[&str], &[&str])] = &[
        (&secured, &["--coordinator https://127.0.0.1:1", "--ca"]),
        (
            &["--coordinator", "http://127.0.0.1:1", "--ca", &authority.file],
            &["--coordinator http://127.0.0.1:1", "https://"],
        ),
        (&[&secured[..], &["--ca", &missing]].concat(), &["--ca", "no such file"]),
        (&[&secured[..], &["--ca", &text]].concat(), &["--ca", "certificate in PEM"]),
        (&["--cert", &one.cert, "--key", &one.key], &["--cert", "--ca"]),
        (&[&secured[..], &["--ca", &authority.file, "--cert", &one.cert]].concat(), &["--cert", "--key"]),
        (
            &[&secured[..], &["--ca", &authority.file, "--cert", &one.cert, "--key", &two.key]].concat(),
            &["--cert", "--key"],
        ),
        (&["--token-file", &missing], &["--token-file", "no such file"]),
        (&["--token-file", &empty], &["--token-file", "token"]),
        (&["--token-file", &text], &["--token-file", "token"]),
        (&["--coordinator", "not a url"], &["--coordinator"]),
    ];
    for (flags, words) in client {
        for asks in [&["status"][..], &["worker"]] {
            let run = command(Command::new(tests::binary()).args(asks).args(*flags));
            refused(&format!("{asks:?} {flags:?}"), &run, words);
        }
    }
    for (args, word) in [(["token", "root", "me"], "root"), (["token", "read", "two words"], "one word")] {
        let told = clearmosaic(&args);
        assert_eq!(told.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&told.stderr).contains(word));
    }
}
