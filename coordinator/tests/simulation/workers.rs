//! Workers: they lease, renew, work and report as the agent does.

use std::collections::BTreeMap;
use std::time::Duration;

use coordinator::table::{Grant, Report};
use proto::work::{Done, Failure, FailureKind};

use super::seen::What;
use super::world::{Event, World};

/// As in the agent: how often a report is tried.
const REPORT_TRIES: u32 = 8;
/// How long whoever gets no answer waits for one.
pub const NO_ANSWER: Duration = Duration::from_secs(1);

/// A worker, in one of its lives.
#[derive(Clone, Copy)]
pub struct Caller {
    pub worker: usize,
    pub life: u64,
}

impl Caller {
    /// What coordinators know it by.
    pub fn name(self) -> String {
        format!("{}/{}", self.worker, self.life)
    }
}

/// What wakes a worker.
pub enum Waking {
    Ask,
    Renew,
    Finish(Grant),
    Answer(Answer),
    Send(Call),
}

/// What it asks.
#[derive(Clone)]
pub enum Call {
    Lease,
    Renew(Vec<Grant>),
    Report { grant: Grant, report: Report, tries: u32 },
}

/// What it is told.
pub enum Answer {
    /// Leases, each with the inputs that could not be made.
    Granted(Vec<(Grant, Vec<u32>)>),
    Void(Vec<Grant>),
    /// It was taken, or refused for good.
    Taken(Grant),
    /// Nobody answered who could.
    Away(Call),
}

/// A worker.
#[derive(Default)]
pub struct Worker {
    pub life: u64,
    slots: usize,
    /// It does nothing before.
    pub stalled_until: Duration,
    /// The coordinator that it speaks to.
    at: usize,
    /// What it holds, with the inputs that could not be made.
    held: BTreeMap<(String, u32, u64), (Grant, Vec<u32>)>,
    asks: bool,
    was_away: bool,
}

impl Worker {
    /// One of so many slots.
    pub fn with(slots: usize) -> Self {
        Self { slots, ..Self::default() }
    }
}

fn key(grant: &Grant) -> (String, u32, u64) {
    (grant.job.clone(), grant.task, grant.epoch)
}

impl World {
    pub fn wake(&mut self, from: Caller, time: Duration, what: Waking) {
        self.after(time, Event::Worker { from, what });
    }

    /// A worker starts, or starts again, with nothing in its hands.
    pub fn begin(&mut self, number: usize) {
        let worker = &mut self.workers[number];
        *worker = Worker { life: worker.life + 1, ..Worker::with(worker.slots) };
        let from = Caller { worker: number, life: worker.life };
        self.wake(from, Duration::from_millis(10), Waking::Ask);
        self.wake(from, self.settings.lease / 3, Waking::Renew);
    }

    pub fn wakes(&mut self, from: Caller, what: Waking) {
        match what {
            Waking::Ask => self.ask(from),
            Waking::Renew => {
                self.renew_all(from);
                self.wake(from, self.settings.lease / 3, Waking::Renew);
            }
            Waking::Finish(grant) => self.finish(from, grant),
            Waking::Send(call) => self.send(from, call),
            Waking::Answer(answer) => self.hear(from, answer),
        }
    }

    /// Sends a call. It may be lost, or its answer; a report may come again, much later.
    fn send(&mut self, from: Caller, call: Call) {
        let to = self.workers[from.worker].at;
        if self.is_bad(30) {
            self.seen.count(What::LostCalls);
            if self.rng.bool() {
                return self.wake(from, NO_ANSWER, Waking::Answer(Answer::Away(call)));
            }
            let time = self.within(50);
            return self.after(time, Event::Call { from, to, call, is_answered: false });
        }
        if matches!(call, Call::Report { .. }) && self.is_bad(20) {
            self.seen.count(What::Repeated);
            let time = self.within(20_000);
            self.after(time, Event::Call { from, to, call: call.clone(), is_answered: false });
        }
        let time = self.within(50);
        self.after(time, Event::Call { from, to, call, is_answered: true });
    }

