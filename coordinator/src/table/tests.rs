//! The table's transitions.

use std::time::Duration;

use mosaic::ids::Key;
use mosaic::plan::{Task, TaskId, TaskKind};
use proto::work::{Done, Failure, FailureKind, LeaseRef, Outcome};

use super::{Ended, JobTable, Settings, State, Table, Unknown};

/// Two sub-tiles of two slices each, one output tile, one picture.
fn tasks() -> Vec<Task> {
    let task = |name: &str, kind, after: &[usize]| Task { id: TaskId(name.into()), kind, after: after.to_vec() };
    let partial = |subtile, partial| TaskKind::Partial { shard: 0, subtile, partial };
    let composite = |subtile| TaskKind::Composite { shard: 0, subtile };
    vec![
        task("p00", partial(0, 0), &[]),
        task("p01", partial(0, 1), &[]),
        task("c0", composite(0), &[0, 1]),
        task("p10", partial(1, 0), &[]),
        task("p11", partial(1, 1), &[]),
        task("c1", composite(1), &[3, 4]),
        task("m", TaskKind::Mosaic { output: 0 }, &[2, 5]),
        task("q", TaskKind::Quicklook, &[6]),
    ]
}

fn key_of(task: &Task) -> Option<Key> {
    Some(Key::of("test", &task.id))
}

/// A table with one job, and a clock.
struct Bench {
    table: Table,
    now: Duration,
}

impl Bench {
    fn new(made: &[&str]) -> Self {
        let mut table = Table::default();
        let job = JobTable::new(tasks(), |task| made.contains(&task.id.0.as_str()), Settings::default());
        table.insert("job".into(), job);
        Self { table, now: Duration::ZERO }
    }

    fn lease(&mut self) -> Option<LeaseRef> {
        let grant = self.table.lease("w", 1, self.now).pop()?;
        let task = self.job().task(grant.task).unwrap().0.id.clone();
        Some(LeaseRef { job: grant.job, task, epoch: grant.epoch })
    }

    fn report(&mut self, lease: &LeaseRef, outcome: Outcome) -> Result<(), Unknown> {
        self.table.report("w", lease, outcome, self.now)
    }

    fn job(&self) -> &JobTable {
        self.table.job("job").unwrap()
    }

    fn state(&self, task: &str) -> State {
        self.job().tasks().find(|(t, _)| t.id.0 == task).unwrap().1.clone()
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.table.tick(self.now);
    }

    /// Does every task that is handed out; their names in order.
    fn finish(&mut self) -> Vec<String> {
        let mut done = Vec::new();
        while let Some(lease) = self.lease() {
            self.report(&lease, Outcome::Done(Done::default())).unwrap();
            done.push(lease.task.0);
        }
        done
    }
}

fn failure(kind: FailureKind) -> Outcome {
    Outcome::Failed(Failure { kind, reason: "torn".into(), scene: Some("s".into()) })
}

#[test]
fn tasks_come_in_the_order_of_the_plan_once_what_they_wait_for_is_done() {
    let mut bench = Bench::new(&[]);
    assert_eq!(bench.finish(), ["p00", "p01", "c0", "p10", "p11", "c1", "m", "q"]);
    assert_eq!(bench.job().ended(), Some(&Ended::Settled));
}

#[test]
fn what_is_made_is_not_made_again_nor_is_what_only_it_needed() {
    assert_eq!(Bench::new(&["c0"]).finish(), ["p10", "p11", "c1", "m", "q"]);
    assert_eq!(Bench::new(&["m"]).finish(), ["q"]);
    assert_eq!(Bench::new(&["q"]).finish(), ["p00", "p01", "c0", "p10", "p11", "c1", "m"], "rasters are published too");
    assert_eq!(Bench::new(&["m", "q"]).job().ended(), Some(&Ended::Settled));
}

