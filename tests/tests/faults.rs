//! Single faults, and a few schedules of many; `make faults` plays as many schedules as you like.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stderr)]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tests::faults::{Fault, Outcome, SORTS, Scene, Schedule, StoreKind, Strike, play, shape};
use tests::{Callers, Link, Mode};

/// The scene of most tests, made once for those that run at a time.
fn many() -> Arc<Scene> {
    static SHARED: Mutex<Weak<Scene>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    shared.upgrade().unwrap_or_else(|| {
        let made = Arc::new(Scene::many());
        *shared = Arc::downgrade(&made);
        made
    })
}

/// Plays a schedule: it ends in the bits of `run`. None where it cannot be played here.
fn played(scene: &Scene, store: StoreKind, schedule: &Schedule) -> Option<Outcome> {
    let outcome = play(scene, schedule, shape(store))?;
    assert_eq!(outcome.failure, None, "{}", outcome.log);
    Some(outcome)
}

/// Faults that strike one after the other, for so many seconds each.
fn single(store: StoreKind, faults: &[(Fault, u64)]) {
    let strike = |(n, (fault, seconds)): (usize, &(Fault, u64))| Strike {
        at: 0.1 + 0.6 * n as f64 / faults.len() as f64,
        pause: Duration::from_millis(500),
        fault: *fault,
        lasts: Duration::from_secs(*seconds),
    };
    let schedule = Schedule { seed: 0, strikes: faults.iter().enumerate().map(strike).collect() };
    if let Some(outcome) = played(&many(), store, &schedule) {
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
fn workers_and_members_of_etcd_that_stand_still_or_are_alone_cut_off_and_artifacts_that_are_lost_spoil_nothing() {
    let strikes = [
        (Fault::StopWorker(0), 7),
        (Fault::CutOffWorker(1, Mode::Silent), 7),
        (Fault::CutOffMember(0, Mode::Silent), 7),
        (Fault::Corrupt(5), 0),
        (Fault::Delete(5), 0),
        (Fault::CutWorker(2, 0, Mode::Refusing), 4),
    ];
    single(StoreKind::Directory, &strikes);
}

#[test]
fn a_leader_that_cannot_reach_etcd_or_is_not_reached_is_replaced_or_waited_for() {
    let cut = Fault::CutLeaderFromEtcd(Mode::Silent);
    single(StoreKind::Directory, &[(cut, 8), (Fault::CutCoordinator(1, Mode::Silent), 4)]);
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
    seed(&many(), StoreKind::Directory, 4);
}

#[test]
fn thirty_seeds_let_everything_go_wrong() {
    let kinds = [StoreKind::Directory, StoreKind::SmallDisk, StoreKind::S3];
    let schedules = (1..=30).map(|seed| Schedule::of(seed, shape(kinds[(seed % 4 % 3) as usize])));
    let strikes: Vec<Strike> = schedules.flat_map(|schedule| schedule.strikes).collect();
    for sort in SORTS {
        assert!(strikes.iter().any(|strike| strike.fault.sort() == sort), "{sort}: never");
    }
}

/// What cuts one worker off must not cut off others, though all come from one address to one port.
#[test]
fn a_link_tells_those_apart_that_call() {
    let echo = TcpListener::bind("127.0.0.1:0").unwrap();
    let (target, callers) = (echo.local_addr().unwrap().to_string(), Callers::default());
    std::thread::spawn(move || echo.incoming().flatten().for_each(|mut caller| drop(caller.write_all(b"here\n"))));
    let link = Link::for_callers(target, &callers);
    callers.know(7, std::process::id());
    let reached = |said: &mut dyn Read| {
        let mut text = String::new();
        said.read_to_string(&mut text).is_ok() && text == "here\n"
    };
    let own = || TcpStream::connect(link.address()).is_ok_and(|mut link| reached(&mut link));
    let port = link.address().port();
    let ask = format!("exec 3<>/dev/tcp/127.0.0.1/{port}; cat <&3");
    let other = || reached(&mut &Command::new("bash").args(["-c", &ask]).output().unwrap().stdout[..]);
    assert!(own() && other());
    link.set_for(7, Some(Mode::Refusing));
    assert!(!own() && other());
    link.set(Mode::Refusing);
    link.set_for(7, Some(Mode::Open));
    assert!(own() && !other());
    link.set_for(7, None);
    assert!(!own());
}

#[test]
fn a_seed_gives_a_schedule_and_always_the_same() {
    let strikes = |seed| format!("{:?}", Schedule::of(seed, shape(StoreKind::SmallDisk)).strikes);
    assert_eq!(strikes(7), strikes(7));
    assert_ne!(strikes(7), strikes(8));
}
