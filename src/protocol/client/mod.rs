//! Clients: domain types in, domain types out.

mod error;
mod leases;
mod sweeps;

use std::time::Duration;

use tonic::transport::{Channel, Endpoint};

pub use error::ClientError;
pub use leases::LeasesClient;
pub use sweeps::{JobLog, ManifestText, Submitted, SweepWatch, SweepsClient};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// For requests that the coordinator answers from memory and one journal write.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(1);

/// A channel to `url` that connects at its first request and again after every break.
///
/// There is no timeout over all requests, because long polls and planning take their time; a dead peer is noticed by
/// HTTP/2 pings.
fn channel(url: &str) -> Result<Channel, ClientError> {
    let with_scheme = if url.contains("://") {
        url.to_owned()
    } else {
        format!("http://{url}")
    };
    let endpoint = Endpoint::from_shared(with_scheme).map_err(|source| ClientError::Address {
        url: url.to_owned(),
        source,
    })?;
    let endpoint = endpoint
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_while_idle(true)
        .tcp_nodelay(true);
    Ok(endpoint.connect_lazy())
}

/// A request with a deadline, which the coordinator sees too.
fn timed<T>(message: T, timeout: Duration) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    request.set_timeout(timeout);
    request
}
