//! Schedules: from a seed, what strikes when, and for how long.

use std::fmt;
use std::time::Duration;

use fastrand::Rng;

use crate::Mode;

/// What the cluster of a schedule consists of.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Worker processes.
    pub workers: usize,
    /// Coordinators.
    pub coordinators: usize,
    /// Members of etcd.
    pub members: usize,
    /// How the store can be hurt.
    pub store: StoreKind,
}

/// Where artifacts are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreKind {
    /// In a directory.
    Directory,
    /// In a directory on a file system of its own, which can be filled.
    SmallDisk,
    /// In a bucket of an S3 server, over a link.
    S3,
}

/// Something that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// SIGKILL to a worker.
    KillWorker(usize),
    /// SIGKILL to the coordinator that leads.
    KillLeader,
    /// SIGKILL to all coordinators.
    KillCoordinators,
    /// SIGKILL to a member of etcd.
    KillMember(usize),
    /// SIGSTOP to a worker.
    StopWorker(usize),
    /// SIGSTOP to the coordinator that leads.
    StopLeader,
    /// SIGSTOP to a member of etcd.
    StopMember(usize),
    /// Between one worker and one coordinator.
    CutWorker(usize, usize, Mode),
    /// Between one worker and all coordinators.
    CutOffWorker(usize, Mode),
    /// Between two members of etcd.
    CutPeers(usize, usize, Mode),
    /// Between a member of etcd and all others.
    CutOffMember(usize, Mode),
    /// Between a coordinator and those that ask it.
    CutCoordinator(usize, Mode),
    /// Between the coordinator that leads and every member of etcd.
    CutLeaderFromEtcd(Mode),
    /// Between a coordinator and a member of etcd.
    CutMember(usize, usize, Mode),
    /// All links are slow.
    Delay(Duration),
    /// Bytes of so many artifacts flip.
    Corrupt(usize),
    /// So many artifacts vanish.
    Delete(usize),
    /// The store's disk is full.
    FillDisk,
    /// Between everybody and the store: it refuses, says nothing, is slow, or its answers break off.
    CutStore(Mode),
}

/// Faults of one class do not overlap: with two members of three gone etcd stands still, and nothing is shown by that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// A worker, each of its own.
    Worker(usize),
    /// The coordinators, and how they are reached.
    Coordinators,
    /// The members of etcd.
    Etcd,
    /// Everything else: each at once, as often as you like.
    Store,
}

impl Fault {
    /// What it has in common with others.
    #[must_use]
    pub const fn class(self) -> Class {
        match self {
            Self::KillWorker(worker)
            | Self::StopWorker(worker)
            | Self::CutWorker(worker, ..)
            | Self::CutOffWorker(worker, _) => Class::Worker(worker),
            Self::KillMember(_)
            | Self::StopMember(_)
            | Self::CutMember(..)
            | Self::CutPeers(..)
            | Self::CutOffMember(..) => Class::Etcd,
            Self::Corrupt(_) | Self::Delete(_) | Self::FillDisk | Self::CutStore(_) => Class::Store,
            _ => Class::Coordinators,
        }
    }
}

impl Fault {
    /// What sort of thing goes wrong: one of [`SORTS`].
    #[must_use]
    pub const fn sort(self) -> &'static str {
        match self {
            Self::KillWorker(_) | Self::KillLeader | Self::KillCoordinators | Self::KillMember(_) => "killed",
            Self::StopWorker(_) | Self::StopLeader | Self::StopMember(_) => "stopped",
            Self::CutWorker(..) | Self::CutOffWorker(..) => "worker cut off",
            Self::CutCoordinator(..) => "coordinator cut off",
            Self::CutLeaderFromEtcd(_) | Self::CutMember(..) => "etcd cut off",
            Self::CutPeers(..) | Self::CutOffMember(..) => "etcd parted",
            Self::Delay(_) => "all links slow",
            Self::Corrupt(_) => "artifacts spoilt",
            Self::Delete(_) => "artifacts removed",
            Self::FillDisk => "disk full",
            Self::CutStore(Mode::Refusing) => "store refuses",
            Self::CutStore(Mode::Silent) => "store stalls",
            Self::CutStore(Mode::Short(_)) => "store breaks off",
            Self::CutStore(_) => "store slow",
        }
    }
}

