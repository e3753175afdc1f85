//! Who may do what: secrets, the tokens made of them, and their roles.

use std::fmt;
use std::str::FromStr;

use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};

/// Text that is shown nowhere: not in logs, not in errors, not by `{:?}`. Whoever needs it says so with `reveal`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Text from now on secret.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// 256 random bits, in hexadecimal: no one guesses it, so that its plain digest may be kept.
    ///
    /// # Errors
    /// Where the system gives no randomness.
    pub fn random() -> Result<Self, NoRandomness> {
        let mut bytes = [0; 32];
        SystemRandom::new().fill(&mut bytes).map_err(|_| NoRandomness)?;
        Ok(Self(hex(&bytes)))
    }

    /// Its SHA-256, which does not give it away.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, self.0.as_bytes()).as_ref());
        Digest(bytes)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// The system gives no randomness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no randomness")]
pub struct NoRandomness;

/// The SHA-256 of a secret.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Its 32 bytes.
    #[must_use]
    pub const fn bytes(&self) -> [u8; 32] {
        self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = ();

    /// 64 hexadecimal digits.
    fn from_str(text: &str) -> Result<Self, ()> {
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return Err(());
        }
        for (index, byte) in bytes.iter_mut().enumerate() {
            let pair = &text[2 * index..][..2];
            // A sign would be taken for part of a number.
            if !pair.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return Err(());
            }
            *byte = u8::from_str_radix(pair, 16).map_err(drop)?;
        }
        Ok(Self(bytes))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Submits, cancels and retries mosaics, and reads how they fare.
    Submit,
    /// Leases tasks and reports them.
    Work,
    /// Reads how mosaics fare.
    Read,
}

impl Role {
    /// Whether who has this role may do what that one is for.
    #[must_use]
    pub const fn includes(self, needed: Self) -> bool {
        matches!(
            (self, needed),
            (Self::Submit, Self::Submit | Self::Read) | (Self::Work, Self::Work) | (Self::Read, Self::Read)
        )
    }

    /// What it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Submit => "submit",
            Self::Work => "work",
            Self::Read => "read",
        }
    }
}

/// Text that is no role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no role: write submit, work or read")]
pub struct BadRole(pub String);

impl FromStr for Role {
    type Err = BadRole;

    fn from_str(text: &str) -> Result<Self, BadRole> {
        let found = [Self::Submit, Self::Work, Self::Read].into_iter().find(|role| role.name() == text);
        found.ok_or_else(|| BadRole(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown() {
        let secret = Secret::new("hunter2");
        assert!(!format!("{secret:?} {:?} {}", Some(&secret), secret.digest()).contains("hunter2"));
        assert_eq!(secret.reveal(), "hunter2");
    }

    #[test]
    fn a_digest_is_what_sha256sum_says() {
        let digest = Secret::new("abc").digest();
        assert_eq!(digest.to_string(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(digest.to_string().parse(), Ok(digest));
        for wrong in ["", "abc", &"g".repeat(64), &"ä".repeat(32), &"0".repeat(63), &"+1".repeat(32)] {
            assert_eq!(wrong.parse::<Digest>(), Err(()), "{wrong}");
        }
    }

    #[test]
    fn random_secrets_differ() {
        let [a, b] = [Secret::random().unwrap(), Secret::random().unwrap()];
        assert!(a != b && a.reveal().len() == 64);
    }

    #[test]
    fn a_role_is_for_what_it_says() {
        use Role::{Read, Submit, Work};
        for (role, may) in [(Submit, vec![Submit, Read]), (Work, vec![Work]), (Read, vec![Read])] {
            let includes: Vec<Role> =
                [Submit, Work, Read].into_iter().filter(|needed| role.includes(*needed)).collect();
            assert_eq!(includes, may, "{role:?}");
            assert_eq!(role.name().parse(), Ok(role));
        }
        assert_eq!("root".parse::<Role>().unwrap_err().to_string(), "`root` is no role: write submit, work or read");
    }
}
