//! Plays a schedule.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::cluster::NETWORK;
use super::latest::Latest;
use super::scene::tasks;
use super::shelf::{Bucket, Shelf};
use super::{Class, Cluster, Fault, History, Mosaic, Scene, Schedule, Shape, State, StoreKind, logs};
use crate::{BUCKET, Link, Mode, Process, S3, SmallDisk, binary, rasters};

/// How long all of it may take.
const PATIENCE: Duration = Duration::from_secs(420);
/// Where nothing gets on for so long, and nothing is wrong, the next strike comes all the same.
const STUCK: Duration = Duration::from_secs(15);
/// How long there may be no leader to strike.
const ELECTION: Duration = Duration::from_secs(60);
/// Workers are held back for so long, and let go for so long.
const PULSE: [Duration; 2] = [Duration::from_millis(1000), Duration::from_millis(80)];
/// Between two looks at everything.
const PAUSE: Duration = Duration::from_millis(20);

/// How a schedule went.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Its seed.
    pub seed: u64,
    /// Where its artifacts were.
    pub store: StoreKind,
    /// What was to strike.
    pub planned: usize,
    /// What struck, before the end.
    pub strikes: usize,
    /// Processes that were killed, before the end.
    pub kills: usize,
    /// Leaders among them.
    pub leader_kills: usize,
    /// What struck, by its sort; of artifacts, and of processes that were killed, each counts.
    pub struck: BTreeMap<&'static str, usize>,
    /// How long it took.
    pub seconds: f64,
    /// What happened, a line each.
    pub log: String,
    /// What was not as it must be, where that is so.
    pub failure: Option<String>,
}

impl Outcome {
    /// Whether enough was killed for it to count.
    #[must_use]
    pub const fn counts(&self) -> bool {
        self.kills >= 5 && self.leader_kills >= 1
    }
}

/// Plays a schedule while the mosaics of a scene are made; none, said loudly, where that cannot be done here.
#[must_use]
pub fn play(scene: &Scene, schedule: &Schedule, shape: Shape) -> Option<Outcome> {
    let dir = scene.directory();
    // All that is made, and what is in the making.
    let room = scene.megabytes * 3 / 2 + 128;
    let Stored { url, environment, shelf, disk, to_store } = Stored::new(schedule.seed, shape.store, room, dir.path())?;
    let cluster = Cluster::start(shape, &url, &environment, dir.path())?;
    let state = State::at(&cluster.etcd.url);
    let output = dir.path().join("out");
    let urls = cluster.urls();
    let clients = scene.mosaics.iter().map(|mosaic| Client::submit(mosaic, &output, &urls)).collect();
    let latest = Latest::look(scene, &output);
    let now = Instant::now();
    let mut play = Play {
        scene,
        cluster,
        state,
        disk,
        shelf,
        to_store,
        clients,
        active: Vec::new(),
        began: now,
        outcome: Outcome {
            seed: schedule.seed,
            store: shape.store,
            planned: schedule.strikes.len(),
            strikes: 0,
            kills: 0,
            leader_kills: 0,
            struck: BTreeMap::new(),
            seconds: 0.0,
            log: String::new(),
            failure: None,
        },
        pace: Pace { progress: 0.0, advanced: now, struck: now, held: None },
        rng: fastrand::Rng::with_seed(schedule.seed),
        hurt: 0,
    };
    let played = play.through(schedule).and_then(|()| play.check(dir.path(), &output));
    let seen = latest.seen().map(drop);
    play.outcome.seconds = play.began.elapsed().as_secs_f64();
    play.outcome.failure = played.and(seen).err();
    if play.outcome.failure.is_some() {
        let kept = play.keep(dir.path());
        play.note(&format!("logs are kept in {}; again: make faults SEEDS=1 FIRST={}", kept.display(), schedule.seed));
    }
    Some(play.outcome)
}

