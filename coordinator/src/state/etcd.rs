//! Records in etcd, and election through it.
//!
//! ```text
//! <prefix>/leader/…        the election: a key of each candidate, its URL, bound to its lease
//! <prefix>/term            the revision at which the one who wrote last was elected: with every write
//! <prefix>/jobs/<id>       a record, JSON: keys of what it is about, not the request itself
//! <prefix>/versions/<name> the last number of a mosaic's versions
//! <prefix>/progress/…      how far jobs are: notes
//! <prefix>/schedules/<name> a schedule and what came of it, JSON
//! ```
//!
//! Every write is a transaction that holds only while the leader's own key is the one it was elected with. A leader
//! that cannot keep its lease alive steps down before etcd lets another one lead.

use std::sync::Arc;
use std::time::Duration;

use etcd_client::{Client, Compare, CompareOp, DeleteOptions, Error, GetOptions, LeaderKey, Txn, TxnOp};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::{EtcdAccess, Note, Record, Role, StateError, Store, notes};
use crate::schedule::Schedule;
use crate::table::Saved;

/// Records of this layout.
const PREFIX: &str = "/clearmosaic/v1";
/// How long a leader that says nothing is believed in, in seconds.
const TERM: u64 = 5;
/// A leader stops this much sooner, and says that it is alive this often.
const MARGIN: Duration = Duration::from_millis(1500);
/// How long etcd may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two attempts, and between two looks at who leads.
const PAUSE: Duration = Duration::from_millis(500);

/// Writes of one transaction, and bytes: etcd takes 128 and 1.5 MiB.
const MOST_WRITES: usize = 120;
const MOST_BYTES: usize = 1 << 20;
/// Keys that are read at once.
const PAGE: i64 = 256;

/// Records in etcd.
pub struct Etcd {
    client: Client,
    leading: watch::Sender<Option<LeaderKey>>,
}

/// In whose term something is written: with every write, so that the history tells it.
fn term(leader: &LeaderKey) -> TxnOp {
    TxnOp::put(format!("{PREFIX}/term"), leader.rev().to_string(), None)
}

fn away(error: &Error) -> StateError {
    StateError::Away(error.to_string())
}

fn put_json<T: Serialize>(key: String, value: &T) -> Result<TxnOp, StateError> {
    match serde_json::to_vec(value) {
        Ok(value) => Ok(TxnOp::put(key, value, None)),
        Err(error) => Err(StateError::Corrupt { key, why: error.to_string() }),
    }
}

async fn answered<T>(call: impl Future<Output = Result<T, Error>>) -> Result<T, StateError> {
    match timeout(PATIENCE, call).await {
        Ok(answer) => answer.map_err(|e| away(&e)),
        Err(_) => Err(StateError::Away(format!("no answer in {} s", PATIENCE.as_secs()))),
    }
}

impl Etcd {
    /// Writes, if this coordinator leads, and at one moment.
    async fn write(&self, writes: Vec<TxnOp>) -> Result<(), StateError> {
        self.write_as(&self.leader()?, writes).await
    }

    fn leader(&self) -> Result<LeaderKey, StateError> {
        self.leading.borrow().clone().ok_or(StateError::NotLeader)
    }

    /// This coordinator's own key, if it leads still in the term that it was elected for.
    fn leader_of(&self, term: u64) -> Result<LeaderKey, StateError> {
        let leader = self.leader()?;
        if leader.rev().unsigned_abs() == term { Ok(leader) } else { Err(StateError::NotLeader) }
    }

    /// Writes, if this coordinator leads still as it did.
    async fn write_as(&self, leader: &LeaderKey, mut writes: Vec<TxnOp>) -> Result<(), StateError> {
        writes.push(term(leader));
        let is_leader = Compare::create_revision(leader.key(), CompareOp::Equal, leader.rev());
        let write = Txn::new().when([is_leader]).and_then(writes);
        let mut client = self.client.clone();
        let written = answered(client.txn(write)).await?;
        if written.succeeded() { Ok(()) } else { Err(StateError::NotLeader) }
    }

    /// Connects, and takes part in the election until `stop` is true: the records, and the role that changes as it goes.
    /// `advertise` is the URL under which workers and clients reach this coordinator.
    ///
    /// # Errors
    /// Where no member of etcd answers.
    pub async fn join(
        endpoints: &[String],
        advertise: String,
        stop: watch::Receiver<bool>,
    ) -> Result<(Arc<Self>, watch::Receiver<Role>), StateError> {
        Self::join_as(endpoints, EtcdAccess::default(), advertise, stop).await
    }

