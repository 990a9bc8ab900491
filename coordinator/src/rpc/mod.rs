//! The wire: pb to domain, to the handle, and back. No logic.

mod leases;
mod log_stream;
mod refusals;
mod sweeps;
mod watch_stream;

pub(crate) use refusals::of_bucket;
pub(crate) use sweeps::known;

use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;
use vico::protocol::MAX_MESSAGE_BYTES;
use vico::store::Store;
use vico_proto::v1::leases_server::LeasesServer;
use vico_proto::v1::sweeps_server::SweepsServer;

use crate::auth::GateLayer;
use crate::config::Parts;
use crate::door;
use crate::error::Error;
use crate::handle::Handle;
use crate::logbook::LogBook;
use crate::renewal::Renewed;

const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// How long requests under way may take once the server stops.
const FAREWELL: Duration = Duration::from_secs(5);
/// The largest request: a completion with thousands of outputs, a renewal with log lines.
const MAX_REQUEST_BYTES: usize = 16 * 1024 * 1024;
/// All headers of a request together.
const MAX_HEADER_BYTES: u32 = 16 * 1024;
/// Requests under way on one connection.
const MAX_STREAMS: u32 = 256;

/// What both services are made of.
#[derive(Clone)]
pub(crate) struct Services {
    pub(crate) handle: Handle,
    pub(crate) store: Store,
    pub(crate) logs: Arc<LogBook>,
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

/// Where and how requests come in.
pub(crate) struct Entrance {
    pub(crate) listener: TcpListener,
    pub(crate) tls: Option<Renewed<ServerConfig>>,
    pub(crate) gate: GateLayer,
}

/// Serves both services, health and reflection until told to stop.
pub(crate) async fn serve(
    entrance: Entrance,
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
    tokio::spawn(say_goodbye(health, stop.clone()));
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(vico_proto::DESCRIPTORS)
        .build_v1();
    let reflection = reflection.expect("the descriptors were made from the same files at build time");
    let server = Server::builder()
        .http2_keepalive_interval(Some(KEEP_ALIVE))
        .http2_max_header_list_size(MAX_HEADER_BYTES)
        .max_concurrent_streams(MAX_STREAMS)
        .layer(entrance.gate)
        .add_service(health_service)
        .add_service(reflection)
        .add_service(sweeps)
        .add_service(leases);
    let incoming = door::open(entrance.listener, entrance.tls, stop.clone());
    let serving = server.serve_with_incoming_shutdown(incoming, stop.clone().cancelled_owned());
    tokio::select! {
        outcome = serving => outcome.map_err(Error::Serve),
        () = async { stop.cancelled().await; tokio::time::sleep(FAREWELL).await } => Ok(()),
    }
}

/// Once the server stops, because it was told to or because another coordinator has the bucket, it serves nobody: probes
/// must not send people here while the last requests end.
async fn say_goodbye(health: HealthReporter, stop: CancellationToken) {
    stop.cancelled().await;
    health.set_not_serving::<SweepsServer<Services>>().await;
    health.set_not_serving::<LeasesServer<Services>>().await;
    health.set_service_status("", ServingStatus::NotServing).await;
}
