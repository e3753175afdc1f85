//! What can go wrong with a source raster, by what is done about it.

use std::fmt;

use mosaic::href::{scrub, unsigned};

/// A raster that could not be read, or is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadError {
    /// Path or URL.
    pub href: String,
    /// What is wrong, and what to do about it.
    pub problem: String,
    /// Whether trying again may help.
    pub retryable: bool,
}

/// What is said of a file that is not there.
const MISSING: &str = "there is no such file";

impl ReadError {
    /// Trying again will not help.
    pub fn permanent(href: &str, problem: impl Into<String>) -> Self {
        // GDAL and servers repeat the URL that they were asked for, signature and all.
        let (href, problem) = (unsigned(href).into_owned(), one_line(&scrub(&problem.into())));
        Self { href, problem, retryable: false }
    }

    /// Of a file that the server says is not there.
    pub(crate) fn missing(href: &str) -> Self {
        Self::permanent(href, MISSING)
    }

    /// Whether the server says that there is no such file.
    pub(crate) fn is_missing(&self) -> bool {
        self.problem == MISSING
    }

    /// Nobody waits any more for what was asked.
    pub(crate) fn given_up(href: &str, why: &artifacts::StoreError) -> Self {
        Self { retryable: true, ..Self::permanent(href, why.to_string()) }
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.href, self.problem)
    }
}

impl std::error::Error for ReadError {}
