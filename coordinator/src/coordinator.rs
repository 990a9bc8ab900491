//! One coordinator: binds its port, opens its office, and stops as one.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::SocketAddr;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, Parts};
use crate::error::Error;
use crate::office::Office;
use crate::rpc;

/// A coordinator that owns its bucket and its port, and does not serve yet.
pub struct Coordinator {
    listener: TcpListener,
    office: Office,
}

/// Opens a coordinator and serves until told to stop.
pub async fn run(config: Config, parts: Parts, stop: CancellationToken) -> Result<(), Error> {
    Coordinator::open(&config, parts).await?.serve(stop).await
}

impl Coordinator {
    /// Takes over the bucket, which fences whoever owned it before, and comes back to where its journal ends.
    pub async fn open(config: &Config, parts: Parts) -> Result<Self, Error> {
        let listen = config.listen;
        if !listen.ip().is_loopback() && !config.insecure {
            return Err(Error::Exposed { listen });
        }
        let bound = TcpListener::bind(listen).await;
        let listener = bound.map_err(|source| Error::Listen { listen, source })?;
        parts.store.require_create_if_absent(&*parts.clock).await?;
        let writer = writer_name(listener.local_addr().ok());
        let office = Office::open(parts, &writer, config.lease_ttl).await?;
        Ok(Self { listener, office })
    }

    /// Where it listens.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until told to stop, until another coordinator takes over, or until the journal is beyond writing.
    pub async fn serve(self, stop: CancellationToken) -> Result<(), Error> {
        // Whatever ends first, all end.
        let stop = stop.child_token();
        let parts = self.office.parts.clone();
        let mut staff = self.office.start(stop.clone());
        let services = rpc::Services::new(staff.handle.clone(), &parts, &staff.logs, &stop);
        staff.join(rpc::serve(self.listener, services, stop));
        staff.work().await
    }
}

/// Unique to this start of this process, and something to recognise it by.
fn writer_name(address: Option<SocketAddr>) -> String {
    let process = std::process::id();
    let address = address.map_or_else(|| "nowhere".to_owned(), |address| address.to_string());
    // The seed that the standard library draws for its hash maps is random.
    let nonce = RandomState::new().build_hasher().finish();
    format!("{address} pid {process} {nonce:016x}")
}
