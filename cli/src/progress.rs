//! Progress for people: bars where there is a terminal, plain lines where there is none, nothing beside JSON.

use std::collections::HashMap;
use std::fmt::Write;
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytesize::ByteSize;
use indicatif::{MultiProgress, ProgressBar, ProgressState, ProgressStyle};
use proto::job::{JobProgress, JobState, TaskCounts};

/// Where progress is shown.
pub enum Display {
    /// A terminal.
    Bars {
        /// All bars.
        all: MultiProgress,
        /// A bar for each kind of task.
        bars: HashMap<String, ProgressBar>,
    },
    /// A log file or a pipe: a line now and then.
    Lines {
        /// When the last line was written.
        last: Option<Instant>,
        /// What it said.
        said: String,
    },
    /// Nowhere.
    Silent,
}

/// Lines come no more often than this.
const BETWEEN: Duration = Duration::from_secs(5);

impl Display {
    /// Bars, lines or nothing.
    pub fn new(json: bool) -> Self {
        if std::io::stderr().is_terminal() {
            Self::Bars { all: MultiProgress::new(), bars: HashMap::new() }
        } else if json {
            Self::Silent
        } else {
            Self::Lines { last: None, said: String::new() }
        }
    }

    /// Shows how far the job is.
    pub fn show(&mut self, progress: &JobProgress) {
        match self {
            Self::Bars { all, bars } => {
                for counts in &progress.tasks {
                    let bar = bars.entry(counts.kind.clone()).or_insert_with(|| bar(all, counts));
                    bar.set_length(u64::from(counts.total));
                    bar.set_position(u64::from(counts.done + counts.reused + counts.failed));
                    bar.set_message(remarks(counts, progress.bytes_read));
                }
            }
            Self::Lines { last, said } => {
                let text = line(progress);
                let due = last.is_none_or(|at| at.elapsed() >= BETWEEN) || progress.state != JobState::Running;
                if due && !text.is_empty() && text != *said {
                    say(&text);
                    (*last, *said) = (Some(Instant::now()), text);
                }
            }
            Self::Silent => {}
        }
    }

    /// Leaves the bars as they stand.
    pub fn end(&self) {
        if let Self::Bars { bars, .. } = self {
            bars.values().for_each(ProgressBar::abandon);
        }
    }
}

#[allow(clippy::print_stderr)]
fn say(line: &str) {
    eprintln!("{line}");
}

/// A bar among the others. It is styled before it is first drawn.
fn bar(all: &MultiProgress, counts: &TaskCounts) -> ProgressBar {
    let template = "{prefix:>10} {bar:32.cyan/blue} {pos:>6}/{len:<6} {rate:>8} {eta:>5} left  {msg}";
    let rate = |state: &ProgressState, out: &mut dyn Write| {
        // A terminal that cannot be written to is noticed elsewhere.
        let _ = write!(out, "{:.1}/s", state.per_sec());
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(u64::from(counts.total)).with_style(style.with_key("rate", rate));
    let bar = all.add(bar.with_prefix(counts.kind.clone()));
    // Tasks found in the store were not done at any rate.
    bar.set_position(u64::from(counts.reused));
    bar.reset_eta();
    bar.enable_steady_tick(Duration::from_millis(500));
    bar
}

fn remarks(counts: &TaskCounts, bytes_read: u64) -> String {
    let mut remarks = Vec::new();
    if counts.reused > 0 {
        remarks.push(format!("{} reused", counts.reused));
    }
    if counts.failed > 0 {
        remarks.push(format!("{} failed", counts.failed));
    }
    if bytes_read > 0 && matches!(counts.kind.as_str(), "partial" | "composite") {
        remarks.push(format!("{} read", ByteSize(bytes_read)));
    }
    remarks.join(", ")
}

fn line(progress: &JobProgress) -> String {
    let kind = |counts: &TaskCounts| {
        let ended = counts.done + counts.reused + counts.failed;
        let failed = if counts.failed > 0 { format!(" ({} failed)", counts.failed) } else { String::new() };
        format!("{} {ended}/{}{failed}", counts.kind, counts.total)
    };
    progress.tasks.iter().map(kind).collect::<Vec<_>>().join("  ")
}

/// Progress in one kind of thing: a bar, a line now and then, or nothing.
pub struct Steps {
    kind: &'static str,
    total: u64,
    shown: Shown,
}

enum Shown {
    Bar(ProgressBar),
    Lines(Mutex<Option<Instant>>),
    Nowhere,
}

impl Steps {
    /// None of so many are done yet.
    pub fn new(kind: &'static str, total: usize, json: bool) -> Self {
        let total = total as u64;
        let shown = if std::io::stderr().is_terminal() {
            let template = "{prefix:>10} {bar:32.cyan/blue} {pos:>6}/{len:<6} {eta:>5} left  {msg}";
            let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
            let bar = ProgressBar::new(total).with_style(style).with_prefix(kind);
            bar.enable_steady_tick(Duration::from_millis(500));
            Shown::Bar(bar)
        } else if json {
            Shown::Nowhere
        } else {
            Shown::Lines(Mutex::default())
        };
        Self { kind, total, shown }
    }

    /// So many are done, of which there is this to be said.
    pub fn show(&self, done: usize, remark: &str) {
        let done = done as u64;
        match &self.shown {
            Shown::Bar(bar) => {
                bar.set_position(done);
                bar.set_message(remark.to_owned());
            }
            Shown::Lines(last) => {
                let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
                if last.is_none_or(|at| at.elapsed() >= BETWEEN) || done == self.total {
                    let remark = if remark.is_empty() { String::new() } else { format!(", {remark}") };
                    say(&format!("{} {done}/{}{remark}", self.kind, self.total));
                    *last = Some(Instant::now());
                }
            }
            Shown::Nowhere => {}
        }
    }

    /// Leaves the bar as it stands.
    pub fn end(&self) {
        if let Shown::Bar(bar) = &self.shown {
            bar.abandon();
        }
    }
}
