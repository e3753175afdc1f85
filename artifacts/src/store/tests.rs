//! Both places that a store can be at keep their promises.

use std::fs;
use std::io::BufWriter;
use std::sync::Arc;

use object_store::memory::InMemory;

use super::*;
use crate::container::Writer;
use crate::contents::{FileEntry, LIST};
use crate::folder::{Piece, PlaceError};

#[test]
fn an_artifact_appears_whole_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let store = ArtifactStore::directory(dir.path()).unwrap();
    let key = Key::of("test", &1);
    let failed: Result<u64, StoreError> = store.write(Kind::Partial, &key, (), |writer| {
        writer.frame(&[1, 2, 3]).map_err(|e| StoreError::io(dir.path(), e))?;
        Err(StoreError::Missing("an input".into()))
    });
    assert!(failed.is_err());
    assert!(!store.has(Kind::Partial, &key).unwrap());
    assert_eq!(fs::read_dir(dir.path().join("tmp")).unwrap().count(), 0);
    let written: Result<u64, StoreError> =
        store.write(Kind::Partial, &key, (), |w| w.frame(&[1]).map_err(|e| StoreError::io(dir.path(), e)));
    assert_eq!(written.unwrap(), fs::metadata(store.called(Kind::Partial, &key)).unwrap().len());
    assert_eq!(store.read(Kind::Partial, &key).unwrap().frame(0).unwrap(), [1]);
    store.discard(Kind::Partial, &key).unwrap();
    assert!(matches!(store.read(Kind::Partial, &key), Err(StoreError::Missing(_))));
    store.discard(Kind::Partial, &key).unwrap();
}

#[test]
fn a_directory_artifact_made_twice_is_kept_once_and_a_changed_file_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let store = ArtifactStore::directory(dir.path()).unwrap();
    let key = Key::of("test", &2);
    for _ in 0..2 {
        let scratch = store.scratch().unwrap();
        fs::write(scratch.path().join("B04.tif"), b"pixels").unwrap();
        store.keep(Kind::Mosaic, &key, scratch, &["B04.tif".into()], 7u8).unwrap();
    }
    let at = store.called(Kind::Mosaic, &key);
    let contents = Contents::<u8>::read(&at, key.as_str()).unwrap();
    contents.verify(&at).unwrap();
    fs::write(at.join("B04.tif"), b"pixelz").unwrap();
    assert!(matches!(contents.verify(&at), Err(StoreError::Corrupt { .. })));
    assert_eq!(fs::read_dir(dir.path().join("tmp")).unwrap().count(), 0);
}

fn objects(dir: &Path) -> (ArtifactStore, Bucket) {
    let bucket = Bucket::of(Arc::new(InMemory::new()), "s3://b", "p");
    let room = Room::within(dir).unwrap();
    (ArtifactStore(Place::Objects(Objects { bucket: bucket.clone(), room, location: "s3://b/p".into() })), bucket)
}

/// Frames that are brought at once with the end, and that are not.
fn frames(length: usize) -> Vec<Vec<u8>> {
    (0..3u8).map(|frame| (0..length).map(|i| (i % 251) as u8 ^ frame).collect()).collect()
}

fn write(store: &ArtifactStore, key: &Key, frames: &[Vec<u8>]) -> u64 {
    let fill = |writer: &mut Writer<BufWriter<&File>>| {
        frames.iter().try_for_each(|frame| writer.frame(frame).map_err(|e| StoreError::io(Path::new("test"), e)))
    };
    store.write(Kind::Partial, key, 7u8, fill).unwrap()
}

