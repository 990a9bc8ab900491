//! The dashboard: sweeps, workers, jobs and pictures in a browser, and the same as JSON. It changes nothing.
//!
//! - [`listener`]: connections come in by the same door as gRPC's. - [`access`]: who may see. - [`assets`]: the page itself.
//! - [`api`]: what the page shows, from the questions that the command line asks too. - [`events`]: when to ask again.
//! - [`pictures`]: images of the bucket that a receipt names.

mod access;
mod api;
mod assets;
mod events;
mod listener;
mod pictures;

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::middleware;
use axum::routing::get;
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::auth::Guard;
use crate::door::{self, Peer};
use crate::error::Error;
use crate::renewal::Renewed;
use crate::rpc::Services;

/// Pages that may wait for news at a time.
const STREAMS: usize = 64;

/// What all requests share.
pub(crate) struct Dashboard {
    services: Services,
    guard: Arc<Guard>,
    /// The address that it listens on, where only this machine reaches it.
    loopback: Option<IpAddr>,
    streams: Arc<Semaphore>,
}

impl Dashboard {
    pub(crate) fn new(services: Services, guard: Arc<Guard>, listen: IpAddr) -> Self {
        Self {
            services,
            guard,
            loopback: listen.is_loopback().then_some(listen),
            streams: Arc::new(Semaphore::new(STREAMS)),
        }
    }

    fn router(self) -> Router {
        let shared = Arc::new(self);
        let api = Router::new()
            .route("/sweeps", get(api::sweeps))
            .route("/sweeps/{sweep}", get(api::sweep))
            .route("/sweeps/{sweep}/jobs", get(api::jobs))
            .route("/jobs/{job}", get(api::job))
            .route("/jobs/{job}/log", get(api::log))
            .route("/jobs/{job}/pictures/{*name}", get(pictures::picture))
            .route("/workers", get(api::workers))
            .route("/events", get(events::events))
            .route_layer(middleware::from_fn_with_state(Arc::clone(&shared), access::ask));
        Router::new()
            .route("/", get(assets::page))
            .route("/style.css", get(assets::style))
            .route("/script.js", get(assets::script))
            .route("/icon.svg", get(assets::icon))
            .nest("/api/v1", api)
            .layer(middleware::from_fn_with_state(
                Arc::clone(&shared),
                access::harden,
            ))
            .with_state(shared)
    }

    /// Serves until told to stop.
    pub(crate) async fn serve(
        self,
        listener: TcpListener,
        tls: Option<Renewed<ServerConfig>>,
        stop: CancellationToken,
    ) -> Result<(), Error> {
        let address = listener.local_addr().map_err(Error::Dashboard)?;
        let guests = door::open(listener, tls, stop.clone());
        let listener = listener::Guests::new(guests, address);
        let service = self.router().into_make_service_with_connect_info::<Peer>();
        tokio::select! {
            ended = axum::serve(listener, service) => ended.map_err(Error::Dashboard),
            // Readers of events would stay for ever.
            () = stop.cancelled() => Ok(()),
        }
    }
}