/// Every sort of thing that goes wrong.
pub const SORTS: [&str; 14] = [
    "killed",
    "stopped",
    "worker cut off",
    "coordinator cut off",
    "etcd cut off",
    "etcd parted",
    "all links slow",
    "artifacts spoilt",
    "artifacts removed",
    "disk full",
    "store refuses",
    "store stalls",
    "store breaks off",
    "store slow",
];

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KillWorker(worker) => write!(f, "SIGKILL to worker {worker}"),
            Self::KillLeader => write!(f, "SIGKILL to the leader"),
            Self::KillCoordinators => write!(f, "SIGKILL to all coordinators"),
            Self::KillMember(member) => write!(f, "SIGKILL to member {member} of etcd"),
            Self::StopWorker(worker) => write!(f, "SIGSTOP to worker {worker}"),
            Self::StopLeader => write!(f, "SIGSTOP to the leader"),
            Self::StopMember(member) => write!(f, "SIGSTOP to member {member} of etcd"),
            Self::CutWorker(worker, coordinator, mode) => {
                write!(f, "worker {worker} to coordinator {coordinator}: {mode:?}")
            }
            Self::CutOffWorker(worker, mode) => write!(f, "worker {worker} to all coordinators: {mode:?}"),
            Self::CutPeers(one, other, mode) => write!(f, "members {one} and {other} of etcd: {mode:?}"),
            Self::CutOffMember(member, mode) => write!(f, "member {member} of etcd to the others: {mode:?}"),
            Self::CutCoordinator(coordinator, mode) => write!(f, "workers to coordinator {coordinator}: {mode:?}"),
            Self::CutLeaderFromEtcd(mode) => write!(f, "the leader to etcd: {mode:?}"),
            Self::CutMember(coordinator, member, mode) => {
                write!(f, "coordinator {coordinator} to member {member} of etcd: {mode:?}")
            }
            Self::Delay(time) => write!(f, "all links: {} ms", time.as_millis()),
            Self::Corrupt(count) => write!(f, "bytes flip in {count} artifacts"),
            Self::Delete(count) => write!(f, "{count} artifacts vanish"),
            Self::FillDisk => write!(f, "the store's disk is full"),
            Self::CutStore(mode) => write!(f, "everybody to the store: {mode:?}"),
        }
    }
}

/// A fault that strikes.
#[derive(Clone, Copy, Debug)]
pub struct Strike {
    /// Once this share of the tasks is done, 0 to 1.
    pub at: f64,
    /// Not sooner than this after the one before.
    pub pause: Duration,
    /// What.
    pub fault: Fault,
    /// How long; a process that was killed is started again then, as its supervisor would.
    pub lasts: Duration,
}

impl fmt::Display for Strike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (at, lasts) = (100.0 * self.at, self.lasts.as_secs_f64());
        write!(f, "at {at:.0} % of the tasks: {}, for {lasts:.1} s", self.fault)
    }
}

/// A list of faults. The same seed and shape give the same.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// What it was made from.
    pub seed: u64,
    /// In order.
    pub strikes: Vec<Strike>,
}

/// How long a lease lasts in these clusters: what is to outlast it lasts longer.
pub const LEASE: Duration = Duration::from_secs(5);
/// A leader's term, as it stands in the coordinator.
const TERM: Duration = Duration::from_secs(5);
/// Everything has struck by this share of the tasks.
const LAST: f64 = 0.75;

