//! The coordinators that a client knows, the one of them that it speaks to, and as whom it does.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Code, Request, Status};

use crate::access::Secret;
use crate::limits::MESSAGE;
use crate::refusal::refusal;
use crate::reread::Reread;
use crate::tls::{Tls, greet};
use crate::trace::carry;
use crate::wire::job_service_client::JobServiceClient;
use crate::wire::schedule_service_client::ScheduleServiceClient;
use crate::wire::work_service_client::WorkServiceClient;

/// The metadata in which a coordinator that does not lead says which one does.
pub const LEADER: &str = "clearmosaic-leader";
/// The metadata in which a client says who it is: `Bearer` and its token.
pub const AUTHORIZATION: &str = "authorization";
/// How long a connection may take, and how often one says that it is alive.
const PATIENCE: Duration = Duration::from_secs(5);

/// A connection on which every call bears the client's token, and carries the context of the trace along.
pub type Link = InterceptedService<Channel, Bearer>;

/// How coordinators are spoken to: with whose certificates, and with which token.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// Whom to trust, and this side's own certificate; none where no address is `https://`.
    pub tls: Option<Arc<Reread<Tls>>>,
    /// The token, where one is needed.
    pub token: Option<Arc<Reread<Secret>>>,
}

/// Puts the token, if there is one, and the context of the current span into each call.
#[derive(Clone, Debug, Default)]
pub struct Bearer(Option<MetadataValue<Ascii>>);

impl Bearer {
    /// None where the token cannot stand in a header: it is none that a coordinator knows.
    fn of(token: Option<&Secret>) -> Self {
        let value = token.and_then(|token| MetadataValue::try_from(format!("Bearer {}", token.reveal())).ok());
        // Never shown, and never kept in a table of headers.
        Self(value.map(|mut value| {
            value.set_sensitive(true);
            value
        }))
    }
}

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        carry(request.metadata_mut());
        if let Some(token) = &self.0 {
            request.metadata_mut().insert(AUTHORIZATION, token.clone());
        }
        Ok(request)
    }
}

/// Connections to several coordinators, made when they are needed. Clones turn together.
#[derive(Clone, Debug)]
pub struct Coordinators(Arc<Mutex<Known>>);

#[derive(Debug)]
struct Known {
    channels: Vec<(Option<Uri>, Channel)>,
    at: usize,
    access: Access,
    /// What the connections were made with.
    tls: Option<Arc<Tls>>,
}

/// Why there can be no connection to an address.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// One is `https://`, and it is not known whom to trust.
    #[error("{0}: whom to trust is not told: give --ca")]
    NoAuthority(Uri),
    /// Certificates were given, and one is not `https://`: what is secret would be sent in the open.
    #[error("{0}: with --ca every address begins with https://")]
    InTheOpen(Uri),
    /// The certificates cannot be used.
    #[error("{0}: its TLS cannot be used: {1}")]
    Tls(Uri, String),
}

fn channel(address: &Uri, tls: Option<&Tls>) -> Result<Channel, AddressError> {
    let is_secured = address.scheme_str() == Some("https");
    let endpoint = match tls {
        Some(tls) if is_secured => Endpoint::from(address.clone())
            .tls_config(tls.of_tonic())
            .map_err(|e| AddressError::Tls(address.clone(), std::error::Error::source(&e).unwrap_or(&e).to_string()))?,
        None if !is_secured => Endpoint::from(address.clone()),
        Some(_) => return Err(AddressError::InTheOpen(address.clone())),
        None => return Err(AddressError::NoAuthority(address.clone())),
    };
    Ok(endpoint
        .connect_timeout(PATIENCE)
        .http2_keep_alive_interval(PATIENCE)
        .keep_alive_timeout(PATIENCE)
        .keep_alive_while_idle(true)
        .connect_lazy())
}

impl Coordinators {
    /// A single one, over a connection of its own kind, which needs no token.
    #[must_use]
    pub fn single(channel: Channel) -> Self {
        Self(Arc::new(Mutex::new(Known {
            channels: vec![(None, channel)],
            at: 0,
            access: Access::default(),
            tls: None,
        })))
    }

