//! The figures of a coordinator, as Prometheus knows them.
//!
//! ```text
//! events (a grant, a report) ─► counters and histograms      atomics, once an event
//! scrape ─► the table as it is then ─► gauges, and what each mosaic has cost
//! ```
//!
//! A mosaic's own figures end a while after it, so that there are never more of them than mosaics being made.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use proto::work::Outcome;

use crate::driver::Driver;
use crate::table::{Progress, Tally};

/// How long the figures of a mosaic are told after its end: long enough to be scraped once more.
pub const REMEMBERED: Duration = Duration::from_secs(600);

/// How a reported task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Its artifact is stored.
    Done,
    /// It failed.
    Failed,
    /// What it reads was lost.
    InputsLost,
    /// It was handed back.
    HandedBack,
    /// The lease was no longer the worker's.
    Stale,
}

impl Ending {
    /// What an outcome counts as.
    #[must_use]
    pub const fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Done(_) => Self::Done,
            Outcome::Failed(_) => Self::Failed,
            Outcome::InputsLost(_) => Self::InputsLost,
            Outcome::HandedBack => Self::HandedBack,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::InputsLost => "inputs_lost",
            Self::HandedBack => "handed_back",
            Self::Stale => "stale",
        }
    }
}

/// How a job fares.
#[derive(Clone, Debug)]
pub struct Figures {
    /// The mosaic's name.
    pub mosaic: String,
    /// The run.
    pub job: String,
    /// Whether it has ended.
    pub is_ended: bool,
    /// Its tasks.
    pub progress: Progress,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfResult {
    result: &'static str,
}

/// What is counted as it happens.
#[derive(Debug)]
pub struct Metrics {
    granted: Counter,
    reported: Family<OfResult, Counter>,
    grant: Histogram,
    report: Histogram,
}

/// Seconds, in steps that suit what happens in memory, under a lock.
fn seconds() -> Histogram {
    Histogram::new([0.000_01, 0.000_03, 0.000_1, 0.000_3, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0])
}

impl Default for Metrics {
    fn default() -> Self {
        Self { granted: Counter::default(), reported: Family::default(), grant: seconds(), report: seconds() }
    }
}

impl Metrics {
    /// So many tasks were granted, which took so long from when there was one to be had.
    pub fn granted(&self, tasks: usize, took: Duration) {
        if tasks > 0 {
            self.granted.inc_by(tasks as u64);
            self.grant.observe(took.as_secs_f64());
        }
    }

    /// A report came in.
    pub fn reported(&self, ending: Ending) {
        self.reported.get_or_create(&OfResult { result: ending.name() }).inc();
    }

    /// A report was dealt with.
    pub fn report_took(&self, took: Duration) {
        self.report.observe(took.as_secs_f64());
    }
}

/// Has a registry tell of a coordinator, for as long as that lives.
pub fn register(driver: &Arc<Driver>, registry: &mut Registry) {
    let of = registry.sub_registry_with_prefix("clearmosaic");
    let Metrics { granted, reported, grant, report } = &driver.metrics;
    of.register("leases_granted", "Tasks granted to workers", granted.clone());
    of.register("reports", "Reports of workers, by result", reported.clone());
    of.register_with_unit("grant", "How long granting took", Unit::Seconds, grant.clone());
    of.register_with_unit("report", "How long a report took", Unit::Seconds, report.clone());
    registry.register_collector(Box::new(Table(Arc::downgrade(driver))));
}

/// Tells what the table is like when it is asked.
struct Table(Weak<Driver>);

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Table")
    }
}

/// Labels of a mosaic's figures.
type OfMosaic<'a> = [(&'static str, &'a str); 2];

/// A figure of a mosaic: its name, help, unit, and how it is found.
type Figure = (&'static str, &'static str, Option<Unit>, fn(&Progress) -> f64);

/// Microseconds as seconds.
fn of_us(us: u64) -> f64 {
    Duration::from_micros(us).as_secs_f64()
}

/// How many tasks are in some state.
type Count = fn(&Tally) -> u32;

/// What is told of all mosaics together.
const ALL: [(&str, &str, Count); 4] = [
    ("ready", "Tasks that a worker could have now", |tally| tally.ready),
    ("waiting", "Tasks that wait for other tasks", |tally| tally.waiting),
    ("backoff", "Tasks that are tried again later", |tally| tally.backoff),
    ("leased", "Tasks that workers have now", |tally| tally.running),
];

