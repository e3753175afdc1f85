//! Artifacts that are directories: rasters that GDAL writes, with `contents.json` that says what they are.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::StoreError;

/// Name of the list in every artifact that is a directory.
pub const LIST: &str = "contents.json";
/// What is wrong with bytes that are not those that were written.
pub(crate) const FAILS: &str = "it fails its checksum";

/// One file of the directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Its name in the directory.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// BLAKE3, hexadecimal.
    pub blake3: String,
}

/// `contents.json`: the files, and what they mean.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Contents<M> {
    /// BLAKE3 of the list's own text without it: filled in where it is written, and empty everywhere else.
    checksum: String,
    /// The artifact's key.
    pub key: String,
    /// The program that made it.
    pub producer: String,
    /// Every file but this list.
    pub files: Vec<FileEntry>,
    /// An object store's tags of the files, by name: those that still bear them need not be read to be known whole.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// What they mean.
    pub meta: M,
}

impl FileEntry {
    /// Digests bytes.
    #[must_use]
    pub fn of_bytes(name: &str, bytes: &[u8]) -> Self {
        let blake3 = blake3::hash(bytes).to_hex().to_string();
        Self { name: name.to_owned(), size: bytes.len() as u64, blake3 }
    }

    /// Digests a file.
    ///
    /// # Errors
    /// What the system says.
    pub fn of(dir: &Path, name: &str) -> Result<Self, StoreError> {
        let path = dir.join(name);
        let file = File::open(&path).map_err(|e| StoreError::io(&path, e))?;
        let mut hasher = blake3::Hasher::new();
        // In pieces that are large enough for the hash to be taken in many lanes at once.
        hasher.update_reader(file).map_err(|e| StoreError::io(&path, e))?;
        Ok(Self { name: name.to_owned(), size: hasher.count(), blake3: hasher.finalize().to_hex().to_string() })
    }

    /// Whether these are the bytes that were listed.
    #[must_use]
    pub fn is_of(&self, digest: &blake3::Hasher) -> bool {
        digest.count() == self.size && digest.finalize().to_hex().as_str() == self.blake3
    }
}

/// Digests what it is handed.
pub(crate) fn into(digest: &mut blake3::Hasher) -> impl FnMut(&[u8]) {
    |bytes| {
        digest.update(bytes);
    }
}

/// What stands before the checksum in a list, and behind it.
const SEAL: [&str; 2] = ["\"checksum\": \"", "\""];

/// A text with the checksum of itself in the place that is empty.
fn sealed(text: &str) -> String {
    let [before, behind] = SEAL;
    let checksum = blake3::hash(text.as_bytes()).to_hex();
    text.replacen(&format!("{before}{behind}"), &format!("{before}{checksum}{behind}"), 1)
}

/// Whether a text is as it was sealed.
fn is_sealed(text: &str) -> bool {
    let [before, behind] = SEAL;
    let Some((head, rest)) = text.split_once(before) else { return false };
    rest.split_once(behind).is_some_and(|(_, tail)| sealed(&[head, before, behind, tail].concat()) == text)
}

impl<M: Serialize + DeserializeOwned> Contents<M> {
    /// Lists `names` in `dir`.
    ///
    /// # Errors
    /// What the system says.
    pub fn of(dir: &Path, key: &str, names: &[String], meta: M) -> Result<Self, StoreError> {
        let files = names.iter().map(|name| FileEntry::of(dir, name)).collect::<Result<_, _>>()?;
        Ok(Self::listing(key, files, meta))
    }

    /// The list of files that are digested already.
    #[must_use]
    pub fn listing(key: &str, files: Vec<FileEntry>, meta: M) -> Self {
        let producer = concat!("clearmosaic ", env!("CARGO_PKG_VERSION")).to_owned();
        Self { checksum: String::new(), key: key.to_owned(), producer, files, tags: BTreeMap::new(), meta }
    }

    /// The list as it is written; `path` is what it is called in an error.
    ///
    /// # Errors
    /// Where what the files mean has no form in JSON.
    pub fn text(&self, path: &Path) -> Result<Vec<u8>, StoreError> {
        let text = serde_json::to_string_pretty(self).map_err(|e| StoreError::corrupt(path, e.to_string()))?;
        Ok(sealed(&text).into_bytes())
    }

    /// Lists `names` in `dir` and writes the list there.
    ///
    /// # Errors
    /// What the system says.
    pub fn write(dir: &Path, key: &str, names: &[String], meta: M) -> Result<Self, StoreError> {
        let contents = Self::of(dir, key, names, meta)?;
        let path = dir.join(LIST);
        std::fs::write(&path, contents.text(&path)?).map_err(|e| StoreError::io(&path, e))?;
        Ok(contents)
    }

    /// Reads the list of `dir`, which must be `key`'s.
    ///
    /// # Errors
    /// `Missing`; `Corrupt` where it is not a list, or another key's.
    pub fn read(dir: &Path, key: &str) -> Result<Self, StoreError> {
        let path = dir.join(LIST);
        let text = std::fs::read(&path).map_err(|e| StoreError::io(&path, e))?;
        Self::parse(&text, &path, key)
    }

    /// Reads a list's text, which must be `key`'s; `path` is what it is called in an error.
    ///
    /// # Errors
    /// `Corrupt` where it is not a list, not as it was written, or another key's.
    pub fn parse(text: &[u8], path: &Path, key: &str) -> Result<Self, StoreError> {
        if !std::str::from_utf8(text).is_ok_and(is_sealed) {
            return Err(StoreError::corrupt(path, FAILS));
        }
        let mut contents: Self = serde_json::from_slice(text).map_err(|e| StoreError::corrupt(path, e.to_string()))?;
        contents.checksum.clear();
        if contents.key != key {
            return Err(StoreError::corrupt(path, format!("it is {}'s", contents.key)));
        }
        Ok(contents)
    }

    /// Verifies that every listed file is there as it was written.
    ///
    /// # Errors
    /// `Corrupt`, naming the first file that is not.
    pub fn verify(&self, dir: &Path) -> Result<(), StoreError> {
        for listed in &self.files {
            let found = FileEntry::of(dir, &listed.name)
                .map_err(|e| StoreError::corrupt(&dir.join(&listed.name), e.to_string()))?;
            if found != *listed {
                return Err(StoreError::corrupt(&dir.join(&listed.name), FAILS));
            }
        }
        Ok(())
    }
}
