//! Coordinators: a real table each, driven as the driver does it.

use std::time::Duration;

use coordinator::table::{Changes, Ended, Grant, JobTable, Report, State, Table};

use super::book::{Allowed, Book, states};
use super::seen::What;
use super::workers::{Answer, Call, Caller};
use super::world::{Event, World};

/// As in the driver: how long a new leader waits for workers to tell what they are at.
const ADOPTION: Duration = Duration::from_secs(2);
/// As in the driver: how often leases and back-offs are looked at, and how soon a note is tried again.
const TICK: Duration = Duration::from_millis(250);
const PAUSE: Duration = Duration::from_millis(500);

/// A coordinator that leads, or did.
pub struct Coordinator {
    table: Table,
    book: Book,
    /// Whether it believes that it leads.
    pub leads: bool,
    grants_from: Duration,
    is_noting: bool,
    /// Reports that are acknowledged once they are noted.
    waiting: Vec<Waiting>,
}

/// Whoever waits for a report to be noted.
struct Waiting {
    from: Caller,
    call: Call,
    grant: Grant,
    is_done: bool,
    is_answered: bool,
}

impl World {
    /// A new leader begins: with what was noted, and nothing else.
    pub fn elect(&mut self) {
        let (number, now) = (self.coordinators.len(), self.now);
        let mut table = Table::default();
        let mut book = Book::default();
        for (job, plan) in self.jobs.iter().enumerate().filter(|(job, _)| !self.published[*job]) {
            let first = (number as u64 + 1) << 32;
            let restored = JobTable::restored(plan.layout.clone(), &self.noted[job], first, self.settings);
            table.insert(plan.id.clone(), restored);
            book.open(&plan.id, &table);
            for (_, task) in self.told.iter().filter(|(of, _)| *of == job) {
                let is_made = states(&table, &plan.id)[*task as usize].is_made();
                assert!(is_made, "seed {}: task {task} of {} was noted, and is forgotten", self.seed, plan.id);
            }
        }
        let grants_from = if number == 0 { now } else { now + ADOPTION };
        if number > 0 {
            self.seen.count(What::Takeovers);
        }
        self.leader = Some(number);
        self.after(TICK, Event::Tick(number));
        let waiting = Vec::new();
        self.coordinators.push(Coordinator { table, book, leads: true, grants_from, is_noting: false, waiting });
    }

    pub fn tick(&mut self, number: usize) {
        let Coordinator { table, book, leads, .. } = &mut self.coordinators[number];
        if !*leads {
            return;
        }
        table.tick(self.now);
        book.look(table, &Allowed::default());
        self.note_soon(number);
        self.after(TICK, Event::Tick(number));
        if self.leader == Some(number) {
            (0..self.jobs.len()).for_each(|job| self.publish(number, job));
        }
    }

    /// What a coordinator answers; none where that waits for a note.
    pub fn answer(&mut self, from: Caller, to: usize, call: &Call, is_answered: bool) -> Option<Answer> {
        if !self.coordinators[to].leads {
            return Some(Answer::Away(call.clone()));
        }
        let name = from.name();
        match call {
            Call::Lease => Some(Answer::Granted(self.grant(&name, to))),
            Call::Renew(leases) => Some(Answer::Void(self.renew(&name, to, leases))),
            Call::Report { grant, report, .. } => {
                if !self.record(&name, to, grant, report) {
                    return Some(Answer::Taken(grant.clone()));
                }
                let is_done = matches!(report, Report::Done(_));
                let waiting = Waiting { from, call: call.clone(), grant: grant.clone(), is_done, is_answered };
                self.coordinators[to].waiting.push(waiting);
                self.note_soon(to);
                None
            }
        }
    }

    // ------------------------------------------------------------ leases

