//! An etcd that asks who is there: coordinators with a user and password get in, others are told why not.
#![allow(missing_docs, clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};
use tests::{Coordinator, Etcd, clearmosaic, code_and_stderr};

/// Asks etcd by its JSON gateway.
fn post(etcd: &Etcd, path: &str, body: &Value) {
    let host = etcd.url.trim_start_matches("http://");
    let body = body.to_string();
    let mut stream = TcpStream::connect(host).unwrap();
    let length = body.len();
    write!(stream, "POST {path} HTTP/1.0\r\nHost: {host}\r\nContent-Length: {length}\r\n\r\n{body}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.lines().next().unwrap().contains(" 200 "), "{path}: {answer}");
}

#[test]
fn a_user_and_password() {
    let Some(etcd) = Etcd::start() else { return };
    post(&etcd, "/v3/auth/user/add", &json!({"name": "root", "password": "open-sesame"}));
    post(&etcd, "/v3/auth/role/add", &json!({"name": "root"}));
    post(&etcd, "/v3/auth/user/grant", &json!({"user": "root", "role": "root"}));
    post(&etcd, "/v3/auth/enable", &json!({}));
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
    std::fs::write(path("right"), "open-sesame\n").unwrap();
    std::fs::write(path("wrong"), "close-sesame").unwrap();
    let (right, wrong, store) = (path("right"), path("wrong"), path("store"));
    let whole = ["coordinator", "--listen", "127.0.0.1:0", "--store", &store, "--etcd", &etcd.url];
    for (access, words) in [
        (vec![], "user name is empty"),
        (vec!["--etcd-user", "root", "--etcd-password-file", &wrong], "authentication failed"),
        (vec!["--etcd-user", "root", "--etcd-password-file", "no-such-file"], "no-such-file"),
        (vec!["--etcd-ca", &wrong], "--etcd-ca"),
        (vec!["--etcd-cert", &wrong], "--etcd-key"),
    ] {
        let (code, told) = code_and_stderr(&clearmosaic(&[&whole[..], &access].concat()));
        assert_eq!((code, told.lines().count()), (Some(2), 1), "{access:?}: {told}");
        assert!(told.contains(words) && !told.contains("sesame"), "{access:?}: {told}");
    }
    let options = ["--etcd", &etcd.url, "--etcd-user", "root", "--etcd-password-file", &right];
    let coordinator = Coordinator::with("127.0.0.1:0", store.as_ref(), &options);
    let told = coordinator.ask(&["status"]);
    assert_eq!(told.code, Some(0), "{}", told.stderr);
}
