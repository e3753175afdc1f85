//! TLS as a client speaks it, and as a coordinator does: whom it trusts, and who it is.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tonic::Status;
use tonic::transport::{Certificate, ClientTlsConfig, Identity, Uri};

use crate::refusal::refusal;

/// How a client of HTTP/2 begins, and what a peer that speaks TLS answers to that in the open: an alert.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
const ALERT: u8 = 0x15;
/// How long a greeting may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whom a client trusts, and its own certificate.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ClientConfig>,
    of_tonic: ClientTlsConfig,
}

impl fmt::Debug for Tls {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

/// Certificates or a key that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadTls {
    /// They are not PEM.
    #[error("{0}")]
    Pem(#[from] rustls::pki_types::pem::Error),
    /// They are not good, or do not belong together.
    #[error("{0}")]
    Rustls(#[from] rustls::Error),
}

impl Tls {
    /// One that trusts these authorities, and shows this certificate with its key; all in PEM.
    ///
    /// # Errors
    /// Where they cannot be used.
    pub fn new(authorities: &[u8], own: Option<(&[u8], &[u8])>) -> Result<Self, BadTls> {
        let trusting = ClientConfig::builder().with_root_certificates(trusted(authorities)?);
        let of_tonic = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(authorities));
        let (mut config, of_tonic) = match own {
            Some((cert, key)) => {
                let chain = CertificateDer::pem_slice_iter(cert).collect::<Result<_, _>>()?;
                let config = trusting.with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(key)?)?;
                (config, of_tonic.identity(Identity::from_pem(cert, key)))
            }
            None => (trusting.with_no_client_auth(), of_tonic),
        };
        config.alpn_protocols.push(b"h2".to_vec());
        Ok(Self { config: Arc::new(config), of_tonic })
    }

    pub(crate) fn of_tonic(&self) -> ClientTlsConfig {
        self.of_tonic.clone()
    }
}

/// TLS as a coordinator speaks it: with this certificate and key, and only to those whose certificates these authorities
/// have issued, where there are any; all in PEM.
///
/// # Errors
/// Where they cannot be used.
pub fn server(cert: &[u8], key: &[u8], clients: Option<&[u8]>) -> Result<ServerConfig, BadTls> {
    let builder = match clients.map(trusted).transpose()? {
        Some(roots) => {
            let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build();
            let unusable = |e: VerifierBuilderError| BadTls::Rustls(rustls::Error::General(e.to_string()));
            ServerConfig::builder().with_client_cert_verifier(verifier.map_err(unusable)?)
        }
        None => ServerConfig::builder().with_no_client_auth(),
    };
    let chain = CertificateDer::pem_slice_iter(cert).collect::<Result<_, _>>()?;
    let mut config = builder.with_single_cert(chain, PrivateKeyDer::from_pem_slice(key)?)?;
    config.alpn_protocols.push(b"h2".to_vec());
    Ok(config)
}

fn trusted(authorities: &[u8]) -> Result<RootCertStore, BadTls> {
    let mut roots = RootCertStore::empty();
    for authority in CertificateDer::pem_slice_iter(authorities) {
        roots.add(authority?)?;
    }
    Ok(roots)
}

/// Why a coordinator cannot be spoken to, where asking again does not help. A call tells only that it broke off: that
/// a certificate was not taken comes to light after the handshake, when something is read.
pub(crate) async fn greet(address: &Uri, tls: Option<&Tls>) -> Option<Status> {
    let is_secured = address.scheme_str() == Some("https");
    let host = address.host()?.trim_matches(['[', ']']).to_owned();
    let port = address.port_u16().unwrap_or(if is_secured { 443 } else { 80 });
    let greeted = async {
        let stream = TcpStream::connect((host.as_str(), port)).await?;
        match tls.filter(|_| is_secured) {
            None => hear(stream).await,
            Some(tls) => {
                let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
                hear(TlsConnector::from(Arc::clone(&tls.config)).connect(name, stream).await?).await
            }
        }
    };
    match timeout(PATIENCE, greeted).await {
        Ok(Ok(ALERT)) if !is_secured => Some(Status::unauthenticated("it speaks TLS: write https://, and give --ca")),
        Ok(Err(error)) => Some(Status::from_error(error.into())).filter(|status| refusal(status).is_some()),
        _ => None,
    }
}

/// Says who is there; the first byte of the answer.
async fn hear(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<u8> {
    stream.write_all(PREFACE).await?;
    stream.flush().await?;
    stream.read_u8().await
}