    fn ask(&mut self, from: Caller) {
        let worker = &mut self.workers[from.worker];
        if worker.asks || worker.held.len() >= worker.slots {
            return;
        }
        worker.asks = true;
        if std::mem::take(&mut worker.was_away) {
            // Another leader must know what is being done, before it has others do it.
            self.renew_all(from);
        }
        self.send(from, Call::Lease);
    }

    fn renew_all(&mut self, from: Caller) {
        let leases: Vec<Grant> = self.workers[from.worker].held.values().map(|(grant, _)| grant.clone()).collect();
        if !leases.is_empty() {
            self.send(from, Call::Renew(leases));
        }
    }

    fn hear(&mut self, from: Caller, answer: Answer) {
        match answer {
            Answer::Granted(grants) => {
                self.workers[from.worker].asks = false;
                let pause = if grants.is_empty() { self.within(1000) } else { Duration::ZERO };
                for (grant, failed) in grants {
                    self.workers[from.worker].held.insert(key(&grant), (grant.clone(), failed));
                    let time = self.within(4000);
                    self.wake(from, time, Waking::Finish(grant));
                }
                self.wake(from, pause, Waking::Ask);
            }
            Answer::Void(leases) => leases.into_iter().for_each(|grant| {
                if self.workers[from.worker].held.contains_key(&key(&grant)) {
                    self.report(from, grant, Report::HandedBack);
                }
            }),
            Answer::Taken(grant) => self.let_go(from, &grant),
            Answer::Away(call) => self.turn(from, call),
        }
    }

    fn let_go(&mut self, from: Caller, grant: &Grant) {
        self.workers[from.worker].held.remove(&key(grant));
        self.wake(from, Duration::ZERO, Waking::Ask);
    }

    /// Nobody answered: the leader is looked for.
    fn turn(&mut self, from: Caller, call: Call) {
        let worker = &mut self.workers[from.worker];
        worker.was_away = true;
        worker.at = self.leader.unwrap_or(worker.at);
        match call {
            Call::Lease => {
                worker.asks = false;
                let time = self.within(500);
                self.wake(from, time, Waking::Ask);
            }
            Call::Renew(_) => {}
            Call::Report { grant, .. } if !worker.held.contains_key(&key(&grant)) => {}
            Call::Report { grant, report, tries } if tries < REPORT_TRIES => {
                let time = Duration::from_millis(100 << tries);
                self.wake(from, time, Waking::Send(Call::Report { grant, report, tries: tries + 1 }));
            }
            Call::Report { grant, .. } => self.let_go(from, &grant),
        }
    }

    /// The work is done, as far as it can be: the artifact first, then the report.
    fn finish(&mut self, from: Caller, grant: Grant) {
        let Some((_, failed)) = self.workers[from.worker].held.get(&key(&grant)).cloned() else { return };
        let number = self.job_of(&grant);
        let is_there = |task: u32| self.store.contains(&(number, task));
        let layout = &self.jobs[number].layout;
        // The picture is drawn of what is there.
        let inputs = if grant.task + 1 == layout.len() { Vec::new() } else { layout.inputs(grant.task) };
        let lost: Vec<u32> = inputs.into_iter().filter(|input| !failed.contains(input) && !is_there(*input)).collect();
        let fails = |kind| Report::Failed(Failure { kind, reason: "torn".to_owned(), scene: None });
        let report = if is_there(grant.task) {
            Report::Done(Done::default())
        } else if !lost.is_empty() {
            Report::InputsLost(lost)
        } else if self.jobs[number].doomed[grant.task as usize] {
            fails(FailureKind::Permanent)
        } else if self.now < self.full_until {
            self.seen.count(What::NoRoom);
            fails(FailureKind::Fatal)
        } else if self.is_bad(25) {
            fails(FailureKind::Retryable)
        } else {
            self.store.insert((number, grant.task));
            Report::Done(Done { bytes_read: 1, bytes_written: 1, ..Done::default() })
        };
        self.report(from, grant, report);
    }

    fn report(&mut self, from: Caller, grant: Grant, report: Report) {
        self.send(from, Call::Report { grant, report, tries: 0 });
    }
}
