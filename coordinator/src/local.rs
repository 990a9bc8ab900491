//! A whole cluster in one process: a coordinator, a worker, and gRPC between them on the loopback.
//!
//! Nothing is short-cut: the same calls, leases and store code as on a hundred machines.

use std::path::PathBuf;

use anyhow::{Context as _, anyhow};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use vico::store::Store;
use vico_coord::{Config, Coordinator, Parts};

/// What the worker is told.
pub(crate) struct WorkerSettings {
    /// Folder of the local cache.
    pub(crate) cache: PathBuf,
    /// Bytes the cache may hold.
    pub(crate) cache_size: u64,
    /// Jobs done at a time.
    pub(crate) slots: u32,
}

/// A coordinator and a worker that live as long as this.
pub(crate) struct Cluster {
    url: String,
    coordinator: Part,
    worker: Part,
}

struct Part {
    task: JoinHandle<anyhow::Result<()>>,
    stop: CancellationToken,
}

impl Cluster {
    /// Starts both; the coordinator takes over the bucket.
    pub(crate) async fn start(store: &Store, settings: WorkerSettings) -> Result<Self, vico_coord::Error> {
        let config = Config {
            listen: ([127, 0, 0, 1], 0).into(),
            ..Config::default()
        };
        let coordinator = Coordinator::open(&config, Parts::new(store.clone())).await?;
        let listen = config.listen;
        let address = coordinator
            .address()
            .map_err(|source| vico_coord::Error::Listen { listen, source })?;
        let url = format!("http://{address}");
        let coordinator = Part::start(|stop| async move { Ok(coordinator.serve(stop).await?) });
        let config = worker_config(&url, store, settings);
        let worker = Part::start(|stop| vico_worker::run(config, stop));
        Ok(Self {
            url,
            coordinator,
            worker,
        })
    }

    /// Where the coordinator listens.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Waits for one of the two to end by itself, which neither should.
    pub(crate) async fn broken(&mut self) -> anyhow::Error {
        let (who, ended) = tokio::select! {
            ended = &mut self.coordinator.task => ("the coordinator", ended),
            ended = &mut self.worker.task => ("the worker", ended),
        };
        match ended {
            Ok(Ok(())) => anyhow!("{who} stopped by itself"),
            Ok(Err(error)) => error.context(format!("{who} stopped")),
            Err(panic) => anyhow!(panic).context(format!("{who} stopped")),
        }
    }

    /// Stops both: the worker first, because it saves its jobs and gives them back.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        let worker = self
            .worker
            .stop()
            .await
            .context("the worker did not stop in order");
        self.coordinator
            .stop()
            .await
            .context("the coordinator did not stop in order")?;
        worker
    }
}

impl Part {
    fn start<F>(run: impl FnOnce(CancellationToken) -> F) -> Self
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let stop = CancellationToken::new();
        let task = tokio::spawn(run(stop.clone()));
        Self { task, stop }
    }

    async fn stop(self) -> anyhow::Result<()> {
        self.stop.cancel();
        if self.task.is_finished() {
            // Its end was told when it broke.
            return Ok(());
        }
        self.task.await?
    }
}

fn worker_config(url: &str, store: &Store, settings: WorkerSettings) -> vico_worker::Config {
    vico_worker::Config {
        coordinator: url.into(),
        bucket: Some(store.url().to_owned()),
        cache: settings.cache,
        cache_size: settings.cache_size,
        slots: settings.slots,
        name: "local".parse().expect("it is a word of letters"),
        http: None,
        traces: vico::traces::Traces::default(),
        patience: vico_worker::Config::DEFAULT_PATIENCE,
        grace: vico_worker::Config::DEFAULT_GRACE,
    }
}
