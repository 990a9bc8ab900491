//! `serve`: a coordinator for users and workers.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use tokio_util::sync::CancellationToken;
use vico_coord::{Config, Coordinator, Parts, TlsFiles};

use crate::cli::bucket::Bucket;
use crate::cli::exit::Result;
use crate::cli::{output, signals};

/// Takes over a bucket and serves it until told to stop; whoever served it before steps down.
#[derive(Debug, Args)]
pub(super) struct Serve {
    #[command(flatten)]
    bucket: Bucket,
    /// Where to listen
    #[arg(long, default_value_t = Config::DEFAULT_LISTEN, value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Listen where other machines can reach it, even without encryption or tokens
    #[arg(long)]
    insecure: bool,
    #[command(flatten)]
    tls: Tls,
    /// Who may do what: a file with `role name token` a line; roles are admin, submit, read and worker
    #[arg(long, value_name = "FILE")]
    tokens: Option<PathBuf>,
    /// Serve /livez, /readyz and /metrics there, without encryption; they hold counts and no names
    #[arg(long, value_name = "ADDRESS")]
    http: Option<SocketAddr>,
    /// How long a worker may be silent before its jobs are given to others
    #[arg(long, default_value = "30s", value_parser = humantime::parse_duration)]
    lease_ttl: Duration,
}

/// What connections are encrypted with. Renewed files are taken up within seconds.
#[derive(Debug, Args)]
struct Tls {
    /// The server's certificate in PEM, followed by those between it and the authority
    #[arg(id = "tls_cert", long = "tls-cert", value_name = "FILE", requires = "tls_key")]
    cert: Option<PathBuf>,
    /// The private key of --tls-cert
    #[arg(id = "tls_key", long = "tls-key", value_name = "FILE", requires = "tls_cert")]
    key: Option<PathBuf>,
    /// Let in only clients whose certificate one of these authorities vouches for
    #[arg(long = "tls-client-ca", value_name = "FILE", requires = "tls_cert")]
    client_ca: Option<PathBuf>,
}

impl Tls {
    fn files(self) -> Option<TlsFiles> {
        let Self { cert, key, client_ca } = self;
        let (cert, key) = cert.zip(key)?;
        Some(TlsFiles { cert, key, client_ca })
    }
}

impl Serve {
    pub(super) async fn execute(self) -> Result {
        let store = self.bucket.open().await?;
        let config = Config {
            listen: self.listen,
            insecure: self.insecure,
            tls: self.tls.files(),
            tokens: self.tokens,
            http: self.http,
            lease_ttl: self.lease_ttl,
            ..Config::default()
        };
        let url = store.url().to_owned();
        let coordinator = Coordinator::open(&config, Parts::new(store)).await?;
        let address = coordinator.address().context("the port has no address")?;
        let scheme = if config.tls.is_some() { "https" } else { "http" };
        output::note(format_args!("serving {url} at {scheme}://{address}"));
        if let Some(http) = coordinator.http_address() {
            output::note(format_args!("probes and metrics at http://{http}"));
        }
        let stop = CancellationToken::new();
        let guard = stop.clone();
        let signals = async move {
            signals::stop_asked().await;
            guard.cancel();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            ended = coordinator.serve(stop) => Ok(ended?),
            () = signals => Ok(()),
        }
    }
}
