//! Certificates and tokens, from the files that the command line names.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use coordinator::services;
use coordinator::state::EtcdAccess;
use coordinator::tokens::{self, Tokens};
use proto::access::Secret;
use proto::coordinators::{Access, Coordinators};
use proto::reread::Reread;
use proto::tls::{self, Tls};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tonic::transport::{Certificate, ClientTlsConfig, Identity};

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
        let access = Access { tls: self.tls()?.map(Arc::new), token: self.token()?.map(Arc::new) };
        Coordinators::at(&self.coordinator, access).map_err(|e| BadInput::one(format!("--coordinator {e}")))
    }

    /// The addresses, as they were given.
    pub fn called(&self) -> String {
        self.coordinator.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
    }

    fn tls(&self) -> Result<Option<Reread<Tls>>, BadInput> {
        let own = given("--cert", self.cert.as_ref(), "--key", self.key.as_ref())?;
        let Some(ca) = self.ca.clone() else {
            let unknown = || BadInput::one("--cert: whom to trust is not told: give --ca too");
            return own.map_or(Ok(None), |_| Err(unknown()));
        };
        let files = own.iter().flat_map(|(cert, key)| [cert, key]).chain([&ca]).cloned().collect();
        let make = move || {
            let authorities = certificates("--ca", &ca)?;
            let own = own.as_ref().map(|(cert, key)| identity("--cert", cert, "--key", key)).transpose()?;
            let own = own.as_ref().map(|(cert, key)| (&**cert, &**key));
            let unusable = |e| BadInput::one(format!("--ca, --cert and --key cannot be used: {e}"));
            Tls::new(&authorities, own).map_err(unusable)
        };
        Reread::of(files, make).map(Some)
    }

    fn token(&self) -> Result<Option<Reread<Secret>>, BadInput> {
        if let Some(path) = self.token_file.clone() {
            let make = move || {
                let named = format!("--token-file {}", path.display());
                let text = std::fs::read_to_string(&path);
                token_in(&named, &text.map_err(|e| BadInput::one(format!("{named}: {}", input::reason(&e))))?)
            };
            return Reread::of(self.token_file.iter().cloned().collect(), make).map(Some);
        }
        match std::env::var(TOKEN) {
            Ok(text) => token_in(TOKEN, &text).map(|token| Some(Reread::fixed(token))),
            Err(std::env::VarError::NotPresent) => Ok(None),
            Err(std::env::VarError::NotUnicode(_)) => token_in(TOKEN, "").map(|_| None),
        }
    }
}

/// The token that a text is, but for the end of its line.
fn token_in(named: &str, text: &str) -> Result<Secret, BadInput> {
    let token = text.trim();
    if token.is_empty() || token.len() > LONGEST || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(BadInput::one(format!("{named}: expected a token alone, on one line")));
    }
    Ok(Secret::new(token))
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

/// The files of a certificate and its key, of which there is none without the other.
fn given(
    cert_flag: &str,
    cert: Option<&PathBuf>,
    key_flag: &str,
    key: Option<&PathBuf>,
) -> Result<Option<(PathBuf, PathBuf)>, BadInput> {
    match (cert, key) {
        (Some(_), None) => Err(BadInput::one(format!("{cert_flag}: its key is missing: give {key_flag} too"))),
        (None, Some(_)) => Err(BadInput::one(format!("{key_flag}: its certificate is missing: give {cert_flag} too"))),
        (cert, key) => Ok(cert.cloned().zip(key.cloned())),
    }
}

/// A certificate and its key.
fn identity(cert_flag: &str, cert: &Path, key_flag: &str, key: &Path) -> Result<Pems, BadInput> {
    let certificate = certificates(cert_flag, cert)?;
    let pem = read(key_flag, key)?;
    if PrivateKeyDer::from_pem_slice(&pem).is_err() {
        return Err(BadInput::one(format!("{key_flag} {}: expected a private key in PEM", key.display())));
    }
    Ok((certificate, pem))
}

/// Who is let in, and how much is taken of them.
///
/// # Errors
/// Where a file cannot be used; where other machines could reach what nothing guards.
pub fn of_coordinator(args: &CoordinatorArgs) -> Result<services::Settings, BadInput> {
    let tls = server_tls(args)?;
    let read_tokens = |path: &PathBuf| {
        let of = path.clone();
        Reread::of(vec![path.clone()], move || known_tokens(&of))
    };
    let tokens = args.tokens.as_ref().map(read_tokens).transpose()?;
    is_guarded(args, tls.is_some(), tokens.is_some())?;
    let attached = usize::try_from(args.attachments.0).unwrap_or(usize::MAX);
    Ok(services::Settings {
        tls: tls.map(Arc::new),
        tokens: tokens.map(Arc::new),
        attached,
        connection_age: Some(services::CONNECTION_AGE),
    })
}

fn server_tls(args: &CoordinatorArgs) -> Result<Option<Reread<ServerConfig>>, BadInput> {
    let Some(own) = given("--tls-cert", args.tls_cert.as_ref(), "--tls-key", args.tls_key.as_ref())? else {
        let none = || BadInput::one("--client-ca: there is no TLS: give --tls-cert and --tls-key too");
        return args.client_ca.as_ref().map_or(Ok(None), |_| Err(none()));
    };
    let files = [&own.0, &own.1].into_iter().chain(&args.client_ca).cloned().collect();
    let clients = args.client_ca.clone();
    let make = move || {
        let (cert, key) = identity("--tls-cert", &own.0, "--tls-key", &own.1)?;
        let clients = clients.as_deref().map(|path| certificates("--client-ca", path)).transpose()?;
        let unusable = |e| BadInput::one(format!("--tls-cert, --tls-key and --client-ca cannot be used: {e}"));
        tls::server(&cert, &key, clients.as_deref()).map_err(unusable)
    };
    Reread::of(files, make).map(Some)
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
    let own = given("--etcd-cert", args.etcd_cert.as_ref(), "--etcd-key", args.etcd_key.as_ref())?;
    let own = own.map(|(cert, key)| identity("--etcd-cert", &cert, "--etcd-key", &key)).transpose()?;
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