    fn grant(&mut self, worker: &str, to: usize) -> Vec<(Grant, Vec<u32>)> {
        let (seed, now) = (self.seed, self.now);
        let Coordinator { table, book, grants_from, .. } = &mut self.coordinators[to];
        if now < *grants_from {
            return Vec::new();
        }
        let ids = self.jobs.iter().map(|job| job.id.clone());
        let waiting: Vec<String> = ids.filter(|job| book.is_ready(job, table, now)).collect();
        let before: Vec<Vec<State>> = self.jobs.iter().map(|job| states(table, &job.id)).collect();
        let grants = table.lease(worker, 1, now);
        book.look(table, &Allowed::default());
        assert!(!grants.is_empty() || waiting.is_empty(), "seed {seed}: {waiting:?} wait while {worker} is free");
        let mut told = Vec::new();
        for grant in grants {
            let number = self.jobs.iter().position(|job| job.id == grant.job).expect("a job");
            let job = &self.jobs[number];
            book.granted(worker, &grant, &self.settings, job, table);
            book.waited(&grant.job, &waiting, now, seed);
            if before[number][grant.task as usize] == State::Leased {
                self.seen.count(What::Twice);
            }
            self.seen.count(What::Grants);
            let states = states(table, &job.id);
            let failed =
                job.layout.inputs(grant.task).into_iter().filter(|input| states[*input as usize] == State::Failed);
            told.push((grant.clone(), failed.collect()));
        }
        told
    }

    fn renew(&mut self, worker: &str, to: usize, leases: &[Grant]) -> Vec<Grant> {
        let Coordinator { table, book, .. } = &mut self.coordinators[to];
        let mut void = Vec::new();
        for grant in leases {
            if !table.renew(worker, grant, self.now) {
                self.seen.count(What::Void);
                void.push(grant.clone());
            } else if book.is_adopted(worker, grant) {
                self.seen.count(What::Adopted);
            }
        }
        book.look(table, &Allowed::default());
        void
    }

    /// Takes a report; whether it is to be noted. Who comes too late may have stored the artifact all the same.
    fn record(&mut self, worker: &str, to: usize, grant: &Grant, report: &Report) -> bool {
        let job = self.job_of(grant);
        let Coordinator { table, book, .. } = &mut self.coordinators[to];
        let is_done = matches!(report, Report::Done(_));
        let mut allowed = Allowed { made: is_done.then(|| (grant.job.clone(), grant.task)), ..Allowed::default() };
        // Somebody else may have found before that what it reads is lost.
        let knew = matches!(report, Report::InputsLost(lost)
            if lost.iter().any(|input| !states(table, &grant.job)[*input as usize].has_ended()));
        let held_before = table.job(&grant.job).is_some_and(|job| job.ended().is_none());
        if table.report(worker, grant, report.clone(), self.now).is_err() {
            let is_there = is_done && held_before && self.store.contains(&(job, grant.task));
            if is_there && table.found(&grant.job, grant.task) {
                self.seen.count(What::Found);
            }
            self.seen.count(What::Refused);
            book.look(table, &if is_there { allowed } else { Allowed::default() });
            return is_there;
        }
        if book.is_adopted(worker, grant) {
            self.seen.count(What::Adopted);
        }
        book.reported(worker, grant);
        match report {
            Report::HandedBack => book.untried(grant),
            Report::InputsLost(_) => {
                allowed.lost = true;
                self.seen.count(What::InputsLost);
            }
            Report::Failed(failure) if failure.kind == proto::work::FailureKind::Fatal => {
                book.untried(grant);
                book.pause(&grant.job, self.now + self.settings.room.expect("it waits for room"));
            }
            _ => {}
        }
        let lost = book.look(table, &allowed);
        if !lost.is_empty() || knew {
            book.untried(grant);
        }
        self.forget(to, lost);
        true
    }

    /// What had been made is lost, and somebody has found that.
    fn forget(&mut self, number: usize, lost: Vec<(String, u32)>) {
        for (of, task) in lost {
            let job = self.jobs.iter().position(|job| job.id == of).expect("a job");
            self.told.remove(&(job, task));
            self.coordinators[number].book.lost(&of, task);
        }
    }

    // ------------------------------------------------------------ notes

    fn note_soon(&mut self, number: usize) {
        if !std::mem::replace(&mut self.coordinators[number].is_noting, true) {
            let time = self.within(20);
            self.after(time, Event::Note(number));
        }
    }

