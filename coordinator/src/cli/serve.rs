//! `serve`: a coordinator for users and workers.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use tokio_util::sync::CancellationToken;
use vico_coord::{Config, Coordinator, Parts};

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
    /// Listen where other machines can reach it, without encryption or passwords
    #[arg(long)]
    insecure: bool,
    /// How long a worker may be silent before its jobs are given to others
    #[arg(long, default_value = "30s", value_parser = humantime::parse_duration)]
    lease_ttl: Duration,
}

impl Serve {
    pub(super) async fn execute(self) -> Result {
        let store = self.bucket.open().await?;
        let config = Config {
            listen: self.listen,
            insecure: self.insecure,
            lease_ttl: self.lease_ttl,
        };
        let url = store.url().to_owned();
        let coordinator = Coordinator::open(&config, Parts::new(store)).await?;
        let address = coordinator.address().context("the port has no address")?;
        output::note(format_args!("serving {url} at http://{address}"));
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