    /// The same, where etcd wants to know who it is.
    ///
    /// # Errors
    /// Where no member of etcd answers, or does not let this coordinator in.
    pub async fn join_as(
        endpoints: &[String],
        access: EtcdAccess,
        advertise: String,
        stop: watch::Receiver<bool>,
    ) -> Result<(Arc<Self>, watch::Receiver<Role>), StateError> {
        let mut client = answered(Client::connect(endpoints, Some(access.options(PATIENCE)))).await?;
        // Connections are made when they are needed: the first question shows whether anybody is there.
        let since = Instant::now();
        while let Err(error) = answered(client.get(PREFIX, None)).await {
            // One member may be away: another is asked next.
            if since.elapsed() > PATIENCE {
                return Err(error);
            }
            sleep(PAUSE).await;
        }
        let etcd = Arc::new(Self { client, leading: watch::Sender::new(None) });
        let (role, told) = watch::channel(Role::Follower { leader: None });
        tokio::spawn(Arc::clone(&etcd).take_part(advertise, role, stop));
        Ok((etcd, told))
    }

    async fn take_part(self: Arc<Self>, advertise: String, role: watch::Sender<Role>, mut stop: watch::Receiver<bool>) {
        let mut stopped = std::pin::pin!(async move { drop(stop.wait_for(|stop| *stop).await) });
        loop {
            let mut client = self.client.clone();
            let lease = match answered(client.lease_grant(TERM.cast_signed(), None)).await {
                Ok(granted) => granted.id(),
                Err(error) => {
                    tracing::warn!(%error, "no part in the election");
                    sleep(PAUSE).await;
                    continue;
                }
            };
            let is_over = tokio::select! {
                error = self.keep_alive(lease) => {
                    tracing::warn!(%error, "the lease is lost");
                    false
                }
                error = self.lead(lease, &advertise, &role) => {
                    tracing::warn!(%error, "no part in the election");
                    false
                }
                () = self.look(&role) => false,
                () = &mut stopped => true,
            };
            self.leading.send_replace(None);
            role.send_replace(Role::Follower { leader: None });
            // Whoever waits for its turn need not wait for the lease to end.
            let _ = answered(client.lease_revoke(lease)).await;
            if is_over {
                return;
            }
            sleep(PAUSE).await;
        }
    }

    /// Keeps the lease alive, for as long as that can be done in time: why it could not any more.
    async fn keep_alive(&self, lease: i64) -> StateError {
        let mut client = self.client.clone();
        let (mut keeper, mut alive) = match answered(client.lease_keep_alive(lease)).await {
            Ok(both) => both,
            Err(error) => return error,
        };
        let mut sure = Instant::now() + Duration::from_secs(TERM) - MARGIN;
        loop {
            let asked = Instant::now();
            let renewed = timeout_at(sure, async {
                keeper.keep_alive().await?;
                alive.message().await
            });
            match renewed.await {
                Ok(Ok(Some(answer))) if answer.ttl() > 0 => {
                    sure = asked + Duration::from_secs(TERM) - MARGIN;
                }
                Ok(Ok(_)) => return StateError::NotLeader,
                Ok(Err(error)) => return away(&error),
                Err(_) => return StateError::Away("the lease was not renewed in time".to_owned()),
            }
            sleep(MARGIN.min(PATIENCE)).await;
        }
    }

    /// Waits for the turn, then leads for as long as it is not dropped: why it could not.
    async fn lead(&self, lease: i64, advertise: &str, role: &watch::Sender<Role>) -> StateError {
        let mut client = self.client.clone();
        let elected = match client.campaign(format!("{PREFIX}/leader"), advertise, lease).await {
            Ok(mut elected) => elected.take_leader(),
            Err(error) => return away(&error),
        };
        let Some(key) = elected else { return StateError::NotLeader };
        tracing::info!(advertise, term = key.rev(), "leads");
        self.leading.send_replace(Some(key));
        role.send_replace(Role::Leader);
        std::future::pending().await
    }

    /// Tells who leads, as long as it is another.
    async fn look(&self, role: &watch::Sender<Role>) {
        let mut client = self.client.clone();
        loop {
            let found = answered(client.leader(format!("{PREFIX}/leader"))).await.ok();
            let leader = found.and_then(|found| Some(found.kv()?.value_str().ok()?.to_owned()));
            let now = Role::Follower { leader };
            role.send_if_modified(|role| {
                let is_news = *role != Role::Leader && *role != now;
                if is_news {
                    *role = now;
                }
                is_news
            });
            sleep(PAUSE).await;
        }
    }
}

impl Etcd {
    /// Reads what is below a path that ends with a slash: name and value of each key.
    async fn each(
        &self,
        below: &str,
        mut read: impl FnMut(&str, &[u8]) -> Result<(), StateError> + Send,
    ) -> Result<(), StateError> {
        // What follows the slash in ASCII.
        let end = below.strip_suffix('/').map(|path| format!("{path}0")).unwrap_or_default();
        let (mut from, mut client) = (below.to_owned(), self.client.clone());
        loop {
            // No answer over what gRPC takes, however many there are.
            let page = GetOptions::new().with_range(end.clone()).with_limit(PAGE);
            let found = answered(client.get(from, Some(page))).await?;
            for kv in found.kvs() {
                let key = String::from_utf8_lossy(kv.key());
                read(key.strip_prefix(below).unwrap_or_default(), kv.value())?;
            }
            match found.kvs().last().filter(|_| found.more()) {
                // The least key that is greater.
                Some(last) => from = String::from_utf8_lossy(last.key()).into_owned() + "\0",
                None => return Ok(()),
            }
        }
    }

