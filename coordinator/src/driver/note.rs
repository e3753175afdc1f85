//! Noting down how far jobs are. What is reported while a write is under way goes together in the next one.

use std::sync::{Arc, Weak};

use tokio::sync::{Notify, oneshot};

use super::{Driver, Inner, PAUSE};
use crate::state::{Note, Noted, StateError, notes};
use crate::table::Changes;

/// What goes into one write, and who waits for it.
#[derive(Default)]
struct Batch {
    changes: Vec<(String, Changes)>,
    notes: Vec<Note>,
    waiting: Vec<oneshot::Sender<()>>,
}

impl Batch {
    fn of(inner: &mut Inner) -> Self {
        let changes = inner.table.take_changes();
        let notes = changes.iter().flat_map(|(job, changes)| notes_of(inner, job, changes)).collect();
        Self { changes, notes, waiting: std::mem::take(&mut inner.waiting) }
    }

    fn is_empty(&self) -> bool {
        self.notes.is_empty() && self.waiting.is_empty()
    }
}

fn notes_of(inner: &Inner, job: &str, changes: &Changes) -> Vec<Note> {
    let planned = inner.jobs.get(job).and_then(|running| running.job.as_ref());
    let (Some(table), Some(planned)) = (inner.table.job(job), planned) else { return Vec::new() };
    let run = notes::run(job, &planned.key);
    let made = changes.places.iter().map(|place| Noted::Made { place: *place, bits: table.made_of(*place) });
    let failed = changes.failures.iter().filter_map(|task| {
        let why = table.failures().get(task)?.clone();
        Some(Noted::SetAside { task: *task, why })
    });
    let spent = changes.cost.then(|| Noted::Spent(table.progress().cost));
    made.chain(failed).chain(spent).map(|what| Note { run: run.clone(), what }).collect()
}

impl Driver {
    /// Writes what there is, until there is nothing left.
    async fn note(&self) {
        loop {
            let batch = Batch::of(&mut self.lock());
            if batch.is_empty() {
                return;
            }
            match self.components.state.note(&batch.notes).await {
                // Whoever does not wait any more need not be told.
                Ok(()) => batch.waiting.into_iter().for_each(|waiting| waiting.send(()).unwrap_or_default()),
                // Nobody is told that it was noted; whoever leads now is asked by those that wait.
                Err(StateError::NotLeader) => {}
                Err(error) => {
                    tracing::warn!(%error, "how far jobs are cannot be noted down");
                    self.put_back(batch);
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    fn put_back(&self, batch: Batch) {
        let mut inner = self.lock();
        if !inner.is_leading {
            return;
        }
        for (job, changes) in batch.changes {
            inner.table.put_back(&job, changes);
        }
        inner.waiting.extend(batch.waiting);
    }
}

/// Notes down what there is whenever there is something, for as long as the driver lives.
pub(super) async fn note_on(driver: Weak<Driver>, to_note: Arc<Notify>) {
    loop {
        to_note.notified().await;
        let Some(driver) = driver.upgrade() else { return };
        driver.note().await;
    }
}
