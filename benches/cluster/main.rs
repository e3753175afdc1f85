//! How much a coordinator can carry: a real one, a real etcd that syncs, and workers that do no pixels.
//!
//! ```text
//! catalogue (made up) ─► coordinator, another one ◄─► etcd
//!                             ▲ gRPC over TCP
//!                             ├── 1,000 workers, a task of this process each: lease, report, lease, report, …
//!                             └── then 8 that sleep, each a process of its own: this program, run as `asleep URL`
//! ```
//!
//! `bench-cluster CLEARMOSAIC AREA [--workers N] [--seconds S] [--most TILES] [--rate R]`. The workers go as fast as they
//! can first, then do R tasks a second together. Prints a table of figures beside what is wanted. Where the area's file or etcd is missing it says so, loudly, and measures nothing.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::expect_used)]

mod catalogue;
mod figures;
mod processes;
mod workers;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use figures::{Table, milliseconds, quantile};
use processes::{Coordinator, Etcd, Sleeper};
use tokio::time::sleep;
use workers::Crowd;

/// What is measured, and how long.
struct Options {
    binary: PathBuf,
    area: PathBuf,
    workers: usize,
    seconds: u64,
    most: usize,
    rate: u64,
}

impl Options {
    fn read() -> Option<Self> {
        let args: Vec<String> = std::env::args().skip(1).collect();
        let number = |name: &str, default: u64| {
            let at = args.iter().position(|arg| arg == name);
            at.and_then(|at| args.get(at + 1)?.parse().ok()).unwrap_or(default)
        };
        let [binary, area, ..] = &args[..] else { return None };
        Some(Self {
            binary: binary.into(),
            area: area.into(),
            workers: number("--workers", 1000) as usize,
            seconds: number("--seconds", 30),
            most: number("--most", u64::MAX) as usize,
            rate: number("--rate", 5000),
        })
    }
}

#[tokio::main]
async fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [asleep, url] = &args[..]
        && asleep == ASLEEP
    {
        return workers::sleep_on(url).await;
    }
    let Some(options) = Options::read() else {
        eprintln!("usage: bench-cluster CLEARMOSAIC AREA [--workers N] [--seconds S] [--most TILES] [--rate R]");
        std::process::exit(2);
    };
    if !options.area.is_file() {
        eprintln!("SKIPPED: {} is not there", options.area.display());
        return;
    }
    let dir = tempfile::tempdir().expect("a temporary directory");
    let Some(etcd) = Etcd::start(&dir.path().join("etcd")).await else {
        eprintln!("SKIPPED: etcd is not installed");
        return;
    };
    let mut table = Table::default();
    measure(&options, dir.path(), &etcd, &mut table).await;
    println!("{table}");
}

async fn measure(options: &Options, dir: &Path, etcd: &Etcd, table: &mut Table) {
    let request = catalogue::write(&options.area, dir, options.most);
    let mut first = Coordinator::start(&options.binary, dir, &etcd.url).await;
    let mut second = Coordinator::start(&options.binary, dir, &etcd.url).await;
    plan(&first, &request, table).await;

    table.add("workers", options.workers.to_string(), "");
    let both = [first.url.as_str(), second.url.as_str()];
    let crowd = Crowd::start(&both, options.workers, Duration::ZERO, None);
    sustained("as fast as they can", options, &first, etcd, &crowd, table).await;
    crowd.stop().await;
    let crowd = Crowd::start(&both, options.workers, Duration::ZERO, Some(options.rate as f64));
    sustained(&format!("at {} a second", options.rate), options, &first, etcd, &crowd, table).await;
    failover(&mut first, &crowd, table).await;
    crowd.stop().await;

    asleep(&second, table).await;
    let drained = second.terminate().await;
    table.add("drain on SIGTERM", format!("{:.1} s", drained.as_secs_f64()), "< 10 s");
}