#[test]
fn a_container_that_is_an_object_is_read_as_it_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let (store, bucket) = objects(dir.path());
    // All at once; the end first and then the rest; more than one piece.
    for (number, length) in [10, 100_000, 5_000_000].into_iter().enumerate() {
        let (key, frames) = (Key::of("test", &number), frames(length));
        let name = Kind::Partial.at(&key);
        assert!(!store.has(Kind::Partial, &key).unwrap());
        let size = write(&store, &key, &frames);
        assert_eq!(bucket.head(&name).unwrap().0, size);
        assert_eq!(store.which(&[(Kind::Partial, key.clone()), (Kind::Core, key.clone())]), [true, false]);
        let read = || store.read(Kind::Partial, &key);
        let reader = read().unwrap();
        assert_eq!(reader.meta::<u8>("partial", key.as_str()).unwrap(), 7);
        for index in [2, 0, 1] {
            assert_eq!(reader.frame(index).unwrap(), frames[index]);
        }
        // A flipped byte is found when its frame is read; one that is cut short, or empty, when it is opened.
        let whole = bucket.read(&name).unwrap().bytes;
        let mut flipped = whole.clone();
        flipped[whole.len() / 2] ^= 1;
        bucket.write(&name, flipped).unwrap();
        let spoilt = (0..3).map(|index| read().unwrap().frame(index)).filter(Result::is_err).count();
        assert_eq!(spoilt, 1);
        for length in [0, 20, whole.len() / 2, whole.len() - 1] {
            bucket.write(&name, whole[..length].to_vec()).unwrap();
            assert!(matches!(read(), Err(StoreError::Corrupt { .. })), "{length} of {}", whole.len());
            // Whoever makes it again puts it in the place of what is there.
            write(&store, &key, &frames);
            assert_eq!(read().unwrap().frame(1).unwrap(), frames[1], "{length} of {}", whole.len());
        }
        store.discard(Kind::Partial, &key).unwrap();
        assert!(matches!(read(), Err(StoreError::Missing(_))));
    }
}

/// What is put together of parts is put without a condition: whoever does so late puts the same.
#[test]
fn a_large_container_is_put_once_and_one_that_is_put_again_meanwhile_is_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let (store, bucket) = objects(dir.path());
    let (key, frames) = (Key::of("test", &5), frames(5_000_000));
    let name = Kind::Partial.at(&key);
    let put = || {
        write(&store, &key, &frames);
        bucket.head(&name).unwrap().1
    };
    let first = put();
    let bytes = bucket.read(&name).unwrap().bytes;
    assert_eq!(put(), first, "what is there is not sent again");
    // Of one that was opened only the end has been read yet.
    let reader = store.read(Kind::Partial, &key).unwrap();
    bucket.remove(&name).unwrap();
    assert_ne!(put(), first);
    assert!(bucket.read(&name).unwrap().bytes == bytes, "made again it has other bytes");
    assert_eq!(reader.frame(1).unwrap(), frames[1]);
}

#[test]
fn several_files_are_there_when_their_list_is() {
    let dir = tempfile::tempdir().unwrap();
    let (store, bucket) = objects(dir.path());
    let key = Key::of("test", &2);
    let make = || {
        let scratch = store.scratch().unwrap();
        fs::write(scratch.path().join("B04.tif"), b"pixels").unwrap();
        store.keep(Kind::Mosaic, &key, scratch, &["B04.tif".into()], 7u8).unwrap()
    };
    assert!(matches!(store.verify(Kind::Mosaic, &key), Err(StoreError::Missing(_))));
    let kept = make();
    assert_eq!(make().files, kept.files);
    assert_eq!(store.contents::<u8>(Kind::Mosaic, &key).unwrap().files, kept.files);
    store.verify(Kind::Mosaic, &key).unwrap();
    let file = format!("{}/B04.tif", Kind::Mosaic.at(&key));
    // The same bytes under another tag are read; others of the same size are not the same.
    bucket.write(&file, b"pixels".to_vec()).unwrap();
    store.verify(Kind::Mosaic, &key).unwrap();
    bucket.write(&file, b"pixelz".to_vec()).unwrap();
    assert!(matches!(store.verify(Kind::Mosaic, &key), Err(StoreError::Corrupt { .. })));
    bucket.remove(&file).unwrap();
    assert!(matches!(store.verify(Kind::Mosaic, &key), Err(StoreError::Corrupt { .. })));
    make();
    for (enough, found) in [(None, b"pixels"), (Some(9), b"pixels")] {
        let local = store.files_at_hand(Kind::Mosaic, &key, &["B04.tif".into()], |_| enough).unwrap();
        assert_eq!(fs::read(local.path().join("B04.tif")).unwrap(), found);
    }
    store.discard(Kind::Mosaic, &key).unwrap();
    assert!(!store.has(Kind::Mosaic, &key).unwrap());
}

#[test]
fn of_a_large_file_only_the_start_is_brought() {
    let dir = tempfile::tempdir().unwrap();
    let (store, bucket) = objects(dir.path());
    let key = Key::of("test", &3);
    bucket.write(&format!("{}/f", Kind::Mosaic.at(&key)), vec![7; 200_000]).unwrap();
    let enough = |start: &[u8]| (start == vec![7; 64 << 10]).then_some(100_000);
    let local = store.files_at_hand(Kind::Mosaic, &key, &["f".into()], enough).unwrap();
    let found = fs::read(local.path().join("f")).unwrap();
    assert_eq!((found.len(), found.iter().filter(|byte| **byte == 7).count()), (200_000, 100_000));
}

