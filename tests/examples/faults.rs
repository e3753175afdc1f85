//! Plays schedules of faults and prints a table of them: `cargo run -p tests --example faults -- --seeds 30`.
//!
//! `--first N` begins with another seed, `--log` prints what happened in each; ends with 1 where one failed, or fewer
//! counted than were asked for.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

use std::collections::BTreeMap;
use std::process::ExitCode;

use tests::faults::{Outcome, SORTS, Scene, Schedule, StoreKind, play, shape};

/// What was asked for.
struct Args {
    seeds: u64,
    first: u64,
    log: bool,
}

fn args() -> Args {
    let mut args = Args { seeds: 30, first: 1, log: false };
    let mut given = std::env::args().skip(1);
    while let Some(arg) = given.next() {
        let mut number = || given.next().and_then(|number| number.parse().ok()).expect("a number");
        match arg.as_str() {
            "--seeds" => args.seeds = number(),
            "--first" => args.first = number(),
            "--log" => args.log = true,
            _ => panic!("--seeds N, --first N, --log; not {arg}"),
        }
    }
    args
}

/// What is made with a seed, and where: every third is the real data, where that is there. Stores take turns.
fn scene_of<'a>(seed: u64, large: &'a Scene, slovenia: Option<&'a Scene>) -> (&'a Scene, StoreKind, &'static str) {
    let store = [StoreKind::Directory, StoreKind::SmallDisk, StoreKind::S3][(seed % 4 % 3) as usize];
    match slovenia.filter(|_| seed.is_multiple_of(3)) {
        Some(slovenia) => (slovenia, store, "slovenia"),
        None => (large, store, "large"),
    }
}

fn tell(outcome: &Outcome, scene: &str) {
    let Outcome { seed, strikes, planned, kills, leader_kills, seconds, store, .. } = outcome;
    let result = match (&outcome.failure, outcome.counts()) {
        (Some(failure), _) => failure.as_str(),
        (None, true) => "same bits",
        (None, false) => "same bits, but too few kills to count",
    };
    let faults = format!("{strikes} of {planned}");
    let store = format!("{store:?}");
    println!("{seed:5}  {scene:9} {store:10} {faults:>9} {kills:6} {leader_kills:8} {seconds:8.1}  {result}");
}

fn main() -> ExitCode {
    let args = args();
    let (large, slovenia) = (Scene::large(), Scene::slovenia());
    for (name, scene) in [("large", &large)].into_iter().chain(slovenia.as_ref().map(|scene| ("slovenia", scene))) {
        let (mosaics, artifacts, megabytes) = (scene.mosaics.len(), scene.artifacts, scene.megabytes);
        println!("{name}: mosaics: {mosaics}, tasks: {artifacts}, megabytes of artifacts: {megabytes}");
    }
    println!(" seed  mosaic    store         faults  kills  leaders  seconds  result");
    let (mut counted, mut failed, mut struck) = (0, 0, BTreeMap::<_, usize>::new());
    for seed in args.first..args.first + args.seeds {
        let (scene, store, name) = scene_of(seed, &large, slovenia.as_ref());
        // Where there is no S3 server, nor a small disk, there is a directory.
        let stores = [shape(store), shape(StoreKind::Directory)];
        let played = stores.iter().find_map(|shape| play(scene, &Schedule::of(seed, *shape), *shape));
        let Some(outcome) = played else { return ExitCode::FAILURE };
        tell(&outcome, name);
        counted += u64::from(outcome.failure.is_none() && outcome.counts());
        failed += u64::from(outcome.failure.is_some());
        outcome.struck.iter().for_each(|(sort, count)| *struck.entry(*sort).or_default() += count);
        if outcome.failure.is_some() || args.log {
            eprint!("{}", outcome.log);
        }
    }
    let struck: Vec<String> = SORTS.iter().map(|sort| format!("{} {sort}", struck.get(sort).unwrap_or(&0))).collect();
    println!("{}", struck.join(", "));
    println!("{} schedules ran, {counted} counted, {failed} failed", args.seeds);
    if failed == 0 && counted == args.seeds { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
