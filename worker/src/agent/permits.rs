//! Shares of budgets: claimed for as long as something is read that has one, on a timer of their own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use earth_engine::Budgets;
use proto::coordinators::Coordinators;
use proto::permits::Share;
use proto::wire::RenewLeasesRequest;

/// How often shares are claimed, well within the time that they last.
const EVERY: Duration = Duration::from_secs(2);
/// The same while more could be used than there is.
const HUNGRY: Duration = Duration::from_millis(250);
/// The least between two claims, however hungry.
const LEAST: Duration = Duration::from_millis(50);

/// Claims shares for ever: one message at a time, so that what is answered is about what is held.
pub(super) async fn claim(coordinators: Coordinators, worker_id: String, budgets: Arc<Budgets>) {
    let mut number = 0;
    loop {
        let (claims, is_hungry) = budgets.claims();
        if claims.is_empty() {
            budgets.hungry().await;
            continue;
        }
        number += 1;
        let (sent, worker_id) = (Instant::now(), worker_id.clone());
        let claims = claims.into_iter().map(Into::into).collect();
        let request = RenewLeasesRequest { worker_id, claims, claims_number: number, ..RenewLeasesRequest::default() };
        match coordinators.work().renew_leases(request).await {
            Ok(response) => {
                let response = response.into_inner();
                let shares: Vec<Share> = response.shares.into_iter().map(Into::into).collect();
                // From when it was sent: whoever gives it away again counts from when it came.
                budgets.tell(&shares, sent + Duration::from_millis(response.shares_ttl_ms.into()));
            }
            Err(error) => tracing::debug!(%error, "no share is told"),
        }
        if is_hungry {
            tokio::time::sleep(HUNGRY).await;
        } else if tokio::time::timeout(EVERY, budgets.hungry()).await.is_ok() {
            tokio::time::sleep(LEAST).await;
        }
    }
}
