//! The task that keeps leases alive. It does nothing else, so that nothing a job does can hold it up.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use vico::job::{Renewal, Renewed};

use crate::backoff::Backoff;
use crate::leave::Leave;
use crate::link::Link;

/// Renews until `stop`, or until the worker is refused for good; asks by `leave` when the coordinator wants it to take no
/// more work.
///
/// While the coordinator does not answer, jobs go on computing: whether their leases survived is known when it answers
/// again, and until then giving up would only lose work.
pub async fn keep_alive(link: &Link, leave: &Leave, stop: &CancellationToken) {
    let mut backoff = Backoff::default();
    let mut pause = link.renew_interval();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        let interval = link.renew_interval();
        pause = if let Some(renewed) = renew(link, interval).await {
            backoff = Backoff::default();
            obey(link, &renewed, leave);
            interval
        } else if link.is_refused() {
            return;
        } else {
            interval.min(backoff.delay())
        };
    }
}

/// One renewal of all leases; `None` if it did not arrive. With no lease it still says that the worker is there.
async fn renew(link: &Link, limit: Duration) -> Option<Renewed> {
    let renewal = Renewal {
        session: link.session(),
        reports: link.leases().reports(),
    };
    match tokio::time::timeout(limit, link.renew(&renewal)).await {
        Ok(Ok(renewed)) => return Some(renewed),
        Ok(Err(error)) => tracing::warn!(%error, "leases not renewed"),
        Err(_) => tracing::warn!(?limit, "leases not renewed: the coordinator takes too long"),
    }
    link.leases().put_back(renewal.reports);
    None
}

fn obey(link: &Link, renewed: &Renewed, leave: &Leave) {
    for revoked in &renewed.revoked {
        link.leases().revoke(revoked.lease, &revoked.reason);
    }
    if renewed.drain && !leave.is_asked() {
        tracing::info!("the coordinator asks this worker to leave");
        leave.ask();
    }
}
