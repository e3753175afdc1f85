//! Archives on other machines: what is read from them is what would be read from files, whatever goes wrong on the way.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stderr)]

mod harm;
mod network;
mod scores;
mod stac;
mod told;