    /// Those at some addresses, the first one first. Within a Tokio runtime.
    ///
    /// # Errors
    /// Where the addresses and the certificates do not go together.
    pub fn at(addresses: &[Uri], access: Access) -> Result<Self, AddressError> {
        let tls = access.tls.as_ref().map(|tls| tls.now());
        let connect = |address: &Uri| Ok((Some(address.clone()), channel(address, tls.as_deref())?));
        let channels = addresses.iter().map(connect).collect::<Result<_, AddressError>>()?;
        Ok(Self(Arc::new(Mutex::new(Known { channels, at: 0, access, tls }))))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The one to speak to now, with certificates and token as they are now.
    #[must_use]
    pub fn current(&self) -> Link {
        let mut known = self.known();
        known.renew();
        let token = known.access.token.as_ref().map(|token| token.now());
        InterceptedService::new(known.channels[known.at].1.clone(), Bearer::of(token.as_deref()))
    }

    /// Asks the current one about jobs.
    #[must_use]
    pub fn jobs(&self) -> JobServiceClient<Link> {
        JobServiceClient::new(self.current()).max_decoding_message_size(MESSAGE).max_encoding_message_size(MESSAGE)
    }

    /// Asks the current one about schedules.
    #[must_use]
    pub fn schedules(&self) -> ScheduleServiceClient<Link> {
        ScheduleServiceClient::new(self.current()).max_decoding_message_size(MESSAGE).max_encoding_message_size(MESSAGE)
    }

    /// Asks the current one for work.
    #[must_use]
    pub fn work(&self) -> WorkServiceClient<Link> {
        WorkServiceClient::new(self.current()).max_decoding_message_size(MESSAGE).max_encoding_message_size(MESSAGE)
    }

    /// Why the current one cannot be spoken to, after a call to it failed: its TLS or ours. A call tells only that it
    /// broke off.
    pub async fn fault(&self, failed: &Status) -> Option<Status> {
        // What a coordinator says itself has no source here.
        std::error::Error::source(failed)?;
        let (address, tls) = {
            let known = self.known();
            (known.channels[known.at].0.clone()?, known.tls.clone())
        };
        greet(&address, tls.as_deref()).await
    }

    /// Turns to the leader that this one names, or to the next one. A leader that could only be reached in the open,
    /// where the others are not, is not followed.
    pub fn turn(&self, said: &Status) {
        let leader = said.metadata().get(LEADER).and_then(|leader| leader.to_str().ok()?.parse::<Uri>().ok());
        let mut known = self.known();
        let found = leader.as_ref().and_then(|leader| known.find(leader));
        known.at = found.unwrap_or((known.at + 1) % known.channels.len());
    }
}

impl Known {
    /// Makes the connections anew where the certificates have changed.
    fn renew(&mut self) {
        let now = self.access.tls.as_ref().map(|tls| tls.now());
        if now.as_ref().map(Arc::as_ptr) == self.tls.as_ref().map(Arc::as_ptr) {
            return;
        }
        self.tls = now;
        for (address, made) in &mut self.channels {
            let again = address.as_ref().and_then(|address| channel(address, self.tls.as_deref()).ok());
            again.into_iter().for_each(|again| *made = again);
        }
    }

    /// The connection to an address, made if there is none.
    fn find(&mut self, address: &Uri) -> Option<usize> {
        if let Some(found) = self.channels.iter().position(|(known, _)| known.as_ref() == Some(address)) {
            return Some(found);
        }
        let channel = channel(address, self.tls.as_deref()).ok()?;
        self.channels.push((Some(address.clone()), channel));
        Some(self.channels.len() - 1)
    }
}

/// Whether a call failed because nobody answered who could: it may do so elsewhere, or later.
#[must_use]
pub fn is_away(status: &Status) -> bool {
    let codes = [Code::Unavailable, Code::Unknown, Code::Cancelled, Code::DeadlineExceeded, Code::Aborted];
    codes.contains(&status.code()) && refusal(status).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_shown_nowhere() {
        let access = Access { tls: None, token: Some(Arc::new(Reread::fixed(Secret::new("hunter2")))) };
        let bearer = Bearer::of(access.token.as_ref().map(|token| token.now()).as_deref());
        assert!(!format!("{access:?} {bearer:?}").contains("hunter2"), "{bearer:?}");
        let request = bearer.clone().call(Request::new(())).unwrap();
        assert!(!format!("{request:?}").contains("hunter2"), "{request:?}");
        assert_eq!(request.metadata().get(AUTHORIZATION).unwrap(), "Bearer hunter2");
    }

    #[tokio::test]
    async fn what_is_secret_is_not_sent_in_the_open() {
        let address = |text: &str| text.parse::<Uri>().unwrap();
        let (open, secured) = (address("http://a:1"), address("https://a:1"));
        let tls = || {
            let _ = rustls::crypto::ring::default_provider().install_default();
            Access { tls: Some(Arc::new(Reread::fixed(Tls::new(b"", None).unwrap()))), token: None }
        };
        let bad = |addresses: &[Uri], access: Access| Coordinators::at(addresses, access).unwrap_err().to_string();
        assert!(bad(std::slice::from_ref(&secured), Access::default()).contains("--ca"));
        assert!(bad(&[secured.clone(), open.clone()], tls()).contains("http://a:1"));
        let coordinators = Coordinators::at(&[secured], tls()).unwrap();
        let mut said = Status::unavailable("another one leads");
        said.metadata_mut().insert(LEADER, "http://b:1".parse().unwrap());
        coordinators.turn(&said);
        assert_eq!(coordinators.known().channels.len(), 1, "a leader in the open is not followed");
        said.metadata_mut().insert(LEADER, "https://b:1".parse().unwrap());
        coordinators.turn(&said);
        assert_eq!(coordinators.known().at, 1);
    }
}
