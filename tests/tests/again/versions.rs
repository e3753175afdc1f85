//! Versions are listed, gone back to, and verified: where they are published, and by way of a coordinator.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tests::{Coordinator, Run, World, assert_same, clearmosaic, json as read_json, rasters};

/// Runs `clearmosaic`.
fn asked(args: &[&str]) -> Run {
    let output = clearmosaic(args);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Run { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
}

/// The lines of JSON that a command printed.
fn lines(run: &Run) -> Vec<Value> {
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// One line, and exit code 2.
fn refused(run: &Run, words: &str) {
    assert_eq!((run.code, run.stderr.lines().count()), (Some(2), 1), "{}", run.stderr);
    assert!(run.stderr.contains(words), "{}", run.stderr);
}

fn threshold(threshold: f64) -> Value {
    json!({"scores": {"template": "scores/{system_index}.tif", "threshold": threshold}})
}

/// A mosaic in three versions, and where it is.
fn in_three_versions() -> (World, PathBuf) {
    let world = World::new("few");
    for stricter in [0.6, 0.7, 0.8] {
        let _ = world.run("out", &threshold(stricter), &[]).complete();
    }
    let mosaic = world.mosaic("out");
    (world, mosaic)
}

#[test]
fn versions_are_listed_and_gone_back_to_where_they_are() {
    let (world, mosaic) = in_three_versions();
    let output = world.path("out").to_string_lossy().into_owned();
    let request = world.path("out.request.json").to_string_lossy().into_owned();
    let listed = |args: &[&str]| lines(&asked(&[&["versions"], args, &["--json"]].concat()));
    let versions = listed(&["synthetic", "--output", &output]);
    assert_eq!(versions, listed(&[&request]));
    let told: Vec<_> = versions.iter().map(|v| (&v["version"], &v["predecessor"], &v["latest"])).collect();
    let none = Value::Null;
    let expected =
        [(1, none, false), (2, json!(1), false), (3, json!(2), true)].map(|(n, p, l)| (json!(n), p, json!(l)));
    assert_eq!(told, expected.iter().map(|(n, p, l)| (n, p, l)).collect::<Vec<_>>());
    assert_eq!((&versions[0]["state"], &versions[0]["scenes"]), (&json!("complete"), &json!(3)));
    assert_eq!(Path::new(versions[1]["at"].as_str().unwrap()), world.path("out/.versions/synthetic/2"));
    let table = asked(&["versions", &request]).stdout;
    assert!(table.lines().count() == 4 && table.lines().last().unwrap().ends_with("latest"), "{table}");

    // Who reads the third goes on reading it.
    let (reading, third) = (mosaic.canonicalize().unwrap(), rasters(&mosaic));
    let first = rasters(&world.path("out/.versions/synthetic/1"));
    assert_eq!(asked(&["rollback", "synthetic", "1", "--output", &output]).stdout, format!("{}\n", mosaic.display()));
    assert_same("gone back to", &rasters(&mosaic), &first);
    assert_same("still read", &rasters(&reading), &third);
    assert_eq!(listed(&[&request]).iter().map(|v| v["latest"] == true).collect::<Vec<_>>(), [true, false, false]);
    // What is published later is meant again, and comes after what was gone back to.
    let fourth = world.run("out", &threshold(0.9), &[]).complete();
    assert_eq!((&fourth["version"], &fourth["predecessor"]), (&json!(4), &json!(1)));
    assert_eq!(fs::read_link(&mosaic).unwrap(), Path::new(".versions/synthetic/4"));
    assert_eq!(listed(&[&request])[0]["successors"], json!([2, 4]));
    let collection = read_json(&mosaic.join("collection.json"));
    assert_eq!(collection["version"], "4");
    for (rel, leads) in [("predecessor-version", "../1/collection.json"), ("version-history", "../versions.json")] {
        let link = collection["links"].as_array().unwrap().iter().find(|link| link["rel"] == rel).unwrap();
        assert_eq!(link["href"], leads);
        assert!(mosaic.join(leads).is_file(), "{rel}");
    }
    let latest = collection["links"].as_array().unwrap().iter().find(|link| link["rel"] == "latest-version").unwrap();
    let latest = mosaic.canonicalize().unwrap().join(latest["href"].as_str().unwrap());
    assert_eq!(latest.canonicalize().unwrap(), mosaic.join("collection.json").canonicalize().unwrap());

    fs::remove_dir_all(world.path("out/.versions/synthetic/2")).unwrap();
    fs::remove_file(world.path("out/.versions/synthetic/3/tiles/33TWL/B08.tif")).unwrap();
    for (args, words) in [
        (&["rollback", &request, "2"][..], "`synthetic`: there is no version 2 (any more): there are 1, 3 and 4"),
        (
            &["rollback", &request, "3"],
            "version 3 is not whole any more, tiles/33TWL/B08.tif is gone: there are 1 and 4",
        ),
        (&["rollback", &request, "0"], "invalid value '0'"),
        (&["rollback", "another", "1", "--output", &output], "`another`: no mosaic of this name is published in"),
        (&["versions", "another", "--output", &output], "`another`: no mosaic of this name is published in"),
        (&["versions", "Out/", "--output", &output], "`Out/`: a mosaic's name has lower-case letters"),
        (&["versions", "no-such.yaml"], "no-such.yaml: there is no such file"),
        (&["verify", &request, "--version", "2"], "`synthetic`: there is no version 2 (any more)"),
    ] {
        refused(&asked(args), words);
    }
    assert_eq!(fs::read_link(&mosaic).unwrap(), Path::new(".versions/synthetic/4"), "nothing was moved");
}

#[test]
fn what_is_published_is_verified_file_by_file() {
    let (world, mosaic) = in_three_versions();
    let request = world.path("out.request.json").to_string_lossy().into_owned();
    let whole = asked(&["verify", &request, "--all"]);
    assert_eq!((whole.code, whole.stdout.lines().count()), (Some(0), 3), "{}", whole.stdout);
    assert!(whole.stdout.lines().all(|line| line.ends_with("all as they were published")), "{}", whole.stdout);
    let flip = |file: &str| {
        let path = mosaic.join(file);
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        // Not in place: the store has the same file.
        fs::remove_file(&path).unwrap();
        fs::write(path, bytes).unwrap();
    };
    for name in ["tiles/33TWL/B04.tif", "mosaic.vrt", "snapshot/plan.json"] {
        flip(name);
    }
    fs::remove_file(mosaic.join("quicklook.png")).unwrap();
    let mut item = read_json(&mosaic.join("items/33TWL.json"));
    item["collection"] = json!("another");
    item["assets"]["count"]["href"] = json!("../tiles/33TWL/counts.tif");
    fs::write(mosaic.join("items/33TWL.json"), item.to_string()).unwrap();
    let found = asked(&["verify", &request]);
    assert_eq!(found.code, Some(3), "{}", found.stderr);
    let at = |file: &str| mosaic.canonicalize().unwrap().join(file).display().to_string();
    let expected = [
        ("tiles/33TWL/B04.tif", "it fails its checksum"),
        ("mosaic.vrt", "it fails its checksum"),
        ("snapshot/plan.json", "it fails its checksum"),
        ("quicklook.png", "it is gone"),
        ("items/33TWL.json", "it fails its checksum"),
        ("items/33TWL.json", "its `collection` is \"another\", not synthetic"),
        ("items/33TWL.json", "its asset `count`, ../tiles/33TWL/counts.tif, is no file of the version"),
    ];
    let mut expected: Vec<String> = expected.iter().map(|(file, why)| format!("{}: {why}", at(file))).collect();
    let mut lines: Vec<&str> = found.stdout.lines().collect();
    lines.sort_unstable();
    expected.sort_unstable();
    assert_eq!(lines, expected);
    let told: Value = serde_json::from_str(&asked(&["verify", &request, "--json"]).stdout).unwrap();
    assert_eq!((&told["version"], told["faults"].as_array().unwrap().len()), (&json!(3), 7));
    assert_eq!(asked(&["verify", &request, "--version", "2"]).code, Some(0));
    fs::write(mosaic.join("snapshot/contents.json"), "{}").unwrap();
    let unlisted = asked(&["verify", &request]);
    assert!(unlisted.stdout.contains("snapshot/contents.json: it fails its checksum"), "{}", unlisted.stdout);
    assert!(unlisted.stdout.contains("tiles/33TWL/B04.tif: it fails its checksum"), "{}", unlisted.stdout);
}

#[test]
fn a_coordinator_lists_versions_and_goes_back() {
    let world = World::new("few");
    let coordinator = Coordinator::start(&world.path("store"));
    let _worker = coordinator.worker(&["--slots", "2"]);
    for stricter in [0.6, 0.7] {
        let mut fields = threshold(stricter);
        fields["output"] = json!("out");
        let request = world.write("submitted.json", &fields).to_string_lossy().into_owned();
        let _ = coordinator.ask(&["submit", &request, "--watch", "--json"]).complete();
    }
    let (mosaic, told) = (world.mosaic("out"), lines(&coordinator.ask(&["versions", "synthetic", "--json"])));
    assert_eq!(told.iter().map(|v| v["latest"] == true).collect::<Vec<_>>(), [false, true]);
    assert_eq!(coordinator.ask(&["rollback", "synthetic", "1"]).stdout, format!("{}\n", mosaic.display()));
    assert_eq!(fs::read_link(&mosaic).unwrap(), Path::new(".versions/synthetic/1"));
    assert_eq!(coordinator.ask(&["verify", "synthetic"]).code, Some(0));
    refused(&coordinator.ask(&["rollback", "synthetic", "9"]), "there is no version 9 (any more): there are 1 and 2");
    for command in [&["versions", "another"][..], &["rollback", "another", "1"], &["verify", "another"]] {
        refused(&coordinator.ask(command), "there is no job `another`");
    }
}
