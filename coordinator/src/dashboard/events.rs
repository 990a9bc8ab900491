//! When there is something new to see: an event, at most one a second, that says nothing else. A reader that does not read holds
//! back itself and nothing here.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures::stream;
use tokio::sync::{OwnedSemaphorePermit, watch};
use vico::protocol::{Refusal, RefusalKind};

use super::api::{Failure, Shared};

const SHORTEST_WAIT: Duration = Duration::from_secs(1);
/// Ages and estimates move even if nothing happens; and connections that are silent for long are cut by whoever lies between.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Server-sent events; see the module.
pub(super) async fn events(State(dashboard): Shared) -> Result<Response, Failure> {
    let permit = dashboard.streams.clone().try_acquire_owned();
    let busy = |_| {
        Refusal::new(
            RefusalKind::Unavailable,
            "too many pages wait for news; this one asks from time to time",
        )
    };
    let reader = Reader {
        changes: dashboard.services.handle.changes(),
        _permit: permit.map_err(busy)?,
    };
    let events = stream::unfold((reader, true), async |(mut reader, first)| {
        if !first {
            reader.wait().await?;
        }
        Some((
            Ok::<_, Infallible>(Bytes::from_static(b"event: change\ndata:\n\n")),
            (reader, false),
        ))
    });
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, Body::from_stream(events)).into_response())
}

struct Reader {
    changes: watch::Receiver<u64>,
    _permit: OwnedSemaphorePermit,
}

impl Reader {
    /// `None` once the coordinator stops.
    async fn wait(&mut self) -> Option<()> {
        tokio::time::sleep(SHORTEST_WAIT).await;
        match tokio::time::timeout(LONGEST_WAIT, self.changes.changed()).await {
            Ok(changed) => changed.ok(),
            Err(_) => Some(()),
        }
    }
}
