//! A whole cluster on one machine: a coordinator and two workers as processes of their own, a bucket behind the S3
//! protocol that fails now and then, and SIGKILL for all of them.
//!
//! What must hold, whatever the moment: the sweep ends, every job is committed once and never run again, a training that
//! was moved goes on from its checkpoint, and every byte is the one that an undisturbed run in one process makes.
//!
//! `VICO_TEST_SEED` chooses other moments.
#![expect(clippy::unwrap_used, reason = "tests")]

mod processes;
mod s3;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use processes::{
    Ended, Environment, Process, assert_done_once, disturbed_manifest, free_port, json, receipts, vico_coord,
    wait_for_port, wait_until,
};
use s3::{BUCKET, FaultPlan, S3Server};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use vico::ids::SweepId;
use vico::job::Receipt;
use vico::store::Store;

/// How long anything may take before the test gives up on it.
const PATIENCE: Duration = Duration::from_mins(5);

#[test]
fn whatever_is_killed_the_sweep_ends_with_the_same_bytes() {
    let mut dice = Dice::from_env();
    let folder = tempfile::tempdir().unwrap();
    let manifest = disturbed_manifest(folder.path());
    let runtime = Runtime::new().unwrap();
    let calm = undisturbed(&runtime, folder.path(), &manifest);

    let server = runtime.block_on(S3Server::start(FaultPlan::rough(dice.seed)));
    let mut cluster = Cluster::start(environment(&server), &format!("s3://{BUCKET}/bench"));
    let sweep = cluster.submit(&manifest);
    cluster.hire();
    cluster.hire();
    dice.sleep(Duration::from_secs(2));
    cluster.restart_coordinator();
    let moved = cluster.kill_a_trainer(&sweep, &mut dice);
    cluster.hire();
    dice.sleep(Duration::from_secs(4));
    cluster.restart_coordinator();
    cluster.watch_to_the_end(&sweep);

    let store = runtime.block_on(server.store("bench"));
    let disturbed = runtime.block_on(Made::by(&store, &sweep));
    assert_eq!(
        disturbed.outputs(),
        calm.outputs(),
        "other bytes\n{}",
        cluster.words()
    );
    assert_eq!(disturbed.samples, calm.samples);
    cluster.assert_nothing_ran_after_its_commit(&disturbed);
    let log = cluster.ask(&["logs", &moved]).well().stdout;
    assert!(
        log.contains("continuing after train step"),
        "it started over:\n{log}\n{}",
        cluster.words()
    );
}

/// The bytes of a run that nobody disturbs.
fn undisturbed(runtime: &Runtime, folder: &Path, manifest: &Path) -> Made {
    let (bucket, cache) = (folder.join("calm"), folder.join("calm-cache"));
    let paths = [manifest, &bucket, &cache].map(|path| path.to_str().unwrap());
    let run = vico_coord(
        &Vec::new(),
        &[
            "run", paths[0], "--bucket", paths[1], "--cache", paths[2], "--output", "json",
        ],
    );
    let sweep: SweepId = json(&run.well())["sweep"].as_str().unwrap().parse().unwrap();
    runtime.block_on(async { Made::by(&Store::open(paths[1]).await.unwrap(), sweep.as_str()).await })
}

/// What a sweep left in its bucket.
struct Made {
    receipts: Vec<Receipt>,
    /// `samples.csv`: every image's digest and scores.
    samples: String,
}

impl Made {
    async fn by(store: &Store, sweep: &str) -> Self {
        let sweep: SweepId = sweep.parse().unwrap();
        let samples = store.result(&sweep, "samples.csv").await.unwrap().unwrap();
        Self {
            receipts: receipts(store, sweep.as_str()).await,
            samples: String::from_utf8(samples.into()).unwrap(),
        }
    }

    /// Digest of every output, by job and name.
    fn outputs(&self) -> BTreeMap<(String, String), String> {
        let mut outputs = BTreeMap::new();
        for receipt in &self.receipts {
            for (name, blob) in &receipt.outputs {
                outputs.insert((receipt.job.to_string(), name.clone()), blob.digest.to_string());
            }
        }
        outputs
    }
}

/// Random moments that can be had again.
struct Dice {
    seed: u64,
    thrown: u64,
}

impl Dice {
    fn from_env() -> Self {
        let seed = std::env::var("VICO_TEST_SEED").map_or(1, |seed| seed.parse().unwrap());
        Self { seed, thrown: 0 }
    }

