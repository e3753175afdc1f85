//! The tokens that a coordinator knows: a line for each, `role name sha256`, as `clearmosaic token` writes them.
//!
//! Of a token only its digest is kept: who reads the file cannot use it. The name is for people, and for logs.

use std::collections::HashSet;

use proto::access::{Digest, Role, Secret};

/// Who may do what.
#[derive(Clone, Debug)]
pub struct Tokens(Vec<Token>);

/// A token as it is known.
#[derive(Clone, Debug)]
pub struct Token {
    /// What it is for.
    pub role: Role,
    /// Whose it is.
    pub name: String,
    digest: Digest,
}

/// What is wrong with a list of tokens.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTokens {
    /// A line that says something else.
    #[error(
        "line {0}: expected a role, a name and the SHA-256 of a token in hexadecimal, as `clearmosaic token` writes it"
    )]
    Line(usize),
    /// A role that is none.
    #[error("line {0}: {1}")]
    Role(usize, proto::access::BadRole),
    /// One token would have two roles, or two owners.
    #[error("line {0}: this token stands in the list already")]
    Twice(usize),
    /// Nobody could do anything.
    #[error("there is no token in it")]
    None,
}

impl Tokens {
    /// Reads a list; what begins with `#` is a comment.
    ///
    /// # Errors
    /// The first line that is at fault.
    pub fn parse(text: &str) -> Result<Self, BadTokens> {
        let (mut tokens, mut seen) = (Vec::new(), HashSet::new());
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let [role, name, digest] =
                line.split_whitespace().collect::<Vec<_>>().try_into().map_err(|_| BadTokens::Line(number))?;
            let role = role.parse().map_err(|e| BadTokens::Role(number, e))?;
            let digest: Digest = digest.parse().map_err(|()| BadTokens::Line(number))?;
            if !seen.insert(digest.bytes()) {
                return Err(BadTokens::Twice(number));
            }
            tokens.push(Token { role, name: name.to_owned(), digest });
        }
        if tokens.is_empty() { Err(BadTokens::None) } else { Ok(Self(tokens)) }
    }

    /// The token that was shown. All are compared, each in constant time: how long it takes tells nothing.
    #[must_use]
    pub fn find(&self, shown: &Secret) -> Option<&Token> {
        let of = |digest: Digest| blake3::Hash::from_bytes(digest.bytes());
        let shown = of(shown.digest());
        // Hashes of this type are compared in constant time.
        self.0.iter().fold(None, |found, token| if of(token.digest) == shown { Some(token) } else { found })
    }
}

/// The line of a token, for such a list.
#[must_use]
pub fn line(role: Role, name: &str, token: &Secret) -> String {
    format!("{} {name} {}\n", role.name(), token.digest())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_by_its_digest() {
        let [alice, farm] = [Secret::random().unwrap(), Secret::random().unwrap()];
        let text = format!("# who\n\n{}  {}", line(Role::Submit, "alice", &alice), line(Role::Work, "farm", &farm));
        let tokens = Tokens::parse(&text).unwrap();
        let found = |token: &Secret| tokens.find(token).map(|token| (token.role, token.name.clone()));
        assert_eq!(found(&alice), Some((Role::Submit, "alice".to_owned())));
        assert_eq!(found(&farm), Some((Role::Work, "farm".to_owned())));
        assert_eq!(found(&Secret::new("")), None);
        assert_eq!(found(&Secret::new(alice.digest().to_string())), None, "a digest is no token");
        assert!(!format!("{tokens:?}{text}").contains(alice.reveal()));
    }

    #[test]
    fn bad_lists_say_where() {
        let digest = Secret::new("x").digest();
        for (text, why) in [
            (String::new(), "there is no token"),
            ("# nobody\n".to_owned(), "there is no token"),
            ("submit alice".to_owned(), "line 1"),
            ("\nsubmit alice my-token-itself".to_owned(), "line 2"),
            (format!("root alice {digest}"), "`root` is no role"),
            (format!("read a {digest}\nsubmit b {digest}"), "line 2: this token stands in the list already"),
        ] {
            let error = Tokens::parse(&text).unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
            assert!(!error.contains("my-token"), "what may be a secret is not told: {error}");
        }
    }
}
