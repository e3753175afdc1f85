//! What a service account signs to be given a token (RFC 7523).

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::json;

/// What tokens are for. Earth Engine takes the wide one; a service account's roles bound what it means.
pub(super) const SCOPES: &str =
    "https://www.googleapis.com/auth/earthengine https://www.googleapis.com/auth/cloud-platform";
/// Seconds that an assertion is good, the most that is taken.
const LASTING: i64 = 3600;

/// The key in a PEM; none where it is no RSA key in PKCS #8, as Google's are.
pub(super) fn key(pem: &str) -> Option<RsaKeyPair> {
    match PrivateKeyDer::from_pem_slice(pem.as_bytes()).ok()? {
        PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).ok(),
        PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()).ok(),
        _ => None,
    }
}

/// The assertion that `issuer` asks for a token at `audience`, now (seconds since 1970); none where it cannot be signed.
pub(super) fn signed(key: &RsaKeyPair, key_id: &str, issuer: &str, audience: &str, now: i64) -> Option<String> {
    let header = json!({"alg": "RS256", "typ": "JWT", "kid": key_id});
    let claims = json!({"iss": issuer, "scope": SCOPES, "aud": audience, "iat": now, "exp": now + LASTING});
    let part = |value: &serde_json::Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(&header), part(&claims));
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature).ok()?;
    Some(format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)))
}
