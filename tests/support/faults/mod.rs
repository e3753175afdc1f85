//! Faults: schedules of them, made from seeds, played on a real cluster while it makes mosaics.
//!
//! ```text
//! seed ─► Schedule ─► play: a Cluster makes the mosaics of a Scene ─► checks ─► Outcome
//!                      │ strikes: kill, stop, cut, delay, corrupt, delete, fill; and their ends
//!                      └ a supervisor starts again what was killed or has ended
//! ```
//!
//! A strike comes once a share of the tasks is done, so that a slow machine and a fast one see the same. Where a strike
//! must wait for the one before, workers are held back meanwhile with SIGSTOP.

mod cluster;
mod history;
mod latest;
mod logs;
mod play;
mod scene;
mod schedule;
mod shelf;

pub use cluster::Cluster;
pub use history::{History, State};
pub use play::{Outcome, play};
pub use scene::{Mosaic, Scene};
pub use schedule::{Class, Fault, SORTS, Schedule, Shape, StoreKind, Strike};

/// A cluster of three workers, two coordinators and three members of etcd.
#[must_use]
pub const fn shape(store: StoreKind) -> Shape {
    Shape { workers: 3, coordinators: 2, members: 3, store }
}
