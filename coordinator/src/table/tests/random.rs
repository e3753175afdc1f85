//! Whatever workers and time do, in whatever order.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::super::Ended;
use super::*;

/// What happens next. Numbers choose among what there is.
#[derive(Clone, Copy, Debug)]
enum Event {
    Lease(u8),
    Done(u8),
    Fail(u8),
    FailForGood(u8),
    HandBack(u8),
    LoseInput(u8, u8),
    /// What is to be published turns out to be spoilt.
    LosePublished(u8),
    /// A worker is gone, and what it holds with it.
    Vanish(u8),
    Renew(u8),
    Pass(u16),
    /// Another leader takes over: it knows what was noted down, and not what runs.
    TakeOver,
    /// A worker that was not heard of for long reports what nobody waits for any more.
    Stale(u8),
}

fn event() -> impl Strategy<Value = Event> {
    let any = any::<u8>;
    prop_oneof![
        8 => any().prop_map(Event::Lease),
        6 => any().prop_map(Event::Done),
        1 => any().prop_map(Event::Fail),
        1 => any().prop_map(Event::FailForGood),
        1 => any().prop_map(Event::HandBack),
        1 => (any(), any()).prop_map(|(lease, input)| Event::LoseInput(lease, input)),
        2 => any().prop_map(Event::LosePublished),
        1 => any().prop_map(Event::Vanish),
        2 => any().prop_map(Event::Renew),
        3 => (0..20_000u16).prop_map(Event::Pass),
        1 => Just(Event::TakeOver),
        1 => any().prop_map(Event::Stale),
    ]
}

const TRIES: u32 = 4;

/// A table, its workers, and what must hold.
struct World {
    table: Table,
    layout: Arc<Layout>,
    now: Duration,
    terms: u64,
    held: Vec<(u8, Grant)>,
    stale: Vec<(u8, Grant)>,
    /// How often each task was granted under this leader, apart from what was handed back or lost inputs.
    commits: BTreeMap<u32, u32>,
    /// Tasks that were lost, and may be made once more.
    lost: BTreeMap<u32, u32>,
}

fn name(worker: u8) -> String {
    format!("w{}", worker % 5)
}

impl World {
    fn new(layout: Arc<Layout>, made: &BTreeSet<u32>) -> Self {
        let mut table = Table::default();
        table.insert("job".into(), JobTable::new(Arc::clone(&layout), |task| made.contains(&task), 1, settings()));
        let (held, stale) = (Vec::new(), Vec::new());
        let (commits, lost) = (BTreeMap::new(), BTreeMap::new());
        Self { table, layout, now: Duration::ZERO, terms: 0, held, stale, commits, lost }
    }

    fn job(&self) -> &JobTable {
        self.table.job("job").unwrap()
    }

    fn take(&mut self, which: u8) -> Option<(u8, Grant)> {
        (!self.held.is_empty()).then(|| self.held.swap_remove(usize::from(which) % self.held.len()))
    }

    fn report(&mut self, (worker, lease): (u8, Grant), report: Report) {
        let was_made = self.job().state(lease.task).is_made();
        let taken = self.table.report(&name(worker), &lease, report.clone(), self.now);
        if matches!(report, Report::Done(_)) && taken.is_ok() {
            assert!(!was_made, "a task is committed twice");
            *self.commits.entry(lease.task).or_default() += 1;
        }
    }

    fn end(&mut self, which: u8, report: Report) {
        if let Some(held) = self.take(which) {
            self.report(held, report);
        }
    }

    fn lose(&mut self, which: u8, input: u8) {
        let Some((worker, lease)) = self.take(which) else { return };
        let made: Vec<u32> =
            self.layout.inputs(lease.task).into_iter().filter(|i| self.job().state(*i).is_made()).collect();
        let Some(lost) = made.get(usize::from(input) % made.len().max(1)).copied() else {
            return self.held.push((worker, lease));
        };
        let before = self.job().state(lost);
        self.report((worker, lease), Report::InputsLost(vec![lost]));
        if before.is_made() && !self.job().state(lost).is_made() {
            *self.lost.entry(lost).or_default() += 1;
        }
    }

    fn lose_published(&mut self, which: u8) {
        let outputs = self.layout.outputs() + 1;
        let task = self.layout.len() - 1 - u32::from(which) % outputs;
        let (was_made, has_ended) = (self.job().state(task).is_made(), self.job().ended().is_some());
        let goes_on = self.table.lost("job", &[task]);
        assert!(!goes_on || (was_made && has_ended));
        if goes_on {
            *self.lost.entry(task).or_default() += 1;
        }
    }

