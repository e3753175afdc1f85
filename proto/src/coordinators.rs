//! The coordinators that a client knows, and the one of them that it speaks to.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Code, Request, Status};

use crate::trace::carry;

/// The metadata in which a coordinator that does not lead says which one does.
pub const LEADER: &str = "clearmosaic-leader";
/// How long a connection may take, and how often one says that it is alive.
const PATIENCE: Duration = Duration::from_secs(5);

/// A connection that carries the context of the trace along.
pub type Link = InterceptedService<Channel, Carry>;

/// Puts the context of the current span into each call.
#[derive(Clone, Copy, Debug, Default)]
pub struct Carry;

impl Interceptor for Carry {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        carry(request.metadata_mut());
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
}

fn channel(address: &Uri) -> Channel {
    Endpoint::from(address.clone())
        .connect_timeout(PATIENCE)
        .http2_keep_alive_interval(PATIENCE)
        .keep_alive_timeout(PATIENCE)
        .keep_alive_while_idle(true)
        .connect_lazy()
}

impl Coordinators {
    /// A single one, over a connection of its own kind.
    #[must_use]
    pub fn single(channel: Channel) -> Self {
        Self(Arc::new(Mutex::new(Known { channels: vec![(None, channel)], at: 0 })))
    }

    /// Those at some addresses, the first one first. Within a Tokio runtime.
    #[must_use]
    pub fn at(addresses: &[Uri]) -> Self {
        let channels = addresses.iter().map(|address| (Some(address.clone()), channel(address))).collect();
        Self(Arc::new(Mutex::new(Known { channels, at: 0 })))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The one to speak to now.
    #[must_use]
    pub fn current(&self) -> Link {
        let known = self.known();
        InterceptedService::new(known.channels[known.at].1.clone(), Carry)
    }

    /// Turns to the leader that this one names, or to the next one.
    pub fn turn(&self, said: &Status) {
        let leader = said.metadata().get(LEADER).and_then(|leader| leader.to_str().ok()?.parse::<Uri>().ok());
        let mut known = self.known();
        known.at = match leader {
            None => (known.at + 1) % known.channels.len(),
            Some(leader) => {
                let found = known.channels.iter().position(|(address, _)| address.as_ref() == Some(&leader));
                found.unwrap_or_else(|| {
                    known.channels.push((Some(leader.clone()), channel(&leader)));
                    known.channels.len() - 1
                })
            }
        };
    }
}

/// Whether a call failed because nobody answered who could: it may do so elsewhere, or later.
#[must_use]
pub fn is_away(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::Unavailable | Code::Unknown | Code::Cancelled | Code::DeadlineExceeded | Code::Aborted
    )
}
