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
