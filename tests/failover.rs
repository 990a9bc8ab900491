//! The coordinator in charge is killed, and the one that stands by serves: with TLS and tokens, three workers, and every
//! process on its own.
//!
//! `VICO_TEST_BUCKET` names a bucket to use instead of a folder.
#![expect(clippy::unwrap_used, reason = "tests")]
#![expect(clippy::print_stderr, reason = "how long it took is worth knowing")]

mod processes;

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use processes::{
    Ended, Environment, Process, assert_done_once, authority, disturbed_manifest, free_port, json, page,
    receipts, vico_coord, wait_for_port, wait_until,
};
use serde_json::Value;
use vico::store::Store;

/// How long anything may take before the test gives up on it.
const PATIENCE: Duration = Duration::from_mins(5);
/// How long nobody may serve.
const WITHIN: Duration = Duration::from_secs(15);
const TOKEN: &str = "a-token-that-is-long-enough-for-one";

#[test]
fn the_one_that_stands_by_serves_and_no_job_is_done_twice() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::new(folder.path());
    let mut first = site.coordinator(0, &[]);
    wait_for_port(site.ports[0], &mut first);
    let mut second = site.coordinator(1, &["--standby"]);
    wait_for_port(site.pages[1], &mut second);
    assert_eq!(site.status_of("/livez"), Some(200));
    assert_eq!(site.status_of("/readyz"), Some(503));
    assert_eq!(site.status_of("/readyz?standbyok"), Some(200));
    TcpStream::connect(("127.0.0.1", site.ports[1])).unwrap_err();

    let workers = ["w1", "w2", "w3"].map(|name| site.worker(name));
    let sweep = site.ask(&["submit", disturbed_manifest(folder.path()).to_str().unwrap()]);
    let sweep = json(&sweep.well())["sweep"].as_str().unwrap().to_owned();
    wait_until("a training under way", PATIENCE, || {
        site.trains(&sweep).then_some(())
    });
    first.kill();
    let killed = Instant::now();
    wait_until("the second to serve", WITHIN, || {
        (site.status_of("/readyz") == Some(200)).then_some(())
    });
    eprintln!("served again after {:.1} s", killed.elapsed().as_secs_f64());

    let timeout = format!("{}s", PATIENCE.as_secs());
    let watched = site.ask(&["watch", &sweep, "--timeout", &timeout]);
    let words = || workers.each_ref().map(Process::words).join("\n");
    assert_eq!(watched.code, 0, "{watched:?}\n{}\n{}", second.words(), words());
    site.assert_done_once(&sweep);
}

/// What the processes share.
struct Site {
    folder: PathBuf,
    bucket: String,
    ports: [u16; 2],
    pages: [u16; 2],
}

impl Site {
    /// With certificates and tokens in files.
    fn new(folder: &Path) -> Self {
        authority::issue(folder);
        let token = |role: &str| format!("{role} {role} {TOKEN}-{role}\n");
        std::fs::write(folder.join("tokens"), token("submit") + &token("worker")).unwrap();
        for role in ["submit", "worker"] {
            std::fs::write(folder.join(role), format!("{TOKEN}-{role}\n")).unwrap();
        }
        let local = || folder.join("bucket").to_str().unwrap().to_owned();
        let remote = |bucket: String| format!("{bucket}/failover-{}", std::process::id());
        Self {
            folder: folder.to_path_buf(),
            bucket: std::env::var("VICO_TEST_BUCKET").map_or_else(|_| local(), remote),
            ports: [free_port(), free_port()],
            pages: [free_port(), free_port()],
        }
    }

    fn file(&self, name: &str) -> String {
        self.folder.join(name).to_str().unwrap().to_owned()
    }

    fn coordinator(&self, number: usize, more: &[&str]) -> Process {
        let [listen, http] = [self.ports, self.pages].map(|ports| format!("127.0.0.1:{}", ports[number]));
        let [cert, key, tokens] = ["tls.crt", "tls.key", "tokens"].map(|name| self.file(name));
        let mut args = vec![
            "serve",
            "--bucket",
            &self.bucket,
            "--listen",
            &listen,
            "--http",
            &http,
        ];
        args.extend(["--tls-cert", &cert, "--tls-key", &key, "--tokens", &tokens]);
        args.extend(["--lease-ttl", "10s"]);
        args.extend(more);
        let log = self.folder.join(format!("coordinator-{number}.log"));
        Process::start("vico-coord", &Environment::new(), &args, &log)
    }

    fn worker(&self, name: &str) -> Process {
        let cache = self.file(&format!("cache-{name}"));
        let mut environment = self.credentials("worker");
        environment.push(("RAYON_NUM_THREADS".to_owned(), "1".to_owned()));
        let log = self.folder.join(format!("{name}.log"));
        let args = ["--cache", &cache, "--name", name];
        Process::start("vico-worker", &environment, &args, &log)
    }

    /// Where both coordinators are, and what opens their door.
    fn credentials(&self, role: &str) -> Environment {
        let urls = self.ports.map(|port| format!("https://127.0.0.1:{port}"));
        let settings = [
            ("VICO_COORDINATOR", urls.join(",")),
            ("VICO_TLS_CA", self.file("ca.crt")),
            ("VICO_TOKEN_FILE", self.file(role)),
        ];
        settings.map(|(name, value)| (name.to_owned(), value)).to_vec()
    }

    fn ask(&self, args: &[&str]) -> Ended {
        let args = [args, &["--output", "json"]].concat();
        vico_coord(&self.credentials("submit"), &args)
    }

    fn trains(&self, sweep: &str) -> bool {
        let detail = json(&self.ask(&["describe", sweep]).well());
        let jobs = detail["jobs"].as_array().unwrap();
        let trains = |job: &&Value| job["stage"] == "train" && job["progress"]["done"].as_u64() > Some(0);
        jobs.iter().any(|job| trains(&job))
    }

    /// The status of a page of the second coordinator.
    fn status_of(&self, path: &str) -> Option<u16> {
        page(self.pages[1], path).map(|(status, _)| status)
    }

    /// Every job has its receipt, and no attempt of it began after that.
    fn assert_done_once(&self, sweep: &str) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let receipts = runtime.block_on(async {
            let store = Store::open(&self.bucket).await.unwrap();
            receipts(&store, sweep).await
        });
        for receipt in receipts {
            let detail = json(&self.ask(&["describe", &receipt.job.to_string()]).well());
            assert_done_once(&receipt, &detail);
        }
    }
}
