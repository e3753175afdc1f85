//! One event after another.

use super::super::Ended;
use super::*;

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
fn what_holds_a_scene_that_is_to_be_left_out_is_not_made_in_vain() {
    let settings = Settings { leaves_out: true, ..Settings::default() };
    let mut bench = Bench::of(JobTable::new(layout(), |_| false, 1, settings));
    let lease = bench.lease().unwrap();
    let others = bench.table.lease("other", 3, bench.now);
    let held: Vec<_> = others.iter().map(|grant| NAMES[grant.task as usize]).collect();
    assert_eq!((NAMES[lease.task as usize], &held[..]), ("p00", &["p01", "p10", "p11"][..]));
    bench.report(&lease, failure(FailureKind::Permanent)).unwrap();
    for name in ["p01", "p11"] {
        assert_eq!(bench.state(name), State::Leased, "{name}: it does not hold the scene");
    }
    for name in ["p00", "c0", "p10", "c1", "m", "q"] {
        assert_eq!(bench.state(name), State::Failed, "{name}: it holds the scene, or is made of what does");
    }
    assert!(!bench.table.renew("other", &others[1], bench.now), "whoever is at it is told");
    assert_eq!(bench.job().failures().keys().copied().collect::<Vec<_>>(), [index("p00"), index("c0")]);
    assert!(bench.job().ended().is_none(), "what does not hold it goes on");
    bench.table.leave("other", bench.now);
    assert_eq!(bench.finish(), ["p01", "p11"]);
    assert_eq!(bench.job().ended(), Some(&Ended::Settled));
}

#[test]
fn a_lease_that_expires_is_granted_again_and_the_old_holder_is_refused() {
    let mut bench = Bench::new(&[]);
    let first = bench.lease().unwrap();
    bench.pass(Duration::from_secs(20));
    assert!(bench.renew(&first));
    bench.pass(Duration::from_secs(20));
    assert!(bench.renew(&first), "renewed in time");
    bench.pass(Duration::from_secs(31));
    assert!(!bench.renew(&first), "void");
    let second = bench.lease().unwrap();
    assert!(second.task == first.task && second.epoch > first.epoch);
    assert_eq!(bench.report(&first, DONE), Err(Unknown));
    assert_eq!(bench.table.report("other", &second, Report::HandedBack, bench.now), Err(Unknown));
    assert_eq!(bench.report(&second, DONE), Ok(()));
}

#[test]
fn what_is_found_done_is_done_and_whoever_is_at_it_is_told() {
    let mut bench = Bench::new(&[]);
    let lease = bench.lease().unwrap();
    assert!(bench.table.found("job", lease.task));
    assert!(!bench.table.found("job", lease.task), "that is no news");
    assert!(!bench.renew(&lease));
    assert_eq!(bench.report(&lease, DONE), Err(Unknown));
    assert_eq!(bench.finish().len(), 7);
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
    assert_eq!((bench.state("p00"), bench.state("c0")), (State::Failed, State::Failed));
    let why = &bench.job().failures()[&index("c0")];
    assert_eq!((why.cause, why.failure.reason.as_str()), (Some(index("p00")), "torn"));
    assert_eq!(bench.finish(), ["m", "q"], "a mosaic has a hole rather than none at all");
    assert_eq!(bench.job().progress().total().failed, 2);
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
    assert_eq!(bench.job().failures()[&index("c0")].cause, Some(index("p00")));
}

#[test]
fn a_fatal_failure_ends_the_job_and_voids_what_runs() {
    let mut bench = Bench::new(&[]);
    let (first, second) = (bench.lease().unwrap(), bench.lease().unwrap());
    bench.report(&first, failure(FailureKind::Fatal)).unwrap();
    assert!(matches!(bench.job().ended(), Some(Ended::Fatal(_))));
    assert!(!bench.renew(&second));
    assert!(bench.lease().is_none());
}

#[test]
fn a_store_without_room_is_waited_for_where_that_is_wanted() {
    let room = Some(Duration::from_secs(10));
    let job = JobTable::new(layout(), |_| false, 1, Settings { room, ..Settings::default() });
    let mut bench = Bench::of(job);
    for _ in 0..20 {
        let lease = bench.lease().unwrap();
        bench.report(&lease, failure(FailureKind::Fatal)).unwrap();
        assert!(bench.lease().is_none(), "no other task fares better");
        bench.pass(Duration::from_secs(9));
        assert!(bench.lease().is_none());
        bench.pass(Duration::from_secs(2));
    }
    assert_eq!(bench.finish().len(), 8, "that is no fault of the task");
}

