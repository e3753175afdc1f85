//! Documents that are kept under the digest of their own bytes: requests, snapshots, plans.

use artifacts::{ArtifactStore, Kind, StoreError};
use mosaic::ids::Key;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Keeps a document; its key.
///
/// # Errors
/// What the system or the store says.
pub fn keep<T: Serialize>(store: &ArtifactStore, what: &str, document: &T) -> Result<Key, StoreError> {
    let key = Key::of(what, document);
    store.write_document(Kind::Plan, &key, document)?;
    Ok(key)
}

/// Reads a document that was kept.
///
/// # Errors
/// Where it is not there, or not as it was kept.
pub fn read<T: DeserializeOwned>(store: &ArtifactStore, what: &str, key: &Key) -> Result<T, StoreError> {
    let bytes = store.read_bytes(Kind::Plan, key)?;
    let corrupt = |why: String| StoreError::Corrupt { what: store.called(Kind::Plan, key).display().to_string(), why };
    // Its bytes are what the key was made of: it need not be written out again to be checked.
    if Key::of_bytes(what, &bytes) != *key {
        return Err(corrupt("it is not what its key says".to_owned()));
    }
    serde_json::from_slice(&bytes).map_err(|e| corrupt(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use artifacts::Access;

    #[test]
    fn what_is_kept_is_read_again_and_what_was_changed_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let access = Access { profiles: None, scratch: dir.path().into() };
        let store = ArtifactStore::open(&dir.path().to_string_lossy(), &access).unwrap();
        let document = vec!["a".to_owned(), "é\n".to_owned()];
        let key = keep(&store, "test", &document).unwrap();
        assert_eq!(read::<Vec<String>>(&store, "test", &key).unwrap(), document);
        assert!(read::<Vec<String>>(&store, "other", &key).is_err(), "it was kept as something else");
        std::fs::write(store.called(Kind::Plan, &key), r#"["b"]"#).unwrap();
        assert!(matches!(read::<Vec<String>>(&store, "test", &key), Err(StoreError::Corrupt { .. })));
    }
}
