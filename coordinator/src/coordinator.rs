//! One coordinator: binds its port, opens its office, and stops as one.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use vico::probes;

use crate::auth::{self, GateLayer, Tokens};
use crate::config::{Config, Parts};
use crate::error::Error;
use crate::metrics::Pages;
use crate::office::{Office, Staff};
use crate::renewal::Keeper;
use crate::{rpc, tls};

/// A coordinator that owns its bucket and its port, and does not serve yet.
pub struct Coordinator {
    listener: TcpListener,
    http: Option<TcpListener>,
    credentials: Credentials,
    office: Office,
}

/// What comes from files that are looked after as long as the coordinator serves.
struct Credentials {
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
        let listen = config.listen;
        require_secrecy(config)?;
        let credentials = Credentials::open(config).await?;
        let listener = bind(listen).await?;
        let http = match config.http {
            Some(http) => Some(bind(http).await?),
            None => None,
        };
        parts.store.require_create_if_absent(&*parts.clock).await?;
        let writer = writer_name(listener.local_addr().ok());
        let office = Office::open(parts, &writer, config.lease_ttl).await?;
        Ok(Self {
            listener,
            http,
            credentials,
            office,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Where probes and metrics are served, if they are.
    pub fn http_address(&self) -> Option<SocketAddr> {
        self.http.as_ref()?.local_addr().ok()
    }

    /// Serves until told to stop, until another coordinator takes over, or until the journal is beyond writing.
    pub async fn serve(self, stop: CancellationToken) -> Result<(), Error> {
        // Whatever ends first, all end.
        let stop = stop.child_token();
        let parts = self.office.parts.clone();
        let mut staff = self.office.start(stop.clone());
        let services = rpc::Services::new(staff.handle.clone(), &parts, &staff.logs, &stop);
        let entrance = rpc::Entrance {
            listener: self.listener,
            tls: self.credentials.tls.as_ref().map(Keeper::renewed),
            gate: GateLayer::new(
                self.credentials.tokens.as_ref().map(Keeper::renewed),
                staff.meters.clone(),
            ),
        };
        if let Some(listener) = self.http {
            let pages = Arc::new(Pages::new(staff.handle.clone(), staff.meters.clone()));
            let serving = probes::serve(listener, probes::router(pages), stop.clone());
            staff.join(async { serving.await.map_err(Error::Probes) });
        }
        self.credentials.look_after(&mut staff, &stop);
        staff.join(rpc::serve(entrance, services, stop));
        staff.work().await
    }
}

impl Credentials {
    /// Reads the files before anything is taken over: a mistake in them must not cost anybody a coordinator that works.
    async fn open(config: &Config) -> Result<Self, Error> {
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

async fn bind(listen: SocketAddr) -> Result<TcpListener, Error> {
    let bound = TcpListener::bind(listen).await;
    bound.map_err(|source| Error::Listen { listen, source })
}

/// Refuses to be reached by others where they could read along, or be anybody.
fn require_secrecy(config: &Config) -> Result<(), Error> {
    let missing = match (&config.tls, &config.tokens) {
        (Some(_), Some(_)) => return Ok(()),
        (None, None) => "nothing would be encrypted and nobody asked who they are",
        (None, Some(_)) => "nothing would be encrypted",
        (Some(_), None) => "nobody would be asked who they are",
    };
    let listen = config.listen;
    if listen.ip().is_loopback() || config.insecure {
        return Ok(());
    }
    Err(Error::Exposed { listen, missing })
}

/// Unique to this start of this process, and something to recognise it by.
fn writer_name(address: Option<SocketAddr>) -> String {
    let process = std::process::id();
    let address = address.map_or_else(|| "nowhere".to_owned(), |address| address.to_string());
    // The seed that the standard library draws for its hash maps is random.
    let nonce = RandomState::new().build_hasher().finish();
    format!("{address} pid {process} {nonce:016x}")
}