impl Schedule {
    /// The schedule of a seed: seven kills or more, a leader's among them, and four other faults or more.
    #[must_use]
    pub fn of(seed: u64, shape: Shape) -> Self {
        let mut rng = Rng::with_seed(seed);
        let mut faults = vec![Fault::KillLeader, worker(&mut rng, shape), worker(&mut rng, shape)];
        faults.extend((0..rng.usize(4..=5)).map(|_| kill(&mut rng, shape)));
        faults.extend((0..rng.usize(4..=5)).map(|_| other(&mut rng, shape)));
        faults.extend((0..2).filter_map(|_| of_the_store(&mut rng, shape)));
        rng.shuffle(&mut faults);
        let share = LAST / faults.len() as f64;
        let strike = |(n, fault): (usize, Fault)| Strike {
            at: share * (n as f64 + rng.f64()),
            pause: Duration::from_millis(rng.u64(300..1800)),
            fault,
            lasts: lasts(&mut rng, fault),
        };
        Self { seed, strikes: faults.into_iter().enumerate().map(strike).collect() }
    }
}

fn worker(rng: &mut Rng, shape: Shape) -> Fault {
    Fault::KillWorker(rng.usize(..shape.workers))
}

fn kill(rng: &mut Rng, shape: Shape) -> Fault {
    match rng.u8(..8) {
        0..=1 => Fault::KillLeader,
        2 => Fault::KillCoordinators,
        3..=4 => Fault::KillMember(rng.usize(..shape.members)),
        _ => worker(rng, shape),
    }
}

/// How a link is cut.
fn cut(rng: &mut Rng) -> Mode {
    match rng.u8(..5) {
        0..=1 => Mode::Silent,
        2..=3 => Mode::Refusing,
        _ => Mode::Delayed(delay(rng)),
    }
}

fn delay(rng: &mut Rng) -> Duration {
    Duration::from_millis(rng.u64(30..300))
}

fn other(rng: &mut Rng, shape: Shape) -> Fault {
    let (mode, worker, member) = (cut(rng), rng.usize(..shape.workers), rng.usize(..shape.members));
    let coordinator = rng.usize(..shape.coordinators);
    match rng.u8(..15) {
        0..=1 => Fault::StopWorker(worker),
        2 => Fault::StopLeader,
        3 => Fault::StopMember(member),
        4 => Fault::CutCoordinator(coordinator, mode),
        5 => Fault::CutLeaderFromEtcd(mode),
        6 => Fault::CutMember(coordinator, member, mode),
        7 => Fault::Delay(delay(rng)),
        8 => Fault::CutWorker(worker, coordinator, mode),
        9 => Fault::CutOffWorker(worker, mode),
        10 => Fault::CutPeers(member, (member + rng.usize(1..shape.members)) % shape.members, mode),
        11 => Fault::CutOffMember(member, mode),
        12..=13 => Fault::Corrupt(rng.usize(1..=5)),
        _ => Fault::Delete(rng.usize(1..=5)),
    }
}

/// What goes wrong with the store itself.
fn of_the_store(rng: &mut Rng, shape: Shape) -> Option<Fault> {
    match shape.store {
        StoreKind::Directory => None,
        StoreKind::SmallDisk => Some(Fault::FillDisk),
        StoreKind::S3 => Some(Fault::CutStore(match rng.u8(..4) {
            0 => Mode::Refusing,
            1 => Mode::Silent,
            2 => Mode::Short(rng.usize(1..20_000)),
            _ => Mode::Delayed(delay(rng)),
        })),
    }
}

fn lasts(rng: &mut Rng, fault: Fault) -> Duration {
    let seconds = |rng: &mut Rng, from: f64, to: f64| Duration::from_secs_f64(from + rng.f64() * (to - from));
    match fault {
        Fault::KillWorker(_) | Fault::KillMember(_) | Fault::KillLeader | Fault::KillCoordinators => {
            seconds(rng, 0.2, 3.0)
        }
        Fault::StopWorker(_) | Fault::CutOffWorker(..) => LEASE + seconds(rng, 1.0, 3.0),
        Fault::StopLeader | Fault::CutLeaderFromEtcd(_) | Fault::CutPeers(..) | Fault::CutOffMember(..) => {
            TERM + seconds(rng, 1.0, 3.0)
        }
        Fault::Corrupt(_) | Fault::Delete(_) => Duration::ZERO,
        _ => seconds(rng, 1.0, 6.0),
    }
}
