//! What a mosaic's name means, and what has been decided of it last.

use serde::{Deserialize, Serialize};

/// What a mosaic's name means: `latest.json` in an object store; in a directory, where the name is a link, what a rollback
/// has decided.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latest {
    /// The version's number; 0 where there is none.
    pub version: u64,
    /// Where the version is, relative to where this stands.
    path: String,
    /// The newest version when it was gone back to an older one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    newest: Option<u64>,
}

impl Latest {
    /// A version that was published.
    pub fn of(version: u64) -> Self {
        Self { version, path: format!("{version}/"), newest: None }
    }

    /// A version that was gone back to, when `newest` was the newest one.
    pub fn back_to(version: u64, newest: u64) -> Self {
        Self { newest: (newest > version).then_some(newest), ..Self::of(version) }
    }

    /// What a text means; nothing where it means nothing.
    pub fn parse(text: &[u8]) -> Self {
        serde_json::from_slice(text).unwrap_or_default()
    }

    /// Publishers of versions up to this one come too late.
    pub fn newest(&self) -> u64 {
        self.newest.unwrap_or_default().max(self.version)
    }

    /// As it is written.
    pub fn text(&self) -> Vec<u8> {
        crate::publish::json(self)
    }
}
