//! The `clearmosaic` command.
fn main() {}