/// Where artifacts are, and how that is reached.
struct Stored {
    /// What a coordinator is told.
    url: String,
    environment: Vec<(&'static str, String)>,
    shelf: Shelf,
    disk: Option<SmallDisk>,
    to_store: Option<Link>,
}

impl Stored {
    fn new(seed: u64, kind: StoreKind, room: u32, dir: &Path) -> Option<Self> {
        if kind == StoreKind::S3 {
            let server = Arc::new(S3::start()?);
            let link = Link::to(format!("127.0.0.1:{}", server.port()));
            let (environment, prefix) = (server.environment_at(&link.url()), format!("faults/{seed}"));
            let shelf = Shelf::Bucket(Box::new(Bucket::new(&server, &prefix)));
            let url = format!("s3://{BUCKET}/{prefix}");
            return Some(Self { url, environment, shelf, disk: None, to_store: Some(link) });
        }
        let disk = match kind {
            StoreKind::SmallDisk => Some(SmallDisk::mount(&dir.join("disk"), room)?),
            _ => None,
        };
        let store = disk.as_ref().map_or(dir, SmallDisk::path).join("store");
        let url = store.to_string_lossy().into_owned();
        Some(Self { url, environment: Vec::new(), shelf: Shelf::Directory(store), disk, to_store: None })
    }
}

/// A client that submits a request and watches it.
struct Client {
    args: Vec<String>,
    stdout: PathBuf,
    process: Process,
    code: Option<i32>,
}

impl Client {
    fn submit(mosaic: &Mosaic, output: &Path, urls: &str) -> Self {
        let request = mosaic.write(output);
        let args = ["submit", &request.to_string_lossy(), "--watch", "--json", "--coordinator", urls];
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let stdout = request.with_extension("report");
        let process = Self::start(&args, &stdout);
        Self { args, stdout, process, code: None }
    }

    fn start(args: &[String], stdout: &Path) -> Process {
        let mut command = Command::new(binary());
        let file = |path: &Path| File::create(path).expect("a file");
        command.args(args).env_remove("RUST_LOG").stdin(Stdio::null()).stdout(file(stdout));
        Process::spawn(command.stderr(file(&stdout.with_extension("said")))).expect("clearmosaic starts")
    }

    fn said(&self) -> String {
        fs::read_to_string(self.stdout.with_extension("said")).unwrap_or_default()
    }

    /// Whether it has ended. One that gave up because nobody answered is started again: to submit is idempotent.
    fn has_ended(&mut self) -> bool {
        if self.code.is_none()
            && let Some(status) = self.process.status()
        {
            if status.code() == Some(2) && self.said().contains("no one answers") {
                self.process = Self::start(&self.args, &self.stdout);
                return false;
            }
            self.code = Some(status.code().unwrap_or(-1));
        }
        self.code.is_some()
    }
}

/// A fault that lasts.
struct Active {
    until: Instant,
    fault: Fault,
    /// Which coordinator it struck, where it struck one that leads.
    leader: usize,
}

/// How the mosaics get on, and whether workers are held back.
struct Pace {
    /// 0 to 1.
    progress: f64,
    /// When that was more than before.
    advanced: Instant,
    /// When something struck last.
    struck: Instant,
    /// Since when workers are held back, or let go between.
    held: Option<(bool, Instant)>,
}

struct Play<'a> {
    scene: &'a Scene,
    cluster: Cluster,
    state: State,
    disk: Option<SmallDisk>,
    shelf: Shelf,
    to_store: Option<Link>,
    clients: Vec<Client>,
    active: Vec<Active>,
    began: Instant,
    outcome: Outcome,
    pace: Pace,
    rng: fastrand::Rng,
    /// How many artifacts were spoilt or removed.
    hurt: usize,
}