#[test]
fn a_task_handed_back_costs_no_try() {
    let mut bench = Bench::new(&[]);
    for _ in 0..20 {
        let lease = bench.lease().unwrap();
        assert_eq!(lease.task, index("p00"));
        bench.report(&lease, Report::HandedBack).unwrap();
    }
    assert_eq!(bench.finish().len(), 8);
}

#[test]
fn who_leaves_gives_back_what_it_holds_and_what_it_never_heard_of() {
    let mut bench = Bench::new(&[]);
    let (first, second) = (bench.lease().unwrap(), bench.lease().unwrap());
    let now = bench.now;
    assert_eq!(bench.table.leave("nobody", now), Vec::<String>::new());
    assert_eq!(bench.table.leave("w", now), ["job"]);
    assert!(!bench.renew(&first) && !bench.renew(&second));
    let again = bench.lease().unwrap();
    assert_eq!(again.task, first.task, "at once, and it has cost no try");
    bench.report(&again, Report::HandedBack).unwrap();
    assert_eq!(bench.finish().len(), 8);
}

#[test]
fn lost_inputs_are_made_again_before_what_reads_them() {
    let mut bench = Bench::new(&["p00", "p01", "c1"]);
    let lease = bench.lease().unwrap();
    assert_eq!(lease.task, index("c0"));
    bench.report(&lease, Report::InputsLost(vec![index("p01")])).unwrap();
    assert_eq!(bench.finish(), ["p01", "c0", "m", "q"]);
    assert_eq!(bench.job().ended(), Some(&Ended::Settled));
}

#[test]
fn an_input_that_several_read_is_waited_for_by_all_of_them() {
    // Two output tiles read the only composite.
    let taken = || vec![Taken { shard: 0, subtiles: vec![0] }];
    let layout = Arc::new(Layout::new([TileSize { subtiles: 1, partials: 0 }], vec![taken(), taken()]));
    let mut bench = Bench::of(JobTable::new(layout, |task| task == 0, 1, Settings::default()));
    let first = bench.lease().unwrap();
    assert_eq!(first.task, 1);
    bench.report(&first, Report::InputsLost(vec![0])).unwrap();
    assert_eq!(bench.job().state(2), State::Waiting, "the other would find it lost as well");
    let mut order = Vec::new();
    while let Some(lease) = bench.lease() {
        bench.report(&lease, DONE).unwrap();
        order.push(lease.task);
    }
    assert_eq!(order, [0, 1, 2, 3]);
}

#[test]
fn inputs_that_are_lost_again_and_again_are_not_made_for_ever() {
    let mut bench = Bench::new(&["p00", "p01", "c1"]);
    let mut rounds = 0;
    while let Some(lease) = bench.lease() {
        rounds += 1;
        assert!(rounds < 50, "it goes on for ever");
        let lost = lease.task == index("c0");
        let report = if lost { Report::InputsLost(vec![index("p01")]) } else { DONE };
        bench.report(&lease, report).unwrap();
    }
    assert_eq!(bench.state("c0"), State::Failed);
    assert_eq!(bench.job().ended(), Some(&Ended::Settled));
}

#[test]
fn what_is_lost_before_it_is_published_is_made_again_however_often_it_was_tried() {
    let mut bench = Bench::new(&["c0", "c1"]);
    for _ in 1..Settings::default().tries {
        let lease = bench.lease().unwrap();
        assert_eq!(lease.task, index("m"));
        bench.report(&lease, failure(FailureKind::Retryable)).unwrap();
        bench.pass(Duration::from_secs(10));
    }
    assert!(!bench.table.lost("job", &[index("c0")]), "who reads it tells");
    assert_eq!(bench.finish(), ["m", "q"]);
    let _ = bench.table.take_changes();
    assert!(bench.table.lost("job", &[index("m"), index("q")]));
    assert_eq!((bench.state("m"), bench.state("q")), (State::Ready, State::Waiting));
    assert_eq!(bench.job().ended(), None);
    assert!(!bench.table.take_changes().is_empty(), "the next leader is to know");
    let lease = bench.lease().unwrap();
    bench.report(&lease, failure(FailureKind::Retryable)).unwrap();
    bench.pass(Duration::from_secs(10));
    assert_eq!(bench.finish(), ["m", "q"]);
    assert_eq!(bench.job().ended(), Some(&Ended::Settled));
    assert!(bench.job().failures().is_empty());
}

