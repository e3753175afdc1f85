//! The figures of one worker process, as Prometheus knows them. Counted once a task, never once a pixel.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use proto::work::Done;

/// How a task ended for this worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Result {
    /// Its artifact is stored.
    Done,
    /// Its artifact could not be made.
    Failed,
    /// It was stopped, or handed back.
    HandedBack,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfKind {
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfResult {
    kind: &'static str,
    result: &'static str,
}

/// Seconds, in steps that suit a task.
type Seconds = Family<OfKind, Histogram, fn() -> Histogram>;

fn seconds() -> Histogram {
    Histogram::new([0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0])
}

/// What a worker counts.
#[derive(Debug)]
pub struct Metrics {
    running: Family<OfKind, Gauge>,
    ended: Family<OfResult, Counter>,
    took: Seconds,
    bytes_read: Counter,
    bytes_written: Counter,
    blocks_read: Counter,
    blocks_skipped: Counter,
    reading: Counter<f64, std::sync::atomic::AtomicU64>,
    decoding: Counter<f64, std::sync::atomic::AtomicU64>,
    computing: Counter<f64, std::sync::atomic::AtomicU64>,
    writing: Counter<f64, std::sync::atomic::AtomicU64>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            running: Family::default(),
            ended: Family::default(),
            took: Family::new_with_constructor(seconds),
            bytes_read: Counter::default(),
            bytes_written: Counter::default(),
            blocks_read: Counter::default(),
            blocks_skipped: Counter::default(),
            reading: Counter::default(),
            decoding: Counter::default(),
            computing: Counter::default(),
            writing: Counter::default(),
        }
    }
}

impl Metrics {
    /// Figures that this registry tells of.
    #[must_use]
    pub fn registered(registry: &mut Registry, slots: usize) -> Self {
        let all = Self::default();
        let of = registry.sub_registry_with_prefix("clearmosaic_worker");
        let count = Gauge::<i64>::default();
        count.set(i64::try_from(slots).unwrap_or(i64::MAX));
        of.register("slots", "Tasks that the worker does at once", count);
        of.register("tasks_running", "Tasks being done, by kind", all.running.clone());
        of.register("tasks", "Tasks that ended, by kind and result", all.ended.clone());
        of.register_with_unit("task_duration", "How long a task took", Unit::Seconds, all.took.clone());
        of.register_with_unit(
            "read",
            "Stored bytes of sources read by tasks that are done",
            Unit::Bytes,
            all.bytes_read.clone(),
        );
        of.register_with_unit("written", "Bytes of artifacts written", Unit::Bytes, all.bytes_written.clone());
        of.register("blocks_read", "Blocks of sources read", all.blocks_read.clone());
        let skipped = "Blocks of sources that hold no clear pixel, and were not read";
        of.register("blocks_skipped", skipped, all.blocks_skipped.clone());
        of.register_with_unit("read", "Time spent getting bytes of sources", Unit::Seconds, all.reading.clone());
        of.register_with_unit("decode", "Time spent decoding blocks", Unit::Seconds, all.decoding.clone());
        of.register_with_unit("compute", "Time spent on pixels", Unit::Seconds, all.computing.clone());
        of.register_with_unit("write", "Time spent writing artifacts", Unit::Seconds, all.writing.clone());
        all
    }

    pub(crate) fn begin(&self, kind: &'static str) {
        self.running.get_or_create(&OfKind { kind }).inc();
    }

    pub(crate) fn end(&self, kind: &'static str, result: Result, took: Duration) {
        self.running.get_or_create(&OfKind { kind }).dec();
        self.took.get_or_create(&OfKind { kind }).observe(took.as_secs_f64());
        let result = match result {
            Result::Done => "done",
            Result::Failed => "failed",
            Result::HandedBack => "handed_back",
        };
        self.ended.get_or_create(&OfResult { kind, result }).inc();
    }

    pub(crate) fn add(&self, done: &Done) {
        self.bytes_read.inc_by(done.bytes_read);
        self.bytes_written.inc_by(done.bytes_written);
        self.blocks_read.inc_by(done.blocks_read);
        self.blocks_skipped.inc_by(done.blocks_skipped);
        let times = [
            (&self.reading, done.read_us),
            (&self.decoding, done.decode_us),
            (&self.computing, done.compute_us),
            (&self.writing, done.write_us),
        ];
        for (total, us) in times {
            total.inc_by(Duration::from_micros(us).as_secs_f64());
        }
    }
}