impl Play<'_> {
    /// Plays it to the end of all mosaics.
    fn through(&mut self, schedule: &Schedule) -> Result<(), String> {
        let mut strikes = schedule.strikes.iter().peekable();
        loop {
            for ended in self.cluster.supervise() {
                self.note(&ended);
            }
            self.end_what_is_over();
            self.look();
            if self.clients.iter_mut().all(Client::has_ended) {
                return Ok(());
            }
            if self.began.elapsed() > PATIENCE {
                return Err(format!("it is not made within {} s", PATIENCE.as_secs()));
            }
            match strikes.peek() {
                Some(strike) if self.is_due(strike.at) => {
                    let is_free = self.active.iter().all(|active| active.fault.class() != strike.fault.class());
                    if is_free && self.pace.struck.elapsed() >= strike.pause {
                        self.release();
                        self.strike(strike.fault, strike.lasts)?;
                        strikes.next();
                    } else {
                        self.hold();
                    }
                }
                _ => self.release(),
            }
            sleep(PAUSE);
        }
    }

    fn note(&mut self, what: &str) {
        let (at, progress) = (self.began.elapsed().as_secs_f64(), 100.0 * self.pace.progress);
        let _ = writeln!(self.outcome.log, "{at:7.2} s {progress:4.0} %  {what}");
    }

    fn look(&mut self) {
        let made = self.shelf.made();
        let progress = made as f64 / self.scene.artifacts as f64;
        if progress > self.pace.progress {
            self.pace.advanced = Instant::now();
        }
        self.pace.progress = progress;
    }

    fn is_due(&self, at: f64) -> bool {
        let is_stuck = self.active.is_empty() && self.pace.advanced.max(self.pace.struck).elapsed() > STUCK;
        self.pace.progress >= at || is_stuck
    }

    /// Keeps workers from getting on, for most of the time: not for so long that they lose their leases.
    fn hold(&mut self) {
        match self.pace.held {
            None => self.signal_workers("STOP", true),
            Some((true, since)) if since.elapsed() > PULSE[0] => self.signal_workers("CONT", false),
            Some((false, since)) if since.elapsed() > PULSE[1] => self.signal_workers("STOP", true),
            Some(_) => {}
        }
    }

    fn release(&mut self) {
        if self.pace.held.is_some() {
            self.signal_workers("CONT", false);
            self.pace.held = None;
        }
    }

    fn signal_workers(&mut self, name: &str, is_held: bool) {
        for worker in 0..self.cluster.workers() {
            let is_stopped = self.active.iter().any(|active| active.fault == Fault::StopWorker(worker));
            if !is_stopped {
                self.cluster.signal_worker(worker, name);
            }
        }
        self.pace.held = Some((is_held, Instant::now()));
    }

    /// Which coordinator leads, as etcd tells.
    fn leader(&self) -> Result<usize, String> {
        let since = Instant::now();
        loop {
            if let Some(leader) = self.state.leader().and_then(|url| self.cluster.coordinator_at(&url)) {
                return Ok(leader);
            }
            if since.elapsed() > ELECTION {
                return Err(format!("nobody leads for {} s", ELECTION.as_secs()));
            }
            sleep(PAUSE);
        }
    }

    fn strike(&mut self, fault: Fault, lasts: Duration) -> Result<(), String> {
        let leader = if fault.class() == Class::Coordinators { self.leader()? } else { 0 };
        let (kills, mut many) = (self.outcome.kills, 1);
        match fault {
            Fault::KillWorker(worker) => self.outcome.kills += usize::from(self.cluster.kill_worker(worker)),
            Fault::KillMember(member) => self.outcome.kills += usize::from(self.cluster.etcd.kill(member)),
            Fault::KillLeader => self.kill_coordinator(leader, leader),
            Fault::KillCoordinators => (0..self.cluster.fronts.len()).for_each(|n| self.kill_coordinator(n, leader)),
            Fault::StopWorker(worker) => self.cluster.signal_worker(worker, "STOP"),
            Fault::StopMember(member) => self.cluster.etcd.signal(member, "STOP"),
            Fault::StopLeader => self.cluster.signal_coordinator(leader, "STOP"),
            Fault::CutWorker(worker, coordinator, mode) => self.cluster.set_worker(worker, coordinator, Some(mode)),
            Fault::CutOffWorker(worker, mode) => self.cut_off_worker(worker, Some(mode)),
            Fault::CutPeers(one, other, mode) => self.cluster.etcd.set_between(one, other, Some(mode)),
            Fault::CutOffMember(member, mode) => self.cut_off_member(member, Some(mode)),
            Fault::CutCoordinator(coordinator, mode) => self.cluster.fronts[coordinator].set(mode),
            Fault::CutLeaderFromEtcd(mode) => self.cluster.to_etcd[leader].iter().for_each(|link| link.set(mode)),
            Fault::CutMember(coordinator, member, mode) => self.cluster.to_etcd[coordinator][member].set(mode),
            Fault::Delay(time) => self.cluster.set_links(Mode::Delayed(time)),
            Fault::Corrupt(count) => many = self.hurt(count, false),
            Fault::Delete(count) => many = self.hurt(count, true),
            Fault::FillDisk => self.disk.iter().for_each(SmallDisk::fill),
            Fault::CutStore(mode) => self.to_store.iter().for_each(|link| link.set(mode)),
        }
        self.outcome.strikes += 1;
        let killed = self.outcome.kills - kills;
        *self.outcome.struck.entry(fault.sort()).or_default() += if fault.sort() == "killed" { killed } else { many };
        let who =
            if fault.class() == Class::Coordinators { format!(" (coordinator {leader} leads)") } else { String::new() };
        self.note(&format!("{fault}{who}, for {:.1} s, {killed} killed", lasts.as_secs_f64()));
        self.pace.struck = Instant::now();
        self.active.push(Active { until: Instant::now() + lasts, fault, leader });
        Ok(())
    }

    fn cut_off_worker(&self, worker: usize, mode: Option<Mode>) {
        (0..self.cluster.fronts.len()).for_each(|coordinator| self.cluster.set_worker(worker, coordinator, mode));
    }

    fn cut_off_member(&self, member: usize, mode: Option<Mode>) {
        let others = (0..self.cluster.etcd.size()).filter(|other| *other != member);
        others.for_each(|other| self.cluster.etcd.set_between(member, other, mode));
    }

    fn kill_coordinator(&mut self, coordinator: usize, leader: usize) {
        if self.cluster.kill_coordinator(coordinator) {
            self.outcome.kills += 1;
            self.outcome.leader_kills += usize::from(coordinator == leader);
        }
    }

    fn end_what_is_over(&mut self) {
        let now = Instant::now();
        let (over, active) = std::mem::take(&mut self.active).into_iter().partition(|active| active.until <= now);
        self.active = active;
        let over: Vec<Active> = over;
        for Active { fault, leader, .. } in over {
            self.end(fault, leader);
        }
    }

    fn end(&mut self, fault: Fault, leader: usize) {
        match fault {
            Fault::KillWorker(worker) => self.cluster.restart_worker(worker),
            Fault::KillMember(member) => self.cluster.etcd.restart(member),
            Fault::KillLeader => self.cluster.restart_coordinator(leader),
            Fault::KillCoordinators => (0..self.cluster.fronts.len()).for_each(|n| self.cluster.restart_coordinator(n)),
            Fault::StopWorker(worker) => self.cluster.signal_worker(worker, "CONT"),
            Fault::StopMember(member) => self.cluster.etcd.signal(member, "CONT"),
            Fault::StopLeader => self.cluster.signal_coordinator(leader, "CONT"),
            Fault::CutWorker(worker, coordinator, _) => self.cluster.set_worker(worker, coordinator, None),
            Fault::CutOffWorker(worker, _) => self.cut_off_worker(worker, None),
            Fault::CutPeers(one, other, _) => self.cluster.etcd.set_between(one, other, None),
            Fault::CutOffMember(member, _) => self.cut_off_member(member, None),
            Fault::CutCoordinator(coordinator, _) => self.cluster.fronts[coordinator].set(NETWORK),
            Fault::CutLeaderFromEtcd(_) => self.cluster.to_etcd[leader].iter().for_each(|link| link.set(Mode::Open)),
            Fault::CutMember(coordinator, member, _) => self.cluster.to_etcd[coordinator][member].set(Mode::Open),
            Fault::Delay(_) => self.cluster.heal(),
            Fault::Corrupt(_) | Fault::Delete(_) => return,
            Fault::FillDisk => self.disk.iter().for_each(SmallDisk::free),
            Fault::CutStore(_) => self.to_store.iter().for_each(|link| link.set(Mode::Open)),
        }
        self.note(&format!("over: {fault}"));
    }

    /// Flips bits of artifacts, or removes them: how many.
    fn hurt(&mut self, count: usize, removes: bool) -> usize {
        let hurt = self.shelf.hurt(count, removes, &mut self.rng);
        hurt.iter().for_each(|artifact| self.note(&format!("hurt: {artifact}")));
        self.hurt += hurt.len();
        hurt.len()
    }

    /// Whether everything came out as `run` makes it, and nothing was done twice.
    fn check(&mut self, logs: &Path, output: &Path) -> Result<(), String> {
        for fault in std::mem::take(&mut self.active) {
            self.end(fault.fault, fault.leader);
        }
        for (mosaic, client) in self.scene.mosaics.iter().zip(&self.clients) {
            same_as_run(mosaic, client, output).map_err(|what| format!("{}: {what}", mosaic.name))?;
        }
        let history = self.state.check(self.clients.len(), self.hurt)?;
        let History { writes, terms, commits, losses, .. } = &history;
        let terms = terms.len();
        self.note(&format!("{writes} writes in {terms} terms; {commits} tasks noted as done, {losses} as lost"));
        logs::check(logs, &history)
    }

    /// Keeps the logs where they can be looked at; where that is.
    fn keep(&self, dir: &Path) -> PathBuf {
        let kept = std::env::temp_dir().join(format!("clearmosaic-faults-{}", self.outcome.seed));
        let _ = fs::create_dir_all(&kept);
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            if entry.path().is_file() {
                let _ = fs::copy(entry.path(), kept.join(entry.file_name()));
            }
        }
        kept
    }
}

fn same_as_run(mosaic: &Mosaic, client: &Client, output: &Path) -> Result<(), String> {
    if client.code != Some(0) {
        return Err(format!("the client ended with {:?}: {}", client.code, client.said()));
    }
    let told = fs::read_to_string(&client.stdout).map_err(|e| e.to_string())?;
    let report: Value = serde_json::from_str(&told).map_err(|e| format!("{e}: {told}"))?;
    let is_complete = report["state"] == "complete" && report["tasks"]["failed"] == 0;
    if !is_complete || tasks(&report) != mosaic.tasks {
        return Err(format!("not {} tasks, each done once: {report}", mosaic.tasks));
    }
    let found = rasters(&output.join(&mosaic.name));
    let differ: Vec<&String> =
        mosaic.rasters.iter().filter(|(name, bytes)| found.get(*name) != Some(bytes)).map(|(name, _)| name).collect();
    if !differ.is_empty() || found.len() != mosaic.rasters.len() {
        return Err(format!("not what `run` makes: {differ:?}"));
    }
    Ok(())
}
