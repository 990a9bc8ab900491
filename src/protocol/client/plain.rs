//! Connections without encryption.

use std::io;

use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tonic::codegen::http::Uri;

const HTTP_PORT: u16 = 80;

/// A connection to the host of `uri`.
pub(super) async fn connect(uri: Uri) -> io::Result<TokioIo<TcpStream>> {
    Ok(TokioIo::new(reach(&uri, HTTP_PORT).await?))
}

/// The bare connection, at `port` where the address names none.
pub(super) async fn reach(uri: &Uri, port: u16) -> io::Result<TcpStream> {
    let tcp = TcpStream::connect((host(uri), uri.port_u16().unwrap_or(port))).await?;
    tcp.set_nodelay(true)?;
    Ok(tcp)
}

/// An IPv6 address stands in brackets in a URL, and nowhere else.
pub(super) fn host(uri: &Uri) -> &str {
    let host = uri.host().unwrap_or_default();
    host.trim_start_matches('[').trim_end_matches(']')
}
