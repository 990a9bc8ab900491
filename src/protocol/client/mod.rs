//! Clients: domain types in, domain types out.

mod addresses;
mod credentials;
mod error;
mod leases;
mod plain;
mod sweeps;
mod target;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint, Uri};

use addresses::Addresses;
use credentials::Credentials;
pub use error::ClientError;
pub use leases::LeasesClient;
pub use sweeps::{JobLog, ManifestText, Submitted, SweepWatch, SweepsClient};
pub use target::{Identity, Target, TlsFiles, Token};

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
    let endpoints: Result<Vec<Endpoint>, _> = target.urls().iter().map(|url| endpoint(url)).collect();
    let endpoints = endpoints?;
    let uris: Vec<Uri> = endpoints.iter().map(|endpoint| endpoint.uri().clone()).collect();
    let first = uris[0].clone();
    let addresses = Arc::new(Addresses::new(uris));
    if !target.wants_tls() {
        let connector = tower::service_fn(move |_: Uri| {
            let addresses = Arc::clone(&addresses);
            async move { addresses.connect(plain::connect).await }
        });
        return Ok(endpoints[0].connect_with_connector_lazy(connector));
    }
    // Told now what every connection would fail of.
    tls::config(&target.tls).map_err(|reason| ClientError::Credentials { reason })?;
    let files = Arc::new(target.tls.clone());
    let connector = tower::service_fn(move |_: Uri| {
        let (addresses, files) = (Arc::clone(&addresses), Arc::clone(&files));
        async move {
            addresses
                .connect(|uri| tls::connect(uri, Arc::clone(&files)))
                .await
        }
    });
    // `https` would ask tonic for its own encryption, whose files are read once.
    let plain = target.urls()[0].replacen("https://", "http://", 1);
    Ok(endpoint(&plain)?
        .origin(first)
        .connect_with_connector_lazy(connector))
}

fn endpoint(url: &str) -> Result<Endpoint, ClientError> {
    let endpoint = Endpoint::from_shared(url.to_owned()).map_err(|source| ClientError::Address {
        url: url.to_owned(),
        source,
    })?;
    Ok(endpoint
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_while_idle(true))
}

/// A request with a deadline, which the coordinator sees too.
fn timed<T>(message: T, timeout: Duration) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    request.set_timeout(timeout);
    request
}
