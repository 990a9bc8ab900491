//! A folder as bucket and a coordinator that can be stopped, killed and started again.

use std::collections::BTreeMap;
use std::fs::DirEntry;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use vico::ids::SweepId;
use vico::protocol::{LeasesClient, ManifestText, SweepsClient};
use vico::status::{SweepState, SweepStatus};
use vico::store::Store;
use vico_coord::{Config, Coordinator, Error, Parts};

use crate::fake_worker::FakeWorker;

pub(crate) struct Bench {
    folder: tempfile::TempDir,
    pub(crate) store: Store,
    pub(crate) coordinator: Running,
}

/// A coordinator that serves.
pub(crate) struct Running {
    url: String,
    http: Option<SocketAddr>,
    dashboard: Option<SocketAddr>,
    stop: CancellationToken,
    task: JoinHandle<Result<(), Error>>,
}

impl Running {
    pub(crate) async fn start(store: Store, lease_ttl: Duration) -> Self {
        let config = Config {
            listen: ([127, 0, 0, 1], 0).into(),
            lease_ttl,
            ..Config::default()
        };
        Self::with(&config, store).await
    }

    pub(crate) async fn with(config: &Config, store: Store) -> Self {
        let coordinator = Coordinator::open(config, Parts::new(store)).await.unwrap();
        let url = format!("http://{}", coordinator.address().unwrap());
        let http = coordinator.http_address();
        let dashboard = coordinator.dashboard_address();
        let stop = CancellationToken::new();
        let task = tokio::spawn(coordinator.serve(stop.clone()));
        Self {
            url,
            http,
            dashboard,
            stop,
            task,
        }
    }

    /// SIGTERM.
    pub(crate) async fn stop(self) -> Result<(), Error> {
        self.stop.cancel();
        self.task.await.unwrap()
    }

    /// kill -9, as far as one process can do that to itself: every task is dropped where it stands.
    pub(crate) async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }

    /// How it ends by itself.
    pub(crate) async fn ended(self) -> Result<(), Error> {
        self.task.await.unwrap()
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Where probes and metrics are.
    pub(crate) fn http(&self) -> Option<SocketAddr> {
        self.http
    }

    /// Where the dashboard is.
    pub(crate) fn dashboard(&self) -> Option<SocketAddr> {
        self.dashboard
    }

    pub(crate) fn users(&self) -> SweepsClient {
        SweepsClient::new(&self.url).unwrap()
    }
}

impl Bench {
    pub(crate) async fn new() -> Self {
        Self::with_ttl(Duration::from_secs(30)).await
    }

    pub(crate) async fn with_ttl(lease_ttl: Duration) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path().to_str().unwrap()).await.unwrap();
        let coordinator = Running::start(store.clone(), lease_ttl).await;
        Self {
            folder,
            store,
            coordinator,
        }
    }

    /// The coordinator dies and another one takes its place.
    pub(crate) async fn crash(self) -> Self {
        self.coordinator.kill().await;
        let store = Store::open(self.folder.path().to_str().unwrap()).await.unwrap();
        let coordinator = Running::start(store.clone(), Duration::from_secs(30)).await;
        Self {
            folder: self.folder,
            store,
            coordinator,
        }
    }

    pub(crate) fn users(&self) -> SweepsClient {
        self.coordinator.users()
    }

    pub(crate) fn leases(&self) -> LeasesClient {
        LeasesClient::new(&self.coordinator.url).unwrap()
    }

    pub(crate) fn url(&self) -> &str {
        &self.coordinator.url
    }

    /// A registered worker.
    pub(crate) async fn worker(&self, name: &str, slots: u32) -> FakeWorker {
        let worker = FakeWorker::new(name, slots, self.leases(), self.store.clone());
        worker.register(&[]).await.unwrap();
        worker
    }

    pub(crate) async fn submit(&self, manifest: ManifestText) -> SweepId {
        self.users().submit(manifest).await.unwrap().status.sweep
    }

    pub(crate) async fn status(&self, sweep: &SweepId) -> SweepStatus {
        self.users().describe_sweep(sweep).await.unwrap().status
    }

    /// The pages of a sweep's jobs, and when each was written.
    pub(crate) fn documents(&self, sweep: &SweepId) -> BTreeMap<PathBuf, SystemTime> {
        let folder = self
            .folder
            .path()
            .join("sweeps")
            .join(sweep.as_str())
            .join("jobs");
        let pages = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
        let written = |page: DirEntry| (page.path(), page.metadata().unwrap().modified().unwrap());
        let documents: BTreeMap<_, _> = pages.map(written).collect();
        assert!(!documents.is_empty());
        documents
    }

    /// Watches a sweep until the stream says that it is over.
    pub(crate) async fn wait_for(&self, sweep: &SweepId) -> SweepStatus {
        let mut watch = self.users().watch(sweep).await.unwrap();
        let mut last = None;
        while let Some(status) = watch.next().await.unwrap() {
            last = Some(status);
        }
        let last = last.unwrap();
        assert_ne!(last.state, SweepState::Running);
        last
    }
}

fn manifests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .join("manifests")
}

pub(crate) fn text(manifest: &str) -> ManifestText {
    ManifestText {
        bytes: manifest.as_bytes().to_vec(),
        origin: format!("file://{}/", manifests().display()),
        file_name: "test.yaml".to_owned(),
    }
}

/// One concept, `seeds` trainings of it, and for each of them 2 images and their scores: three jobs a seed.
pub(crate) fn manifest(name: &str, seeds: usize) -> ManifestText {
    let seeds: Vec<String> = (1..=seeds).map(|seed| seed.to_string()).collect();
    text(&format!(
        "\
version: 1
name: {name}
base: {{model: ../workers/engine/tests/fixtures/parity/tiny-sd}}
storage: {{inputs: five-methods/images}}
concepts:
  duck_toy: {{images: duck_toy/, class: toy, init: duck, kind: object}}
prompt_sets:
  scenes: {{prompts: [\"a {{}} on the beach\"]}}
methods:
  vico: {{method: vico, steps: 4, batch: 2}}
matrix: {{train_seed: [{}]}}
sampling: {{steps: 2, size: 128, images_per_prompt: 2}}
metrics:
  clip: ../workers/engine/tests/fixtures/parity/metrics/clip
  dino: ../workers/engine/tests/fixtures/parity/metrics/dino
retry: {{attempts: 2, backoff: {{initial: 1 s, factor: 2, max: 2 s}}}}
",
        seeds.join(", ")
    ))
}
