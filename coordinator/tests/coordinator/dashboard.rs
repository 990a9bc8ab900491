//! What a browser gets from the dashboard, and what it does not.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use vico::ids::{JobKey, SweepId};
use vico::job::{FailureClass, Stage};
use vico::protocol::LeasesClient;
use vico::store::Store;
use vico_coord::Config;

use crate::bench::{Running, manifest};
use crate::fake_worker::FakeWorker;

const READ: &str = "a-token-of-somebody-who-may-read-only";
const WORKER: &str = "a-token-of-a-worker-who-may-see-nothing";
const PNG: &[u8] = b"\x89PNG\r\n\x1a\nand so on";

struct Site {
    store: Store,
    coordinator: Running,
    address: SocketAddr,
}

/// An answer.
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

impl Site {
    async fn new(tokens: Option<PathBuf>) -> Self {
        let store = Store::in_memory();
        let config = Config {
            listen: ([127, 0, 0, 1], 0).into(),
            dashboard: Some(([127, 0, 0, 1], 0).into()),
            tokens,
            ..Config::default()
        };
        let coordinator = Running::with(&config, store.clone()).await;
        let address = coordinator.dashboard().unwrap();
        Self {
            store,
            coordinator,
            address,
        }
    }

    async fn get(&self, path: &str) -> Answer {
        self.get_with(path, &format!("Host: {}\r\n", self.address)).await
    }

    async fn get_with(&self, path: &str, headers: &str) -> Answer {
        let mut line = tokio::net::TcpStream::connect(self.address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n");
        line.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        line.read_to_end(&mut answer).await.unwrap();
        let at = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(answer[..at].to_vec()).unwrap();
        Answer {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head,
            body: answer[at + 4..].to_vec(),
        }
    }

    /// A sweep of a concept at two seeds: one is done, with a picture; the other failed.
    async fn half_a_sweep(&self) -> (SweepId, JobKey) {
        let sweep = self
            .coordinator
            .users()
            .submit(manifest("hello", 2))
            .await
            .unwrap();
        let worker = FakeWorker::new(
            "w1",
            1,
            LeasesClient::new(self.coordinator.url()).unwrap(),
            self.store.clone(),
        );
        worker.register(&[]).await.unwrap();
        let failing = worker.acquire_one().await;
        worker.fail(&failing, FailureClass::InvalidInput).await.unwrap();
        let mut drawn = None;
        for _ in 0..3 {
            let grant = worker.acquire_one().await;
            let mut outputs = worker.make_outputs(&grant).await;
            if outputs.contains_key("p00/s0.png") {
                let picture = self.store.put_blob(PNG.into()).await.unwrap();
                outputs.insert("p00/s0.png".to_owned(), picture);
                drawn = Some(grant.job);
            }
            worker.complete_with(&grant, outputs).await.unwrap();
        }
        (sweep.status.sweep, drawn.unwrap())
    }
}

#[tokio::test]
async fn the_page_comes_from_here_and_may_load_nothing_from_elsewhere() {
    let site = Site::new(None).await;
    for (path, kind) in [
        ("/", "text/html"),
        ("/style.css", "text/css"),
        ("/script.js", "text/javascript"),
        ("/icon.svg", "image/svg+xml"),
        ("/api/v1/sweeps", "application/json"),
        ("/nowhere", ""),
    ] {
        let answer = site.get(path).await;
        assert_eq!(answer.status, if kind.is_empty() { 404 } else { 200 }, "{path}");
        assert!(answer.head.contains(kind), "{path}: {}", answer.head);
        assert!(
            answer
                .head
                .contains("content-security-policy: default-src 'none'; script-src 'self'"),
            "{}",
            answer.head
        );
        assert!(
            answer.head.contains("x-content-type-options: nosniff"),
            "{}",
            answer.head
        );
        // An SVG's own name looks like an address, and nothing is loaded from there.
        let text = String::from_utf8(answer.body)
            .unwrap()
            .replace("http://www.w3.org/2000/svg", "");
        assert!(
            !text.contains("http://") && !text.contains("https://"),
            "{path} names somebody else"
        );
    }
}

#[tokio::test]
async fn a_sweep_is_shown_with_its_table_jobs_failures_and_pictures() {
    let site = Site::new(None).await;
    let (sweep, drawn) = site.half_a_sweep().await;
    let list = site.get("/api/v1/sweeps").await.json();
    assert_eq!(list[0]["sweep"], sweep.as_str());

    let board = site.get(&format!("/api/v1/sweeps/{sweep}")).await.json();
    assert_eq!(board["status"]["state"], "failed");
    assert_eq!(board["failures"][0]["class"], "invalid_input");
    assert_eq!(board["failures"][0]["jobs"], 1);
    assert_eq!(board["concepts"].as_array().unwrap().len(), 1);
    let trained = board["concepts"].as_array().unwrap().iter();
    let mut states: Vec<String> = trained
        .flat_map(|row| row["cells"][0]["train"].as_object().unwrap().keys().cloned())
        .collect();
    states.sort();
    assert_eq!(states, ["failed", "succeeded"]);

    let jobs = format!("/api/v1/sweeps/{sweep}/jobs");
    assert_eq!(site.get(&jobs).await.json()["total"], 6);
    let page = site
        .get(&format!("{jobs}?stage=sample&state=succeeded&order=latest"))
        .await
        .json();
    assert_eq!(page["total"], 1);
    assert_eq!(page["jobs"][0]["job"], drawn.to_string());
    let page = site.get(&format!("{jobs}?limit=2&offset=4")).await.json();
    assert_eq!(
        (page["total"].as_u64(), page["jobs"].as_array().unwrap().len()),
        (Some(6), 2)
    );

    let job = site.get(&format!("/api/v1/jobs/{drawn}")).await.json();
    assert_eq!(job["attempts"][0]["worker"], "w1");
    assert!(job["receipt"]["outputs"]["p00/s0.png"].is_object(), "{job}");
    let log = site.get(&format!("/api/v1/jobs/{drawn}/log")).await.json();
    assert_eq!(log[0]["text"], "done");
    let picture = site
        .get(&format!("/api/v1/jobs/{drawn}/pictures/p00/s0.png"))
        .await;
    assert_eq!((picture.status, &*picture.body), (200, PNG));
    assert!(
        picture.head.contains("content-type: image/png"),
        "{}",
        picture.head
    );
    assert_eq!(site.get("/api/v1/workers").await.json()[0]["worker"], "w1");
}

#[tokio::test]
async fn what_is_not_there_or_makes_no_sense_is_refused() {
    let site = Site::new(None).await;
    let (sweep, drawn) = site.half_a_sweep().await;
    let detail = site.coordinator.users().describe_sweep(&sweep).await.unwrap();
    let trained = detail
        .jobs
        .iter()
        .find(|job| job.stage == Stage::Train && job.reason.is_none())
        .unwrap();
    let pictures = |job: JobKey, name: &str| format!("/api/v1/jobs/{job}/pictures/{name}");
    let cases = BTreeMap::from([
        ("/api/v1/sweeps/no-such".to_owned(), 404),
        ("/api/v1/sweeps/%2e%2e%2f%2e%2e".to_owned(), 404),
        (format!("/api/v1/sweeps/{sweep}/jobs?stage=dance"), 400),
        (format!("/api/v1/sweeps/{sweep}/jobs?colour=red"), 400),
        (format!("/api/v1/sweeps/{sweep}/jobs?offset=-1"), 400),
        ("/api/v1/jobs/ab".to_owned(), 400),
        (format!("/api/v1/jobs/{}", "0".repeat(64)), 404),
        (pictures(drawn, "p99/s9.png"), 404),
        (pictures(drawn, "%2e%2e/%2e%2e/receipt.json"), 404),
        // What says that it is a picture, and is none.
        (pictures(drawn, "p00/s1.png"), 404),
        (pictures(trained.job, "adapter.safetensors"), 404),
        (
            pictures(JobKey(vico::digest::Digest::of(b"unknown")), "p00/s0.png"),
            404,
        ),
        (format!("/api/v1/jobs/{}/pictures/x", "z".repeat(9000)), 404),
    ]);
    for (path, status) in cases {
        let answer = site.get(&path).await;
        let short = &path[..path.len().min(120)];
        assert_eq!(answer.status, status, "{short}: {}", answer.head);
        assert!(answer.json()["error"].is_string(), "{short}");
    }
}

#[tokio::test]
async fn with_tokens_only_readers_see_anything() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = folder.path().join("tokens");
    std::fs::write(&tokens, format!("read eye {READ}\nworker hand {WORKER}\n")).unwrap();
    let site = Site::new(Some(tokens)).await;
    let bearer = |token: &str| format!("Host: whoever\r\nAuthorization: Bearer {token}\r\n");
    for path in [
        "/api/v1/sweeps",
        "/api/v1/workers",
        "/api/v1/jobs/abcd/log",
        "/api/v1/events",
    ] {
        assert_eq!(site.get(path).await.status, 401, "{path}");
        assert_eq!(site.get_with(path, &bearer("wrong")).await.status, 401, "{path}");
        assert_eq!(site.get_with(path, &bearer(WORKER)).await.status, 403, "{path}");
    }
    assert_eq!(site.get_with("/api/v1/sweeps", &bearer(READ)).await.status, 200);
    // The page holds nothing, and asks for the token.
    assert_eq!(site.get("/").await.status, 200);
}

