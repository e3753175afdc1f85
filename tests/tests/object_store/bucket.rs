//! What everything else takes for granted of a bucket, on each kind of store: who comes second loses, who replaces must know
//! what, a large file comes back as it was.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;

use artifacts::remote::{Bucket, PIECE};
use artifacts::{Access, StoreError};
use tests::{BUCKET, Emulator};

use crate::server;

/// How many try the same thing at once.
const RIVALS: usize = 8;

fn open(url: &str, profile: &str) -> Bucket {
    // Whoever came first has installed it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let profiles = tempfile::tempdir().unwrap();
    fs::write(profiles.path().join("tests"), profile).unwrap();
    let access = Access { profiles: Some(profiles.path().to_owned()), ..Access::default() };
    Bucket::open(url, Some("tests"), &access).unwrap()
}

/// How many of several rivals succeed.
fn winners(attempt: impl Fn(usize) -> bool + Sync) -> usize {
    std::thread::scope(|scope| {
        let attempt = &attempt;
        let rivals: Vec<_> = (0..RIVALS).map(|rival| scope.spawn(move || attempt(rival))).collect();
        rivals.into_iter().map(|rival| rival.join().unwrap()).filter(|won| *won).count()
    })
}

fn one_wins(bucket: &Bucket) {
    let say = |rival: usize| rival.to_string().into_bytes();
    assert_eq!(winners(|rival| bucket.create("one", say(rival)).unwrap()), 1, "of those who put it first");
    let found = bucket.read("one").unwrap();
    assert_eq!(
        winners(|rival| bucket.replace("one", &found, say(RIVALS + rival)).unwrap()),
        1,
        "of those who replace it"
    );
    let text = String::from_utf8(bucket.read("one").unwrap().bytes).unwrap();
    assert!(text.parse::<usize>().unwrap() >= RIVALS, "{text}");
    assert!(!bucket.replace("one", &found, b"late".to_vec()).unwrap());
    assert!(!bucket.create("one", b"late".to_vec()).unwrap());
}

/// Several pieces, so that it is put together of parts.
fn a_large_file_comes_back(bucket: &Bucket) {
    let size = 2 * PIECE + 17;
    let bytes: Vec<u8> = (0..size).map(|at| (at * at % 251) as u8).collect();
    let file = tempfile::tempfile().unwrap();
    file.write_all_at(&bytes, 0).unwrap();
    let tag = bucket.upload("large/file", &file, Path::new("here")).unwrap();
    assert_eq!(bucket.head("large/file").unwrap(), (size, tag));
    assert_eq!(bucket.read_end("large/file", 20).unwrap().bytes, bytes[bytes.len() - 20..]);
    assert_eq!(bucket.read_range("large/file", PIECE - 1..PIECE + 1).unwrap(), bytes[PIECE as usize - 1..][..2]);
    assert!(bucket.copy_within("large/copy", &bucket.below(""), "large/file").unwrap());
    let mut back = Vec::new();
    bucket.scan("large/copy", size, |piece| back.extend_from_slice(piece)).unwrap();
    assert!(back == bytes, "the copy is not what was put");
}

fn what_is_taken_for_granted(bucket: &Bucket) {
    one_wins(bucket);
    a_large_file_comes_back(bucket);
    bucket.write("empty", vec![]).unwrap();
    assert_eq!(bucket.read_end("empty", 64).unwrap().size, 0);
    let names = ["one", "none", "large/file", "empty"].map(str::to_owned);
    assert_eq!(bucket.which(&names), [true, false, true, true]);
    bucket.remove("one").unwrap();
    bucket.remove("one").unwrap();
    assert!(matches!(bucket.read("one"), Err(StoreError::Missing(_))));
    assert!(matches!(bucket.read_range("empty", 0..4), Err(StoreError::Corrupt { .. } | StoreError::Away { .. })));
}

#[test]
fn a_bucket_of_s3() {
    let Some(s3) = server() else { return };
    what_is_taken_for_granted(&open(&format!("s3://{BUCKET}/granted"), &s3.profile()));
}

#[test]
fn a_bucket_of_azure() {
    let Some(azure) = Emulator::azure() else { return };
    what_is_taken_for_granted(&open(&azure.url("granted"), azure.profile()));
}

#[test]
fn a_bucket_of_google_cloud() {
    let google = Emulator::google();
    what_is_taken_for_granted(&open(&google.url("granted"), google.profile()));
}
