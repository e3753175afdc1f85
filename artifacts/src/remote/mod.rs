//! Object stores: S3, Google Cloud Storage, Azure, and whatever speaks like one of them.
//!
//! ```text
//! open ─► bucket: objects below a prefix, small ones at once ◄─ said: its errors
//!           └─ transfer: files to objects and back, a piece at a time          io: calls that are waited for
//! ```
//!
//! Retries are `object_store`'s. Nothing here trusts a listing: what is there is what can be read.

mod bucket;
mod io;
mod open;
mod said;
mod source;
mod transfer;

pub use bucket::{Bucket, Found};
pub use io::{Call, give_up, spawn, until, wait};
pub(crate) use io::{as_here, off};
pub use said::said;
pub use source::{object, source};
pub use transfer::PIECE;
