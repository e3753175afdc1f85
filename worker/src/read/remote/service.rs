//! Object stores' own requests, made as all others are: tried again, in turns, counted, and held against what was asked.

use std::ops::Range;
use std::sync::Arc;

use artifacts::StoreError;
use async_trait::async_trait;
use object_store::ClientOptions;
use object_store::client::{
    ClientConfigKey, HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
};
use web::{Answer, Ask, Web};

use super::range;

/// Has a store's requests made by `web`.
pub(super) fn through(web: &Web) -> Arc<dyn HttpConnector> {
    Arc::new(Connector(web.clone()))
}

#[derive(Debug)]
struct Connector(Web);

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let plain = options.get_config_value(&ClientConfigKey::AllowHttp).is_some_and(|told| told == "true");
        Ok(HttpClient::new(Service { web: self.0.clone(), is_plain_allowed: plain }))
    }
}

#[derive(Debug)]
struct Service {
    web: Web,
    is_plain_allowed: bool,
}

#[async_trait]
impl HttpService for Service {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (parts, body) = request.into_parts();
        if parts.uri.scheme_str() == Some("http") && !self.is_plain_allowed {
            let what = parts.uri.host().unwrap_or_default().to_owned();
            let why = "it is asked without TLS: write allow_http: true in the profile, or AWS_ALLOW_HTTP".to_owned();
            return Err(HttpError::new(HttpErrorKind::Unknown, StoreError::Refused { what, why }));
        }
        let asked = parts.headers.get("range").and_then(|range| range.to_str().ok()).and_then(bounds);
        let body = body.as_bytes().filter(|bytes| !bytes.is_empty()).map(|bytes| bytes.to_vec());
        let ask = Ask::of(parts.method, parts.uri.to_string(), parts.headers, body).with_any_status();
        let answer = self.web.take(&ask, |answer| whole(answer, asked.as_ref())).await;
        let answer = answer.map_err(|error| HttpError::new(HttpErrorKind::Unknown, error))?;
        let mut response = HttpResponse::new(answer.body.into());
        (*response.status_mut(), *response.headers_mut()) = (answer.status, answer.headers);
        Ok(response)
    }
}

/// The range that `bytes=a-b` asks for.
fn bounds(text: &str) -> Option<Range<u64>> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    Some(first.parse().ok()?..last.parse::<u64>().ok()?.checked_add(1)?)
}

/// An answer that holds what was asked for, or that is none.
fn whole(answer: Answer, asked: Option<&Range<u64>>) -> Result<Answer, String> {
    if let Some(asked) = asked.filter(|_| answer.status.as_u16() == 206) {
        range::whole(&answer, asked)?;
    }
    Ok(answer)
}
