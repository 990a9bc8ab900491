//! Our programs with the arguments, variables, ports and probes of the rendered manifests. What a pod has and this machine has
//! not is put in its place: the bucket, addresses, and folders that are mounted.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Probe;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use tempfile::TempDir;

use crate::processes::{Environment, Process, authority, free_port, page, wait_until};
use crate::rendered::{Overlay, container, name, overlays, pod, port};

/// A standby on a new bucket waits for ten seconds.
const PATIENCE: Duration = Duration::from_mins(1);

#[test]
#[ignore = "needs rendered overlays: run .ci/kubernetes"]
fn programs_start_with_what_the_manifests_say() {
    let overlays = overlays();
    std::thread::scope(|scope| {
        for overlay in &overlays {
            scope.spawn(|| Site::new().try_out(overlay));
        }
    });
}

/// What stands for a cluster's nodes, volumes and names.
struct Site {
    folder: TempDir,
    grpc: u16,
}

/// One pod's program.
struct Started {
    process: Process,
    http: u16,
}

impl Site {
    /// With the secrets that users make.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let below = |path: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(&path).unwrap();
            path
        };
        authority::issue(&below("etc/vico/tls"));
        let token = "a-token-that-is-long-enough-for-one";
        std::fs::write(
            below("etc/vico/tokens").join("tokens"),
            format!("worker pool {token}\n"),
        )
        .unwrap();
        std::fs::write(below("etc/vico/token").join("token"), token).unwrap();
        let grpc = free_port();
        Self { folder, grpc }
    }

    fn try_out(&self, overlay: &Overlay) {
        let [coordinator] = overlay.component("coordinator").try_into().unwrap();
        let served = self.start(overlay, &coordinator, "vico-coord");
        served.answers(container(&coordinator).liveness_probe.as_ref());
        served.answers(container(&coordinator).readiness_probe.as_ref());
        wait_until("the standby to serve", PATIENCE, || {
            (page(served.http, "/readyz")?.0 == 200).then_some(())
        });
        for deployment in overlay.component("worker") {
            let mut worker = self.start(overlay, &deployment, "vico-worker");
            worker.answers(container(&deployment).liveness_probe.as_ref());
            worker.answers(container(&deployment).readiness_probe.as_ref());
            let grace = pod(&deployment).termination_grace_period_seconds.unwrap();
            let ended = worker
                .process
                .terminate(Duration::from_secs(grace.try_into().unwrap()));
            assert_eq!(ended, Some(0), "{} of {}", name(&deployment), overlay.name);
        }
    }

    fn start(&self, overlay: &Overlay, deployment: &Deployment, program: &str) -> Started {
        let container = container(deployment);
        let http = free_port();
        let declared =
            |port_name: &str| port(container, port_name).map_or("none".to_owned(), |it| it.to_string());
        let ports = BTreeMap::from([(declared("grpc"), self.grpc), (declared("http"), http)]);
        let here = |text: &str| self.here(text, &ports);
        let args: Vec<String> = container.args.iter().flatten().map(|arg| here(arg)).collect();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let environment = overlay.environment(container);
        let environment = environment.into_iter().map(|(name, value)| {
            let value = match name.as_str() {
                "VICO_BUCKET" => self.below("/bucket").to_str().unwrap().to_owned(),
                _ => here(&value),
            };
            (name, value)
        });
        let environment: Environment = environment.collect();
        let log = self.folder.path().join(format!("{}.log", name(deployment)));
        let process = Process::start(program, &environment, &args, &log);
        Started { process, http }
    }

    /// An argument as it has to be on this machine.
    fn here(&self, text: &str, ports: &BTreeMap<String, u16>) -> String {
        if let Some((before, declared)) = text.split_once("0.0.0.0:") {
            return format!("{before}127.0.0.1:{}", ports[declared]);
        }
        let mut text = text.replace("vico-coordinator:7717", &format!("127.0.0.1:{}", self.grpc));
        for mounted in ["/etc/vico/", "/cache"] {
            if let Some(at) = text.find(mounted) {
                let path = text.split_off(at);
                text += self.below(&path).to_str().unwrap();
            }
        }
        text
    }

    fn below(&self, path: &str) -> PathBuf {
        self.folder.path().join(path.trim_start_matches('/'))
    }
}

impl Started {
    /// Waits for a probe to be content.
    fn answers(&self, probe: Option<&Probe>) {
        let get = probe.unwrap().http_get.as_ref().unwrap();
        assert_eq!(get.port, IntOrString::String("http".to_owned()));
        let path = get.path.as_deref().unwrap();
        let deadline = std::time::Instant::now() + PATIENCE;
        while page(self.http, path).is_none_or(|(status, _)| status != 200) {
            let words = || self.process.words();
            assert!(
                std::time::Instant::now() < deadline,
                "{path} is not content:\n{}",
                words()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// What a coordinator and a worker of some overlay tell Prometheus.
pub(crate) fn metrics(overlay: &Overlay) -> String {
    let site = Site::new();
    let [coordinator] = overlay.component("coordinator").try_into().unwrap();
    let coordinator = site.start(overlay, &coordinator, "vico-coord");
    let worker = site.start(overlay, &overlay.component("worker")[0], "vico-worker");
    let ready = |started: &Started| {
        wait_until("a ready program", PATIENCE, || {
            (page(started.http, "/readyz")?.0 == 200).then_some(())
        });
        page(started.http, "/metrics").unwrap().1
    };
    ready(&coordinator) + &ready(&worker)
}

/// Files of this repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
