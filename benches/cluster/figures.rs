//! Figures, beside what is wanted.

use std::fmt;

/// A table of figures.
#[derive(Default)]
pub struct Table(Vec<[String; 3]>);

impl Table {
    /// Adds a figure, and what is wanted of it; and tells it, so that whoever waits sees how far it is.
    pub fn add(&mut self, name: &str, found: String, wanted: &str) {
        eprintln!("{name}: {found}");
        self.0.push([name.to_owned(), found, wanted.to_owned()]);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| figure | found | wanted |\n|---|---:|---:|")?;
        self.0.iter().try_for_each(|[name, found, wanted]| writeln!(f, "| {name} | {found} | {wanted} |"))
    }
}

/// A quantile of durations in seconds; 0 where there is none.
pub fn quantile(seconds: &mut [f64], at: f64) -> f64 {
    seconds.sort_by(f64::total_cmp);
    let index = (seconds.len() as f64 * at) as usize;
    seconds.get(index.min(seconds.len().saturating_sub(1))).copied().unwrap_or_default()
}

/// A duration for people.
pub fn milliseconds(seconds: f64) -> String {
    format!("{:.3} ms", seconds * 1000.0)
}
