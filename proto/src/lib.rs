//! What crosses a process: the services of `clearmosaic/v1/*.proto`, and domain types of the work that is handed out.
//!
//! Wire types stop here. `wire` is generated; `work` and `job` hold the types that the rest of the program speaks,
//! with a `From` on the sending side and a `TryFrom` on the receiving side.

/// Conversions both ways between structs whose fields have the same names and types.
macro_rules! alike {
    ($ours:ty, $wire:ty: $($field:ident),+) => {
        impl From<$ours> for $wire {
            fn from(ours: $ours) -> Self {
                Self { $($field: ours.$field),+ }
            }
        }

        impl From<$wire> for $ours {
            fn from(wire: $wire) -> Self {
                Self { $($field: wire.$field),+ }
            }
        }
    };
}

pub mod access;
pub mod allow;
pub mod coordinators;
pub mod job;
pub mod limits;
pub mod permits;
pub mod refusal;
pub mod reread;
pub mod schedule;
pub mod tls;
pub mod trace;
pub mod version;
pub mod work;

/// Generated messages, clients and servers.
#[allow(missing_docs, clippy::all, clippy::pedantic, unused_qualifications, rust_2018_idioms)]
pub mod wire {
    tonic::include_proto!("clearmosaic.v1");
}

/// What the services and messages look like, for those that ask the server.
pub const DESCRIPTORS: &[u8] = tonic::include_file_descriptor_set!("clearmosaic");

/// A message that says what no peer of this version would say.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}: {problem}")]
pub struct WireError {
    /// The message's type.
    pub message: &'static str,
    /// What is wrong with it.
    pub problem: String,
}

impl WireError {
    fn new(message: &'static str, problem: impl Into<String>) -> Self {
        Self { message, problem: problem.into() }
    }
}

impl From<WireError> for tonic::Status {
    fn from(error: WireError) -> Self {
        Self::invalid_argument(error.to_string())
    }
}
