//! Tokens: one that is always good, and those that a service account is given for what it signs (RFC 7523).

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::http::StatusCode;
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use jiff::Timestamp;
use ring::signature::{KeyPair, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use serde_json::{Value, json};

use super::Refusal;
use super::list::parameters;

/// The token that is always good.
pub(super) const ALWAYS: &str = "ya29.the-token-of-the-tests";
const ACCOUNT: &str = "mosaics@tests.iam.gserviceaccount.com";
/// Seconds that a clock may be ahead.
const TOLERATED_S: i64 = 30;

/// Who may ask.
#[derive(Default)]
pub(super) struct Tokens(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    /// The account's public key, where assertions are sent, and for how many requests a token is good.
    account: Option<(Vec<u8>, String, u64)>,
    /// Requests that tokens are still good for.
    good_for: HashMap<String, u64>,
    given: u64,
}

impl Tokens {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn given(&self) -> u64 {
        self.inner().given
    }

    /// Makes an account's key; the file that Google gives out.
    pub(super) fn new_account(&self, dir: &Path, tokens: &str, good_for: u64) -> PathBuf {
        let key = dir.join("key.pem");
        let mut openssl = Command::new("openssl");
        openssl.args(["genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out"]).arg(&key);
        // Older ones know no -quiet, and are loud on stderr.
        let made = openssl.output().expect("openssl runs");
        if !made.status.success() {
            let again = Command::new("openssl").args(["genpkey", "-algorithm", "RSA", "-out"]).arg(&key).output();
            assert!(again.expect("openssl runs").status.success(), "no key is made");
        }
        let pem = std::fs::read_to_string(&key).expect("a key is read");
        let inside: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let der = BASE64_STANDARD.decode(inside).expect("a PEM");
        let public = RsaKeyPair::from_pkcs8(&der).expect("an RSA key").public_key().as_ref().to_vec();
        self.inner().account = Some((public, tokens.to_owned(), good_for));
        let file = dir.join("service-account.json");
        let written = json!({
            "type": "service_account",
            "project_id": "tests",
            "private_key_id": "the-key-of-the-tests",
            "private_key": pem,
            "client_email": ACCOUNT,
            "token_uri": tokens,
        });
        std::fs::write(&file, written.to_string()).expect("a file is written");
        file
    }

    /// A token for an assertion.
    pub(super) fn give(&self, form: &[u8]) -> Result<Value, Refusal> {
        let form = parameters(&String::from_utf8_lossy(form));
        let refused = |why: &str| Refusal(StatusCode::BAD_REQUEST, format!("invalid_grant: {why}"));
        let assertion = form.get("assertion").ok_or_else(|| refused("no assertion"))?;
        let mut inner = self.inner();
        let (public, audience, good_for) = inner.account.clone().ok_or_else(|| refused("no such account"))?;
        let claims = verified(assertion, &public).ok_or_else(|| refused("Invalid JWT Signature."))?;
        let now = Timestamp::now().as_second();
        let number = |name: &str| claims[name].as_i64().unwrap_or_default();
        let in_time =
            number("iat") <= now + TOLERATED_S && number("exp") > now && number("exp") - number("iat") <= 3600;
        if claims["iss"] != ACCOUNT || claims["aud"] != *audience || !in_time {
            return Err(refused("Invalid JWT: Token must be a short-lived token and in a reasonable timeframe."));
        }
        inner.given += 1;
        let token = format!("ya29.given-{}", inner.given);
        inner.good_for.insert(token.clone(), good_for);
        Ok(json!({"access_token": token, "expires_in": 3599, "token_type": "Bearer"}))
    }

    /// Whether a token is good, once more.
    pub(super) fn check(&self, token: &str) -> Result<(), Refusal> {
        let mut inner = self.inner();
        let is_good = match inner.good_for.get_mut(token) {
            _ if token == ALWAYS => true,
            Some(left) if *left > 0 => {
                *left -= 1;
                true
            }
            _ => false,
        };
        let message = "Request had invalid authentication credentials. Expected OAuth 2 access token.".to_owned();
        if is_good { Ok(()) } else { Err(Refusal(StatusCode::UNAUTHORIZED, message)) }
    }
}

/// The claims of an assertion that bears a signature of the key's owner.
fn verified(assertion: &str, public: &[u8]) -> Option<Value> {
    let (message, signature) = assertion.rsplit_once('.')?;
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?;
    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public);
    key.verify(message.as_bytes(), &signature).ok()?;
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(message.split_once('.')?.1).ok()?).ok()
}