#[test]
fn a_store_that_loses_everything_is_given_up_on() {
    let mut bench = Bench::new(&["c0", "c1"]);
    let mut rounds = 0;
    loop {
        bench.finish();
        if !bench.table.lost("job", &[index("q"), index("m")]) {
            break;
        }
        rounds += 1;
        assert!(rounds < 100, "it goes on for ever");
    }
    assert_eq!(bench.job().ended(), Some(&Ended::Settled));
    assert_eq!((bench.state("m"), bench.state("q")), (State::Failed, State::Failed));
}

#[test]
fn what_is_found_while_it_backs_off_is_not_made_again() {
    let mut bench = Bench::new(&["p01", "c1"]);
    let lease = bench.lease().unwrap();
    bench.report(&lease, failure(FailureKind::Retryable)).unwrap();
    assert!(bench.table.found("job", lease.task), "whoever had it before has stored it all the same");
    bench.pass(Duration::from_secs(10));
    assert_eq!(bench.job().state(lease.task), State::Done);
}

#[test]
fn inputs_that_are_found_lost_one_at_a_time_are_all_made_again() {
    let partials = 2 * Settings::default().tries;
    let mut bench = Bench::of(JobTable::new(tiles(1, 1, partials), |task| task < partials, 1, Settings::default()));
    for lost in 0..partials {
        let composite = bench.lease().unwrap();
        assert_eq!(composite.task, partials);
        bench.report(&composite, Report::InputsLost(vec![lost])).unwrap();
        let again = bench.lease().unwrap();
        assert_eq!(again.task, lost);
        bench.report(&again, DONE).unwrap();
    }
    while let Some(lease) = bench.lease() {
        bench.report(&lease, DONE).unwrap();
    }
    assert!(bench.job().failures().is_empty());
    assert_eq!(bench.job().ended(), Some(&Ended::Settled));
}

#[test]
fn a_cancelled_job_grants_nothing_and_voids_what_runs() {
    let mut bench = Bench::new(&[]);
    let lease = bench.lease().unwrap();
    assert!(bench.table.cancel("job"));
    assert!(!bench.table.cancel("job"), "it is cancelled once");
    assert!(bench.lease().is_none());
    assert!(!bench.renew(&lease));
}

/// A table that another leader begins, after this one granted up to its epoch.
fn anew(before: &Bench) -> Bench {
    let saved = super::super::Saved {
        places: (0..2).map(|place| (place, before.job().made_of(place))).collect(),
        failures: before.job().failures().clone(),
        cost: before.job().progress().cost,
    };
    Bench::of(JobTable::restored(layout(), &saved, 1 << 32, Settings::default()))
}

#[test]
fn a_table_that_begins_anew_adopts_what_is_being_done() {
    let mut before = Bench::new(&[]);
    let (first, second) = (before.lease().unwrap(), before.lease().unwrap());
    let mut bench = anew(&before);
    assert!(bench.renew(&first), "it is renewed");
    assert_eq!(bench.state("p00"), State::Leased);
    assert_eq!(bench.report(&second, DONE), Ok(()), "it is reported");
    let lease = bench.lease().unwrap();
    assert!(lease.task == index("p10") && lease.epoch > second.epoch);
    assert!(!bench.table.renew("other", &first, bench.now), "another's");
    assert_eq!(bench.report(&first, DONE), Ok(()));
}

#[test]
fn what_has_been_granted_anew_is_not_adopted() {
    let mut before = Bench::new(&[]);
    let old = before.lease().unwrap();
    let mut bench = anew(&before);
    let new = bench.table.lease("other", 1, bench.now).pop().unwrap();
    assert_eq!(new.task, old.task);
    assert!(!bench.renew(&old));
    assert_eq!(bench.report(&old, DONE), Err(Unknown));
}

#[test]
fn what_was_noted_down_is_done_and_set_aside_for_the_next_leader_too() {
    let mut before = Bench::new(&["c1"]);
    let lease = before.lease().unwrap();
    before.report(&lease, failure(FailureKind::Permanent)).unwrap();
    let lease = before.lease().unwrap();
    before.report(&lease, DONE).unwrap();
    let mut bench = anew(&before);
    assert_eq!(bench.job().failures(), before.job().failures());
    assert_eq!(bench.job().progress().cost, before.job().progress().cost);
    assert_eq!(bench.finish(), ["m", "q"]);
}
