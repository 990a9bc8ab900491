//! A worker in this process, with its coordinator, its bucket and a few jobs.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use vico::digest::Digest;
use vico::ids::JobKey;
use vico::job::Resources;
use vico::spec::{
    ConceptInputs, FileSource, ImageInput, JobInputs, JobSpec, MethodName, MethodSpec, ModelInputs,
    ModelSource, ReferencePolicy, Sources, TrainInputs, VicoSettings, algorithm,
};
use vico::store::Store;
use vico::traces::Traces;
use vico_worker::device::ComputeDevice;
use vico_worker::engine::thread::MakeEngine;
use vico_worker::{Config, Parts, session};

use super::coordinator::{StubCoordinator, sweep};

/// Short, so that renewals are frequent.
pub const TTL: Duration = Duration::from_millis(150);

pub struct Bench {
    pub dir: TempDir,
    pub store: Store,
    pub coordinator: StubCoordinator,
}

/// A worker at work; dropping it does not stop it, [`Running::stop`] does.
pub struct Running {
    stop: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    /// Tells the worker to leave and waits until it has.
    pub async fn stop(self) {
        self.stop.cancel();
        self.ended().await;
    }

    /// Waits until the worker leaves by itself.
    pub async fn ended(self) {
        self.task.await.unwrap().unwrap();
    }

    /// Waits until the worker gives up, and answers with what words.
    pub async fn failed(self) -> String {
        format!("{:#}", self.task.await.unwrap().unwrap_err())
    }
}

impl Bench {
    pub async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let url = dir.path().join("bucket").display().to_string();
        let store = Store::open(&url).await.unwrap();
        let coordinator = StubCoordinator::start(&url, TTL).await;
        Self {
            dir,
            store,
            coordinator,
        }
    }

    pub fn config(&self, name: &str) -> Config {
        Config {
            coordinator: (&self.coordinator.url).into(),
            bucket: None,
            cache: self.dir.path().join(format!("cache-{name}")),
            cache_size: 1 << 30,
            slots: 1,
            name: name.parse().unwrap(),
            http: None,
            traces: Traces::default(),
            patience: Duration::from_mins(10),
            grace: Duration::from_secs(30),
        }
    }

    pub fn start(&self, name: &str, make_engine: &MakeEngine) -> Running {
        Self::start_as(self.config(name), make_engine)
    }

    pub fn start_as(config: Config, make_engine: &MakeEngine) -> Running {
        Self::start_on(ComputeDevice::cpu(), config, make_engine)
    }

    pub fn start_on(device: ComputeDevice, config: Config, make_engine: &MakeEngine) -> Running {
        let parts = Parts {
            device,
            make_engine: Arc::clone(make_engine),
        };
        let stop = CancellationToken::new();
        let task = tokio::spawn(session::run(config, parts, stop.clone()));
        Running { stop, task }
    }

    /// A train job of `steps` train steps for the scripted engine.
    pub async fn train_job(&self, steps: u32, checkpoint_every: u32) -> JobKey {
        let folder = self.dir.path().join("model");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("weights"), b"weights").unwrap();
        let base = model(&folder, &["weights"]);
        let photo = self.store.put_blob(b"photo".as_slice().into()).await.unwrap();
        let images = vec![ImageInput {
            name: "0.jpg".to_owned(),
            digest: photo.digest,
        }];
        self.put_train_job(base, concept(images), settings(steps, 4), 512, checkpoint_every)
            .await
    }

    pub async fn put_train_job(
        &self,
        (base, source): (ModelInputs, Arc<ModelSource>),
        concept: Arc<ConceptInputs>,
        settings: VicoSettings,
        size: u32,
        checkpoint_every: u32,
    ) -> JobKey {
        let sources = Sources {
            models: [(base.identity, source)].into(),
        };
        let inputs = JobInputs::Train(TrainInputs {
            algorithm: algorithm::train(MethodName::Vico),
            base,
            concept,
            method: MethodSpec::Vico(settings),
            class_images: None,
            size,
            seed: 7,
        });
        self.put_job(inputs, sources, checkpoint_every).await
    }

    pub async fn put_job(&self, inputs: JobInputs, sources: Sources, checkpoint_every: u32) -> JobKey {
        let job = inputs.key().unwrap();
        let resources = Resources::default();
        let spec = JobSpec {
            inputs,
            sources,
            resources,
            checkpoint_every,
        };
        let sweep = sweep();
        let mut jobs = self.store.jobs(&sweep).await.unwrap();
        jobs.insert(job, serde_json::json!({ "spec": spec }));
        self.store.put_jobs(&sweep, &jobs).await.unwrap();
        job
    }
}

/// A model of these files of a folder.
pub fn model(folder: &Path, files: &[&str]) -> (ModelInputs, Arc<ModelSource>) {
    let file = |path: &&str| {
        let bytes = std::fs::read(folder.join(path)).unwrap();
        FileSource {
            path: (*path).to_owned(),
            digest: Digest::of(&bytes),
            size: bytes.len() as u64,
        }
    };
    let files = files.iter().map(file).collect();
    let source = ModelSource {
        url: folder.display().to_string(),
        files,
    };
    let identity = source.identity().unwrap();
    (
        ModelInputs {
            identity,
            variant: None,
            precision: None,
        },
        Arc::new(source),
    )
}

pub fn concept(images: Vec<ImageInput>) -> Arc<ConceptInputs> {
    Arc::new(ConceptInputs {
        id: "barn".parse().unwrap(),
        images,
        class: "barn".to_owned(),
        initializer: "barn".to_owned(),
        placeholder: "*".to_owned(),
    })
}

pub fn settings(steps: u32, batch: u32) -> VicoSettings {
    VicoSettings {
        subject: "{token}".to_owned(),
        steps,
        batch,
        lr_embedding: 0.02,
        lr_image_attention: 1e-5,
        weight_decay: 0.01,
        reg_weight: 5e-4,
        mask: true,
        reference_policy: ReferencePolicy::Fixed,
        reference_index: 0,
    }
}
