//! How a process gets at stores: credential profiles, and where there is room for files in the making.
//!
//! A profile is a file of the profiles' directory, `key: value` a line, with `object_store`'s names of options:
//! `access_key_id`, `secret_access_key`, `endpoint`, `region`, `allow_http`, `timeout`… Without a profile the
//! environment says the same (`AWS_…`, `GOOGLE_…`, `AZURE_…`), or the machine's own identity does. Nothing of it is
//! ever written, and none of its values is shown.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde_yaml_ng::Value;

use crate::StoreError;

/// How long a store may fail to answer before a call to it is given up, unless told otherwise.
const PATIENCE: Duration = Duration::from_secs(120);
/// The variable that tells otherwise, in seconds.
const PATIENCE_NAME: &str = "CLEARMOSAIC_STORE_PATIENCE";

/// How a process gets at stores.
#[derive(Clone, Debug)]
pub struct Access {
    /// Directory of credential profiles.
    pub profiles: Option<PathBuf>,
    /// Directory for files in the making, where the store is not one itself.
    pub scratch: PathBuf,
}

impl Default for Access {
    fn default() -> Self {
        Self { profiles: None, scratch: std::env::temp_dir() }
    }
}

/// Options of a store. Only their names are ever shown.
#[derive(Clone, Default)]
pub struct Options(pub BTreeMap<String, String>);

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Access {
    /// When a profile was last written, where that can be told: whoever keeps what it opens looks whether it still holds.
    #[must_use]
    pub fn written(&self, profile: &str) -> Option<SystemTime> {
        std::fs::metadata(self.profiles.as_ref()?.join(profile)).ok()?.modified().ok()
    }

    /// The options of a profile.
    ///
    /// # Errors
    /// `Refused` where there is no such profile, or it means nothing.
    pub fn profile(&self, name: &str) -> Result<Options, StoreError> {
        let denied = |why: String| StoreError::Refused { what: format!("profile `{name}`"), why };
        let Some(dir) = &self.profiles else {
            return Err(denied("no directory of profiles is named: give --profiles".to_owned()));
        };
        // A name is a file there, and nothing else: requests name profiles too.
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if name.is_empty() || !name.chars().all(is_name) {
            return Err(denied("use letters, digits, hyphens and underscores".to_owned()));
        }
        let path = dir.join(name);
        let text = std::fs::read_to_string(&path).map_err(|e| denied(format!("{}: {}", path.display(), e.kind())))?;
        // What the parser says of it may show a part of it.
        let bad = || denied(format!("{}: write `key: value` on each line", path.display()));
        let fields: BTreeMap<String, Value> = serde_yaml_ng::from_str(&text).map_err(|_| bad())?;
        let text = |value: Value| match value {
            Value::String(text) => Some(text),
            Value::Bool(flag) => Some(flag.to_string()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let options = fields.into_iter().map(|(key, value)| Some((key.to_ascii_lowercase(), text(value)?)));
        Ok(Options(options.collect::<Option<_>>().ok_or_else(bad)?))
    }
}

/// How long a store may fail to answer before a call is given up.
///
/// # Errors
/// `Refused` where the environment says something that is no number.
pub fn patience() -> Result<Duration, StoreError> {
    let Ok(text) = std::env::var(PATIENCE_NAME) else { return Ok(PATIENCE) };
    let bad = || StoreError::Refused { what: PATIENCE_NAME.to_owned(), why: format!("`{text}`: write seconds") };
    text.parse().map(Duration::from_secs).map_err(|_| bad())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_a_file_of_options_that_are_not_shown() {
        let dir = tempfile::tempdir().unwrap();
        let access = Access { profiles: Some(dir.path().to_owned()), ..Access::default() };
        std::fs::write(dir.path().join("minio"), "Access_Key_Id: me\nsecret_access_key: s3cret\nallow_http: true\n")
            .unwrap();
        let options = access.profile("minio").unwrap();
        assert_eq!(options.0["access_key_id"], "me");
        assert_eq!(options.0["allow_http"], "true");
        assert!(!format!("{options:?}").contains("s3cret"));
        std::fs::write(dir.path().join("bad"), "secret_access_key: [s3cret").unwrap();
        for name in ["bad", "none", "../minio", ""] {
            let told = access.profile(name).unwrap_err().to_string();
            assert!(told.contains(&format!("profile `{name}`")) && !told.contains("s3cret"), "{told}");
            assert_eq!(told.lines().count(), 1, "{told}");
        }
        assert!(Access::default().profile("minio").unwrap_err().to_string().contains("--profiles"));
    }
}
