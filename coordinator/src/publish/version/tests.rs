//! Versions in a directory, and in an object store in memory; a test of the whole has a real server.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use artifacts::remote::Bucket;
use object_store::memory::InMemory;

use super::*;

fn begin(output: &Path) -> Version {
    let folder = Folder::Directory(output.to_owned());
    Version::begin(&folder, "m", greatest(&folder, "m").unwrap() + 1).unwrap()
}

/// Writes a version whole, as publication does: its report last.
fn write(version: &Version, content: &[u8]) {
    version.folder().write("f", content).unwrap();
    version.folder().write("report.json", b"{}").unwrap();
}

#[test]
fn the_name_means_the_last_version_that_was_switched_to() {
    let output = tempfile::tempdir().unwrap();
    let first = begin(output.path());
    write(&first, b"1");
    assert!(!output.path().join("m").exists());
    first.switch().unwrap();
    let second = begin(output.path());
    write(&second, b"2");
    assert_eq!(fs::read(output.path().join("m/f")).unwrap(), b"1");
    let name = second.switch().unwrap();
    assert_eq!(fs::read(Path::new(&name).join("f")).unwrap(), b"2");
    assert_eq!(fs::read_link(name).unwrap(), Path::new(".versions/m/2"));
    assert_eq!(fs::read(output.path().join(".versions/m/1/f")).unwrap(), b"1");
    assert_eq!(fs::read_dir(output.path()).unwrap().count(), 2, "no link is left over");
}

#[test]
fn publishers_at_once_get_numbers_of_their_own() {
    let output = tempfile::tempdir().unwrap();
    let begin = || begin(output.path()).number();
    let mut numbers: Vec<u64> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..16).map(|_| scope.spawn(begin)).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=16).collect::<Vec<u64>>());
}

#[test]
fn what_is_no_mosaic_is_not_replaced() {
    let output = tempfile::tempdir().unwrap();
    fs::create_dir(output.path().join("m")).unwrap();
    let error = Version::begin(&Folder::Directory(output.path().to_owned()), "m", 1).unwrap_err();
    assert!(matches!(error, PublishError::Occupied(_)));
    assert!(!error.to_string().contains('\n'));
}

#[test]
fn who_stood_still_does_not_undo_what_is_newer() {
    let output = tempfile::tempdir().unwrap();
    let [old, new] = [begin(output.path()), begin(output.path())];
    write(&old, b"old");
    write(&new, b"new");
    new.switch().unwrap();
    old.switch().unwrap();
    assert_eq!(fs::read_link(output.path().join("m")).unwrap(), Path::new(".versions/m/2"));
    // It stood still between its look and its link: the version that is whole wins nevertheless.
    fs::remove_file(output.path().join("m")).unwrap();
    old.switch().unwrap();
    assert_eq!(fs::read_link(output.path().join("m")).unwrap(), Path::new(".versions/m/2"));
}

fn bucket() -> Folder {
    Folder::Objects(Bucket::of(Arc::new(InMemory::new()), "s3://b", "out"))
}

#[test]
fn a_name_in_an_object_store_means_the_newest() {
    let output = bucket();
    assert_eq!(greatest(&output, "m").unwrap(), 0);
    let [old, new] = [1, 2].map(|number| Version::begin(&output, "m", number).unwrap());
    write(&new, b"new");
    assert_eq!(new.switch().unwrap(), "s3://b/out/m/2");
    assert_eq!(output.read("m/2/f").unwrap(), b"new");
    // A publisher that stood still changes nothing, and one that asks twice no more.
    old.switch().unwrap();
    new.switch().unwrap();
    assert_eq!(greatest(&output, "m").unwrap(), 2);
    let latest: serde_json::Value = serde_json::from_slice(&output.read("m/latest.json").unwrap()).unwrap();
    assert_eq!(latest, serde_json::json!({"version": 2, "path": "2/"}));
    // What is there and means nothing is replaced.
    output.write("m/latest.json", b"half of it").unwrap();
    assert_eq!(greatest(&output, "m").unwrap(), 0);
    new.switch().unwrap();
    assert_eq!(greatest(&output, "m").unwrap(), 2);
}

#[test]
fn publishers_at_once_in_an_object_store_leave_the_newest() {
    let output = bucket();
    std::thread::scope(|scope| {
        for number in 1..=16 {
            let output = &output;
            scope.spawn(move || Version::begin(output, "m", number).unwrap().switch().unwrap());
        }
    });
    assert_eq!(greatest(&output, "m").unwrap(), 16);
}

