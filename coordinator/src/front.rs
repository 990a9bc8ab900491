//! The plain port: open from the first moment, also while another coordinator serves.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::async_trait;
use vico::probes::{self, Probed, Readiness};

use crate::error::Error;
use crate::metrics::{self, Meters, Pages};

/// A port with the three pages. Dropped, it closes.
pub(crate) struct Front {
    address: SocketAddr,
    shown: Arc<Shown>,
    task: JoinHandle<std::io::Result<()>>,
    closes: DropGuard,
}

struct Shown {
    /// Of a coordinator that serves, once it does.
    pages: OnceLock<Pages>,
    stands_by: AtomicBool,
    meters: Meters,
}

impl Front {
    pub(crate) fn open(listener: TcpListener, meters: Meters) -> Result<Self, Error> {
        let address = listener.local_addr().map_err(Error::Probes)?;
        let shown = Arc::new(Shown {
            pages: OnceLock::new(),
            stands_by: AtomicBool::new(false),
            meters,
        });
        let stop = CancellationToken::new();
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

    /// Says from now on that another coordinator serves, or no longer.
    pub(crate) fn set_stands_by(&self, stands_by: bool) {
        self.shown.stands_by.store(stands_by, Ordering::Relaxed);
    }

    /// Shows what a coordinator tells of itself until it stops.
    pub(crate) async fn show(self, pages: Pages, stop: CancellationToken) -> Result<(), Error> {
        _ = self.shown.pages.set(pages);
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
    async fn ready(&self) -> Readiness {
        match self.pages.get() {
            Some(pages) => pages.ready().await,
            None if self.stands_by.load(Ordering::Relaxed) => Readiness::StandsBy,
            None => Readiness::Unready("it is coming back to where the journal ends".to_owned()),
        }
    }

    async fn metrics(&self) -> Result<String, String> {
        match self.pages.get() {
            Some(pages) => pages.metrics().await,
            None => metrics::text_of_a_standby(&self.meters).map_err(|error| error.to_string()),
        }
    }
}
