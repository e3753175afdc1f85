//! How much a call may ask for. What is more is refused by its name, before anything is done.

use std::time::Duration;

use proto::limits::{CLAIMS, LEASES, NAME, SLOTS};
use proto::wire::PermitClaim;
use tokio::time::timeout;
use tonic::{Status, Streaming};

/// How long a stream may stand still.
pub const STALLED: Duration = Duration::from_secs(30);

fn too_much(what: impl std::fmt::Display) -> Status {
    Status::invalid_argument(what.to_string())
}

/// What a worker calls itself.
pub fn worker(id: &str) -> Result<(), Status> {
    if (1..=NAME).contains(&id.len()) && id.chars().all(|c| c.is_ascii_graphic()) {
        return Ok(());
    }
    Err(too_much(format_args!("`worker_id`: expected 1 to {NAME} printable characters without spaces")))
}

/// How many tasks a worker asks for.
pub fn slots(free: u32) -> Result<usize, Status> {
    if free > SLOTS {
        return Err(too_much(format_args!("`free_slots`: {free} tasks at once: at most {SLOTS} are given")));
    }
    Ok(free as usize)
}

/// How many leases a worker names.
pub fn leases(count: usize) -> Result<(), Status> {
    if count > LEASES {
        return Err(too_much(format_args!("`leases`: {count} at once: name at most {LEASES}")));
    }
    Ok(())
}

/// How many budgets a worker claims shares of, and by which names.
pub fn claims(claims: &[PermitClaim]) -> Result<(), Status> {
    if claims.len() > CLAIMS || claims.iter().any(|claim| claim.credential.len() > NAME) {
        return Err(too_much(format_args!("`claims`: at most {CLAIMS}, of credentials of at most {NAME} bytes")));
    }
    Ok(())
}

/// The next message of a stream, which may not stand still for long.
pub async fn next<T>(stream: &mut Streaming<T>) -> Result<Option<T>, Status> {
    let stalled = |_| Status::cancelled(format!("nothing came for {} s: the stream is cut", STALLED.as_secs()));
    timeout(STALLED, stream.message()).await.map_err(stalled)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_is_named() {
        assert!(worker("host-1-5f").is_ok() && slots(SLOTS).is_ok() && leases(LEASES).is_ok());
        let long = "x".repeat(NAME + 1);
        let refused = [
            worker("").unwrap_err(),
            worker(&long).unwrap_err(),
            worker("a\nb").unwrap_err(),
            slots(SLOTS + 1).unwrap_err(),
            leases(LEASES + 1).unwrap_err(),
            claims(&vec![PermitClaim::default(); CLAIMS + 1]).unwrap_err(),
            claims(&[PermitClaim { credential: long.clone(), ..PermitClaim::default() }]).unwrap_err(),
        ];
        for status in refused {
            assert!(status.message().starts_with('`') && !status.message().contains('\n'), "{}", status.message());
        }
    }
}