    fn sleep(&mut self, longest: Duration) {
        self.thrown += 1;
        let digest = vico::digest::Digest::of(format!("{} {}", self.seed, self.thrown).as_bytes());
        std::thread::sleep(longest.mul_f64(f64::from(digest.as_bytes()[0]) / 255.0));
    }
}

/// The settings that lead every process to the bucket, through faults if need be.
fn environment(server: &S3Server) -> Environment {
    server
        .env()
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// In the manifest of this test.
const CHECKPOINTS_EVERY: u64 = 5;

struct Cluster {
    folder: TempDir,
    environment: Environment,
    bucket: String,
    port: u16,
    coordinator: Process,
    workers: BTreeMap<String, Process>,
    hired: u32,
}

impl Cluster {
    fn start(environment: Environment, bucket: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let coordinator = serve(&environment, bucket, port, folder.path());
        let bucket = bucket.to_owned();
        Self {
            folder,
            environment,
            bucket,
            port,
            coordinator,
            workers: BTreeMap::new(),
            hired: 0,
        }
    }

    fn hire(&mut self) {
        self.hired += 1;
        let name = format!("w{}", self.hired);
        let cache = self.folder.path().join(format!("cache-{name}"));
        let log = self.folder.path().join(format!("{name}.log"));
        let args = [
            "--coordinator",
            &self.url(),
            "--cache",
            cache.to_str().unwrap(),
            "--name",
            &name,
        ]
        .map(String::from);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let worker = Process::start("vico-worker", &self.environment, &args, &log);
        self.workers.insert(name, worker);
    }

    fn restart_coordinator(&mut self) {
        self.coordinator.kill();
        self.coordinator = serve(&self.environment, &self.bucket, self.port, self.folder.path());
    }

    /// The sweep's id.
    fn submit(&self, manifest: &Path) -> String {
        let submitted = json(&self.ask(&["submit", manifest.to_str().unwrap()]).well());
        submitted["sweep"].as_str().unwrap().to_owned()
    }

    /// Kills a worker that trains and has stored a checkpoint; the key of its job.
    fn kill_a_trainer(&mut self, sweep: &str, dice: &mut Dice) -> String {
        let job = wait_until("a training with a checkpoint", PATIENCE, || {
            let leased = self.jobs(sweep, "train", "leased");
            leased
                .into_iter()
                .find(|job| job["progress"]["done"].as_u64() >= Some(CHECKPOINTS_EVERY + 2))
        });
        dice.sleep(Duration::from_millis(500));
        let worker = job["worker"].as_str().unwrap();
        self.workers.get_mut(worker).unwrap().kill();
        job["job"].as_str().unwrap().to_owned()
    }

    fn watch_to_the_end(&self, sweep: &str) {
        let timeout = format!("{}s", PATIENCE.as_secs());
        let watched = self.ask(&["watch", sweep, "--timeout", &timeout]);
        assert_eq!(watched.code, 0, "{watched:?}\n{}", self.words());
    }

    fn assert_nothing_ran_after_its_commit(&self, made: &Made) {
        for receipt in &made.receipts {
            let detail = json(&self.ask(&["describe", &receipt.job.to_string()]).well());
            assert_done_once(receipt, &detail);
        }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Asks the coordinator through the command line.
    fn ask(&self, args: &[&str]) -> Ended {
        let url = self.url();
        let mut args = args.to_vec();
        args.extend(["--coordinator", &url, "--output", "json"]);
        vico_coord(&self.environment, &args)
    }

    /// The jobs of a sweep that are in `state`.
    fn jobs(&self, sweep: &str, stage: &str, state: &str) -> Vec<Value> {
        let detail = json(&self.ask(&["describe", sweep]).well());
        let jobs = detail["jobs"].as_array().unwrap().clone();
        jobs.into_iter()
            .filter(|job| job["stage"] == stage && job["state"] == state)
            .collect()
    }

    /// Every word of every process, for a test that failed.
    fn words(&self) -> String {
        let workers = self
            .workers
            .iter()
            .map(|(name, worker)| format!("== {name}\n{}", worker.words()));
        format!(
            "{}\n== coordinator\n{}",
            workers.collect::<Vec<_>>().join("\n"),
            self.coordinator.words()
        )
    }
}

fn serve(environment: &Environment, bucket: &str, port: u16, folder: &Path) -> Process {
    let listen = format!("127.0.0.1:{port}");
    let args = [
        "serve",
        "--bucket",
        bucket,
        "--listen",
        &listen,
        "--lease-ttl",
        "3s",
    ];
    let mut coordinator = Process::start("vico-coord", environment, &args, &folder.join("coordinator.log"));
    wait_for_port(port, &mut coordinator);
    coordinator
}
