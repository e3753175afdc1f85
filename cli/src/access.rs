//! Certificates and tokens, from the files that the command line names.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use coordinator::services;
use coordinator::state::EtcdAccess;
use coordinator::tokens::{self, Tokens};
use proto::access::Secret;
use proto::coordinators::{Access, Coordinators};
use proto::tls::Tls;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tonic::transport::{Certificate, ClientTlsConfig, Identity, Server, ServerTlsConfig};

use crate::args::{At, CoordinatorArgs, EtcdArgs, TokenArgs};
use crate::exit::{BadInput, Exit};
use crate::{input, print};

/// The token itself, for those that have no file.
const TOKEN: &str = "CLEARMOSAIC_TOKEN";
/// No header is longer, and no token needs to be.
const LONGEST: usize = 4096;

impl At {
    /// Connections to the coordinators, made when they are needed. Within a Tokio runtime.
    ///
    /// # Errors
    /// Where a file cannot be used, or the addresses do not go with the certificates.
    pub fn coordinators(&self) -> Result<Coordinators, BadInput> {
        let authorities = self.ca.as_deref().map(|path| certificates("--ca", path)).transpose()?;
        let own = identity("--cert", self.cert.as_deref(), "--key", self.key.as_deref())?;
        if authorities.is_none() && own.is_some() {
            return Err(BadInput::one("--cert: whom to trust is not told: give --ca too"));
        }
        let own = own.as_ref().map(|(cert, key)| (&**cert, &**key));
        let tls = authorities.map(|authorities| Tls::new(&authorities, own)).transpose();
        let tls = tls.map_err(|e| BadInput::one(format!("--ca, --cert and --key cannot be used: {e}")))?;
        let access = Access { tls, token: self.token()? };
        Coordinators::at(&self.coordinator, access).map_err(|e| BadInput::one(format!("--coordinator {e}")))
    }

    /// The addresses, as they were given.
    pub fn called(&self) -> String {
        self.coordinator.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
    }

    fn token(&self) -> Result<Option<Secret>, BadInput> {
        let (named, text) = match &self.token_file {
            Some(path) => {
                let named = format!("--token-file {}", path.display());
                let text = std::fs::read_to_string(path);
                (named.clone(), text.map_err(|e| BadInput::one(format!("{named}: {}", input::reason(&e))))?)
            }
            None => match std::env::var(TOKEN) {
                Ok(text) => (TOKEN.to_owned(), text),
                Err(std::env::VarError::NotPresent) => return Ok(None),
                Err(std::env::VarError::NotUnicode(_)) => (TOKEN.to_owned(), String::new()),
            },
        };
        let token = text.trim();
        if token.is_empty() || token.len() > LONGEST || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(BadInput::one(format!("{named}: expected a token alone, on one line")));
        }
        Ok(Some(Secret::new(token)))
    }
}

fn read(flag: &str, path: &Path) -> Result<Vec<u8>, BadInput> {
    std::fs::read(path).map_err(|e| BadInput::one(format!("{flag} {}: {}", path.display(), input::reason(&e))))
}

/// The certificates of a file, in PEM; at least one.
fn certificates(flag: &str, path: &Path) -> Result<Vec<u8>, BadInput> {
    let pem = read(flag, path)?;
    let found = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
    if found.is_ok_and(|found| !found.is_empty()) {
        return Ok(pem);
    }
    Err(BadInput::one(format!("{flag} {}: expected a certificate in PEM", path.display())))
}

/// A certificate and its key, in PEM.
type Pems = (Vec<u8>, Vec<u8>);

/// A certificate and its key, of which there is none without the other.
fn identity(
    cert_flag: &str,
    cert: Option<&Path>,
    key_flag: &str,
    key: Option<&Path>,
) -> Result<Option<Pems>, BadInput> {
    let (cert, key) = match (cert, key) {
        (None, None) => return Ok(None),
        (Some(cert), Some(key)) => (cert, key),
        (Some(_), None) => return Err(BadInput::one(format!("{cert_flag}: its key is missing: give {key_flag} too"))),
        (None, Some(_)) => {
            return Err(BadInput::one(format!("{key_flag}: its certificate is missing: give {cert_flag} too")));
        }
    };
    let certificate = certificates(cert_flag, cert)?;
    let pem = read(key_flag, key)?;
    if PrivateKeyDer::from_pem_slice(&pem).is_err() {
        return Err(BadInput::one(format!("{key_flag} {}: expected a private key in PEM", key.display())));
    }
    Ok(Some((certificate, pem)))
}

