//! Numbers of versions, against a real etcd: each is given once, rising, and to whoever leads alone.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use coordinator::state::{Etcd, Memory, Role, StateError, Store};
use tokio::sync::watch;

/// A coordinator's part in the election, and the means to end it.
struct Candidate {
    state: Arc<Etcd>,
    role: watch::Receiver<Role>,
    stop: watch::Sender<bool>,
}

impl Candidate {
    async fn join(url: &str) -> Self {
        let (stop, stopped) = watch::channel(false);
        let (state, role) = Etcd::join(&[url.to_owned()], "http://here".to_owned(), stopped).await.unwrap();
        Self { state, role, stop }
    }

    async fn leads(&mut self) {
        let leads = self.role.wait_for(|role| *role == Role::Leader);
        drop(tokio::time::timeout(Duration::from_secs(60), leads).await.unwrap().unwrap());
    }

    async fn next(&self, at_least: u64) -> Result<u64, StateError> {
        self.state.next_version("mosaic", at_least).await
    }
}

fn is_refused(given: Result<u64, StateError>) -> bool {
    matches!(given, Err(StateError::NotLeader))
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_leader_is_given_numbers() {
    let Some(etcd) = tests::Etcd::start() else { return };
    let mut first = Candidate::join(&etcd.url).await;
    first.leads().await;
    assert_eq!(first.next(1).await.unwrap(), 1);
    assert_eq!(first.next(1).await.unwrap(), 2);
    assert_eq!(first.next(10).await.unwrap(), 10, "what is there already is passed over");
    assert_eq!(first.state.next_version("other", 1).await.unwrap(), 1);
    let mut second = Candidate::join(&etcd.url).await;
    assert!(is_refused(second.next(1).await));
    first.stop.send_replace(true);
    second.leads().await;
    assert_eq!(second.next(1).await.unwrap(), 11);
    assert!(is_refused(first.next(1).await));
}

/// It has not noticed yet that it leads no more: its key is gone, as after its lease has ended while it stood still.
#[tokio::test(flavor = "multi_thread")]
async fn who_only_believes_to_lead_is_given_none() {
    let Some(etcd) = tests::Etcd::start() else { return };
    let mut zombie = Candidate::join(&etcd.url).await;
    zombie.leads().await;
    assert_eq!(zombie.next(1).await.unwrap(), 1);
    let mut client = etcd_client::Client::connect([&etcd.url], None).await.unwrap();
    let all = etcd_client::DeleteOptions::new().with_prefix();
    client.delete("/clearmosaic/v1/leader", Some(all)).await.unwrap();
    assert!(is_refused(zombie.next(1).await));
}

#[tokio::test]
async fn who_is_alone_counts_in_memory() {
    let memory = Memory::default();
    let mut given = Vec::new();
    for (mosaic, at_least) in [("a", 1), ("a", 1), ("b", 1), ("a", 7), ("a", 2)] {
        given.push(memory.next_version(mosaic, at_least).await.unwrap());
    }
    assert_eq!(given, [1, 2, 1, 7, 8]);
}