/// Folders of each kind, some in the same store.
fn folders(dir: &Path) -> [Folder; 5] {
    let bucket = |origin| Bucket::of(Arc::new(InMemory::new()), origin, "p");
    let one = Folder::Objects(bucket("s3://b"));
    let other = Folder::Objects(bucket("s3://other"));
    [Folder::Directory(dir.join("a")), Folder::Directory(dir.join("b")), one.below("x"), one, other]
}

fn piece(name: &str, from: &Folder, file: &str, bytes: &[u8]) -> Piece {
    let blake3 = blake3::hash(bytes).to_hex().to_string();
    let listed = FileEntry { name: file.to_owned(), size: bytes.len() as u64, blake3 };
    Piece { name: name.to_owned(), from: from.clone(), listed, tag: None }
}

#[test]
fn files_come_from_anywhere_to_anywhere() {
    let dir = tempfile::tempdir().unwrap();
    let folders = folders(dir.path());
    for from in &folders {
        from.write("d/f", b"bytes").unwrap();
        for (number, to) in folders.iter().enumerate() {
            let name = format!("to/{number}/f");
            to.place(&piece(&name, from, "d/f", b"bytes")).unwrap();
            assert_eq!(to.read(&name).unwrap(), b"bytes", "{from} to {to}");
            if let Folder::Directory(dir) = to {
                fs::remove_file(dir.join(name)).unwrap();
            }
            let error = to.place(&piece("g", from, "none", b"")).unwrap_err();
            assert!(matches!(error, PlaceError::From(StoreError::Missing(_))), "{from} to {to}: {error}");
        }
    }
}

#[test]
fn what_is_not_as_it_was_listed_is_not_put_anywhere() {
    let dir = tempfile::tempdir().unwrap();
    let folders = folders(dir.path());
    for (source, from) in folders.iter().enumerate() {
        from.write("f", b"bytes").unwrap();
        for (target, to) in folders.iter().enumerate() {
            for (n, other) in [&b"bytez"[..], b"byte", b"bytes and more"].into_iter().enumerate() {
                let placed = to.place(&piece(&format!("{source}/{target}/{n}"), from, "f", other));
                assert!(matches!(placed, Err(PlaceError::From(StoreError::Corrupt { .. }))), "{from} to {to}");
            }
        }
    }
}

#[test]
fn a_list_in_which_a_bit_has_flipped_is_none() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("f"), b"bytes").unwrap();
    let made = Contents::write(dir.path(), "key", &["f".into()], vec![1, 2]).unwrap();
    let text = fs::read(dir.path().join(LIST)).unwrap();
    let parse = |text: &[u8]| Contents::<Vec<u32>>::parse(text, Path::new(LIST), "key");
    assert_eq!(parse(&text).unwrap(), made);
    for at in 0..text.len() {
        let mut spoilt = text.clone();
        spoilt[at] ^= 1 << (at % 8);
        assert!(matches!(parse(&spoilt), Err(StoreError::Corrupt { .. })), "byte {at}");
    }
}

#[test]
fn what_is_spoilt_gives_way_to_what_is_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = ArtifactStore::directory(dir.path()).unwrap();
    let key = Key::of("test", &4);
    let keep = || {
        let scratch = store.scratch().unwrap();
        fs::write(scratch.path().join("f"), b"bytes").unwrap();
        store.keep(Kind::Mosaic, &key, scratch, &["f".into()], ()).unwrap();
    };
    keep();
    fs::write(store.called(Kind::Mosaic, &key).join("f"), b"bytez").unwrap();
    assert!(store.verify(Kind::Mosaic, &key).is_err());
    keep();
    store.verify(Kind::Mosaic, &key).unwrap();
}

#[test]
fn a_document_is_read_as_what_it_was_kept_and_what_was_changed_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let store = ArtifactStore::directory(dir.path()).unwrap();
    let document = vec!["a".to_owned(), "é\n".to_owned()];
    let key = store.keep_document("test", &document).unwrap();
    assert_eq!(store.document::<Vec<String>>("test", &key).unwrap(), document);
    assert!(store.document::<Vec<String>>("other", &key).is_err(), "it was kept as something else");
    fs::write(store.called(Kind::Plan, &key), r#"["b"]"#).unwrap();
    assert!(matches!(store.document::<Vec<String>>("test", &key), Err(StoreError::Corrupt { .. })));
}
