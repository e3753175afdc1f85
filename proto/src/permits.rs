//! Budgets of requests that workers share: what a worker needs of one, and what it gets.

use crate::wire;

/// What a process needs of a credential's budget.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claim {
    /// The credential's profile.
    pub credential: String,
    /// Requests that it may have under way by the share that it obeys, or has yet by the one before.
    pub held: u32,
    /// Requests that it could have under way.
    pub wanted: u32,
}

/// How much of a budget is a process's, until it is told again or it runs out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// The credential's profile.
    pub credential: String,
    /// Requests that it may have under way at once.
    pub permits: u32,
}

alike! { Claim, wire::PermitClaim: credential, held, wanted }
alike! { Share, wire::PermitShare: credential, permits }
