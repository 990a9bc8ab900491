//! The real programs as child processes, killed when a test ends, however it ends.
#![allow(dead_code, reason = "each test binary uses its own part of this")]

pub(crate) mod authority;

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use vico::job::Receipt;
use vico::plan::Plan;
use vico::store::Store;

/// Variables that reach every process of a test: where the bucket is and how to sign in.
pub(crate) type Environment = Vec<(String, String)>;

/// A program that was built with this test: both lie in one target folder.
pub(crate) fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().and_then(Path::parent).unwrap();
    let path = folder.join(name).with_extension(std::env::consts::EXE_EXTENSION);
    assert!(
        path.exists(),
        "{} is missing; `cargo test --release --workspace` builds it",
        path.display()
    );
    path
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// How a finished command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Exit code; −1 if a signal ended it.
    pub(crate) code: i32,
    /// What it printed.
    pub(crate) stdout: String,
    /// What it remarked.
    pub(crate) stderr: String,
}

impl Ended {
    /// The same, if the command went well.
    pub(crate) fn well(self) -> Self {
        assert_eq!(self.code, 0, "{}\n{}", self.stdout, self.stderr);
        self
    }
}

/// Runs `vico-coord` to its end.
pub(crate) fn vico_coord(environment: &Environment, args: &[&str]) -> Ended {
    let output = command("vico-coord", environment).args(args).output().unwrap();
    Ended {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The data of a command that prints JSON.
pub(crate) fn json(ended: &Ended) -> serde_json::Value {
    serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:?}"))
}

/// A sweep on the tiny networks with settings that make it fail often and recover fast, as a file in `folder`.
pub(crate) fn disturbed_manifest(folder: &Path) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let below = |path: &str| root.join(path).to_str().unwrap().to_owned();
    let text = include_str!("../manifests/disturbed.yaml")
        .replace("FIXTURES", &below("workers/engine/tests/fixtures/parity"))
        .replace("IMAGES", &below("manifests/five-methods/images"));
    let path = folder.join("disturbed.yaml");
    std::fs::write(&path, text).unwrap();
    path
}

/// Every receipt of a sweep that has ended, and there is one for each job.
pub(crate) async fn receipts(store: &Store, sweep: &str) -> Vec<Receipt> {
    let plan: Plan = store.plan(&sweep.parse().unwrap()).await.unwrap();
    let keys = plan.keys();
    assert!(!keys.is_empty(), "a sweep without jobs proves nothing");
    let receipts = store.receipts(keys.iter().copied()).await.unwrap();
    assert_eq!(receipts.len(), keys.len(), "not every job has a receipt");
    receipts.into_values().collect()
}

/// Panics if an attempt began after the job's receipt was there; `detail` is what `describe` says of the job.
pub(crate) fn assert_done_once(receipt: &Receipt, detail: &serde_json::Value) {
    let attempts = detail["attempts"].as_array().unwrap();
    assert!(!attempts.is_empty(), "nobody did {}", receipt.job);
    let is_late = |attempt: &&serde_json::Value| attempt["started"].as_u64() > Some(receipt.finished.0);
    assert_eq!(attempts.iter().find(is_late), None, "{} ran again", receipt.job);
}

fn command(name: &str, environment: &Environment) -> Command {
    let mut command = Command::new(program(name));
    command
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null());
    command
}

/// A server or a worker in the background.
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a program whose words are appended to `log`.
    pub(crate) fn start(name: &str, environment: &Environment, args: &[&str], log: &Path) -> Self {
        let file = File::options().create(true).append(true).open(log).unwrap();
        let mut command = command(name, environment);
        command.args(args).stdout(file.try_clone().unwrap()).stderr(file);
        Self {
            child: command.spawn().unwrap(),
            log: log.to_path_buf(),
        }
    }

    /// SIGKILL: no last words.
    pub(crate) fn kill(&mut self) {
        // An error means that it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// SIGTERM, and how it ends within `patience`.
    pub(crate) fn terminate(&mut self, patience: Duration) -> Option<i32> {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &id])
                .status()
                .unwrap()
                .success()
        );
        wait_until("the process to end", patience, || self.child.try_wait().unwrap()).code()
    }

    /// Whether it is still there.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// What it wrote so far.
    pub(crate) fn words(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Waits until somebody listens on a port.
pub(crate) fn wait_for_port(port: u16, of: &mut Process) {
    wait_until("the port to open", Duration::from_secs(30), || {
        assert!(of.is_running(), "it ended:\n{}", of.words());
        TcpStream::connect(("127.0.0.1", port)).is_ok().then_some(())
    });
}

/// Asks again and again until there is an answer.
pub(crate) fn wait_until<T>(what: &str, patience: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < patience, "waited {patience:?} for {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Status and text of a page of a plain port of this machine, if it answers.
pub(crate) fn page(port: u16, path: &str) -> Option<(u16, String)> {
    let mut line = TcpStream::connect(("127.0.0.1", port)).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    line.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    line.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}
