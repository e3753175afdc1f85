//! Single faults, and a few schedules of many; `make faults` plays as many schedules as you like.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stderr)]

use std::time::Duration;

use tests::Mode;
use tests::faults::{Fault, Outcome, Scene, Schedule, StoreKind, Strike, play, shape};

/// Plays a schedule: it ends in the bits of `run`. None where it cannot be played here.
fn played(scene: &Scene, store: StoreKind, schedule: &Schedule) -> Option<Outcome> {
    let outcome = play(scene, schedule, shape(store))?;
    assert_eq!(outcome.failure, None, "{}", outcome.log);
    Some(outcome)
}

/// Faults that strike one after the other, for so many seconds each.
fn single(store: StoreKind, faults: &[(Fault, u64)]) {
    let strike = |(n, (fault, seconds)): (usize, &(Fault, u64))| Strike {
        at: 0.1 + 0.2 * n as f64,
        pause: Duration::from_millis(500),
        fault: *fault,
        lasts: Duration::from_secs(*seconds),
    };
    let schedule = Schedule { seed: 0, strikes: faults.iter().enumerate().map(strike).collect() };
    if let Some(outcome) = played(&Scene::many(), store, &schedule) {
        assert_eq!(outcome.strikes, faults.len(), "{}", outcome.log);
    }
}

/// Enough was killed on the way.
fn seed(scene: &Scene, store: StoreKind, seed: u64) {
    let schedule = Schedule::of(seed, shape(store));
    if let Some(outcome) = played(scene, store, &schedule) {
        let Outcome { kills, leader_kills, log, .. } = &outcome;
        assert!(outcome.counts(), "{kills} kills, {leader_kills} of leaders\n{log}");
    }
}

#[test]
fn workers_that_stand_still_past_their_leases_spoil_nothing() {
    single(StoreKind::Directory, &[(Fault::StopWorker(0), 8), (Fault::StopWorker(1), 8)]);
}

#[test]
fn a_leader_that_cannot_reach_etcd_or_is_not_reached_is_replaced_or_waited_for() {
    let cut = Fault::CutLeaderFromEtcd(Mode::Silent);
    single(StoreKind::Directory, &[(cut, 8), (Fault::CutCoordinator(1, Mode::Silent), 4)]);
}

#[test]
fn artifacts_that_are_spoilt_or_vanish_are_made_again() {
    single(StoreKind::Directory, &[(Fault::Corrupt(5), 0), (Fault::Delete(5), 0), (Fault::Corrupt(5), 0)]);
}

#[test]
fn a_full_disk_is_waited_for() {
    single(StoreKind::SmallDisk, &[(Fault::FillDisk, 6)]);
}

#[test]
fn a_store_that_refuses_stalls_or_breaks_off_is_waited_for() {
    let faults = [Mode::Refusing, Mode::Silent, Mode::Short(1000)].map(|mode| (Fault::CutStore(mode), 4));
    single(StoreKind::S3, &faults);
}

#[test]
fn slovenia_while_many_things_go_wrong() {
    let Some(slovenia) = Scene::slovenia() else { return };
    seed(&slovenia, StoreKind::Directory, 3);
}

#[test]
fn many_small_tasks_while_many_things_go_wrong() {
    seed(&Scene::many(), StoreKind::Directory, 4);
}

#[test]
fn a_seed_gives_a_schedule_and_always_the_same() {
    let strikes = |seed| format!("{:?}", Schedule::of(seed, shape(StoreKind::SmallDisk)).strikes);
    assert_eq!(strikes(7), strikes(7));
    assert_ne!(strikes(7), strikes(8));
}
