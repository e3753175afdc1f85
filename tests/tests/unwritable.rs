//! An output or a store that cannot be written: exit code 2 and one clear line before any work, or when room runs out.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stderr)]

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use tests::{Run, SmallDisk, World, run, run_command};

fn refused(ended: &Run, words: &[&str]) {
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{}", ended.stderr);
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    assert!(words.iter().all(|word| ended.stderr.contains(word)), "{:?} lacks one of {words:?}", ended.stderr);
    assert!(!ended.stderr.contains("(os error"), "{}", ended.stderr);
}

#[test]
fn outputs_in_the_way_of_something() {
    let world = World::new("few");
    fs::write(world.path("file"), "").unwrap();
    fs::create_dir_all(world.path("taken/synthetic")).unwrap();
    fs::create_dir_all(world.path("versions")).unwrap();
    fs::write(world.path("versions/.versions"), "").unwrap();
    let at = |output: &str| run(&world.write("request.json", &json!({"output": output})), &[]);
    refused(&at("file"), &["`output`", "file", "cannot be written", "name another"]);
    refused(&at("file/deeper"), &["`output`", "file/deeper", "cannot be written", "name another"]);
    refused(&at("/proc/clearmosaic"), &["`output`", "/proc/clearmosaic", "cannot be written", "name another"]);
    refused(&at("versions"), &["`output`", "versions", "cannot be written", "name another"]);
    refused(&at("taken"), &["`output`", "taken/synthetic", "no mosaic published here", "move it"]);
    refused(&at("ftp://host/key"), &["`output`", "name a directory"]);
}

#[test]
fn stores_in_the_way_of_something() {
    let world = World::new("few");
    fs::write(world.path("file"), "").unwrap();
    for store in ["file", "file/deeper"] {
        let store = world.path(store).to_string_lossy().into_owned();
        refused(&world.run("out", &json!({}), &["--store", &store]), &["--store", &store, "cannot be written"]);
    }
    refused(&world.run("out", &json!({}), &["--store", "/proc/clearmosaic"]), &["--store", "/proc/clearmosaic"]);
    assert!(!world.mosaic("out").exists());
}

/// Every file below a directory.
fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn a_full_disk_under_output_and_store() {
    let world = World::new("year");
    let Some(small) = SmallDisk::mount(&world.path("small"), 3) else { return };
    for (slice, workers) in [(json!({}), "2"), (json!({"slice": "P1M"}), "1")] {
        let mut fields = slice;
        fields["output"] = small.path().join("out").to_string_lossy().into();
        let ended = run(&world.write("request.json", &fields), &["--workers", workers]);
        refused(&ended, &["no space left", "name another --store"]);
        assert!(!small.path().join("out/synthetic").exists(), "nothing is published");
        fs::remove_dir_all(small.path().join("out")).unwrap();
    }
}

#[test]
fn a_full_disk_under_the_output_alone() {
    let world = World::new("year");
    let Some(small) = SmallDisk::mount(&world.path("small"), 1) else { return };
    let store = world.path("store").to_string_lossy().into_owned();
    let output = small.path().join("out");
    let request = world.write("request.json", &json!({"output": output.to_string_lossy()}));
    refused(&run(&request, &["--store", &store]), &["`output`", "no space left", "name another output"]);
    assert!(!output.join("synthetic").exists(), "nothing is published");
    assert_eq!(files(&output), Vec::<PathBuf>::new(), "what was written of it is removed");
    // With room elsewhere nothing is done twice.
    let again = run(&world.write("request.json", &json!({"output": "out"})), &["--store", &store]).complete();
    assert_eq!((&again["tasks"]["done"], &again["bytes_read"]), (&json!(0), &json!(0)));
}

#[test]
fn a_disk_without_any_room() {
    let world = World::new("few");
    let Some(small) = SmallDisk::mount(&world.path("small"), 3) else { return };
    let fill = fs::write(small.path().join("fill"), vec![0; 4 << 20]);
    assert!(fill.is_err(), "3 MB hold 4 MB");
    let request = world.write("request.json", &json!({"output": small.path().join("out").to_string_lossy()}));
    refused(&run(&request, &[]), &["`output`", "no space left"]);
    let command =
        run_command(&world.write("request.json", &json!({"output": "out"})), &["--store"]).arg(small.path()).output();
    assert_eq!(command.unwrap().status.code(), Some(2));
}
