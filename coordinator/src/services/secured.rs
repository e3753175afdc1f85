//! Connections over TLS. Each is greeted by the certificates as they are in their files when it comes.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use proto::reread::Reread;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt};

/// How long a peer may take to say who it is.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Connections that have been greeted, and wait to be served.
const WAITING: usize = 64;

/// Connections once they are greeted, several at a time; those that cannot be are closed.
pub fn secured<I, IO, E>(
    incoming: I,
    config: Arc<Reread<ServerConfig>>,
) -> impl Stream<Item = Result<TlsStream<IO>, E>> + Send + 'static
where
    I: Stream<Item = Result<IO, E>> + Send + 'static,
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    E: Send + 'static,
{
    let (tell, told) = mpsc::channel(WAITING);
    tokio::spawn(async move {
        let mut incoming = pin!(incoming);
        loop {
            let next = tokio::select! {
                next = incoming.next() => next,
                () = tell.closed() => None,
            };
            match next {
                None => return,
                Some(Ok(connection)) => drop(tokio::spawn(greet(connection, config.now(), tell.clone()))),
                Some(Err(error)) => drop(tell.send(Err(error)).await),
            }
        }
    });
    ReceiverStream::new(told)
}

async fn greet<IO, E>(connection: IO, config: Arc<ServerConfig>, tell: mpsc::Sender<Result<TlsStream<IO>, E>>)
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    match timeout(HANDSHAKE, TlsAcceptor::from(config).accept(connection)).await {
        // Whoever is told to stop takes no one any more.
        Ok(Ok(greeted)) => drop(tell.send(Ok(greeted)).await),
        Ok(Err(error)) => tracing::debug!(%error, "a peer was not let in"),
        Err(_) => tracing::debug!("a peer does not say who it is"),
    }
}
