//! Who gets what.

use super::*;

fn leased(table: &mut Table, worker: &str) -> Option<Grant> {
    table.lease(worker, 1, Duration::ZERO).pop()
}

#[test]
fn a_worker_stays_with_its_tile_while_that_costs_nobody() {
    let mut table = Table::default();
    table.insert("job".into(), JobTable::new(tiles(3, 4, 0), |_| false, 1, Settings::default()));
    let mut done: Vec<Vec<u32>> = vec![Vec::new(), Vec::new()];
    for _ in 0..4 {
        for (worker, name) in ["a", "b"].into_iter().enumerate() {
            let lease = leased(&mut table, name).unwrap();
            table.report(name, &lease, DONE, Duration::ZERO).unwrap();
            done[worker].push(lease.task);
        }
    }
    assert_eq!(done, [[0, 1, 2, 3], [4, 5, 6, 7]]);
    // One tile is left, and nobody waits for the other.
    let both = [leased(&mut table, "a").unwrap(), leased(&mut table, "b").unwrap()];
    assert_eq!(both.map(|lease| lease.task), [8, 9]);
}

/// A worker of several slots has two tiles at hand when one runs out: what follows from the last tasks of the first is
/// its own too. Who has nothing takes what there is.
#[test]
fn what_follows_from_a_tile_goes_to_who_had_it_open() {
    let mut table = Table::default();
    table.insert("job".into(), JobTable::new(tiles(3, 2, 2), |_| false, 1, Settings::default()));
    let tasks = |grants: &[Grant]| grants.iter().map(|grant| grant.task).collect::<Vec<_>>();
    // Tiles of p00 p01 c0 p10 p11 c1: all partials of the first one, and two of the next.
    let first = table.lease("wide", 6, Duration::ZERO);
    assert_eq!(tasks(&first), [0, 1, 3, 4, 6, 7]);
    assert_eq!(tasks(&table.lease("other", 1, Duration::ZERO)), [12], "where nobody is");
    for lease in &first[..4] {
        table.report("wide", lease, DONE, Duration::ZERO).unwrap();
    }
    assert_eq!(tasks(&table.lease("other", 1, Duration::ZERO)), [13], "it has work where it is");
    let next = table.lease("wide", 4, Duration::ZERO);
    assert_eq!(tasks(&next), [2, 5, 9, 10], "the composites first, then the second tile's rest");
    let idle = table.lease("idle", 9, Duration::ZERO);
    assert_eq!(tasks(&idle), [15, 16], "that costs nobody anything");
}

#[test]
fn jobs_share_the_workers() {
    let mut table = Table::default();
    table.insert("first".into(), JobTable::new(tiles(2, 50, 0), |_| false, 1, Settings::default()));
    table.insert("second".into(), JobTable::new(tiles(1, 3, 0), |_| false, 1, Settings::default()));
    let grants = table.lease("w", 8, Duration::ZERO);
    let of = |job: &str| grants.iter().filter(|grant| grant.job == job).count();
    assert_eq!((of("first"), of("second")), (5, 3), "the small one is not kept waiting, nor are workers");
}

#[test]
fn a_job_of_more_weight_gets_more_of_them_and_the_other_some() {
    let mut table = Table::default();
    let job = || JobTable::new(tiles(2, 50, 0), |_| false, 1, Settings::default());
    table.insert("heavy".into(), job().with_weight(4));
    table.insert("light".into(), job().with_weight(1));
    let grants = table.lease("w", 20, Duration::ZERO);
    let of = |job: &str| grants.iter().filter(|grant| grant.job == job).count();
    assert_eq!((of("heavy"), of("light")), (16, 4));
}

/// A bench whose last task runs, and how long its kind takes.
fn at_the_end() -> (Bench, Grant) {
    let mut bench = Bench::of(JobTable::new(tiles(1, 5, 0), |_| false, 1, Settings::default()));
    for _ in 0..4 {
        let lease = bench.lease().unwrap();
        bench.pass(Duration::from_secs(1));
        bench.report(&lease, DONE).unwrap();
    }
    let last = bench.lease().unwrap();
    (bench, last)
}

#[test]
fn what_takes_long_at_the_end_is_given_to_an_idle_worker_too() {
    let (mut bench, last) = at_the_end();
    bench.pass(Duration::from_secs(9));
    assert_eq!((bench.table.lease("idle", 1, bench.now), bench.table.has_work(bench.now)), (Vec::new(), false));
    bench.pass(Duration::from_secs(2));
    assert!(bench.table.has_work(bench.now));
    assert_eq!(bench.lease(), None, "not to its own worker");
    let again = bench.table.lease("idle", 1, bench.now).pop().unwrap();
    assert!(again.task == last.task && again.epoch > last.epoch);
    assert_eq!(bench.table.lease("third", 1, bench.now), [], "two are enough");
    // The first that is done counts; the other is told.
    bench.table.report("idle", &again, DONE, bench.now).unwrap();
    assert!(!bench.renew(&last));
    assert_eq!(bench.report(&last, DONE), Err(Unknown));
    assert_eq!(bench.job().progress().kinds[1].1.done, 5);
}

#[test]
fn one_of_two_that_fails_leaves_the_other_alone() {
    let (mut bench, last) = at_the_end();
    bench.pass(Duration::from_secs(11));
    let again = bench.table.lease("idle", 1, bench.now).pop().unwrap();
    bench.table.report("idle", &again, failure(FailureKind::Retryable), bench.now).unwrap();
    assert!(bench.renew(&last));
    assert_eq!(bench.report(&last, DONE), Ok(()));
    assert_eq!(bench.job().progress().total().failed, 0);
}
