//! What is done is kept: after a second run, a kill, corruption, or scenes that were added, the bits are the same and
//! no more is done than must be.
#![allow(missing_docs, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};
use tests::{MADE, World, artifacts, assert_same, rasters, run_command};

fn monthly() -> Value {
    json!({"slice": "P1M"})
}

fn tasks(report: &Value) -> [u64; 3] {
    ["done", "reused", "failed"].map(|name| report["tasks"][name].as_u64().unwrap())
}

/// An archive, its monthly mosaic in `out`, and how many tasks that took.
fn world_with_mosaic() -> (World, BTreeMap<String, Vec<u8>>, u64) {
    let world = World::new("year");
    let [done, reused, failed] = tasks(&world.run("out", &monthly(), &[]).complete());
    assert_eq!((reused, failed), (0, 0));
    assert_eq!(artifacts(&world.path("out/.store"), &MADE).len() as u64, done);
    let rasters = rasters(&world.mosaic("out"));
    (world, rasters, done)
}

#[test]
fn a_second_run_reads_no_pixel() {
    let (world, first, total) = world_with_mosaic();
    let before = artifacts(&world.path("out/.store"), &MADE);
    let report = world.run("out", &monthly(), &[]).complete();
    assert_eq!((tasks(&report), &report["bytes_read"]), ([0, total, 0], &json!(0)));
    assert_same("second run", &rasters(&world.mosaic("out")), &first);
    assert_eq!(artifacts(&world.path("out/.store"), &MADE), before);
    // Without partials the composites are the same function of the scenes, but under keys of their own.
    let whole = world.run("out", &json!({}), &[]).complete();
    assert_same("without slices", &rasters(&world.mosaic("out")), &first);
    assert_eq!(tasks(&whole)[2], 0);
}

/// Numbers below `bound`, the same in each run.
fn seeded(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut state = seed;
    move |bound| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % bound
    }
}

/// Waits until the store holds so many artifacts, or the process has ended.
fn wait_for(store: &Path, count: usize, child: &mut Child) {
    while artifacts(store, &MADE).len() < count && child.try_wait().unwrap().is_none() {
        sleep(Duration::from_millis(1));
    }
}