    fn take_over(&mut self) {
        self.terms += 1;
        let job = self.job();
        let saved = super::super::Saved {
            places: (0..self.layout.places()).map(|place| (place, job.made_of(place))).collect(),
            failures: job.failures().clone(),
            cost: job.progress().cost,
        };
        let anew = JobTable::restored(Arc::clone(&self.layout), &saved, self.terms << 32, settings());
        for task in 0..self.layout.len() {
            let (before, after) = (job.state(task), anew.state(task));
            assert!(!before.has_ended() || before.is_made() == after.is_made(), "task {task}: {before:?} {after:?}");
        }
        self.table = Table::default();
        self.table.insert("job".into(), anew);
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Lease(worker) => {
                for grant in self.table.lease(&name(worker), 1, self.now) {
                    assert!(!self.job().state(grant.task).has_ended());
                    self.held.push((worker, grant));
                }
            }
            Event::Renew(which) if !self.held.is_empty() => {
                let at = usize::from(which) % self.held.len();
                let (worker, lease) = self.held[at].clone();
                if !self.table.renew(&name(worker), &lease, self.now) {
                    self.stale.push(self.held.swap_remove(at));
                }
            }
            Event::Done(which) => self.end(which, DONE),
            Event::Fail(which) => {
                self.end(which, failure(FailureKind::Retryable));
            }
            Event::FailForGood(which) => {
                self.end(which, failure(FailureKind::Permanent));
            }
            Event::HandBack(which) => self.end(which, Report::HandedBack),
            Event::LoseInput(which, input) => self.lose(which, input),
            Event::LosePublished(which) => self.lose_published(which),
            Event::Vanish(which) => {
                let gone = self.take(which);
                self.stale.extend(gone);
            }
            Event::Stale(which) if !self.stale.is_empty() => {
                let held = self.stale[usize::from(which) % self.stale.len()].clone();
                self.report(held, DONE);
            }
            Event::Pass(milliseconds) => {
                self.now += Duration::from_millis(milliseconds.into());
                let _ = self.table.tick(self.now);
            }
            Event::TakeOver => self.take_over(),
            Event::Renew(_) | Event::Stale(_) => {}
        }
        self.check();
    }

    /// What is kept at hand is what a look at every task would tell.
    fn check(&self) {
        let (job, layout) = (self.job(), &self.layout);
        let states: Vec<State> = (0..layout.len()).map(|task| job.state(task)).collect();
        let count = |of: fn(State) -> bool| states.iter().filter(|state| of(**state)).count();
        let sum = |of: fn(&super::super::Tally) -> u32| {
            job.progress().kinds.iter().map(|(_, tally)| of(tally)).sum::<u32>() as usize
        };
        assert_eq!(sum(|t| t.total), states.len());
        assert_eq!(sum(|t| t.done), count(|s| s == State::Done));
        assert_eq!(sum(|t| t.reused), count(|s| s == State::Reused));
        assert_eq!(
            (sum(|t| t.failed), job.failures().len()),
            (count(|s| s == State::Failed), count(|s| s == State::Failed))
        );
        assert_eq!(sum(|t| t.running), count(|s| s == State::Leased));
        assert_eq!(
            (sum(|t| t.ready), sum(|t| t.waiting)),
            (count(|s| s == State::Ready), count(|s| s == State::Waiting))
        );
        assert_eq!(sum(|t| t.backoff), count(|s| s == State::Backoff));
        assert_eq!(job.ended().is_some(), states.iter().all(|state| state.has_ended()));
        for (task, state) in (0..).zip(&states) {
            let inputs = layout.inputs(task);
            let have_ended = inputs.iter().all(|input| states[*input as usize].has_ended());
            assert!(*state != State::Ready || have_ended, "task {task} is ready too soon");
            assert!(*state != State::Waiting || !have_ended, "task {task} is never ready");
        }
        for (task, commits) in &self.commits {
            let most = 1 + self.lost.get(task).copied().unwrap_or_default();
            assert!(*commits <= most, "task {task} was committed {commits} times, lost {}", most - 1);
        }
    }

    /// All workers are well from now on, and time passes.
    fn settle(&mut self) {
        let mut grants: BTreeMap<u32, u32> = BTreeMap::new();
        for round in 0.. {
            assert!(round < 10_000, "it does not settle");
            if self.job().ended().is_some() {
                return;
            }
            self.happen(Event::Lease(round as u8));
            if let Some((_, lease)) = self.held.last() {
                let times = grants.entry(lease.task).or_default();
                *times += 1;
                assert!(*times <= 10_000);
            }
            self.happen(Event::Done(0));
            self.happen(Event::Pass(5_000));
        }
    }
}

fn settings() -> Settings {
    Settings { tries: TRIES, ..Settings::default() }
}

