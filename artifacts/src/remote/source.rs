//! Object stores that scenes and scores are read from: with the options of a profile, or those that the environment has,
//! in GDAL's names too. Who asks over HTTP is the caller's, so that all sources are asked in one way.

use std::sync::Arc;

use object_store::client::{HttpClient, HttpConnector};
use object_store::path::Path;
use object_store::{ClientOptions, ObjectStore, RetryConfig};

use super::open::{Settings, bare, store};
use crate::StoreError;
use crate::access::Access;

/// Who asks over HTTP.
#[derive(Clone, Debug)]
pub(super) struct Through(Arc<dyn HttpConnector>);

impl HttpConnector for Through {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        self.0.connect(options)
    }
}

/// The store and the object that a URL names: `s3://bucket/key`, `gs://…`, `az://…`.
///
/// # Errors
/// `Refused` where it is no such URL, or the profile is no good.
pub fn object(href: &str) -> Result<(String, Path), StoreError> {
    let bad = || StoreError::Refused { what: bare(href), why: "write it as s3://bucket/key".to_owned() };
    let (scheme, rest) = href.split_once("://").ok_or_else(bad)?;
    let (bucket, key) =
        rest.split_once('/').filter(|(bucket, key)| !bucket.is_empty() && !key.is_empty()).ok_or_else(bad)?;
    // A key is written as it is: nothing in it is encoded.
    Ok((format!("{scheme}://{bucket}"), Path::parse(key).map_err(|_| bad())?))
}

/// Opens a store to read from, by its origin, `s3://bucket`. It tries nothing twice: who asks does.
///
/// # Errors
/// `Refused` where the profile is no good, or there is no such kind of store.
pub fn source(
    origin: &str,
    profile: Option<&str>,
    access: &Access,
    through: Arc<dyn HttpConnector>,
) -> Result<Arc<dyn ObjectStore>, StoreError> {
    let options = profile.map(|name| access.profile(name)).transpose()?;
    let scheme = origin.split("://").next().unwrap_or_default();
    let settings = Settings {
        options: profile.zip(options.as_ref()),
        retry: RetryConfig { max_retries: 0, ..RetryConfig::default() },
        through: Some(Through(through)),
    };
    store(origin, scheme, &settings)
}

/// What GDAL calls an option of stores, its value if only one means anything, and what it means here.
const GDAL_NAMES: [(&str, Option<&str>, &str, Option<&str>); 7] = [
    ("AWS_NO_SIGN_REQUEST", Some("YES"), "aws_skip_signature", Some("true")),
    ("AWS_HTTPS", Some("NO"), "aws_allow_http", Some("true")),
    ("AWS_VIRTUAL_HOSTING", Some("TRUE"), "aws_virtual_hosted_style_request", Some("true")),
    ("GS_NO_SIGN_REQUEST", Some("YES"), "google_skip_signature", Some("true")),
    ("AZURE_NO_SIGN_REQUEST", Some("YES"), "azure_skip_signature", Some("true")),
    ("AZURE_STORAGE_ACCOUNT", None, "azure_storage_account_name", None),
    ("AZURE_STORAGE_ACCESS_KEY", None, "azure_storage_account_key", None),
];

/// Options of the environment in GDAL's names.
pub(super) fn of_gdal() -> Vec<(&'static str, String)> {
    let told = |(name, only, option, means): &(&str, Option<&str>, &'static str, Option<&str>)| {
        let value = std::env::var(name).ok()?;
        let is_meant = only
            .is_none_or(|only| value.eq_ignore_ascii_case(only) || value.eq_ignore_ascii_case("true") && only == "YES");
        is_meant.then(|| (*option, means.map_or(value, str::to_owned)))
    };
    let mut options: Vec<_> = GDAL_NAMES.iter().filter_map(told).collect();
    if let Ok(host) = std::env::var("AWS_S3_ENDPOINT") {
        let is_plain = options.iter().any(|(option, _)| *option == "aws_allow_http");
        let scheme = if is_plain { "http" } else { "https" };
        let endpoint = if host.contains("://") { host } else { format!("{scheme}://{host}") };
        options.push(("aws_endpoint", endpoint));
    }
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_a_store_and_an_object_in_it() {
        let (origin, path) = object("s3://bucket/a/b c%20d.tif").unwrap();
        assert_eq!((&*origin, path.as_ref()), ("s3://bucket", "a/b c%20d.tif"));
        assert!(object("s3://bucket").is_err() && object("s3:///a").is_err());
    }
}
