//! Where Earth Engine is, and how long it is waited for.

use std::time::Duration;

use artifacts::access::Options;
use reqwest::Url;

use crate::Error;

/// Requests that Earth Engine answers at once for one credential.
pub const AT_ONCE: usize = 40;

/// The API.
const BASE: &str = "https://earthengine.googleapis.com/v1/";
/// The variable that names another: GDAL has it too.
const BASE_NAME: &str = "EEDA_URL";
/// How long an answer may stand still, unless this says otherwise, in seconds.
const SILENCE: Duration = Duration::from_secs(60);
const SILENCE_NAME: &str = "CLEARMOSAIC_ARCHIVE_TIMEOUT";

/// How long one question is asked, unless this says otherwise, in seconds.
const PATIENCE: Duration = Duration::from_secs(120);
const PATIENCE_NAME: &str = "CLEARMOSAIC_ARCHIVE_PATIENCE";

/// Where Earth Engine is, and how long it is waited for.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What names of assets are put behind; ends in a slash.
    pub base: Url,
    /// How long an answer may stand still.
    pub silence: Duration,
    /// How long one question is asked again and again.
    pub patience: Duration,
}

impl Settings {
    /// As a profile and the environment say: the profile's `url`, else `EEDA_URL`, else Google's.
    ///
    /// # Errors
    /// `Setting` where one of them is none.
    pub fn of(profile: Option<&Options>) -> Result<Self, Error> {
        let named = profile.and_then(|options| options.0.get("url").cloned());
        let base = named.or_else(|| environment(BASE_NAME)).unwrap_or_else(|| BASE.to_owned());
        let silence = match environment(SILENCE_NAME) {
            Some(text) => seconds(&text)?,
            None => SILENCE,
        };
        let patience = match environment(PATIENCE_NAME) {
            Some(text) => seconds(&text)?,
            None => PATIENCE,
        };
        Ok(Self { base: url(&base)?, silence, patience })
    }
}

fn seconds(text: &str) -> Result<Duration, Error> {
    let seconds = text.parse::<f64>().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let seconds = seconds.filter(|seconds| !seconds.is_zero());
    seconds.ok_or_else(|| Error::Setting(format!("CLEARMOSAIC_ARCHIVE_TIMEOUT or _PATIENCE: `{text}`: write seconds")))
}

fn url(text: &str) -> Result<Url, Error> {
    let whole = format!("{}/", text.trim_end_matches('/'));
    let url = Url::parse(&whole).ok().filter(|url| matches!(url.scheme(), "https" | "http") && url.has_host());
    let bare = url.filter(|url| url.username().is_empty() && url.password().is_none() && url.query().is_none());
    bare.ok_or_else(|| Error::Setting(format!("{BASE_NAME}: it is no URL: write it as {BASE}")))
}

/// Requests that may be under way at once with one credential: `CLEARMOSAIC_EARTH_ENGINE_REQUESTS`, else as many as it is
/// answered. A coordinator shares them out among its workers; to any one of them it gives no more than its own setting.
#[must_use]
pub fn at_once() -> usize {
    let told = environment("CLEARMOSAIC_EARTH_ENGINE_REQUESTS").and_then(|text| text.trim().parse().ok());
    told.filter(|told| (1..=AT_ONCE).contains(told)).unwrap_or(AT_ONCE)
}

/// A variable that says something.
pub(crate) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_ends_in_a_slash_and_bears_no_secret() {
        assert_eq!(url("http://127.0.0.1:80/v1alpha").unwrap().as_str(), "http://127.0.0.1/v1alpha/");
        assert_eq!(url(BASE).unwrap().as_str(), BASE);
        for bad in ["earthengine", "ftp://h/", "https://user:hunter2@h/", "https://h/?key=hunter2"] {
            let said = url(bad).unwrap_err().to_string();
            assert!(said.contains("EEDA_URL") && !said.contains("hunter2"), "{said}");
        }
    }
}
