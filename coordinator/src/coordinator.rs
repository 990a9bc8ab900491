//! One coordinator in charge of its bucket: serves, and stops as one.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::auth::{self, GateLayer, Guard, Tokens};
use crate::candidate::Candidate;
use crate::config::{Config, Parts};
use crate::dashboard::Dashboard;
use crate::error::Error;
use crate::front::Front;
use crate::metrics::Pages;
use crate::office::{Office, Staff};
use crate::renewal::Keeper;
use crate::{rpc, tls};

/// A coordinator that owns its bucket and its port, and does not serve yet.
pub struct Coordinator {
    doors: Doors,
    credentials: Credentials,
    office: Office,
}

/// Where a coordinator is reached.
pub(crate) struct Doors {
    pub(crate) listener: TcpListener,
    pub(crate) front: Option<Front>,
    pub(crate) dashboard: Option<TcpListener>,
}

/// What comes from files that are looked after as long as the coordinator serves.
pub(crate) struct Credentials {
    tls: Option<Keeper<ServerConfig>>,
    tokens: Option<Keeper<Tokens>>,
    every: Duration,
}

/// Opens a coordinator and serves until told to stop.
pub async fn run(config: Config, parts: Parts, stop: CancellationToken) -> Result<(), Error> {
    Coordinator::open(&config, parts).await?.serve(stop).await
}

impl Coordinator {
    /// Takes over the bucket, which fences whoever owned it before, and comes back to where its journal ends.
    pub async fn open(config: &Config, parts: Parts) -> Result<Self, Error> {
        Candidate::open(config, parts).await?.take_over().await
    }

    pub(crate) fn new(doors: Doors, credentials: Credentials, office: Office) -> Self {
        Self {
            doors,
            credentials,
            office,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.doors.listener.local_addr()
    }

    /// Where probes and metrics are served, if they are.
    pub fn http_address(&self) -> Option<SocketAddr> {
        self.doors.front.as_ref().map(Front::address)
    }

    /// Where the dashboard is served, if it is.
    pub fn dashboard_address(&self) -> Option<SocketAddr> {
        self.doors.dashboard.as_ref()?.local_addr().ok()
    }

    /// Serves until told to stop, until another coordinator takes over, or until the journal is beyond writing.
    pub async fn serve(self, stop: CancellationToken) -> Result<(), Error> {
        // Whatever ends first, all end.
        let stop = stop.child_token();
        let parts = self.office.parts.clone();
        let mut staff = self.office.start(stop.clone());
        let services = rpc::Services::new(staff.handle.clone(), &parts, &staff.logs, &stop);
        let tls = self.credentials.tls.as_ref().map(Keeper::renewed);
        let tokens = self.credentials.tokens.as_ref().map(Keeper::renewed);
        let guard = Arc::new(Guard::new(tokens, staff.meters.clone()));
        let Doors {
            listener,
            front,
            dashboard,
        } = self.doors;
        if let Some(front) = front {
            let pages = Pages::new(staff.handle.clone(), staff.meters.clone());
            staff.join(front.show(pages, stop.clone()));
        }
        if let Some(listener) = dashboard {
            let listen = listener.local_addr().map_err(Error::Dashboard)?.ip();
            let dashboard = Dashboard::new(services.clone(), Arc::clone(&guard), listen);
            staff.join(dashboard.serve(listener, tls.clone(), stop.clone()));
        }
        let gate = GateLayer(guard);
        let entrance = rpc::Entrance { listener, tls, gate };
        self.credentials.look_after(&mut staff, &stop);
        staff.join(rpc::serve(entrance, services, stop));
        staff.work().await
    }
}

impl Credentials {
    /// Reads the files before anything is taken over: a mistake in them must not cost anybody a coordinator that works.
    pub(crate) async fn open(config: &Config) -> Result<Self, Error> {
        let tls = match &config.tls {
            Some(files) => Some(tls::open(files).await?),
            None => None,
        };
        let tokens = match &config.tokens {
            Some(file) => Some(auth::open(file).await?),
            None => None,
        };
        let every = config.look_every;
        Ok(Self { tls, tokens, every })
    }

    fn look_after(self, staff: &mut Staff, stop: &CancellationToken) {
        if let Some(tls) = self.tls {
            staff.join(tls.run(self.every, stop.clone()));
        }
        if let Some(tokens) = self.tokens {
            staff.join(tokens.run(self.every, stop.clone()));
        }
    }
}