#[test]
fn a_lease_that_expires_is_granted_again_and_the_old_holder_is_refused() {
    let mut bench = Bench::new(&[]);
    let first = bench.lease().unwrap();
    bench.pass(Duration::from_secs(20));
    assert!(bench.table.renew("w", std::slice::from_ref(&first), bench.now).is_empty());
    bench.pass(Duration::from_secs(20));
    assert!(bench.table.renew("w", std::slice::from_ref(&first), bench.now).is_empty(), "renewed in time");
    bench.pass(Duration::from_secs(31));
    assert_eq!(bench.table.renew("w", std::slice::from_ref(&first), bench.now).len(), 1, "void");
    let second = bench.lease().unwrap();
    assert_eq!((&second.task, second.epoch), (&first.task, first.epoch + 1));
    assert_eq!(bench.report(&first, Outcome::Done(Done::default())), Err(Unknown));
    assert_eq!(bench.table.report("other", &second, Outcome::HandedBack, bench.now), Err(Unknown));
    assert_eq!(bench.report(&second, Outcome::Done(Done::default())), Ok(()));
}

#[test]
fn a_retryable_failure_backs_off_and_is_set_aside_after_its_last_try() {
    let mut bench = Bench::new(&["p01", "c1"]);
    for _ in 0..3 {
        let lease = bench.lease().unwrap();
        bench.report(&lease, failure(FailureKind::Retryable)).unwrap();
        assert!(bench.lease().is_none(), "it backs off");
        bench.pass(Duration::from_secs(10));
    }
    let last = bench.lease().unwrap();
    bench.report(&last, failure(FailureKind::Retryable)).unwrap();
    assert!(matches!(bench.state("p00"), State::Failed(_)));
    assert!(matches!(bench.state("c0"), State::Failed(Failure { reason, .. }) if reason == "p00: torn"));
    assert_eq!(bench.finish(), ["m", "q"], "a mosaic has a hole rather than none at all");
    let done = bench.job().progress();
    assert_eq!(done.kinds[0].1.failed + done.kinds[1].1.failed, 2);
}

#[test]
fn a_permanent_failure_fails_its_composite_once_though_both_partials_fail() {
    let mut bench = Bench::new(&["c1"]);
    for _ in 0..2 {
        let lease = bench.lease().unwrap();
        bench.report(&lease, failure(FailureKind::Permanent)).unwrap();
    }
    assert_eq!(bench.finish(), ["m", "q"]);
    assert_eq!(bench.job().ended(), Some(&Ended::Settled));
}

#[test]
fn a_fatal_failure_ends_the_job_and_voids_what_runs() {
    let mut bench = Bench::new(&[]);
    let (first, second) = (bench.lease().unwrap(), bench.lease().unwrap());
    bench.report(&first, failure(FailureKind::Fatal)).unwrap();
    assert!(matches!(bench.job().ended(), Some(Ended::Fatal(_))));
    assert_eq!(bench.table.renew("w", &[second], bench.now).len(), 1);
    assert!(bench.lease().is_none());
}

#[test]
fn a_task_handed_back_costs_no_try() {
    let mut bench = Bench::new(&[]);
    for _ in 0..20 {
        let lease = bench.lease().unwrap();
        assert_eq!(lease.task.0, "p00");
        bench.report(&lease, Outcome::HandedBack).unwrap();
    }
    assert_eq!(bench.finish().len(), 8);
}

#[test]
fn lost_inputs_are_made_again_before_what_reads_them() {
    let mut bench = Bench::new(&["p00", "p01", "c1"]);
    let lease = bench.lease().unwrap();
    assert_eq!(lease.task.0, "c0");
    let lost = vec![key_of(&tasks()[1]).unwrap()];
    bench.report(&lease, Outcome::InputsLost(lost.clone())).unwrap();
    bench.table.lost(&lease, &lost, key_of);
    assert_eq!(bench.finish(), ["p01", "c0", "m", "q"]);
    assert_eq!(bench.job().ended(), Some(&Ended::Settled));
}

#[test]
fn inputs_that_are_lost_again_and_again_are_not_made_for_ever() {
    let mut bench = Bench::new(&["p00", "p01", "c1"]);
    let lost = vec![key_of(&tasks()[1]).unwrap()];
    let mut rounds = 0;
    while let Some(lease) = bench.lease() {
        rounds += 1;
        assert!(rounds < 50, "it goes on for ever");
        if lease.task.0 == "c0" {
            bench.report(&lease, Outcome::InputsLost(lost.clone())).unwrap();
            bench.table.lost(&lease, &lost, key_of);
        } else {
            bench.report(&lease, Outcome::Done(Done::default())).unwrap();
        }
    }
    assert!(matches!(bench.state("c0"), State::Failed(_)));
    assert_eq!(bench.job().ended(), Some(&Ended::Settled));
}

