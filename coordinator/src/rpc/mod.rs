//! The wire: pb to domain, to the handle, and back. No logic.

mod leases;
mod log_stream;
mod refusals;
mod sweeps;
mod watch_stream;

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use vico::protocol::MAX_MESSAGE_BYTES;
use vico::store::Store;
use vico_proto::v1::leases_server::LeasesServer;
use vico_proto::v1::sweeps_server::SweepsServer;

use crate::config::Parts;
use crate::error::Error;
use crate::handle::Handle;
use crate::logbook::LogBook;

const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// How long requests under way may take once the server stops.
const FAREWELL: Duration = Duration::from_secs(5);
/// The largest request: a completion with thousands of outputs, a renewal with log lines.
const MAX_REQUEST_BYTES: usize = 16 * 1024 * 1024;

/// What both services are made of.
#[derive(Clone)]
pub(crate) struct Services {
    handle: Handle,
    store: Store,
    logs: Arc<LogBook>,
    stop: CancellationToken,
}

impl Services {
    pub(crate) fn new(handle: Handle, parts: &Parts, logs: &Arc<LogBook>, stop: &CancellationToken) -> Self {
        Self {
            handle,
            store: parts.store.clone(),
            logs: Arc::clone(logs),
            stop: stop.clone(),
        }
    }
}

/// Serves both services, health and reflection until told to stop.
pub(crate) async fn serve(
    listener: TcpListener,
    services: Services,
    stop: CancellationToken,
) -> Result<(), Error> {
    let sweeps = SweepsServer::new(services.clone())
        .max_decoding_message_size(MAX_REQUEST_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES);
    let leases = LeasesServer::new(services)
        .max_decoding_message_size(MAX_REQUEST_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES);
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_serving::<SweepsServer<Services>>().await;
    health.set_serving::<LeasesServer<Services>>().await;
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(vico_proto::DESCRIPTORS)
        .build_v1();
    let reflection = reflection.expect("the descriptors were made from the same files at build time");
    let server = Server::builder()
        .http2_keepalive_interval(Some(KEEP_ALIVE))
        .add_service(health_service)
        .add_service(reflection)
        .add_service(sweeps)
        .add_service(leases);
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let serving = server.serve_with_incoming_shutdown(incoming, stop.clone().cancelled_owned());
    tokio::select! {
        outcome = serving => outcome.map_err(Error::Serve),
        () = async { stop.cancelled().await; tokio::time::sleep(FAREWELL).await } => Ok(()),
    }
}
