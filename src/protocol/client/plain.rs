//! Connections without encryption.

use std::io;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tonic::codegen::http::Uri;

const HTTP_PORT: u16 = 80;
/// How long a machine may take; one that is gone does not even refuse.
const PATIENCE: Duration = Duration::from_secs(3);

/// A connection to the host of `uri`.
pub(super) async fn connect(uri: Uri) -> io::Result<TokioIo<TcpStream>> {
    Ok(TokioIo::new(reach(&uri, HTTP_PORT).await?))
}

/// The bare connection, at `port` where the address names none. A name may stand for several machines, of which one answers.
pub(super) async fn reach(uri: &Uri, port: u16) -> io::Result<TcpStream> {
    let mut failure = io::Error::other("the name stands for no machine");
    for machine in lookup_host((host(uri), uri.port_u16().unwrap_or(port))).await? {
        match timeout(PATIENCE, TcpStream::connect(machine)).await {
            Ok(Ok(tcp)) => {
                tcp.set_nodelay(true)?;
                return Ok(tcp);
            }
            Ok(Err(error)) => failure = error,
            Err(_) => failure = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(failure)
}

/// An IPv6 address stands in brackets in a URL, and nowhere else.
pub(super) fn host(uri: &Uri) -> &str {
    let host = uri.host().unwrap_or_default();
    host.trim_start_matches('[').trim_end_matches(']')
}
