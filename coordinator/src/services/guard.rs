//! Who is let in: looks at the token of every call before anything else of it is read.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use proto::access::{Role, Secret};
use proto::coordinators::AUTHORIZATION;
use proto::reread::Reread;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::{Service, http};
use tower::Layer;

use crate::tokens::Tokens;

/// Lets only those in whose token is for what they ask. Without tokens everyone is.
#[derive(Clone, Debug)]
pub struct GuardLayer(Option<Arc<Reread<Tokens>>>);

impl GuardLayer {
    /// A guard that knows these tokens, or lets everyone in.
    #[must_use]
    pub fn new(tokens: Option<Arc<Reread<Tokens>>>) -> Self {
        Self(tokens)
    }
}

impl<S> Layer<S> for GuardLayer {
    type Service = Guard<S>;

    fn layer(&self, inner: S) -> Guard<S> {
        Guard { tokens: self.0.clone(), inner }
    }
}

/// A service behind the guard.
#[derive(Clone, Debug)]
pub struct Guard<S> {
    tokens: Option<Arc<Reread<Tokens>>>,
    inner: S,
}

impl<S, B> Service<http::Request<B>> for Guard<S>
where
    S: Service<http::Request<B>, Response = http::Response<Body>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let tokens = self.tokens.as_ref().map(|tokens| tokens.now());
        match tokens.map_or(Ok(()), |tokens| admit(&tokens, request.uri().path(), request.headers())) {
            Ok(()) => Box::pin(self.inner.call(request)),
            Err(refused) => Box::pin(std::future::ready(Ok(refused.into_http()))),
        }
    }
}

/// What a token must be for to call a method; none where everyone may. What is not known is at least not for everyone.
fn needed(path: &str) -> Option<Role> {
    let (service, method) = path.trim_start_matches('/').split_once('/').unwrap_or((path, ""));
    match (service, method) {
        ("grpc.health.v1.Health", _) => None,
        ("clearmosaic.v1.WorkService", _) => Some(Role::Work),
        ("clearmosaic.v1.JobService", "GetJob" | "GetReport" | "ListJobs" | "ListVersions" | "WatchJob") => {
            Some(Role::Read)
        }
        ("clearmosaic.v1.ScheduleService", "GetSchedule" | "ListSchedules") => Some(Role::Read),
        ("clearmosaic.v1.JobService" | "clearmosaic.v1.ScheduleService", _) => Some(Role::Submit),
        _ => Some(Role::Read),
    }
}

fn admit(tokens: &Tokens, path: &str, headers: &http::HeaderMap) -> Result<(), Status> {
    let Some(needed) = needed(path) else { return Ok(()) };
    let shown = headers
        .get(AUTHORIZATION)
        .ok_or_else(|| Status::unauthenticated("it wants a token: give --token-file, or set CLEARMOSAIC_TOKEN"))?;
    let shown = shown.to_str().ok().and_then(|value| value.strip_prefix("Bearer ")).map(Secret::new);
    let token = shown.and_then(|shown| tokens.find(&shown));
    let token = token.ok_or_else(|| Status::unauthenticated("it does not know this token"))?;
    if token.role.includes(needed) {
        return Ok(());
    }
    tracing::warn!(token = token.name, role = token.role.name(), path, "a token is not for this");
    let (name, role, needed) = (&token.name, token.role.name(), needed.name());
    Err(Status::permission_denied(format!("the token of `{name}` is for `{role}`, and this needs one for `{needed}`")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::line;
    use tonic::Code;

    #[test]
    fn every_method_has_its_role() {
        let job = "clearmosaic.v1.JobService";
        for (path, role) in [
            ("/grpc.health.v1.Health/Check", None),
            ("/grpc.health.v1.Health/Watch", None),
            ("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", Some(Role::Read)),
            ("/clearmosaic.v1.WorkService/LeaseTasks", Some(Role::Work)),
            ("/clearmosaic.v1.WorkService/New", Some(Role::Work)),
            (&format!("/{job}/WatchJob"), Some(Role::Read)),
            (&format!("/{job}/GetReport"), Some(Role::Read)),
            (&format!("/{job}/SubmitJob"), Some(Role::Submit)),
            (&format!("/{job}/CancelJob"), Some(Role::Submit)),
            (&format!("/{job}/New"), Some(Role::Submit)),
            ("/clearmosaic.v1.ScheduleService/ListSchedules", Some(Role::Read)),
            ("/clearmosaic.v1.ScheduleService/RunSchedule", Some(Role::Submit)),
            ("//grpc.health.v1.Health/Check", None),
            ("/grpc.health.v1.HealthX/Check", Some(Role::Read)),
            ("", Some(Role::Read)),
        ] {
            assert_eq!(needed(path), role, "{path}");
        }
    }

    #[test]
    fn only_a_known_token_of_the_right_role_is_let_in() {
        let token = Secret::random().unwrap();
        let tokens = Tokens::parse(&line(Role::Read, "eve", &token)).unwrap();
        let asked = |method: &str, value: Option<String>| {
            let mut headers = http::HeaderMap::new();
            value.map(|value| headers.insert(AUTHORIZATION, value.parse().unwrap()));
            admit(&tokens, method, &headers).map_err(|status| status.code())
        };
        let (list, submit) = ("/clearmosaic.v1.JobService/ListJobs", "/clearmosaic.v1.JobService/SubmitJob");
        let bearer = || Some(format!("Bearer {}", token.reveal()));
        assert_eq!(asked(list, bearer()), Ok(()));
        assert_eq!(asked(submit, bearer()), Err(Code::PermissionDenied));
        assert_eq!(asked(list, None), Err(Code::Unauthenticated));
        assert_eq!(asked(list, Some(token.reveal().to_owned())), Err(Code::Unauthenticated));
        assert_eq!(asked(list, Some(format!("Bearer {}", token.digest()))), Err(Code::Unauthenticated));
        assert_eq!(asked("/grpc.health.v1.Health/Check", None), Ok(()));
    }
}
