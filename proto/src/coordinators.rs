//! The coordinators that a client knows, and the one of them that it speaks to.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

/// How long a connection may take, and how often one says that it is alive.
const PATIENCE: Duration = Duration::from_secs(10);

/// Connections to several coordinators, made when they are needed. Clones turn together.
#[derive(Clone, Debug)]
pub struct Coordinators {
    channels: Arc<[Channel]>,
    at: Arc<AtomicUsize>,
}

impl Coordinators {
    /// A single one, over a connection of its own kind.
    #[must_use]
    pub fn single(channel: Channel) -> Self {
        Self { channels: Arc::from([channel]), at: Arc::default() }
    }

    /// Those at some addresses, the first one first. Within a Tokio runtime.
    #[must_use]
    pub fn at(addresses: &[tonic::transport::Uri]) -> Self {
        let channel = |address: &tonic::transport::Uri| {
            Endpoint::from(address.clone())
                .connect_timeout(PATIENCE)
                .http2_keep_alive_interval(PATIENCE)
                .keep_alive_timeout(PATIENCE)
                .keep_alive_while_idle(true)
                .connect_lazy()
        };
        Self { channels: addresses.iter().map(channel).collect(), at: Arc::default() }
    }

    /// The one to speak to now.
    #[must_use]
    pub fn current(&self) -> Channel {
        self.channels[self.at.load(Ordering::Relaxed) % self.channels.len()].clone()
    }

    /// Turns to the next one: the current one does not answer.
    pub fn turn(&self) {
        self.at.fetch_add(1, Ordering::Relaxed);
    }
}

/// Whether a call failed because nobody answered: it may do so elsewhere, or later.
#[must_use]
pub fn is_away(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::Unavailable | Code::Unknown | Code::Cancelled | Code::DeadlineExceeded | Code::Aborted
    )
}
