//! Who may see the dashboard, and what a browser may do with it.

use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use vico::protocol::RefusalKind;

use super::Dashboard;
use super::api::Failure;
use crate::auth::Role;
use crate::door::Peer;

/// Nothing but our own files; nothing inline, nobody's frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HARDENED: [(HeaderName, &str); 4] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

/// Asks for a token of somebody who may read, where there are tokens.
pub(super) async fn ask(
    State(dashboard): State<Arc<Dashboard>>,
    ConnectInfo(Peer(peer)): ConnectInfo<Peer>,
    request: Request,
    next: Next,
) -> Response {
    match dashboard.guard.admit(request.headers(), Role::Read) {
        Ok(_) => next.run(request).await,
        Err(refusal) => {
            let delay = dashboard
                .guard
                .tell(request.uri().path(), Some(peer.ip()), &refusal);
            tokio::time::sleep(delay).await;
            Failure::from(refusal).into_response()
        }
    }
}

/// Refuses names that are not ours, and says in every answer what a browser may do with it.
pub(super) async fn harden(
    State(dashboard): State<Arc<Dashboard>>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = if dashboard.is_rebound(&request) {
        (StatusCode::MISDIRECTED_REQUEST, "this is nobody's name here\n").into_response()
    } else {
        next.run(request).await
    };
    for (name, value) in HARDENED {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

impl Dashboard {
    /// A page from elsewhere may have its own name point to this machine, and then read what needs no token.
    fn is_rebound(&self, request: &Request) -> bool {
        let Some(loopback) = self.loopback.filter(|_| !self.guard.asks()) else {
            return false;
        };
        let host = request
            .headers()
            .get(header::HOST)
            .and_then(|host| host.to_str().ok());
        let host = host.or_else(|| request.uri().host()).unwrap_or_default();
        let name = host.rsplit_once(':').map_or(host, |(name, port)| {
            if port.bytes().all(|byte| byte.is_ascii_digit()) {
                name
            } else {
                host
            }
        });
        let name = name.trim_start_matches('[').trim_end_matches(']');
        name != "localhost" && name.parse() != Ok(loopback)
    }
}

/// The status that goes with a refusal.
pub(super) fn status(kind: RefusalKind) -> StatusCode {
    match kind {
        RefusalKind::Unauthenticated => StatusCode::UNAUTHORIZED,
        RefusalKind::Forbidden => StatusCode::FORBIDDEN,
        RefusalKind::NotFound => StatusCode::NOT_FOUND,
        RefusalKind::Invalid => StatusCode::BAD_REQUEST,
        RefusalKind::Conflict | RefusalKind::StaleLease | RefusalKind::UnknownSession => StatusCode::CONFLICT,
        RefusalKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        RefusalKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