    /// Writes what there is to note, where it leads: all of it at one moment, and only then is anybody told.
    pub fn note(&mut self, number: usize) {
        let fails = self.is_bad(20);
        let Coordinator { table, waiting, is_noting, leads, .. } = &mut self.coordinators[number];
        *is_noting = false;
        let changes = table.take_changes();
        if self.leader != Some(number) {
            // Another one leads, and the write compares that: whoever waits is told nothing, and asks that one.
            let waiting = std::mem::take(waiting);
            return waiting.into_iter().for_each(|waiting| self.tell(waiting.from, Answer::Away(waiting.call)));
        }
        if fails && *leads {
            changes.into_iter().for_each(|(job, changes)| table.put_back(&job, changes));
            *is_noting = true;
            self.seen.count(What::NotNoted);
            return self.after(PAUSE, Event::Note(number));
        }
        let waiting = std::mem::take(waiting);
        changes.iter().for_each(|(job, changes)| self.write(number, job, changes));
        waiting.into_iter().for_each(|waiting| self.acknowledge(number, waiting));
    }

    fn write(&mut self, number: usize, id: &str, changes: &Changes) {
        let job = self.jobs.iter().position(|job| job.id == id).expect("a job");
        let table = self.coordinators[number].table.job(id).expect("a job");
        let noted = &mut self.noted[job];
        for place in &changes.places {
            noted.places.insert(*place, table.made_of(*place));
        }
        for task in &changes.failures {
            noted.failures.extend(table.failures().get(task).map(|why| (*task, why.clone())));
        }
        noted.cost = table.progress().cost;
    }

    fn acknowledge(&mut self, number: usize, waiting: Waiting) {
        let Waiting { from, call, grant, is_done, is_answered } = waiting;
        let job = self.job_of(&grant);
        // It may have been found lost since, or be what nobody needs.
        let state = states(&self.coordinators[number].table, &grant.job)[grant.task as usize];
        if is_done && state == State::Done {
            let is_noted = self.noted[job].is_made(&self.jobs[job].layout, grant.task);
            assert!(is_noted, "seed {}: {grant:?} is acknowledged, and not noted", self.seed);
            self.told.insert((job, grant.task));
        }
        let answer = if is_answered { Answer::Taken(grant) } else { Answer::Away(call) };
        self.tell(from, answer);
    }

    // ------------------------------------------------------------ the end

    /// Publishes a job that has settled.
    fn publish(&mut self, number: usize, job: usize) {
        let (seed, plan, Coordinator { table, book, .. }) = (self.seed, &self.jobs[job], &self.coordinators[number]);
        let Some(tasks) = table.job(&plan.id).filter(|_| !self.published[job]) else { return };
        let Some(ended) = tasks.ended() else { return };
        assert_eq!(*ended, Ended::Settled, "seed {seed}");
        let is_published = |task: &u32| plan.tolerates(*task) && tasks.state(*task).is_made();
        let is_lost = |task: &u32| is_published(task) && !self.store.contains(&(job, *task));
        let mut lost: Vec<u32> = (0..plan.layout.len()).filter(is_lost).collect();
        if !lost.is_empty() {
            // The picture may lack what was not there.
            let picture = plan.layout.len() - 1;
            self.store.remove(&(job, picture));
            lost.extend((lost.last() != Some(&picture)).then_some(picture));
            return self.make_again(number, job, &lost);
        }
        for task in 0..plan.layout.len() {
            let what = plan.layout.kind(task);
            match tasks.state(task) {
                State::Done | State::Reused => {}
                State::Failed => {
                    let fails = |input: &u32| tasks.state(*input) == State::Failed;
                    let is_cut_off = !plan.tolerates(task) && plan.layout.inputs(task).iter().any(fails);
                    let was_before = self.noted[job].failures.contains_key(&task);
                    let is_tried = book.tries(&plan.id, task) >= self.settings.tries;
                    let is_right = plan.doomed[task as usize] || is_cut_off || is_tried || was_before;
                    assert!(is_right, "seed {seed}: {what:?} of {} fails for nothing", plan.id);
                    self.seen.count(What::Failed);
                }
                state => panic!("seed {seed}: {what:?} of {} is lost: {state:?}", plan.id),
            }
        }
        self.published[job] = true;
    }

    fn make_again(&mut self, number: usize, job: usize, lost: &[u32]) {
        self.seen.count(What::LostLate);
        let (id, Coordinator { table, book, .. }) = (&self.jobs[job].id, &mut self.coordinators[number]);
        assert!(table.lost(id, lost), "seed {}: {id} goes on", self.seed);
        let lost = book.look(table, &Allowed { lost: true, ..Allowed::default() });
        self.forget(number, lost);
        self.note_soon(number);
    }
}