#[test]
fn a_number_that_another_process_has_claimed_is_not_taken() {
    let output = bucket();
    output.write(".versions/m/3", b"another").unwrap();
    assert_eq!(Version::begin(&output, "m", 3).unwrap().number(), 4);
    assert_eq!(Version::begin(&output, "m", 4).unwrap().number(), 4, "this process has it already");
}

/// Publishes a version whole, with a report that says what it came after.
fn publish(output: &Folder, number: u64) -> Version {
    let version = Version::begin(output, "m", number).unwrap();
    let (before, linkage) = (meant(output, "m").unwrap(), mosaic::link::Linkage::default());
    let report = crate::publish::report::Report {
        version: Some(number),
        predecessor: (before > 0).then_some(before),
        ..crate::publish::report::Report::of_linkage("m", &linkage)
    };
    version.folder().write("report.json", &crate::publish::json(&report)).unwrap();
    version.switch().unwrap();
    version.tell();
    version
}

/// A directory, and a bucket.
fn outputs() -> (tempfile::TempDir, [Folder; 2]) {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::Directory(dir.path().to_owned());
    (dir, [folder, bucket()])
}

#[test]
fn a_name_means_what_was_gone_back_to_until_a_newer_version() {
    let (_dir, outputs) = outputs();
    for output in outputs {
        let made: Vec<Version> = (1..=3).map(|number| publish(&output, number)).collect();
        roll_back(&output, "m", 1).unwrap();
        assert_eq!((meant(&output, "m").unwrap(), greatest(&output, "m").unwrap()), (1, 3), "{output}");
        // Who was about to publish what was gone back from does not undo it.
        made[1].switch().unwrap();
        made[2].switch().unwrap();
        assert_eq!(meant(&output, "m").unwrap(), 1, "{output}");
        publish(&output, 4);
        let versions = versions(&output, "m").unwrap();
        assert_eq!(versions.latest, 4);
        let told: Vec<_> = versions.all.iter().map(|e| (e.version, e.predecessor, e.successors.clone())).collect();
        let expected = [(1, None, vec![2, 4]), (2, Some(1), vec![3]), (3, Some(2), vec![]), (4, Some(1), vec![])];
        assert_eq!(told, expected, "{output}");
        // And forwards again.
        roll_back(&output, "m", 3).unwrap();
        assert_eq!(meant(&output, "m").unwrap(), 3);
    }
}

#[test]
fn the_catalogue_of_versions_says_what_there_is() {
    let (_dir, outputs) = outputs();
    for output in outputs {
        (1..=3).for_each(|number| drop(publish(&output, number)));
        roll_back(&output, "m", 2).unwrap();
        let beside =
            if matches!(output, Folder::Directory(_)) { ".versions/m/versions.json" } else { "m/versions.json" };
        let told = || serde_json::from_slice::<serde_json::Value>(&output.read(beside).unwrap()).unwrap();
        let links = told()["links"].as_array().unwrap().clone();
        let of = |rel: &str| -> Vec<&serde_json::Value> {
            links.iter().filter(|link| link["rel"] == rel).map(|link| &link["href"]).collect()
        };
        assert_eq!(of("latest-version"), ["./2/collection.json"], "{output}");
        assert_eq!(of("child").len(), 3);
        // What is old or spoilt is no one's only source.
        output.write(beside, b"half of it").unwrap();
        assert_eq!(versions(&output, "m").unwrap().all.len(), 3, "{output}");
        write_catalogue(&output, "m").unwrap();
        assert_eq!(told()["clearmosaic:versions"].as_array().unwrap().len(), 3);
    }
}

#[test]
fn what_cannot_be_gone_back_to_is_told_in_a_line() {
    let (dir, outputs) = outputs();
    for output in &outputs {
        let said = |name: &str, number| roll_back(output, name, number).unwrap_err().to_string();
        assert_eq!(said("m", 1), format!("`m`: no mosaic of this name is published in {output}"));
        (1..=3).for_each(|number| drop(publish(output, number)));
        assert_eq!(said("m", 7), "`m`: there is no version 7 (any more): there are 1, 2 and 3");
        assert_eq!(meant(output, "m").unwrap(), 3);
    }
    fs::remove_dir_all(dir.path().join(".versions/m/2")).unwrap();
    let error = roll_back(&outputs[0], "m", 2).unwrap_err().to_string();
    assert_eq!(error, "`m`: there is no version 2 (any more): there are 1 and 3");
}

#[test]
fn a_number_is_never_given_again() {
    let (dir, [output, _]) = outputs();
    (1..=3).for_each(|number| drop(publish(&output, number)));
    roll_back(&output, "m", 1).unwrap();
    fs::remove_dir_all(dir.path().join(".versions/m/3")).unwrap();
    assert_eq!(greatest(&output, "m").unwrap(), 3, "what was published as version 3 was that for ever");
}