/// Who is let in, and how much is taken of them.
///
/// # Errors
/// Where a file cannot be used; where other machines could reach what nothing guards.
pub fn of_coordinator(args: &CoordinatorArgs) -> Result<services::Settings, BadInput> {
    let own = identity("--tls-cert", args.tls_cert.as_deref(), "--tls-key", args.tls_key.as_deref())?;
    let own = own.map(|(cert, key)| Identity::from_pem(cert, key));
    let clients = args
        .client_ca
        .as_deref()
        .map(|path| certificates("--client-ca", path).map(Certificate::from_pem))
        .transpose()?;
    let tls = match (own, clients) {
        (None, None) => None,
        (None, Some(_)) => {
            return Err(BadInput::one("--client-ca: there is no TLS: give --tls-cert and --tls-key too"));
        }
        (Some(own), None) => Some(ServerTlsConfig::new().identity(own)),
        (Some(own), Some(clients)) => Some(ServerTlsConfig::new().identity(own).client_ca_root(clients)),
    };
    if let Some(tls) = &tls {
        let unusable = |e: tonic::transport::Error| {
            let why = std::error::Error::source(&e).map_or_else(|| e.to_string(), ToString::to_string);
            BadInput::one(format!("--tls-cert, --tls-key and --client-ca cannot be used: {why}"))
        };
        Server::builder().tls_config(tls.clone()).map_err(unusable)?;
    }
    let tokens = args.tokens.as_deref().map(known_tokens).transpose()?;
    is_guarded(args, tls.is_some(), tokens.is_some())?;
    let attached = usize::try_from(args.attachments.0).unwrap_or(usize::MAX);
    Ok(services::Settings {
        tls,
        tokens: tokens.map(Arc::new),
        attached,
        connection_age: Some(services::CONNECTION_AGE),
    })
}

fn known_tokens(path: &Path) -> Result<Tokens, BadInput> {
    let bad = |why: String| BadInput::one(format!("--tokens {}: {why}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|e| bad(input::reason(&e)))?;
    Tokens::parse(&text).map_err(|e| bad(e.to_string()))
}

/// Without TLS and tokens, whoever reaches the port may read and write what this process may.
fn is_guarded(args: &CoordinatorArgs, has_tls: bool, has_tokens: bool) -> Result<(), BadInput> {
    if args.listen.ip().is_loopback() {
        return Ok(());
    }
    if args.insecure && args.allow.is_empty() {
        let why = "other machines reach it: give --allow PREFIX, what requests may name";
        return Err(BadInput::one(format!("--listen {}: {why}", args.listen)));
    }
    if args.insecure {
        return Ok(());
    }
    let lacking =
        [(has_tls, "--tls-cert and --tls-key"), (has_tokens, "--tokens"), (!args.allow.is_empty(), "--allow")];
    let lacking: Vec<_> = lacking.into_iter().filter(|(has, _)| !has).map(|(_, what)| what).collect();
    if lacking.is_empty() {
        return Ok(());
    }
    let or = if has_tls && has_tokens { "" } else { "; or say --insecure, and --allow" };
    let (listen, lacking) = (args.listen, lacking.join(", "));
    Err(BadInput::one(format!("--listen {listen}: other machines reach it: give {lacking}{or}")))
}

/// How etcd lets this coordinator in.
///
/// # Errors
/// Where a file cannot be used.
pub fn of_etcd(args: &EtcdArgs) -> Result<EtcdAccess, BadInput> {
    let authorities = args.etcd_ca.as_deref().map(|path| certificates("--etcd-ca", path)).transpose()?;
    let own = identity("--etcd-cert", args.etcd_cert.as_deref(), "--etcd-key", args.etcd_key.as_deref())?;
    if authorities.is_none() && own.is_some() {
        return Err(BadInput::one("--etcd-cert: whom to trust is not told: give --etcd-ca too"));
    }
    let password = args.etcd_password_file.as_deref().map(password).transpose()?;
    let tls = authorities.map(|authorities| {
        let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(authorities));
        own.map_or_else(|| tls.clone(), |(cert, key)| tls.clone().identity(Identity::from_pem(cert, key)))
    });
    Ok(EtcdAccess { user: args.etcd_user.clone().zip(password), tls })
}

/// A password alone in a file, but for the end of its line.
fn password(path: &Path) -> Result<Secret, BadInput> {
    let text = String::from_utf8(read("--etcd-password-file", path)?);
    let text = text.map_err(|_| BadInput::one(format!("--etcd-password-file {}: expected text", path.display())))?;
    Ok(Secret::new(text.trim_end_matches(['\r', '\n'])))
}

/// Makes a token, prints it, and tells the line by which a coordinator knows it.
#[allow(clippy::print_stderr, reason = "stdout is the token's alone")]
pub fn token(args: &TokenArgs) -> anyhow::Result<Exit> {
    if args.name.is_empty() || args.name.contains(char::is_whitespace) || args.name.starts_with('#') {
        return Err(BadInput::one(format!("`{}`: a name is one word", args.name)).into());
    }
    let token = Secret::random()?;
    let line = tokens::line(args.role, &args.name, &token);
    match &args.tokens {
        Some(path) => append(path, &line)?,
        None => eprint!("{line}"),
    }
    print(&format!("{}\n", token.reveal()))?;
    Ok(Exit::Complete)
}

fn append(path: &PathBuf, line: &str) -> Result<(), BadInput> {
    let opened = std::fs::OpenOptions::new().append(true).create(true).open(path);
    let written = opened.and_then(|mut file| file.write_all(line.as_bytes()));
    written.map_err(|e| BadInput::one(format!("--tokens {}: {}", path.display(), input::reason(&e))))
}
