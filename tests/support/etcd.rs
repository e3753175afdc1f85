//! A real etcd on loopback, of one member or several, killed when it is dropped.

use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::{Callers, Link, Mode, Process};

/// How long a member may take to listen.
const PATIENCE: Duration = Duration::from_secs(60);

/// An etcd.
pub struct Etcd {
    members: Vec<Member>,
    /// In front of each member, for the others; none where they speak to each other directly.
    between: Vec<Link>,
    /// Where clients reach it: URLs, with commas between.
    pub url: String,
}

struct Member {
    process: Option<Process>,
    args: Vec<String>,
    /// `127.0.0.1:2379`
    address: String,
    /// Whom links between members know it as.
    number: usize,
    callers: Callers,
    _data: TempDir,
}

impl Etcd {
    /// Starts one of a single member; none, said loudly, where it is not installed.
    ///
    /// # Panics
    /// Where it does not come to answer.
    #[must_use]
    pub fn start() -> Option<Self> {
        Self::cluster(1)
    }

    /// Starts one of so many members; none, said loudly, where it is not installed.
    ///
    /// # Panics
    /// Where it does not come to answer.
    #[must_use]
    pub fn cluster(size: usize) -> Option<Self> {
        Self::with(size, false)
    }

    /// The same, with a link between each two members.
    ///
    /// # Panics
    /// Where it does not come to answer.
    #[must_use]
    pub fn linked(size: usize) -> Option<Self> {
        Self::with(size, true)
    }

    fn with(size: usize, is_linked: bool) -> Option<Self> {
        if Command::new("etcd").arg("--version").stdout(Stdio::null()).status().is_err() {
            eprintln!("SKIPPED: etcd is not installed");
            return None;
        }
        let (addresses, callers) = (free_addresses(2 * size), Callers::default());
        let (clients, peers) = addresses.split_at(size);
        let between: Vec<Link> =
            peers.iter().filter(|_| is_linked).map(|peer| Link::for_callers(peer, &callers)).collect();
        let advertised = |n: usize| between.get(n).map_or_else(|| format!("http://{}", peers[n]), Link::url);
        let initial: Vec<String> = (0..size).map(|n| format!("m{n}={}", advertised(n))).collect();
        let initial = initial.join(",");
        let member = |n: usize| Member::new(n, &callers, &clients[n], [&peers[n], &advertised(n)], &initial);
        let urls: Vec<String> = clients.iter().map(|address| format!("http://{address}")).collect();
        let members = (0..size).map(member).collect();
        let mut etcd = Self { members, between, url: urls.join(",") };
        (0..size).for_each(|n| etcd.members[n].start());
        etcd.members.iter().for_each(Member::wait);
        Some(etcd)
    }

    /// What the link between two members does from now on, in both directions; none: it is well.
    ///
    /// # Panics
    /// Where there is none.
    pub fn set_between(&self, one: usize, other: usize, mode: Option<Mode>) {
        self.between[one].set_for(other, mode);
        self.between[other].set_for(one, mode);
    }

    /// How many members it has.
    #[must_use]
    pub fn size(&self) -> usize {
        self.members.len()
    }

    /// Where a member listens for clients, `127.0.0.1:2379`.
    #[must_use]
    pub fn address(&self, member: usize) -> &str {
        &self.members[member].address
    }

    /// SIGKILL to a member; whether it ran until then.
    pub fn kill(&mut self, member: usize) -> bool {
        self.members[member].process.take().is_some_and(|mut process| process.kill())
    }

    /// Starts a member that was killed, with what it had written.
    pub fn restart(&mut self, member: usize) {
        self.members[member].start();
    }

    /// Sends a member that runs a signal.
    pub fn signal(&self, member: usize, name: &str) {
        self.members[member].process.iter().for_each(|process| process.signal(name));
    }
}

impl Member {
    fn new(number: usize, callers: &Callers, client: &str, [peer, advertised]: [&str; 2], initial: &str) -> Self {
        let data = tempfile::tempdir().expect("a temporary directory");
        let (client_url, peer_url) = (format!("http://{client}"), format!("http://{peer}"));
        let name = format!("m{number}");
        let dir = data.path().to_string_lossy();
        let args = [
            ["--name", &name],
            ["--data-dir", &dir],
            ["--log-level", "error"],
            ["--listen-client-urls", &client_url],
            ["--advertise-client-urls", &client_url],
            ["--listen-peer-urls", &peer_url],
            ["--initial-advertise-peer-urls", advertised],
            ["--initial-cluster", initial],
        ];
        let args = args.concat().into_iter().map(str::to_owned).collect();
        let callers = callers.clone();
        Self { process: None, args, address: client.to_owned(), number, callers, _data: data }
    }

    fn start(&mut self) {
        let mut command = Command::new("etcd");
        command.args(&self.args).stdout(Stdio::null()).stderr(Stdio::null());
        let process = Process::spawn(&mut command).expect("etcd starts");
        self.callers.know(self.number, process.id());
        self.process = Some(process);
    }

    /// Waits until it listens.
    fn wait(&self) {
        let since = Instant::now();
        while std::net::TcpStream::connect(&self.address).is_err() {
            assert!(since.elapsed() < PATIENCE, "etcd does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Addresses at which nobody listened a moment ago.
pub(crate) fn free_addresses(count: usize) -> Vec<String> {
    let listeners: Vec<TcpListener> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").expect("loopback")).collect();
    listeners.iter().map(|listener| listener.local_addr().expect("it is bound").to_string()).collect()
}