/// Layouts of a few tiles, with slices and without, and output tiles that share composites.
fn layouts() -> impl Strategy<Value = Arc<Layout>> {
    let sizes = prop::collection::vec((0..4u32, 0..4u32), 1..4);
    (sizes, 1..4u32, any::<u32>()).prop_map(|(sizes, outputs, mask)| {
        let reads = (0..outputs).map(|output| {
            let takes = |(shard, (subtiles, _)): (usize, &(u32, u32))| Taken {
                shard: shard as u32,
                subtiles: (0..*subtiles).filter(|s| output == 0 || mask >> ((output * 7 + s) % 32) & 1 == 1).collect(),
            };
            sizes.iter().enumerate().map(takes).collect()
        });
        let tiles = sizes.iter().map(|(subtiles, partials)| TileSize { subtiles: *subtiles, partials: *partials });
        Arc::new(Layout::new(tiles, reads.collect()))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    #[test]
    fn every_task_ends_and_is_committed_once(
        layout in layouts(), made in prop::collection::btree_set(0..40u32, 0..6),
        events in prop::collection::vec(event(), 0..400),
    ) {
        let mut world = World::new(layout, &made);
        for event in events {
            world.happen(event);
        }
        world.settle();
        prop_assert_eq!(world.job().ended(), Some(&Ended::Settled));
    }

    #[test]
    fn attempts_are_bounded(layout in layouts(), kinds in prop::collection::vec(0..3u8, 200)) {
        // Every attempt fails, or its worker vanishes.
        let mut world = World::new(layout, &BTreeSet::new());
        let mut attempts: BTreeMap<u32, u32> = BTreeMap::new();
        for kind in kinds.iter().cycle().take(20_000) {
            if world.job().ended().is_some() {
                break;
            }
            world.happen(Event::Lease(*kind));
            if let Some((_, lease)) = world.held.last() {
                *attempts.entry(lease.task).or_default() += 1;
            }
            world.happen(if *kind == 0 { Event::Vanish(0) } else { Event::Fail(0) });
            world.happen(Event::Pass(20_000));
        }
        prop_assert!(world.job().ended().is_some());
        prop_assert!(attempts.values().all(|attempts| *attempts <= TRIES));
    }

}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(60) })]

    /// However many workers there are, and however long tasks take: each job has their time by its weight, and none waits
    /// for ever. One that comes late has no less, and one that had nothing to do no more.
    #[test]
    fn shares_are_as_the_weights(
        weights in prop::collection::vec(0..5u32, 2..5), slots in 1..24usize,
        seconds in prop::collection::vec(1..9u64, 5), late in 0..200u64,
    ) {
        let mut fair = Fair::new(&seconds);
        for (job, weight) in weights.iter().enumerate().skip(1) {
            fair.add(job, *weight);
        }
        fair.go_on(slots, late);
        fair.had.clear();
        fair.add(0, weights[0]);
        fair.go_on(slots, TIME);
        let all: u32 = weights.iter().map(|weight| 1 << weight).sum();
        for (job, weight) in weights.iter().enumerate() {
            let (had, due) = (fair.had_of(job), (TIME * slots as u64) as f64 * f64::from(1 << weight) / f64::from(all));
            // A task of each worker more or less.
            let is_fair = (had - due).abs() <= 9.0 * slots as f64 + 20.0;
            prop_assert!(is_fair && had > 0.0, "job {job} of {weights:?} had {had} s, and {due} s are due");
        }
    }
}

/// Seconds that jobs are watched for.
const TIME: u64 = 2_000;

/// Jobs that never end, and workers who take so long for the tasks of each.
struct Fair<'a> {
    table: Table,
    seconds: &'a [u64],
    now: u64,
    /// What each slot is at, and until when.
    busy: Vec<(u64, Grant)>,
    had: BTreeMap<String, u64>,
}

impl<'a> Fair<'a> {
    fn new(seconds: &'a [u64]) -> Self {
        Self { table: Table::default(), seconds, now: 0, busy: Vec::new(), had: BTreeMap::new() }
    }

    fn add(&mut self, job: usize, weight: u32) {
        let tasks = JobTable::new(tiles(2, 30_000, 0), |_| false, 1, settings()).with_weight(1 << weight);
        self.table.insert(job.to_string(), tasks);
    }

    fn had_of(&self, job: usize) -> f64 {
        self.had.get(&job.to_string()).copied().unwrap_or_default() as f64
    }

    fn go_on(&mut self, slots: usize, seconds: u64) {
        for _ in 0..seconds {
            let now = Duration::from_secs(self.now);
            for (_, grant) in self.busy.extract_if(.., |(until, _)| *until <= self.now) {
                self.table.report("w", &grant, DONE, now).unwrap();
            }
            while self.busy.len() < slots {
                let Some(grant) = self.table.lease("w", 1, now).pop() else { break };
                let takes = self.seconds[grant.job.parse::<usize>().unwrap()];
                *self.had.entry(grant.job.clone()).or_default() += takes;
                self.busy.push((self.now + takes, grant));
            }
            self.now += 1;
        }
    }
}