/// What is told of each mosaic: counters.
fn of_mosaic() -> [Figure; 11] {
    [
        ("read", "Stored bytes of sources read", Some(Unit::Bytes), |p| p.cost.bytes_read as f64),
        ("written", "Bytes of artifacts written", Some(Unit::Bytes), |p| p.cost.bytes_written as f64),
        ("blocks_read", "Blocks of sources read", None, |p| p.cost.blocks_read as f64),
        ("blocks_skipped", "Blocks that hold no clear pixel, and were not read", None, |p| {
            p.cost.blocks_skipped as f64
        }),
        ("read", "Time spent getting bytes of sources", Some(Unit::Seconds), |p| of_us(p.cost.read_us)),
        ("decode", "Time spent decoding blocks", Some(Unit::Seconds), |p| of_us(p.cost.decode_us)),
        ("compute", "Time spent on pixels", Some(Unit::Seconds), |p| of_us(p.cost.compute_us)),
        ("write", "Time spent writing artifacts", Some(Unit::Seconds), |p| of_us(p.cost.write_us)),
        ("retries", "Attempts that failed and were followed by another", None, |p| p.setbacks.retried as f64),
        ("leases_expired", "Leases that expired", None, |p| p.setbacks.expired as f64),
        ("tasks_set_aside", "Tasks that failed for good", None, |p| p.setbacks.set_aside as f64),
    ]
}

/// Where tasks are, by name.
const STATES: [(&str, Count); 7] = [
    ("waiting", |tally| tally.waiting),
    ("ready", |tally| tally.ready),
    ("backoff", |tally| tally.backoff),
    ("leased", |tally| tally.running),
    ("done", |tally| tally.done),
    ("reused", |tally| tally.reused),
    ("failed", |tally| tally.failed),
];

impl Collector for Table {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Some(driver) = self.0.upgrade() else { return Ok(()) };
        let gauge = |to: MetricEncoder<'_>, value: i64| ConstGauge::new(value).encode(to);
        let help = "Whether this coordinator leads";
        let to = encoder.encode_descriptor("clearmosaic_leader", help, None, MetricType::Gauge)?;
        gauge(to, driver.leads().is_ok().into())?;
        let figures = driver.figures();
        let open = || figures.iter().filter(|job| !job.is_ended);
        let to =
            encoder.encode_descriptor("clearmosaic_mosaics_open", "Mosaics being made", None, MetricType::Gauge)?;
        gauge(to, i64::try_from(open().count()).unwrap_or(i64::MAX))?;
        for (name, help, of) in ALL {
            let sum = open().map(|job| i64::from(of(&job.progress.total()))).sum();
            let name = format!("clearmosaic_tasks_{name}");
            gauge(encoder.encode_descriptor(&name, help, None, MetricType::Gauge)?, sum)?;
        }
        tasks(&mut encoder, &figures)?;
        costs(&mut encoder, &figures)
    }
}

/// The tasks of each mosaic, by kind and where they are.
fn tasks(encoder: &mut DescriptorEncoder<'_>, figures: &[Figures]) -> fmt::Result {
    let help = "Tasks of a mosaic, by kind and where they are";
    let mut to = encoder.encode_descriptor("clearmosaic_mosaic_tasks", help, None, MetricType::Gauge)?;
    for job in figures {
        for (kind, tally) in job.progress.kinds.iter().filter(|(_, tally)| tally.total > 0) {
            for (state, of) in STATES {
                let labels = [("mosaic", &*job.mosaic), ("job", &*job.job), ("kind", *kind), ("state", state)];
                ConstGauge::new(i64::from(of(tally))).encode(to.encode_family(&labels)?)?;
            }
        }
    }
    Ok(())
}

/// What each mosaic has cost.
fn costs(encoder: &mut DescriptorEncoder<'_>, figures: &[Figures]) -> fmt::Result {
    for (name, help, unit, of) in of_mosaic() {
        let name = format!("clearmosaic_mosaic_{name}");
        let mut to = encoder.encode_descriptor(&name, help, unit.as_ref(), MetricType::Counter)?;
        for job in figures {
            let labels: OfMosaic<'_> = [("mosaic", &job.mosaic), ("job", &job.job)];
            ConstCounter::new(of(&job.progress)).encode(to.encode_family(&labels)?)?;
        }
    }
    Ok(())
}
