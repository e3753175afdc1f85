//! When schedules are due, and what they ask for.

use mosaic::ids::Key;
use proptest::prelude::*;

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn rule(cron: &str, zone: &str) -> Rule {
    let (overlap, missed, priority, hook) = Default::default();
    Rule { cron: cron.into(), zone: zone.into(), overlap, missed, priority, hook }
}

fn schedule(cron: &str, began: &str) -> Schedule {
    Schedule::new("s", "m", Key::of("test", &1), rule(cron, "UTC"), at(began))
}

/// The next instants after one, as the zone's clocks show them.
fn next(cron: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
    let times = Times::new(cron, zone, at(after)).unwrap();
    let each = std::iter::successors(times.after(at(after)), |due| times.after(*due));
    each.take(count).map(|due| times.shown(due)).collect()
}

#[test]
fn a_time_that_the_clocks_skip_is_made_up_for_after_the_gap() {
    // 2026-03-29, 2 o'clock is 3 o'clock in Ljubljana.
    let fixed = next("30 2 * * *", "Europe/Ljubljana", "2026-03-28T00:00:00Z", 3);
    assert_eq!(fixed, ["2026-03-28T02:30:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"]);
    let often = next("*/20 2 * * *", "Europe/Ljubljana", "2026-03-28T01:30:00Z", 2);
    assert_eq!(
        often,
        ["2026-03-28T02:40:00+01:00", "2026-03-30T02:00:00+02:00"],
        "nothing of that hour is made up for"
    );
}

#[test]
fn a_time_that_comes_twice_counts_once() {
    // 2026-10-25, 3 o'clock is 2 o'clock.
    let fixed = next("30 2 * * *", "Europe/Ljubljana", "2026-10-24T12:00:00Z", 2);
    assert_eq!(fixed, ["2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"]);
    let often = next("*/30 * * * *", "Europe/Ljubljana", "2026-10-24T23:40:00Z", 5);
    let passing = ["02:00:00+02:00", "02:30:00+02:00", "02:00:00+01:00", "02:30:00+01:00", "03:00:00+01:00"];
    assert_eq!(often, passing.map(|time| format!("2026-10-25T{time}")), "every half an hour is every half an hour");
}

#[test]
fn months_end_when_they_end() {
    let last = next("0 6 L * *", "UTC", "2024-01-15T00:00:00Z", 3);
    assert_eq!(last, ["2024-01-31T06:00:00+00:00", "2024-02-29T06:00:00+00:00", "2024-03-31T06:00:00+00:00"]);
    let long = next("0 6 31 * *", "UTC", "2024-01-31T06:00:00Z", 2);
    assert_eq!(long, ["2024-03-31T06:00:00+00:00", "2024-05-31T06:00:00+00:00"], "short ones have none");
    assert_eq!(next("0 0 29 2 *", "UTC", "2024-03-01T00:00:00Z", 1), ["2028-02-29T00:00:00+00:00"]);
    assert_eq!(next("@monthly", "UTC", "2024-12-02T00:00:00Z", 1), ["2025-01-01T00:00:00+00:00"]);
}

#[test]
fn what_means_nothing_is_told_in_one_line() {
    let told = |cron: &str, zone: &str| Times::new(cron, zone, at("2024-01-01T00:00:00Z")).unwrap_err().to_string();
    assert_eq!(told("0 6 30 2 *", "UTC"), "`cron`: `0 6 30 2 *` never comes: there is no such day");
    assert_eq!(told("0 0 0 1 1 * 2020", "UTC"), "`cron`: `0 0 0 1 1 * 2020` never comes: there is no such day");
    assert_eq!(
        told("0 6 3 * *", "Europe/Lubljana"),
        "`zone`: there is no time zone `Europe/Lubljana`: write one as Europe/Ljubljana, or UTC"
    );
    for bad in ["", "61 * * * *", "* * *", "hello", "@often", "0 6 3 * * * * *", "\n"] {
        let told = told(bad, "UTC");
        assert!(told.starts_with("`cron`: `") && told.contains("write minute"), "{told}");
        assert!(told.trim_end().lines().count() <= 1 + bad.lines().count(), "{told}");
    }
}

#[test]
fn what_was_missed_is_made_up_for_once_or_not_at_all() {
    let once = schedule("0 6 * * *", "2024-05-01T00:00:00Z");
    let times = once.times().unwrap();
    let never = |_: &str| false;
    let just = at("2024-05-01T06:00:00Z");
    let due = |at, missed| Due { at, missed, asked: None };
    assert_eq!(once.decide(&times, at("2024-05-01T05:59:59Z"), never), Decision::Wait(Some(just)));
    assert_eq!(once.decide(&times, just, never), Decision::Start(due(just, 0)));
    // Three days later.
    let late = at("2024-05-04T07:00:00Z");
    let newest = due(at("2024-05-04T06:00:00Z"), 3);
    assert_eq!(once.decide(&times, late, never), Decision::Start(newest.clone()));
    let mut none = once;
    none.rule.missed = Missed::None;
    assert_eq!(none.decide(&times, late, never), Decision::Miss(newest.clone()));
    let none = none.fired(newest.clone(), late, Came::Missed);
    assert_eq!(none.decide(&times, late, never), Decision::Wait(Some(at("2024-05-05T06:00:00Z"))));
    // A leader that was just replaced is not late.
    let soon = at("2024-05-05T06:04:59Z");
    assert_eq!(none.decide(&times, soon, never), Decision::Start(due(at("2024-05-05T06:00:00Z"), 0)));
}