    /// Everything of a kind, from JSON.
    async fn documents<T: DeserializeOwned + Send>(&self, kind: &str) -> Result<Vec<T>, StateError> {
        let mut documents = Vec::new();
        self.each(&format!("{PREFIX}/{kind}/"), |key, value| {
            let corrupt = |e: serde_json::Error| StateError::Corrupt { key: key.to_owned(), why: e.to_string() };
            documents.push(serde_json::from_slice(value).map_err(corrupt)?);
            Ok(())
        })
        .await?;
        Ok(documents)
    }

    /// Fails where this coordinator does not lead any more, as etcd has it.
    async fn is_leader(&self, leader: &LeaderKey) -> Result<(), StateError> {
        let mut client = self.client.clone();
        let found = answered(client.get(leader.key(), None)).await?;
        let leads = found.kvs().first().is_some_and(|kv| kv.create_revision() == leader.rev());
        if leads { Ok(()) } else { Err(StateError::NotLeader) }
    }
}

#[tonic::async_trait]
impl Store for Etcd {
    async fn load(&self) -> Result<Vec<Record>, StateError> {
        self.documents("jobs").await
    }

    async fn put(&self, record: &Record) -> Result<(), StateError> {
        self.write(vec![put_json(format!("{PREFIX}/jobs/{}", record.job), record)?]).await
    }

    async fn schedules(&self) -> Result<Vec<Schedule>, StateError> {
        self.documents("schedules").await
    }

    async fn put_schedule(&self, term: u64, schedule: &Schedule, made: Option<&Record>) -> Result<(), StateError> {
        let mut writes = vec![put_json(format!("{PREFIX}/schedules/{}", schedule.name), schedule)?];
        if let Some(record) = made {
            writes.push(put_json(format!("{PREFIX}/jobs/{}", record.job), record)?);
        }
        self.write_as(&self.leader_of(term)?, writes).await
    }

    async fn drop_schedule(&self, term: u64, name: &str) -> Result<(), StateError> {
        let delete = TxnOp::delete(format!("{PREFIX}/schedules/{name}"), None);
        self.write_as(&self.leader_of(term)?, vec![delete]).await
    }

    async fn note(&self, notes: &[Note]) -> Result<(), StateError> {
        // What was to be noted in one term is not in another, though this coordinator may lead in both.
        let leader = self.leader()?;
        let (mut writes, mut bytes) = (Vec::new(), 0);
        for note in notes {
            let (key, value) = note.encoded();
            let key = format!("{PREFIX}/{key}");
            let more = key.len() + value.len();
            if writes.len() == MOST_WRITES || bytes + more > MOST_BYTES {
                self.write_as(&leader, std::mem::take(&mut writes)).await?;
                bytes = 0;
            }
            bytes += more;
            writes.push(TxnOp::put(key, value, None));
        }
        if writes.is_empty() { Ok(()) } else { self.write_as(&leader, writes).await }
    }

    async fn noted(&self, run: &str) -> Result<Saved, StateError> {
        let mut saved = Saved::default();
        let below = format!("{PREFIX}/{}", notes::below(run));
        self.each(&below, |name, value| notes::read(&mut saved, name, value)).await?;
        Ok(saved)
    }

    async fn forget(&self, job: &str) -> Result<(), StateError> {
        let below = format!("{PREFIX}/{}", notes::below(job));
        self.write(vec![TxnOp::delete(below, Some(DeleteOptions::new().with_prefix()))]).await
    }

    fn term(&self) -> u64 {
        self.leading.borrow().as_ref().map_or(0, |leader| leader.rev().unsigned_abs())
    }

    async fn next_version(&self, mosaic: &str, at_least: u64) -> Result<u64, StateError> {
        let key = format!("{PREFIX}/versions/{mosaic}");
        let mut client = self.client.clone();
        loop {
            let leader = self.leader()?;
            let found = answered(client.get(key.as_str(), None)).await?;
            let (last, revision) = found.kvs().first().map_or((Ok(0), 0), |kv| {
                let text = String::from_utf8_lossy(kv.value());
                (text.parse::<u64>(), kv.mod_revision())
            });
            let why = |e: std::num::ParseIntError| StateError::Corrupt { key: key.clone(), why: e.to_string() };
            let next = (last.map_err(why)? + 1).max(at_least);
            let is_leader = Compare::create_revision(leader.key(), CompareOp::Equal, leader.rev());
            let is_unchanged = Compare::mod_revision(key.as_str(), CompareOp::Equal, revision);
            let put = TxnOp::put(key.as_str(), next.to_string(), None);
            let write = Txn::new().when([is_leader, is_unchanged]).and_then([put, term(&leader)]);
            // Whoever leads counts alone: where it was not unchanged, another one leads, or an earlier call of this one
            // came through whose answer did not.
            if answered(client.txn(write)).await?.succeeded() {
                return Ok(next);
            }
            self.is_leader(&leader).await?;
        }
    }
}
