//! How much may be sent at once. Both ends hold to it: who sends tells sooner, who receives is not flooded.

/// Bytes of a message, in either direction.
pub const MESSAGE: usize = 4 << 20;
/// Bytes of a request as JSON. A catalogue or an area is sent as an attachment, not in it.
pub const REQUEST: usize = 1 << 20;
/// Bytes of one piece of an attachment: messages stay well below what gRPC takes.
pub const PIECE: usize = 1 << 20;
/// Attachments of one request: there are not as many fields that could name one.
pub const ATTACHMENTS: usize = 8;
/// Bytes of all attachments of one request, unless the coordinator is told otherwise.
pub const ATTACHED: usize = 512 << 20;
/// Bytes of all headers of a call.
pub const HEADERS: u32 = 16 << 10;
/// Calls at once on one connection; further ones wait.
pub const CALLS: u32 = 2048;
/// Characters of what a worker calls itself.
pub const NAME: usize = 256;
/// Tasks that a worker may ask for at once.
pub const SLOTS: u32 = 1024;
/// Tasks that are handed out in one answer: a worker with more slots asks again.
pub const GRANTS: usize = 64;
/// Leases that a worker may name at once.
pub const LEASES: usize = 4096;
/// Budgets that a worker may claim shares of at once.
pub const CLAIMS: usize = 64;
