//! An etcd in memory: who leads is compared with every write, and what must hold of the history is looked at as it grows.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use coordinator::schedule::Schedule;
use coordinator::state::{Note, Record, StateError, Store, notes};
use coordinator::table::Saved;
use fastrand::Rng;
use tokio::time::sleep;

/// What has befallen coordinators: a world in which nothing goes wrong shows nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    /// Tasks noted as made.
    pub made: u32,
    /// And as lost.
    pub lost: u32,
    /// Elections.
    pub terms: u32,
    /// Writes of those that led no more.
    pub refused: u32,
    /// Writes whose answers were lost.
    pub untold: u32,
}

impl std::iter::Sum for Seen {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |a, b| Self {
            made: a.made + b.made,
            lost: a.lost + b.lost,
            terms: a.terms + b.terms,
            refused: a.refused + b.refused,
            untold: a.untold + b.untold,
        })
    }
}

/// What all coordinators of a world share.
pub struct Etcd(Mutex<Kept>);

struct Kept {
    seed: u64,
    rng: Rng,
    /// Of whoever leads.
    term: u64,
    records: BTreeMap<String, Record>,
    notes: BTreeMap<String, Vec<u8>>,
    versions: BTreeMap<String, u64>,
    schedules: BTreeMap<String, Schedule>,
    away_until: Option<Instant>,
    /// What was noted last of each place, though it may be forgotten.
    last: BTreeMap<String, Vec<u8>>,
    /// How often each task was noted as made, and as lost.
    noted: BTreeMap<(String, usize), [u32; 2]>,
    hurt: u32,
    seen: Seen,
}

/// A coordinator's connection, and the term that it was elected for.
pub struct Seat {
    etcd: Arc<Etcd>,
    term: AtomicU64,
}

impl Etcd {
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(Kept {
            seed,
            rng: Rng::with_seed(seed),
            term: 0,
            records: BTreeMap::new(),
            notes: BTreeMap::new(),
            versions: BTreeMap::new(),
            schedules: BTreeMap::new(),
            away_until: None,
            last: BTreeMap::new(),
            noted: BTreeMap::new(),
            hurt: 0,
            seen: Seen::default(),
        }))
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().expect("what must hold of writes holds")
    }

    /// It does not answer for a while.
    pub fn be_away(&self, time: Duration) {
        self.kept().away_until = Some(Instant::now() + time);
    }

    /// An artifact is hurt.
    pub fn hurt(&self) {
        self.kept().hurt += 1;
    }

    /// Whether a job has ended.
    pub fn has_ended(&self) -> bool {
        self.kept().records.values().any(|record| record.ended.is_some())
    }

    /// Whether no task was noted as made twice, and none was lost but for its artifact, or one that it shows; and what was
    /// seen.
    pub fn check(&self) -> Seen {
        let kept = self.kept();
        let (mut made, mut lost) = (0, 0);
        for ((key, bit), [times, losses]) in &kept.noted {
            assert!(*times <= 1 + losses, "seed {}: task {bit} of {key}: made {times}, lost {losses}", kept.seed);
            (made, lost) = (made + times, lost + losses);
        }
        assert!(made > 0, "seed {}: nothing was noted", kept.seed);
        assert!(lost <= 2 * kept.hurt, "seed {}: {lost} lost, {} hurt", kept.seed, kept.hurt);
        Seen { made, lost, ..kept.seen }
    }
}

impl Kept {
    /// Answers as etcd may: not at all, or not that it is done.
    fn answers(&mut self) -> Result<bool, StateError> {
        let away = || StateError::Away("a made-up etcd".to_owned());
        if self.away_until.is_some_and(|until| until > Instant::now()) || self.rng.u8(..40) == 0 {
            return Err(away());
        }
        Ok(self.rng.u8(..40) > 0)
    }

    fn take(&mut self, note: &Note) {
        let (key, value) = note.encoded();
        self.notes.insert(key.clone(), value.clone());
        if !key.contains("/made/") {
            return;
        }
        let before = self.last.insert(key.clone(), value.clone()).unwrap_or_default();
        let is_set = |bytes: &[u8], bit: usize| bytes.get(bit / 8).is_some_and(|byte| byte >> (bit % 8) & 1 == 1);
        for bit in 0..8 * value.len() {
            match (is_set(&before, bit), is_set(&value, bit)) {
                (false, true) => self.noted.entry((key.clone(), bit)).or_default()[0] += 1,
                (true, false) => self.noted.entry((key.clone(), bit)).or_default()[1] += 1,
                _ => {}
            }
        }
    }
}