#[test]
fn a_cancelled_job_grants_nothing_and_voids_what_runs() {
    let mut bench = Bench::new(&[]);
    let lease = bench.lease().unwrap();
    assert!(bench.table.cancel("job"));
    assert!(!bench.table.cancel("job"), "it is cancelled once");
    assert!(bench.lease().is_none());
    assert_eq!(bench.table.renew("w", std::slice::from_ref(&lease), bench.now), [lease]);
}

/// Whatever workers do, in whatever order, every task ends, and each is done at most once at a time.
#[test]
fn every_job_settles_under_a_thousand_seeds() {
    for seed in 1..=1000u64 {
        let mut random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut draw = move |n: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % n
        };
        let mut bench = Bench::new(&[]);
        let mut held: Vec<LeaseRef> = Vec::new();
        for step in 0.. {
            assert!(step < 10_000, "seed {seed} does not settle");
            if bench.job().ended().is_some() {
                break;
            }
            if draw(2) == 0 {
                held.extend(bench.lease());
            } else if !held.is_empty() {
                let at = usize::try_from(draw(held.len() as u64)).unwrap();
                let lease = held.swap_remove(at);
                let outcome = match draw(6) {
                    0 => failure(FailureKind::Retryable),
                    1 => Outcome::HandedBack,
                    2 => {
                        bench.pass(Duration::from_secs(draw(40)));
                        continue;
                    }
                    _ => Outcome::Done(Done::default()),
                };
                let _ = bench.report(&lease, outcome);
            }
            bench.pass(Duration::from_millis(draw(3000)));
        }
        assert_eq!(bench.job().ended(), Some(&Ended::Settled), "seed {seed}");
        assert!(bench.job().tasks().all(|(_, state)| state.has_ended()), "seed {seed}");
    }
}

/// So many tiles of so many sub-tiles without slices, one output tile, one picture.
fn tiles(count: usize, subtiles: usize) -> Vec<Task> {
    let mut tasks = Vec::new();
    for shard in 0..count {
        for subtile in 0..subtiles {
            let id = TaskId(format!("{shard}/{subtile}"));
            tasks.push(Task { id, kind: TaskKind::Composite { shard, subtile }, after: Vec::new() });
        }
    }
    let after = (0..tasks.len()).collect();
    tasks.push(Task { id: TaskId("m".into()), kind: TaskKind::Mosaic { output: 0 }, after });
    tasks.push(Task { id: TaskId("q".into()), kind: TaskKind::Quicklook, after: vec![tasks.len() - 1] });
    tasks
}

fn leased(table: &mut Table, worker: &str) -> Option<LeaseRef> {
    let grant = table.lease(worker, 1, Duration::ZERO).pop()?;
    let task = table.job(&grant.job).unwrap().task(grant.task).unwrap().0.id.clone();
    Some(LeaseRef { job: grant.job, task, epoch: grant.epoch })
}

#[test]
fn a_worker_stays_with_its_tile_while_that_costs_nobody() {
    let mut table = Table::default();
    table.insert("job".into(), JobTable::new(tiles(3, 4), |_| false, Settings::default()));
    let mut done: Vec<Vec<String>> = vec![Vec::new(), Vec::new()];
    for _ in 0..4 {
        for (worker, name) in ["a", "b"].into_iter().enumerate() {
            let lease = leased(&mut table, name).unwrap();
            table.report(name, &lease, Outcome::Done(Done::default()), Duration::ZERO).unwrap();
            done[worker].push(lease.task.0);
        }
    }
    assert_eq!(done[0], ["0/0", "0/1", "0/2", "0/3"]);
    assert_eq!(done[1], ["1/0", "1/1", "1/2", "1/3"]);
    // One tile is left, and nobody waits for the other.
    let both = [leased(&mut table, "a").unwrap(), leased(&mut table, "b").unwrap()];
    assert_eq!(both.map(|lease| lease.task.0), ["2/0", "2/1"]);
}

