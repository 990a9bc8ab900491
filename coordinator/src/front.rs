//! The plain port: open from the first moment, also while another coordinator serves.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::async_trait;
use vico::probes::{self, Probed};

use crate::error::Error;
use crate::metrics::{self, Pages};

/// A port with the three pages. Dropped, it closes.
pub(crate) struct Front {
    address: SocketAddr,
    shown: Arc<Shown>,
    task: JoinHandle<std::io::Result<()>>,
    closes: DropGuard,
}

/// The pages of a coordinator that serves, once it does.
#[derive(Default)]
struct Shown(OnceLock<Pages>);

impl Front {
    pub(crate) fn open(listener: TcpListener) -> Result<Self, Error> {
        let address = listener.local_addr().map_err(Error::Probes)?;
        let (shown, stop) = (Arc::<Shown>::default(), CancellationToken::new());
        let serving = probes::serve(listener, probes::router(Arc::clone(&shown) as _), stop.clone());
        Ok(Self {
            address,
            shown,
            task: tokio::spawn(serving),
            closes: stop.drop_guard(),
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Shows what a coordinator tells of itself until it stops.
    pub(crate) async fn show(self, pages: Pages, stop: CancellationToken) -> Result<(), Error> {
        _ = self.shown.0.set(pages);
        let closes = self.closes;
        tokio::select! {
            ended = self.task => match ended {
                Ok(served) => served.map_err(Error::Probes),
                Err(_) => Err(Error::Task { task: "probes and metrics" }),
            },
            () = stop.cancelled() => {
                drop(closes);
                Ok(())
            }
        }
    }
}

#[async_trait]
impl Probed for Shown {
    async fn ready(&self) -> Result<(), String> {
        match self.0.get() {
            Some(pages) => pages.ready().await,
            None => {
                Err("it does not serve: it stands by, or is coming back to where the journal ends".to_owned())
            }
        }
    }

    async fn metrics(&self) -> Result<String, String> {
        match self.0.get() {
            Some(pages) => pages.metrics().await,
            None => metrics::text_of_a_standby().map_err(|error| error.to_string()),
        }
    }
}