impl Seat {
    pub fn at(etcd: &Arc<Etcd>) -> Self {
        Self { etcd: Arc::clone(etcd), term: AtomicU64::new(0) }
    }

    /// It leads from now on, and nobody else.
    pub fn elect(&self) {
        let mut kept = self.etcd.kept();
        kept.term += 1;
        kept.seen.terms += 1;
        self.term.store(kept.term, Ordering::SeqCst);
    }

    /// Whether it does.
    pub fn leads(&self) -> bool {
        self.etcd.kept().term == self.term.load(Ordering::SeqCst)
    }

    async fn read<T>(&self, read: impl FnOnce(&Kept) -> T) -> Result<T, StateError> {
        self.take_time().await;
        let mut kept = self.etcd.kept();
        kept.answers()?;
        Ok(read(&kept))
    }

    /// A transaction that compares who leads. Its answer may be lost although it was done.
    async fn write<T>(&self, write: impl FnOnce(&mut Kept) -> T) -> Result<T, StateError> {
        let term = self.term.load(Ordering::SeqCst);
        self.take_time().await;
        let mut kept = self.etcd.kept();
        let is_told = kept.answers()?;
        if kept.term != term {
            kept.seen.refused += 1;
            return Err(StateError::NotLeader);
        }
        let written = write(&mut kept);
        kept.seen.untold += u32::from(!is_told);
        if is_told { Ok(written) } else { Err(StateError::Away("the answer is lost".to_owned())) }
    }

    async fn take_time(&self) {
        let time = self.etcd.kept().rng.u64(..20);
        sleep(Duration::from_millis(time)).await;
    }
}

#[tonic::async_trait]
impl Store for Seat {
    async fn load(&self) -> Result<Vec<Record>, StateError> {
        self.read(|kept| kept.records.values().cloned().collect()).await
    }

    async fn put(&self, record: &Record) -> Result<(), StateError> {
        self.write(|kept| {
            let before = kept.records.insert(record.job.clone(), record.clone());
            let ended = before.and_then(|before| before.ended);
            assert!(ended.is_none() || ended == record.ended, "seed {}: it ends twice: {ended:?}", kept.seed);
        })
        .await
    }

    async fn next_version(&self, mosaic: &str, at_least: u64) -> Result<u64, StateError> {
        self.write(|kept| {
            let last = kept.versions.entry(mosaic.to_owned()).or_default();
            *last = (*last + 1).max(at_least);
            *last
        })
        .await
    }

    async fn note(&self, notes: &[Note]) -> Result<(), StateError> {
        self.write(|kept| notes.iter().for_each(|note| kept.take(note))).await
    }

    async fn noted(&self, run: &str) -> Result<Saved, StateError> {
        let below = notes::below(run);
        self.read(|kept| {
            let mut saved = Saved::default();
            let own = kept.notes.iter().filter_map(|(key, value)| Some((key.strip_prefix(&below)?, value)));
            own.into_iter().try_for_each(|(name, value)| notes::read(&mut saved, name, value)).map(|()| saved)
        })
        .await?
    }

    async fn forget(&self, job: &str) -> Result<(), StateError> {
        let below = notes::below(job);
        self.write(|kept| kept.notes.retain(|key, _| !key.starts_with(&below))).await
    }

    async fn schedules(&self) -> Result<Vec<Schedule>, StateError> {
        self.read(|kept| kept.schedules.values().cloned().collect()).await
    }

    async fn put_schedule(&self, term: u64, schedule: &Schedule, made: Option<&Record>) -> Result<(), StateError> {
        if self.term() != term {
            return Err(StateError::NotLeader);
        }
        self.write(|kept| {
            kept.schedules.insert(schedule.name.clone(), schedule.clone());
            kept.records.extend(made.map(|record| (record.job.clone(), record.clone())));
        })
        .await
    }

    async fn drop_schedule(&self, term: u64, name: &str) -> Result<(), StateError> {
        if self.term() != term {
            return Err(StateError::NotLeader);
        }
        self.write(|kept| drop(kept.schedules.remove(name))).await
    }

    fn term(&self) -> u64 {
        self.term.load(Ordering::SeqCst)
    }
}
