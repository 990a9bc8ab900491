//! What a coordinator is told and what it is built from.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use vico::clock::{Clock, SystemClock};
use vico::store::Store;
use vico::traces::Traces;

use crate::tls::TlsFiles;

/// Plain settings.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen; port 0 takes any that is free.
    pub listen: SocketAddr,
    /// Allows an address that other machines can reach, even where nothing is encrypted or nobody is asked who they are.
    pub insecure: bool,
    /// What connections are encrypted with.
    pub tls: Option<TlsFiles>,
    /// The file of tokens; without it nobody is asked who they are.
    pub tokens: Option<PathBuf>,
    /// Where probes and metrics are served without encryption; nowhere by default.
    pub http: Option<SocketAddr>,
    /// Where the dashboard is served; nowhere by default.
    pub dashboard: Option<SocketAddr>,
    /// How often the files of certificates and tokens are looked at.
    pub look_every: Duration,
    /// How long a worker may be silent before its jobs are given to others.
    pub lease_ttl: Duration,
}

impl Config {
    /// The default address of `serve`: this machine only.
    pub const DEFAULT_LISTEN: SocketAddr =
        SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 7717);
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: Self::DEFAULT_LISTEN,
            insecure: false,
            tls: None,
            tokens: None,
            http: None,
            dashboard: None,
            look_every: Duration::from_secs(5),
            lease_ttl: Duration::from_secs(30),
        }
    }
}

/// What touches the world.
#[derive(Clone)]
pub struct Parts {
    /// Where `now` comes from.
    pub clock: Arc<dyn Clock>,
    /// The bucket: the only thing that outlives the process.
    pub store: Store,
    /// Where what happened to jobs is told.
    pub traces: Traces,
}

impl Parts {
    /// A bucket and the machine's own clock.
    pub fn new(store: Store) -> Self {
        let clock = Arc::new(SystemClock);
        Self {
            clock,
            store,
            traces: Traces::default(),
        }
    }
}
