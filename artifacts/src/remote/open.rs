//! From a URL to a bucket, with the options of a profile or of the environment.

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::path::Path;
use object_store::{BackoffConfig, ObjectStore, RetryConfig};

use super::Bucket;
use super::said::said;
use super::source::{Through, of_gdal};
use crate::StoreError;
use crate::access::{Access, Options, patience};

/// How long an answer to the first question is waited for: whoever asks is a person, more often than not.
const FIRST: Duration = Duration::from_secs(10);

/// A URL in its parts.
struct Parts<'a> {
    scheme: &'a str,
    host: &'a str,
    prefix: Path,
    profile: Option<&'a str>,
}

/// How a store is to be opened.
pub(super) struct Settings<'a> {
    /// A profile's name and options; none where the environment says.
    pub(super) options: Option<(&'a str, &'a Options)>,
    pub(super) retry: RetryConfig,
    /// Who asks, where that is not `object_store` itself: sources alone are asked so.
    pub(super) through: Option<Through>,
}

impl<'a> Parts<'a> {
    fn of(url: &'a str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (host, prefix) = place.split_once('/').unwrap_or((place, ""));
        let profile = match query {
            "" => None,
            query => Some(query.strip_prefix("profile=")?),
        };
        let prefix = Path::from_url_path(prefix.trim_matches('/')).ok()?;
        (!host.is_empty()).then_some(Self { scheme, host, prefix, profile })
    }
}

/// Sets what a profile says, and the retries; every option must be one that the store knows.
macro_rules! built {
    ($builder:ident, $url:expr, $settings:expr) => {{
        let Settings { options, retry, through } = $settings;
        let builder = match options {
            None => {
                let mut builder = $builder::from_env();
                for (option, value) in through.iter().flat_map(|_| of_gdal()) {
                    builder = match option.parse() {
                        Ok(key) => builder.with_config(key, value),
                        Err(_) => builder,
                    };
                }
                builder
            }
            Some((name, options)) => {
                let mut builder = $builder::new();
                for (key, value) in &options.0 {
                    let unknown = |_| StoreError::Refused {
                        what: format!("profile `{name}`"),
                        why: format!("`{key}` is no option of such a store"),
                    };
                    builder = builder.with_config(key.parse().map_err(unknown)?, value);
                }
                builder
            }
        };
        let builder = match through {
            Some(through) => builder.with_http_connector(through.clone()),
            None => builder,
        };
        let built = builder.with_url($url).with_retry(retry.clone()).build();
        Arc::new(built.map_err(|error| said($url.to_owned(), &error))?) as Arc<dyn ObjectStore>
    }};
}

pub(super) fn store(url: &str, scheme: &str, settings: &Settings<'_>) -> Result<Arc<dyn ObjectStore>, StoreError> {
    Ok(match scheme {
        "s3" | "s3a" => built!(AmazonS3Builder, url, settings),
        "gs" => built!(GoogleCloudStorageBuilder, url, settings),
        "az" | "abfs" | "abfss" => built!(MicrosoftAzureBuilder, url, settings),
        _ => {
            let why = "no such store is known: write s3://, gs:// or az://, or a directory".to_owned();
            return Err(StoreError::Refused { what: url.to_owned(), why });
        }
    })
}

impl Bucket {
    /// Opens a store by its URL, `s3://bucket/prefix`, with `?profile=name` or the profile of that name behind it.
    ///
    /// # Errors
    /// `Refused` where the URL or the options are no good, the bucket is not there, or the credentials do not serve;
    /// `Away` where the store does not answer.
    pub fn open(url: &str, profile: Option<&str>, access: &Access) -> Result<Self, StoreError> {
        let bad = || StoreError::Refused { what: bare(url), why: "write it as s3://bucket/prefix".to_owned() };
        let parts = Parts::of(url).ok_or_else(bad)?;
        let name = parts.profile.or(profile);
        let options = name.map(|name| access.profile(name)).transpose()?;
        let options = name.zip(options.as_ref());
        let open = |max_retries, retry_timeout| -> Result<Self, StoreError> {
            let backoff = BackoffConfig { max_backoff: Duration::from_secs(5), ..BackoffConfig::default() };
            let retry = RetryConfig { backoff, max_retries, retry_timeout };
            let origin = format!("{}://{}", parts.scheme, parts.host);
            let store = store(&origin, parts.scheme, &Settings { options, retry, through: None })?;
            let identity = format!("{origin}?{}", name.unwrap_or_default());
            let (prefix, scratch) = (parts.prefix.clone(), access.scratch.as_path().into());
            Ok(Self { store, identity, origin, prefix, scratch })
        };
        open(3, FIRST)?.probe()?;
        // As often as it takes: what is bounded is the time.
        open(usize::MAX, patience()?)
    }
}

/// A URL without its query, which may hold what is not to be seen.
pub(super) fn bare(url: &str) -> String {
    url.split('?').next().unwrap_or(url).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_and_what_is_none() {
        let parts = Parts::of("s3://bucket/a/b/?profile=minio").unwrap();
        assert_eq!((parts.scheme, parts.host, parts.prefix.as_ref()), ("s3", "bucket", "a/b"));
        assert_eq!(parts.profile, Some("minio"));
        assert_eq!(Parts::of("gs://bucket").unwrap().prefix, Path::default());
        let access = Access::default();
        for (url, words) in [
            ("s3:///key", "write it as"),
            ("s3://bucket/k?secret_access_key=s3cret", "write it as"),
            ("ftp://bucket/k", "s3://, gs:// or az://"),
            ("s3://bucket/k?profile=none", "--profiles"),
        ] {
            let told = Bucket::open(url, None, &access).unwrap_err().to_string();
            assert!(told.contains(words) && !told.contains("s3cret"), "{told}");
            assert_eq!(told.lines().count(), 1, "{told}");
        }
    }
}
