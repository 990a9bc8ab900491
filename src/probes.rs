//! The plain port for probes and scrapes: `/livez`, `/readyz`, `/metrics`.
//!
//! Whoever reaches it learns how much there is of what, and no name, prompt or picture; it changes nothing.

use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// As OpenMetrics has it, which Prometheus reads too.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A process as its operator sees it.
#[async_trait]
pub trait Probed: Send + Sync + 'static {
    /// Whether it can do its work now.
    async fn ready(&self) -> Readiness;
    /// Everything that it counts, in OpenMetrics text; if it cannot be told, why.
    async fn metrics(&self) -> Result<String, String>;
}

/// How far a process is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It does its work.
    Ready,
    /// All is well, and another process does the work.
    StandsBy,
    /// It cannot; why.
    Unready(String),
}

type Shared = State<Arc<dyn Probed>>;

/// The three pages.
pub fn router(probed: Arc<dyn Probed>) -> Router {
    Router::new()
        .route("/livez", get(async || "alive\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(probed)
}

/// Serves the pages until told to stop.
///
/// # Errors
/// The listener breaks down.
pub async fn serve(listener: TcpListener, pages: Router, stop: CancellationToken) -> std::io::Result<()> {
    let serving = axum::serve(listener, pages).with_graceful_shutdown(stop.clone().cancelled_owned());
    // A scraper that keeps its connection must not keep the process.
    tokio::select! {
        ended = serving => ended,
        () = stop.cancelled() => Ok(()),
    }
}

/// With `?standbyok` a process that stands by is fine too: whoever replaces processes one by one must not wait for it to
/// get work.
async fn ready(State(probed): Shared, RawQuery(query): RawQuery) -> Response {
    let standby_ok = query.is_some_and(|query| query == "standbyok");
    match probed.ready().await {
        Readiness::Ready => "ready\n".into_response(),
        Readiness::StandsBy if standby_ok => "stands by\n".into_response(),
        Readiness::StandsBy => unavailable("another one does the work, and this one stands by"),
        Readiness::Unready(reason) => unavailable(&reason),
    }
}

async fn metrics(State(probed): Shared) -> Response {
    match probed.metrics().await {
        Ok(text) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(reason) => unavailable(&reason),
    }
}

fn unavailable(reason: &str) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")).into_response()
}
