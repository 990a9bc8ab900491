//! Clients: domain types in, domain types out.

mod credentials;
mod error;
mod leases;
mod sweeps;
mod target;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint, Uri};

use credentials::Credentials;
pub use error::ClientError;
pub use leases::LeasesClient;
pub use sweeps::{JobLog, ManifestText, Submitted, SweepWatch, SweepsClient};
pub use target::{Identity, Target, TlsFiles, Token};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// For requests that the coordinator answers from memory and one journal write.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(1);

/// A connection that shows a token with every request.
type Line = InterceptedService<Channel, Credentials>;

/// A line to `target` that connects at its first request and again after every break.
///
/// There is no timeout over all requests, because long polls and planning take their time; a dead peer is noticed by
/// HTTP/2 pings.
fn line(target: &Target) -> Result<Line, ClientError> {
    target.check()?;
    if let Some(token) = &target.token {
        credentials::header(token).map_err(|reason| ClientError::Credentials { reason })?;
    }
    let credentials = Credentials(target.token.clone());
    Ok(InterceptedService::new(channel(target)?, credentials))
}

fn channel(target: &Target) -> Result<Channel, ClientError> {
    let endpoint = endpoint(target, &target.full_url())?;
    if !target.wants_tls() {
        return Ok(endpoint.connect_lazy());
    }
    // Told now what every connection would fail of.
    tls::config(&target.tls).map_err(|reason| ClientError::Credentials { reason })?;
    let files = Arc::new(target.tls.clone());
    let secure = endpoint.uri().clone();
    let uri = secure.clone();
    let connector = tower::service_fn(move |_: Uri| tls::connect(uri.clone(), Arc::clone(&files)));
    // `https` would ask tonic for its own encryption, whose files are read once.
    let plain = target.full_url().replacen("https://", "http://", 1);
    let endpoint = self::endpoint(target, &plain)?.origin(secure);
    Ok(endpoint.connect_with_connector_lazy(connector))
}

fn endpoint(target: &Target, url: &str) -> Result<Endpoint, ClientError> {
    let endpoint = Endpoint::from_shared(url.to_owned()).map_err(|source| ClientError::Address {
        url: target.url.clone(),
        source,
    })?;
    Ok(endpoint
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_while_idle(true)
        .tcp_nodelay(true))
}

/// A request with a deadline, which the coordinator sees too.
fn timed<T>(message: T, timeout: Duration) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    request.set_timeout(timeout);
    request
}