#[test]
fn killed_at_any_moment_it_goes_on_from_what_is_stored() {
    let (world, whole, total) = world_with_mosaic();
    let mut random = seeded(2);
    for kill in 0..10 {
        let output = format!("killed{kill}");
        let store = world.path(&output).join(".store");
        let mut fields = monthly();
        fields["output"] = output.as_str().into();
        let request = world.write("killed.json", &fields);
        let mut command = run_command(&request, &["--workers", if kill % 2 == 0 { "1" } else { "3" }]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // Some way along, at no moment in particular: in the middle of a read, of a write, of publication.
        wait_for(&store, (total * kill / 10 + random(3)) as usize, &mut child);
        sleep(Duration::from_micros(random(60_000)));
        child.kill().unwrap();
        child.wait().unwrap();
        let kept = artifacts(&store, &MADE);
        let report = world.run(&output, &monthly(), &[]).complete();
        assert_eq!(tasks(&report), [total - kept.len() as u64, kept.len() as u64, 0], "kill {kill}");
        assert_same(&output, &rasters(&world.mosaic(&output)), &whole);
        let now = artifacts(&store, &MADE);
        assert_eq!(now.len() as u64, total);
        assert!(kept.iter().all(|(path, at)| now[path] == *at), "kill {kill}: what was stored is written again");
    }
}

/// Spoils a file.
type Damage = fn(&Path);

/// Ways in which a file goes bad.
const DAMAGE: [(&str, Damage); 4] = [
    ("flipped byte", |path| {
        let mut bytes = fs::read(path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x20;
        fs::write(path, bytes).unwrap();
    }),
    ("cut in half", |path| {
        let bytes = fs::read(path).unwrap();
        fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
    }),
    ("empty", |path| fs::write(path, b"").unwrap()),
    ("gone", |path| fs::remove_file(path).unwrap()),
];

/// Every artifact of these kinds.
fn of(store: &Path, kinds: &[&str]) -> Vec<PathBuf> {
    artifacts(store, kinds).into_keys().collect()
}

fn remove(store: &Path, kinds: &[&str]) {
    kinds.iter().for_each(|kind| fs::remove_dir_all(store.join(kind)).unwrap());
}

#[test]
fn a_corrupt_partial_or_composite_is_made_again() {
    let (world, whole, _) = world_with_mosaic();
    let store = world.path("out/.store");
    for (what, damage) in DAMAGE {
        // Three partials: two of one sub-tile, say, and one of another; what is made of them is gone, and the cores,
        // which would spare reading them.
        let partials = of(&store, &["partial"]);
        [0, 1, partials.len() - 1].iter().for_each(|index| damage(&partials[*index]));
        let downstream = of(&store, &["composite", "mosaic", "quicklook"]).len() as u64;
        remove(&store, &["core", "composite", "mosaic", "quicklook"]);
        let report = world.run("out", &monthly(), &[]).complete();
        assert_eq!(tasks(&report)[0], 3 + downstream, "{what} partial");
        assert_same(what, &rasters(&world.mosaic("out")), &whole);

        let composites = of(&store, &["composite"]);
        damage(&composites[0]);
        damage(&composites[1]);
        let downstream = of(&store, &["mosaic", "quicklook"]).len() as u64;
        remove(&store, &["mosaic", "quicklook"]);
        let report = world.run("out", &monthly(), &[]).complete();
        assert_eq!(tasks(&report)[0], 2 + downstream, "{what} composite");
        assert_eq!(report["bytes_read"], 0, "the partials are there");
        assert_same(what, &rasters(&world.mosaic("out")), &whole);
    }
}

#[test]
fn a_corrupt_raster_picture_or_list_is_made_again() {
    let (world, whole, _) = world_with_mosaic();
    let store = world.path("out/.store");
    for (what, damage) in DAMAGE {
        for (kind, name) in [("mosaic", "B08.tif"), ("mosaic", "contents.json"), ("quicklook", "quicklook.png")] {
            let artifact = &of(&store, &[kind])[0];
            damage(&artifact.join(name));
            let report = world.run("out", &monthly(), &[]).complete();
            assert_eq!(tasks(&report)[0], 1, "{what} {name}: {report}");
            assert_same(what, &rasters(&world.mosaic("out")), &whole);
        }
    }
}

#[test]
fn a_corrupt_plan_is_written_again() {
    let (world, whole, _) = world_with_mosaic();
    let store = world.path("out/.store");
    for (what, damage) in DAMAGE {
        of(&store, &["plan"]).iter().for_each(|document| damage(document));
        remove(&store, &["mosaic"]);
        let _ = world.run("out", &monthly(), &[]).complete();
        assert_same(what, &rasters(&world.mosaic("out")), &whole);
    }
}

#[test]
fn scenes_of_another_month_redo_that_month_alone() {
    let world = World::new("year");
    let in_may = |item: &Value| item["id"].as_str().unwrap().contains("_202305");
    let before: Vec<Value> = world.items().into_iter().filter(|item| !in_may(item)).collect();
    assert!(before.len() < world.items().len());
    world.write_items("before.json", &before);
    let mut fields = monthly();
    fields["scenes"] = json!({"items": "before.json"});
    let [first, ..] = tasks(&world.run("out", &fields, &[]).complete());
    let store = world.path("out/.store");
    let (partials, composites) = (artifacts(&store, &["partial"]), of(&store, &["composite"]).len() as u64);

    let report = world.run("out", &monthly(), &[]).complete();
    let [done, reused, _] = tasks(&report);
    let after = artifacts(&store, &["partial"]);
    assert_eq!((after.len() - partials.len()) as u64, composites, "one partial for each sub-tile");
    assert!(partials.iter().all(|(path, at)| after[path] == *at), "a partial of another month is written again");
    // Beside them: a composite for each sub-tile, two tiles, the picture.
    assert_eq!((done, reused), (2 * composites + 3, partials.len() as u64));
    assert_eq!(first, partials.len() as u64 + composites + 3);

    let at_once = world.run("anew", &monthly(), &[]).complete();
    assert_same("added later", &rasters(&world.mosaic("out")), &rasters(&world.mosaic("anew")));
    let (added, all) = (report["bytes_read"].as_u64().unwrap(), at_once["bytes_read"].as_u64().unwrap());
    assert!(added > 0 && added * 4 < all, "{added} of {all} bytes are read again");
}

#[test]
fn another_product_reads_no_scene() {
    let (world, whole, total) = world_with_mosaic();
    let store = world.path("out/.store");
    let (partials, composites) = (of(&store, &["partial"]).len() as u64, of(&store, &["composite"]).len() as u64);
    let fields = json!({"slice": "P1M", "products": ["median", "p90", "mad"]});
    let report = world.run("out", &fields, &[]).complete();
    assert_eq!(report["bytes_read"], 0, "the partials are there");
    assert_eq!(tasks(&report), [composites + 3, partials, 0]);
    let more = rasters(&world.mosaic("out"));
    let medians = more.iter().filter(|(name, _)| !name.contains('_'));
    let medians = medians.map(|(name, bytes)| (name.clone(), bytes.clone())).collect();
    assert_same("medians beside other products", &medians, &whole);
    // What was made for the median alone is still there, and still found.
    let report = world.run("out", &monthly(), &[]).complete();
    assert_eq!(tasks(&report), [0, total, 0]);
    assert_same("the median alone", &rasters(&world.mosaic("out")), &whole);
    // Without slices no partials are kept: the scenes are read again, to the same bits.
    let mut fields = fields;
    fields["slice"] = Value::Null;
    assert!(world.run("out", &fields, &[]).complete()["bytes_read"].as_u64() > Some(0));
    assert_same("without slices", &rasters(&world.mosaic("out")), &more);
}

#[test]
fn mosaics_of_months_quarters_years_and_rolling_years_share_their_slices() {
    let world = World::new("year");
    let period = |start: &str, end: &str| json!({"slice": "P1M", "period": {"start": start, "end": end}, "products": ["median", "p25"]});
    // Eight months, to begin with.
    let first = world.run("out", &period("2023-01-01", "2023-09-01"), &[]).complete();
    assert!(first["bytes_read"].as_u64() > Some(0));
    let store = world.path("out/.store");
    let partials = artifacts(&store, &["partial"]);
    for (start, end) in [("2023-02-01", "2023-03-01"), ("2023-04-01", "2023-07-01"), ("2023-03-01", "2023-09-01")] {
        let report = world.run("out", &period(start, end), &[]).complete();
        assert_eq!(report["bytes_read"], 0, "{start}..{end}: its slices are there");
        assert_eq!(artifacts(&store, &["partial"]), partials, "{start}..{end}");
        let anew = format!("anew-{start}");
        let _ = world.run(&anew, &period(start, end), &[]).complete();
        assert_same(start, &rasters(&world.mosaic("out")), &rasters(&world.mosaic(&anew)));
    }
    // A month later the same span ends a month later: that month alone is read.
    let rolled = world.run("out", &period("2023-02-01", "2023-10-01"), &[]).complete();
    let alone = world.run("alone", &period("2023-09-01", "2023-10-01"), &[]).complete();
    assert_eq!(rolled["bytes_read"], alone["bytes_read"]);
    assert!(alone["bytes_read"].as_u64() > Some(0));
}

#[test]
fn a_slice_is_added_to_the_core_of_the_others() {
    let (world, whole, _) = world_with_mosaic();
    let month = |item: &Value| item["id"].as_str().unwrap().split('_').nth(2).unwrap()[..6].to_owned();
    let months: Vec<String> = world.items().iter().map(month).collect();
    // The last month is new, or one in the middle.
    for (at, new) in [months.iter().max().unwrap(), &"202305".to_owned()].into_iter().enumerate() {
        for (what, damage) in [("whole", None)].into_iter().chain(DAMAGE.map(|(what, damage)| (what, Some(damage)))) {
            let before: Vec<Value> = world.items().into_iter().filter(|item| month(item) != *new).collect();
            world.write_items("before.json", &before);
            let output = format!("{at} {what}").replace(' ', "-");
            let mut fields = monthly();
            fields["scenes"] = json!({"items": "before.json"});
            let _ = world.run(&output, &fields, &[]).complete();
            let store = world.path(&output).join(".store");
            let cores = of(&store, &["core"]);
            assert!(!cores.is_empty());
            damage.iter().for_each(|damage| cores.iter().for_each(|core| damage(core)));
            let report = world.run(&output, &monthly(), &[]).complete();
            assert_eq!(tasks(&report)[2], 0);
            assert_same(&format!("{new} added, {what} core"), &rasters(&world.mosaic(&output)), &whole);
        }
    }
}