#[test]
fn a_run_that_goes_on_is_waited_for_or_stopped() {
    let run = |job: &str| Came::Run { job: job.to_owned(), ended: None };
    let (first, second, third) = (at("2024-05-01T06:00:00Z"), at("2024-05-02T06:00:00Z"), at("2024-05-03T06:00:00Z"));
    let due = |at, missed| Due { at, missed, asked: None };
    for overlap in [Overlap::Skip, Overlap::Queue, Overlap::Replace] {
        let mut schedule = schedule("0 6 * * *", "2024-05-01T00:00:00Z");
        schedule.rule.overlap = overlap;
        let times = schedule.times().unwrap();
        let schedule = schedule.fired(due(first, 0), first, run("a"));
        let met = schedule.decide(&times, second, |job| job == "a");
        if overlap == Overlap::Skip {
            assert_eq!(met, Decision::Skip(due(second, 0), "a".into()));
            continue;
        }
        assert_eq!(met, Decision::Queue(due(second, 0)));
        let waits = schedule.queued(due(second, 0));
        let expected = if overlap == Overlap::Queue { Decision::Wait(Some(third)) } else { Decision::Stop("a".into()) };
        assert_eq!(waits.decide(&times, second, |job| job == "a"), expected);
        assert_eq!(waits.decide(&times, third, |job| job == "a"), Decision::Queue(due(third, 1)), "it takes its place");
        assert_eq!(waits.decide(&times, third, |_| false), Decision::Start(due(third, 1)));
        let much_later = at("2024-05-02T20:00:00Z");
        assert_eq!(waits.decide(&times, much_later, |_| false), Decision::Start(due(second, 0)), "it is not missed");
        let done = waits.fired(due(second, 0), much_later, run("b"));
        assert_eq!((done.queued.clone(), done.last_job()), (None, Some("b")));
    }
}

#[test]
fn a_pause_is_not_made_up_for() {
    let mut paused = schedule("0 6 * * *", "2024-05-01T00:00:00Z");
    let times = paused.times().unwrap();
    paused.paused = true;
    let later = at("2024-05-09T12:00:00Z");
    assert_eq!(paused.decide(&times, later, |_| false), Decision::Wait(None));
    let resumed = paused.resumed(later);
    assert_eq!(resumed.decide(&times, later, |_| false), Decision::Wait(Some(at("2024-05-10T06:00:00Z"))));
}

#[test]
fn who_is_to_be_told_is_told_of_an_end() {
    let mut schedule = schedule("0 6 * * *", "2024-05-01T00:00:00Z");
    schedule.rule.hook = Some(Hook { url: "https://h/".into(), profile: "p".into() });
    let due = Due { at: at("2024-05-01T06:00:00Z"), missed: 0, asked: None };
    let came = Came::Run { job: "a".into(), ended: None };
    let runs = schedule.fired(due.clone(), due.at, came);
    assert_eq!(runs.firings[0].told, Told::Nobody);
    let how = Ended::Published { complete: true, at: "/out/m".into(), unchanged: true };
    assert_eq!(runs.ended("b", &how), None);
    let ended = runs.ended("a", &how).unwrap();
    assert_eq!(ended.firings[0].told, Told::Due);
    assert_eq!(ended.firings[0].came.told(), ("unchanged", "/out/m"));
    assert_eq!(ended.ended("a", &how), None, "it is known");
    assert_eq!(runs.ended("a", &Ended::Cancelled).unwrap().firings[0].told, Told::Nobody);
    let refused = schedule.fired(due.clone(), due.at, Came::Refused { error: "x".into() });
    assert_eq!(refused.firings[0].told, Told::Due);
    let kept = serde_json::to_string(&ended).unwrap();
    assert_eq!(serde_json::from_str::<Schedule>(&kept).unwrap(), ended);
}

proptest! {
    /// Looking back finds what looking ahead found, on days of change too: no instant lies between.
    #[test]
    fn the_newest_is_the_last_of_each(
        cron in prop::sample::select(vec!["*/15 * * * *", "30 2 * * *", "30 1 * * *", "0 */5 * * *", "0 0 * * *", "5 3 L * *"]),
        zone in prop::sample::select(vec!["Europe/Ljubljana", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "UTC"]),
        after in 1_700_000_000_i64..1_800_000_000,
        hours in 1_i64..240,
    ) {
        let after = Timestamp::from_second(after).unwrap();
        let through = after + jiff::SignedDuration::from_hours(hours);
        let times = Times::new(cron, zone, after).unwrap();
        let each = std::iter::successors(times.after(after), |due| times.after(*due));
        let each: Vec<Timestamp> = each.take_while(|due| *due <= through).collect();
        prop_assert!(each.windows(2).all(|two| two[0] < two[1]));
        let newest = times.newest(after, through);
        prop_assert_eq!(newest.map(|newest| newest.at), each.last().copied());
        let before = u32::try_from(each.len().saturating_sub(1)).unwrap().min(999);
        prop_assert_eq!(newest.map_or(0, |newest| newest.before), before);
    }
}