/// Submits the request: how long until it is planned, and what that takes.
async fn plan(coordinator: &Coordinator, request: &str, table: &mut Table) {
    let since = Instant::now();
    let tasks = workers::submit(&coordinator.url, request).await;
    table.add("tasks", tasks.to_string(), "");
    table.add("planned in", format!("{:.1} s", since.elapsed().as_secs_f64()), "< 60 s");
    table.add("peak memory of that", format!("{} MiB", coordinator.peak_memory() >> 20), "< 1024 MiB");
}

/// Workers lease and report.
async fn sustained(
    how: &str,
    options: &Options,
    coordinator: &Coordinator,
    etcd: &Etcd,
    crowd: &Crowd,
    table: &mut Table,
) {
    sleep(Duration::from_secs(5)).await;
    let _ = crowd.take();
    let (cpu, puts, since) = (coordinator.cpu(), etcd.metric("etcd_debugging_mvcc_put_total").await, Instant::now());
    sleep(Duration::from_secs(options.seconds)).await;
    let (mut seen, took) = (crowd.take(), since.elapsed().as_secs_f64());
    let (cpu, puts) = (coordinator.cpu() - cpu, etcd.metric("etcd_debugging_mvcc_put_total").await - puts);
    let done = seen.done as f64;
    table.add(&format!("completions a second, {how}"), format!("{:.0}", done / took), ">= 5000");
    table.add("a grant takes (median)", milliseconds(quantile(&mut seen.grants, 0.5)), "");
    table.add("a grant takes (99 %)", milliseconds(quantile(&mut seen.grants, 0.99)), "<= 100 ms");
    table.add("a report takes (99 %)", milliseconds(quantile(&mut seen.reports, 0.99)), "");
    table.add("coordinator's CPU a task", milliseconds(cpu.as_secs_f64() / done.max(1.0)), "<= 0.1 ms");
    table.add("refused", seen.refused.to_string(), "0");
    table.add("etcd: keys written a second", format!("{:.0}", puts / took), "");
    let size = etcd.metric("etcd_mvcc_db_total_size_in_bytes").await;
    table.add("etcd: size", format!("{:.1} MiB", size / f64::from(1 << 20)), "");
    table.add("coordinator's memory then", format!("{} MiB", coordinator.peak_memory() >> 20), "< 1024 MiB");
}

/// Kills the leader: how long until the next one grants something.
async fn failover(leader: &mut Coordinator, crowd: &Crowd, table: &mut Table) {
    let _ = crowd.take();
    leader.kill();
    // What is on its way does not count.
    sleep(Duration::from_millis(200)).await;
    let _ = crowd.take();
    let since = Instant::now();
    while crowd.take().grants.is_empty() {
        assert!(since.elapsed() < Duration::from_secs(120), "nobody leads");
        sleep(Duration::from_millis(20)).await;
    }
    let took = since.elapsed() + Duration::from_millis(200);
    table.add("failover, from SIGKILL to a lease", format!("{:.1} s", took.as_secs_f64()), "< 10 s");
}

/// What the program is told that is to be a worker whose work is a sleep.
const ASLEEP: &str = "asleep";
/// How many of those there are.
const SLEEPERS: usize = 8;

/// Eight workers whose work is a sleep: the coordinator's processor time beside the time that they work.
async fn asleep(coordinator: &Coordinator, table: &mut Table) {
    let workers: Vec<Sleeper> = (0..SLEEPERS).map(|_| Sleeper::start(ASLEEP, &coordinator.url)).collect();
    sleep(Duration::from_secs(2)).await;
    let (cpu, theirs, since) = (coordinator.cpu(), workers.iter().map(Sleeper::cpu).sum(), Instant::now());
    sleep(Duration::from_secs(10)).await;
    let took = (coordinator.cpu() - cpu).as_secs_f64();
    let share = took / (SLEEPERS as f64 * since.elapsed().as_secs_f64());
    table.add("CPU, of eight workers' time that sleep", format!("{:.2} %", share * 100.0), "< 5 %");
    let own = (workers.iter().map(Sleeper::cpu).sum::<Duration>() - theirs).as_secs_f64();
    table.add("  beside their processor time for asking", format!("{took:.2} s; {own:.2} s"), "");
}