#[test]
fn jobs_share_the_workers() {
    let mut table = Table::default();
    table.insert("first".into(), JobTable::new(tiles(2, 50), |_| false, Settings::default()));
    table.insert("second".into(), JobTable::new(tiles(1, 3), |_| false, Settings::default()));
    let grants = table.lease("w", 8, Duration::ZERO);
    let of = |job: &str| grants.iter().filter(|grant| grant.job == job).count();
    assert_eq!((of("first"), of("second")), (5, 3), "the small one is not kept waiting, nor are workers");
}

/// What is kept at hand is what a look at every task would tell.
#[test]
fn what_is_counted_is_what_there_is() {
    for seed in 1..=200u64 {
        let mut random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut draw = move |n: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % n
        };
        let mut bench = Bench::new(if seed % 3 == 0 { &["p00", "c1"] } else { &[] });
        let mut held: Vec<LeaseRef> = Vec::new();
        for _ in 0..300 {
            match draw(5) {
                0 | 1 => held.extend(bench.lease()),
                2 => bench.pass(Duration::from_millis(draw(20_000))),
                _ if held.is_empty() => {}
                _ => {
                    let lease = held.swap_remove(usize::try_from(draw(held.len() as u64)).unwrap());
                    let cost = Done { bytes_read: draw(100), bytes_written: draw(100), ..Done::default() };
                    let lost = vec![key_of(&tasks()[0]).unwrap()];
                    match draw(6) {
                        0 => drop(bench.report(&lease, failure(FailureKind::Retryable))),
                        1 => drop(bench.report(&lease, failure(FailureKind::Permanent))),
                        2 if lease.task.0 == "c0"
                            && bench.report(&lease, Outcome::InputsLost(lost.clone())).is_ok() =>
                        {
                            bench.table.lost(&lease, &lost, key_of);
                        }
                        _ => drop(bench.report(&lease, Outcome::Done(cost))),
                    }
                }
            }
            let progress = bench.job().progress();
            let states: Vec<State> = bench.job().tasks().map(|(_, state)| state.clone()).collect();
            let count = |of: fn(&State) -> bool| states.iter().filter(|state| of(state)).count();
            let sum = |of: fn(&super::Tally) -> u32| progress.kinds.iter().map(|(_, tally)| of(tally)).sum::<u32>();
            assert_eq!(sum(|t| t.total) as usize, states.len());
            assert_eq!(sum(|t| t.done) as usize, count(|s| matches!(s, State::Done { cost: Some(_) })));
            assert_eq!(sum(|t| t.reused) as usize, count(|s| matches!(s, State::Done { cost: None })));
            assert_eq!(sum(|t| t.failed) as usize, count(|s| matches!(s, State::Failed(_))));
            assert_eq!(progress.running() as usize, count(|s| matches!(s, State::Leased { .. })));
            let costs = states.iter().filter_map(|s| if let State::Done { cost } = s { *cost } else { None });
            assert_eq!(progress.cost.bytes_read, costs.map(|cost| cost.bytes_read).sum::<u64>());
            assert_eq!(bench.job().ended().is_some(), states.iter().all(State::has_ended), "seed {seed}");
        }
    }
}

#[test]
fn a_table_that_begins_anew_adopts_what_is_being_done() {
    let mut before = Bench::new(&[]);
    let (first, second, third) = (before.lease().unwrap(), before.lease().unwrap(), before.lease().unwrap());
    let mut bench = Bench::new(&[]);
    assert!(bench.table.renew("w", std::slice::from_ref(&first), bench.now).is_empty(), "it is renewed");
    assert!(matches!(bench.state(&first.task.0), State::Leased { .. }));
    assert_eq!(bench.report(&second, Outcome::Done(Done::default())), Ok(()), "it is done");
    // Whoever comes too late is refused: the task is another's by now.
    let taken = bench.lease().unwrap();
    assert_eq!(taken.task, third.task);
    assert_eq!(bench.table.renew("other", std::slice::from_ref(&third), bench.now).len(), 1);
    assert_eq!(bench.table.report("other", &third, Outcome::Done(Done::default()), bench.now), Err(Unknown));
    assert_eq!(bench.report(&first, Outcome::Done(Done::default())), Ok(()));
    assert_eq!(bench.report(&first, Outcome::Done(Done::default())), Err(Unknown), "once");
}
