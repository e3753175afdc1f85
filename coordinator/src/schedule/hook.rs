//! What is posted to whoever is told how runs end, and how it is signed: as [Standard Webhooks] has it, so that receivers
//! in any language find a library that checks it.
//!
//! ```text
//! webhook-id         the firing: the same however often it is posted
//! webhook-timestamp  seconds since 1970, of this posting
//! webhook-signature  v1,BASE64(HMAC-SHA256(secret, "<id>.<timestamp>.<body>"))
//! ```
//!
//! [Standard Webhooks]: https://www.standardwebhooks.com

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use ring::hmac;
use serde_json::json;

use super::{Firing, Schedule};

/// What begins a secret that is written in base64.
const ENCODED: &str = "whsec_";

/// What is posted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What it is called.
    pub id: String,
    /// JSON.
    pub body: String,
}

impl Message {
    /// What a firing of a schedule came to.
    #[must_use]
    pub fn of(schedule: &Schedule, firing: &Firing) -> Self {
        let (came, said) = firing.came.told();
        let said = (!said.is_empty()).then_some(said);
        let (published, error) = if matches!(came, "failed" | "refused") { (None, said) } else { (said, None) };
        let body = json!({
            "type": format!("run.{came}"),
            "timestamp": firing.due.at,
            "data": {
                "schedule": schedule.name,
                "mosaic": schedule.mosaic,
                "due": firing.due.at,
                "missed": firing.due.missed,
                "job": firing.job(),
                "published": published,
                "error": error,
            },
        });
        let id = format!("{}-{}", schedule.name, firing.due.at.as_millisecond());
        Self { id, body: body.to_string() }
    }

    /// Its signature at an instant, as the header has it.
    #[must_use]
    pub fn signature(&self, secret: &str, now: Timestamp) -> String {
        let encoded = secret.strip_prefix(ENCODED).and_then(|text| STANDARD.decode(text).ok());
        let key = hmac::Key::new(hmac::HMAC_SHA256, encoded.as_deref().unwrap_or(secret.as_bytes()));
        let signed = format!("{}.{}.{}", self.id, now.as_second(), self.body);
        format!("v1,{}", STANDARD.encode(hmac::sign(&key, signed.as_bytes())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_the_standard() {
        // The example of the specification's own libraries.
        let message = Message { id: "msg_p5jXN8AQM9LWM0D4loKWxJek".into(), body: r#"{"test": 2432232314}"#.into() };
        let now = Timestamp::from_second(1_614_265_330).unwrap();
        let signature = message.signature("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", now);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_ne!(message.signature("other", now), signature);
    }
}
