//! A coordinator that is ready to take over, and has not.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use vico::store::LongestTail;

use crate::config::{Config, Parts};
use crate::coordinator::{Coordinator, Credentials, Doors};
use crate::error::Error;
use crate::front::Front;
use crate::metrics::Meters;
use crate::office::{Office, Opening};
use crate::standby;

/// Connections in wait for being accepted.
const BACKLOG: u32 = 1024;

/// Has its ports and credentials, so that nothing it could be told beforehand goes wrong once it is in charge. Its port for
/// gRPC refuses connections until then: who knows several coordinators by name finds the one that serves.
pub struct Candidate {
    parts: Parts,
    lease_ttl: Duration,
    socket: TcpSocket,
    address: SocketAddr,
    front: Option<Front>,
    dashboard: Option<TcpListener>,
    meters: Meters,
    credentials: Credentials,
}

impl Candidate {
    /// Checks the settings and the bucket, reads credentials and binds ports.
    pub async fn open(config: &Config, mut parts: Parts) -> Result<Self, Error> {
        for address in [Some(config.listen), config.dashboard].into_iter().flatten() {
            require_secrecy(config, address)?;
        }
        let credentials = Credentials::open(config).await?;
        let (socket, address) = reserve(config.listen)?;
        let meters = Meters::default();
        parts.store = parts.store.witnessed(Arc::new(meters.traffic.clone()));
        let front = match config.http {
            Some(http) => Some(Front::open(bind(http).await?, meters.clone())?),
            None => None,
        };
        let dashboard = match config.dashboard {
            Some(dashboard) => Some(bind(dashboard).await?),
            None => None,
        };
        parts.store.require_create_if_absent(&*parts.clock).await?;
        Ok(Self {
            parts,
            lease_ttl: config.lease_ttl,
            socket,
            address,
            front,
            dashboard,
            meters,
            credentials,
        })
    }

    /// Where it will listen.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where probes and metrics are served, if they are.
    pub fn http_address(&self) -> Option<SocketAddr> {
        self.front.as_ref().map(Front::address)
    }

    /// Where the dashboard will be served, if it is.
    pub fn dashboard_address(&self) -> Option<SocketAddr> {
        self.dashboard.as_ref()?.local_addr().ok()
    }

    /// Takes over the bucket, which fences whoever owned it before, and comes back to where its journal ends.
    pub async fn take_over(self) -> Result<Coordinator, Error> {
        let office = Office::open(self.opening(&writer_name(self.address))).await?;
        self.installed(office)
    }

    /// Takes over once whoever serves the bucket has been silent for some seconds, and nobody else was quicker.
    pub async fn stand_by(self) -> Result<Coordinator, Error> {
        loop {
            self.set_stands_by(true);
            let lookout = standby::until_silence(&self.parts.store).await;
            self.set_stands_by(false);
            let writer = writer_name(self.address);
            if let Some(office) = Office::succeed(self.opening(&writer), &lookout).await? {
                return self.installed(office);
            }
        }
    }

    fn opening<'a>(&self, writer: &'a str) -> Opening<'a> {
        Opening {
            parts: self.parts.clone(),
            writer,
            lease_ttl: self.lease_ttl,
            longest_tail: LongestTail::default(),
            meters: self.meters.clone(),
        }
    }

    fn set_stands_by(&self, stands_by: bool) {
        if let Some(front) = &self.front {
            front.set_stands_by(stands_by);
        }
    }

    fn installed(self, office: Office) -> Result<Coordinator, Error> {
        let listen = self.address;
        let listener = self.socket.listen(BACKLOG);
        let listener = listener.map_err(|source| Error::Listen { listen, source })?;
        let doors = Doors {
            listener,
            front: self.front,
            dashboard: self.dashboard,
        };
        Ok(Coordinator::new(doors, self.credentials, office))
    }
}

/// Takes a port without listening there yet.
fn reserve(listen: SocketAddr) -> Result<(TcpSocket, SocketAddr), Error> {
    let reserved = || {
        let socket = match listen {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        // Connections of a predecessor that the system still winds up do not keep the port.
        socket.set_reuseaddr(true)?;
        socket.bind(listen)?;
        let address = socket.local_addr()?;
        Ok((socket, address))
    };
    reserved().map_err(|source| Error::Listen { listen, source })
}

async fn bind(listen: SocketAddr) -> Result<TcpListener, Error> {
    let bound = TcpListener::bind(listen).await;
    bound.map_err(|source| Error::Listen { listen, source })
}

/// Refuses to be reached by others where they could read along, or be anybody.
fn require_secrecy(config: &Config, listen: SocketAddr) -> Result<(), Error> {
    let missing = match (&config.tls, &config.tokens) {
        (Some(_), Some(_)) => return Ok(()),
        (None, None) => "nothing would be encrypted and nobody asked who they are",
        (None, Some(_)) => "nothing would be encrypted",
        (Some(_), None) => "nobody would be asked who they are",
    };
    if listen.ip().is_loopback() || config.insecure {
        return Ok(());
    }
    Err(Error::Exposed { listen, missing })
}

/// Unique to this attempt of this process, and something to recognise it by.
fn writer_name(address: SocketAddr) -> String {
    let process = std::process::id();
    // The seed that the standard library draws for its hash maps is random.
    let nonce = RandomState::new().build_hasher().finish();
    format!("{address} pid {process} {nonce:016x}")
}
