//! The cluster that things happen to: three members of etcd, coordinators and workers, with links between them.
//!
//! ```text
//! worker, client ──► front (a link) ──► coordinator ──► a link each ──► member of etcd ◄── a link each ──► member
//! ```
//!
//! Fronts tell workers apart, and the links between members these, so that each link can be cut alone.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::schedule::{LEASE, Shape};
use crate::etcd::free_addresses;
use crate::{Callers, Etcd, Link, Mode, Process, binary};

/// A process that a supervisor looks after.
struct Supervised {
    args: Vec<String>,
    environment: Vec<(&'static str, String)>,
    log: PathBuf,
    /// Whom links know it as.
    caller: Option<(usize, Callers)>,
    process: Option<Process>,
    /// Where it is to be started, and when at the earliest.
    restart: Option<Instant>,
}

impl Supervised {
    fn new(
        args: &[&str],
        environment: &[(&'static str, String)],
        log: PathBuf,
        caller: Option<(usize, Callers)>,
    ) -> Self {
        let (args, environment) = (args.iter().map(|arg| (*arg).to_owned()).collect(), environment.to_vec());
        let mut supervised = Self { args, environment, log, caller, process: None, restart: None };
        supervised.start();
        supervised
    }

    fn start(&mut self) {
        let log = File::options().append(true).create(true).open(&self.log).expect("a log");
        let mut command = Command::new(binary());
        command.args(&self.args).env("RUST_LOG", "info,coordinator=debug,worker=debug").env("NO_COLOR", "1");
        command.envs(self.environment.clone()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let process = Process::spawn(&mut command).expect("clearmosaic starts");
        self.caller.iter().for_each(|(number, callers)| callers.know(*number, process.id()));
        self.process = Some(process);
        self.restart = None;
    }

    fn kill(&mut self) -> bool {
        self.restart = None;
        self.process.take().is_some_and(|mut process| process.kill())
    }

    /// Starts it again where it has ended by itself: what it said in its last line.
    fn supervise(&mut self) -> Option<String> {
        if self.restart.is_some_and(|at| at <= Instant::now()) {
            self.start();
        }
        let status = self.process.as_mut()?.status()?;
        self.process = None;
        self.restart = Some(Instant::now() + RESTART);
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        Some(format!("{status}: {}", log.lines().last().unwrap_or_default()))
    }
}

/// What is between workers and coordinators while nothing is wrong: a network, not a pipe.
pub(super) const NETWORK: Mode = Mode::Delayed(Duration::from_millis(8));
/// How long a supervisor waits before it starts a process that has ended by itself.
const RESTART: Duration = Duration::from_millis(500);

/// A cluster, gone when it is dropped.
pub struct Cluster {
    /// Its etcd.
    pub etcd: Etcd,
    /// In front of each coordinator.
    pub fronts: Vec<Link>,
    /// From each coordinator to each member of etcd.
    pub to_etcd: Vec<Vec<Link>>,
    coordinators: Vec<Supervised>,
    workers: Vec<Supervised>,
}

impl Cluster {
    /// Starts one over a store, with this in the environment; logs go to `logs`. None, said loudly, where there is no etcd.
    #[must_use]
    pub fn start(shape: Shape, store: &str, environment: &[(&'static str, String)], logs: &Path) -> Option<Self> {
        let (etcd, callers) = (Etcd::linked(shape.members)?, Callers::default());
        let addresses = free_addresses(shape.coordinators);
        let fronts: Vec<Link> = addresses.iter().map(|address| Link::for_callers(address, &callers)).collect();
        fronts.iter().for_each(|front| front.set(NETWORK));
        let links = || (0..shape.members).map(|member| Link::to(etcd.address(member))).collect::<Vec<Link>>();
        let to_etcd: Vec<Vec<Link>> = (0..shape.coordinators).map(|_| links()).collect();
        let coordinator = |n: usize| {
            let etcd = urls(&to_etcd[n]);
            let (front, lease) = (fronts[n].url(), LEASE.as_secs().to_string());
            let args = ["coordinator", "--listen", &addresses[n], "--advertise", &front, "--etcd", &etcd];
            let args = [&args[..], &["--store", store, "--lease", &lease]].concat();
            Supervised::new(&args, environment, logs.join(format!("coordinator-{n}.log")), None)
        };
        let coordinators = (0..shape.coordinators).map(coordinator).collect();
        let at = urls(&fronts);
        let worker = |n: usize| {
            let args = ["worker", "--coordinator", &at, "--slots", "1", "--memory", "512MiB"];
            Supervised::new(&args, environment, logs.join(format!("worker-{n}.log")), Some((n, callers.clone())))
        };
        let workers = (0..shape.workers).map(worker).collect();
        Some(Self { etcd, fronts, to_etcd, coordinators, workers })
    }

    /// How many workers it has.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.workers.len()
    }

    /// The coordinators' URLs, with commas between.
    #[must_use]
    pub fn urls(&self) -> String {
        urls(&self.fronts)
    }

    /// Starts again what has ended by itself; what that was.
    pub fn supervise(&mut self) -> Vec<String> {
        let coordinators = self.coordinators.iter_mut().enumerate().map(|(n, process)| ("coordinator", n, process));
        let workers = self.workers.iter_mut().enumerate().map(|(n, process)| ("worker", n, process));
        let ended = |(role, n, process): (&str, usize, &mut Supervised)| {
            process.supervise().map(|said| format!("{role} {n} ended by itself: {said}"))
        };
        coordinators.chain(workers).filter_map(ended).collect()
    }

    /// SIGKILL to a coordinator; whether it ran until then.
    pub fn kill_coordinator(&mut self, coordinator: usize) -> bool {
        self.coordinators[coordinator].kill()
    }

    /// SIGKILL to a worker; whether it ran until then.
    pub fn kill_worker(&mut self, worker: usize) -> bool {
        self.workers[worker].kill()
    }

    /// Starts a coordinator that was killed.
    pub fn restart_coordinator(&mut self, coordinator: usize) {
        self.coordinators[coordinator].start();
    }

    /// Starts a worker that was killed.
    pub fn restart_worker(&mut self, worker: usize) {
        self.workers[worker].start();
    }

    /// Sends a coordinator that runs a signal.
    pub fn signal_coordinator(&self, coordinator: usize, name: &str) {
        self.coordinators[coordinator].process.iter().for_each(|process| process.signal(name));
    }

    /// Sends a worker that runs a signal.
    pub fn signal_worker(&self, worker: usize, name: &str) {
        self.workers[worker].process.iter().for_each(|process| process.signal(name));
    }

    /// Which coordinator is reached at a URL.
    #[must_use]
    pub fn coordinator_at(&self, url: &str) -> Option<usize> {
        self.fronts.iter().position(|front| front.url() == url.trim_end_matches('/'))
    }

    /// What the link between a worker and a coordinator does from now on; none: it is well.
    pub fn set_worker(&self, worker: usize, coordinator: usize, mode: Option<Mode>) {
        self.fronts[coordinator].set_for(worker, mode);
    }

    /// What all links do from now on.
    pub fn set_links(&self, mode: Mode) {
        self.fronts.iter().chain(self.to_etcd.iter().flatten()).for_each(|link| link.set(mode));
    }

    /// Nothing is wrong with any link from now on.
    pub fn heal(&self) {
        self.set_links(Mode::Open);
        self.fronts.iter().for_each(|front| front.set(NETWORK));
    }
}

fn urls(links: &[Link]) -> String {
    links.iter().map(Link::url).collect::<Vec<_>>().join(",")
}
