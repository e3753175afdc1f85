//! The table's transitions.

mod permits;
mod random;
mod sharing;
mod transitions;

use std::sync::Arc;
use std::time::Duration;

use mosaic::plan::{Layout, Taken, TileSize};
use proto::work::{Done, Failure, FailureKind};

use super::{Grant, JobTable, Report, Settings, State, Table, Unknown};

/// Tasks of [`layout`] by name.
const NAMES: [&str; 8] = ["p00", "p01", "c0", "p10", "p11", "c1", "m", "q"];

/// Two sub-tiles of two slices each, one output tile, one picture.
fn layout() -> Arc<Layout> {
    tiles(1, 2, 2)
}

/// So many tiles of so many sub-tiles with so many slices, one output tile, one picture.
fn tiles(count: u32, subtiles: u32, partials: u32) -> Arc<Layout> {
    let taken = (0..count).map(|shard| Taken { shard, subtiles: (0..subtiles).collect() });
    Arc::new(Layout::new((0..count).map(|_| TileSize { subtiles, partials }), vec![taken.collect()]))
}

fn index(name: &str) -> u32 {
    NAMES.iter().position(|known| *known == name).unwrap() as u32
}

/// A table with one job, and a clock.
struct Bench {
    table: Table,
    now: Duration,
}

impl Bench {
    fn new(made: &[&str]) -> Self {
        let made: Vec<u32> = made.iter().map(|name| index(name)).collect();
        Self::of(JobTable::new(layout(), |task| made.contains(&task), 1, Settings::default()))
    }

    fn of(job: JobTable) -> Self {
        let mut table = Table::default();
        table.insert("job".into(), job);
        Self { table, now: Duration::ZERO }
    }

    fn lease(&mut self) -> Option<Grant> {
        self.table.lease("w", 1, self.now).pop()
    }

    fn report(&mut self, lease: &Grant, report: Report) -> Result<(), Unknown> {
        self.table.report("w", lease, report, self.now)
    }

    fn renew(&mut self, lease: &Grant) -> bool {
        self.table.renew("w", lease, self.now)
    }

    fn job(&self) -> &JobTable {
        self.table.job("job").unwrap()
    }

    fn state(&self, name: &str) -> State {
        self.job().state(index(name))
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        let _ = self.table.tick(self.now);
    }

    /// Does every task that is handed out; their names in order.
    fn finish(&mut self) -> Vec<&'static str> {
        let mut done = Vec::new();
        while let Some(lease) = self.lease() {
            self.report(&lease, DONE).unwrap();
            done.push(NAMES[lease.task as usize]);
        }
        done
    }
}

const DONE: Report = Report::Done(Done {
    requests: 1,
    bytes_received: 1,
    retries: 0,
    bytes_read: 1,
    bytes_written: 2,
    blocks_read: 3,
    blocks_skipped: 4,
    read_us: 5,
    decode_us: 6,
    compute_us: 7,
    write_us: 8,
});

fn failure(kind: FailureKind) -> Report {
    Report::Failed(Failure { kind, reason: "torn".into(), scene: Some("s".into()) })
}