#[tokio::test]
async fn another_name_for_this_machine_gets_nothing() {
    let site = Site::new(None).await;
    let port = site.address.port();
    for (host, status) in [
        (format!("127.0.0.1:{port}"), 200),
        (format!("localhost:{port}"), 200),
        (format!("evil.example:{port}"), 421),
        ("evil.example".to_owned(), 421),
        ("[::1".to_owned(), 421),
    ] {
        let answer = site
            .get_with("/api/v1/sweeps", &format!("Host: {host}\r\n"))
            .await;
        assert_eq!(answer.status, status, "{host}");
    }
}

#[tokio::test]
async fn news_come_as_they_happen() {
    let site = Site::new(None).await;
    let mut line = tokio::net::TcpStream::connect(site.address).await.unwrap();
    let request = format!("GET /api/v1/events HTTP/1.1\r\nHost: {}\r\n\r\n", site.address);
    line.write_all(request.as_bytes()).await.unwrap();
    let mut heard = String::new();
    let mut submitted = false;
    while heard.matches("event: change").count() < 2 {
        let mut buffer = [0; 4096];
        let read = line.read(&mut buffer).await.unwrap();
        assert!(read > 0, "the stream ended: {heard}");
        heard += std::str::from_utf8(&buffer[..read]).unwrap();
        if !submitted && heard.contains("event: change") {
            site.coordinator
                .users()
                .submit(manifest("hello", 1))
                .await
                .unwrap();
            submitted = true;
        }
    }
    assert!(heard.contains("text/event-stream"), "{heard}");
    // A coordinator that stops does not wait for readers.
    tokio::time::timeout(std::time::Duration::from_secs(8), site.coordinator.stop())
        .await
        .unwrap()
        .unwrap();
}
