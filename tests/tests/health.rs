//! gRPC health, as probes ask for it: of the leader, of one that follows, and where nobody is.
#![allow(missing_docs, clippy::unwrap_used)]

use std::net::TcpListener;

use tests::{Coordinator, Etcd, clearmosaic, code_and_stderr};

/// A port that nobody listened on a moment ago.
fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

fn probed(url: &str) -> (Option<i32>, String) {
    code_and_stderr(&clearmosaic(&["health", url]))
}

#[test]
fn who_leads_and_who_follows_are_both_healthy() {
    let Some(etcd) = Etcd::start() else { return };
    let store = tempfile::tempdir().unwrap();
    let probe = free_address();
    let first = Coordinator::with("127.0.0.1:0", store.path(), &["--etcd", &etcd.url]);
    let mut second = Coordinator::with("127.0.0.1:0", store.path(), &["--etcd", &etcd.url, "--health", &probe]);
    let probe = format!("http://{probe}");
    for url in [&first.url, &second.url, &probe] {
        assert_eq!(probed(url), (Some(0), String::new()), "{url}");
    }
    // The second says who leads, and nothing else is to be had on the port for probes.
    assert_eq!(second.ask(&["status"]).code, Some(0));
    let refused = clearmosaic(&["status", "--coordinator", &probe]);
    assert_eq!(refused.status.code(), Some(1), "{}", String::from_utf8_lossy(&refused.stderr));
    second.process.kill();
    let (code, told) = probed(&probe);
    assert_eq!((code, told.lines().count()), (Some(1), 1), "{told}");
    assert!(told.contains(&probe), "{told}");
}
