//! The check that every request passes before it reaches a service.

use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Request, Response};
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::BoxFuture;
use tower::{Layer, Service};
use vico::protocol::{Refusal, RefusalKind, VERSION_HEADER};

use super::role::Role;
use super::table::{self, Access};
use super::tokens::{Holder, Tokens};
use crate::audit::{self, Entry};
use crate::door::Peer;
use crate::metrics::Meters;
use crate::renewal::Renewed;
use crate::throttle::Throttle;

/// How long a peer waits for its refusal once it had too many.
const DELAY: Duration = Duration::from_secs(1);

/// Puts the check in front of services. Without tokens everybody may do everything.
#[derive(Clone)]
pub(crate) struct GateLayer(pub(crate) Arc<Guard>);

/// Knows tokens, and how often whoever has none was turned away.
pub(crate) struct Guard {
    tokens: Option<Renewed<Tokens>>,
    throttle: Throttle,
    meters: Meters,
}

impl<S> Layer<S> for GateLayer {
    type Service = Gate<S>;

    fn layer(&self, inner: S) -> Gate<S> {
        Gate {
            guard: Arc::clone(&self.0),
            inner,
        }
    }
}

/// A service with the check in front of it.
#[derive(Clone)]
pub(crate) struct Gate<S> {
    guard: Arc<Guard>,
    inner: S,
}

impl<S> Service<Request<Body>> for Gate<S>
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<Response<Body>, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        // The one that was polled ready is the one to be called.
        let other = self.inner.clone();
        let inner = std::mem::replace(&mut self.inner, other);
        let guard = Arc::clone(&self.guard);
        match guard.examine(&request) {
            Ok(holder) => Box::pin(async move {
                let mut response = serve(inner, request, holder).await?;
                let version = HeaderValue::from_static(env!("CARGO_PKG_VERSION"));
                response.headers_mut().insert(VERSION_HEADER, version);
                Ok(response)
            }),
            Err(refusal) => {
                let delay = guard.tell(request.uri().path(), peer(&request), &refusal);
                Box::pin(async move {
                    tokio::time::sleep(delay).await;
                    Ok(Status::from(refusal).into_http())
                })
            }
        }
    }
}

/// Lets the service answer, and tells the audit trail where something may have changed.
async fn serve<S>(
    mut inner: S,
    mut request: Request<Body>,
    holder: Holder,
) -> Result<Response<Body>, S::Error>
where
    S: Service<Request<Body>, Response = Response<Body>>,
{
    let method = table::method(request.uri().path());
    let Some(method) = method.filter(|method| method.changes) else {
        return inner.call(request).await;
    };
    let entry = Entry::open(method.path, holder, peer(&request));
    request.extensions_mut().insert(entry.subject());
    let response = inner.call(request).await?;
    entry.close(&response);
    Ok(response)
}

impl Guard {
    pub(crate) fn new(tokens: Option<Renewed<Tokens>>, meters: Meters) -> Self {
        Self {
            tokens,
            throttle: Throttle::default(),
            meters,
        }
    }

    /// Whether anybody is asked who they are.
    pub(crate) fn asks(&self) -> bool {
        self.tokens.is_some()
    }

    /// Tells of a refusal, unless the peer has had too many of them; then it has to wait for this one.
    pub(crate) fn tell(&self, path: &str, peer: Option<IpAddr>, refusal: &Refusal) -> Duration {
        self.meters.refused(match refusal.kind {
            RefusalKind::Forbidden => "role",
            _ => "token",
        });
        if peer.is_some_and(|peer| !self.throttle.allows(peer)) {
            return DELAY;
        }
        audit::refused(path, peer, &refusal.message);
        Duration::ZERO
    }

    /// Who calls, where the caller may.
    fn examine(&self, request: &Request<Body>) -> Result<Holder, Refusal> {
        let path = request.uri().path();
        // What is not served is refused by the services, but who may not know of anything hears of nothing.
        let access = table::method(path).map_or(Access::Needs(Role::Read), |method| method.access);
        match access {
            Access::Needs(needed) => self.admit(request.headers(), needed),
            Access::Open => Ok(anybody()),
        }
    }

    /// Who shows a token for at least `needed`.
    pub(crate) fn admit(&self, headers: &HeaderMap, needed: Role) -> Result<Holder, Refusal> {
        let Some(tokens) = &self.tokens else {
            return Ok(anybody());
        };
        let refusal = |reason| Refusal::new(RefusalKind::Unauthenticated, reason);
        let token = bearer(headers).ok_or_else(|| refusal("a token is needed and none was shown"))?;
        let tokens = tokens.current();
        let holder = tokens.holder(token);
        let holder = holder.ok_or_else(|| refusal("nobody knows the token that was shown"))?;
        if holder.role.covers(needed) {
            return Ok(holder.clone());
        }
        let (name, role, needed) = (&holder.name, holder.role.word(), needed.word());
        let reason = format!("{name} may not do this: the token's role is `{role}`, it takes `{needed}`");
        Err(Refusal::new(RefusalKind::Forbidden, reason))
    }
}

/// Who calls where nobody is asked.
fn anybody() -> Holder {
    Holder {
        name: "anybody".into(),
        role: Role::Admin,
    }
}

/// The token in `authorization: Bearer …`.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let header = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

fn peer(request: &Request<Body>) -> Option<IpAddr> {
    request.extensions().get().map(|Peer(address)| address.ip())
}
