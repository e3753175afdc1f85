//! Again, every month: what is published stays, what has changed is told, and nothing else is done.
#![allow(missing_docs, clippy::unwrap_used)]

mod versions;
mod year;
