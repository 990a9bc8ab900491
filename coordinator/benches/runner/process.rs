//! A coordinator in a process of its own.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use vico::protocol::SweepsClient;

/// Clock ticks a second in `/proc`: the same on every Linux machine that Rust runs on.
const TICKS: f64 = 100.0;
/// Lines of its log that are shown where it does not start.
const LAST_LINES: usize = 20;

pub(crate) struct Served {
    child: Child,
    url: String,
    bucket: PathBuf,
}

impl Served {
    /// Starts it and waits for its first answer. Its log lies beside the bucket.
    pub(crate) async fn start(bucket: &Path) -> Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let log = bucket.with_file_name("coordinator.log");
        let child = Command::new(env!("CARGO_BIN_EXE_vico-coord"))
            .args(["serve", "--listen", &format!("127.0.0.1:{port}"), "--bucket"])
            .arg(bucket)
            .env("VICO_LOG", "warn")
            .stdout(Stdio::null())
            // With the audit trail, a line a job, which a server keeps however quiet it is to be.
            .stderr(File::create(&log)?)
            .spawn()?;
        let url = format!("http://127.0.0.1:{port}");
        let bucket = bucket.to_owned();
        let served = Self { child, url, bucket };
        for _ in 0..5000 {
            let client = SweepsClient::new(served.url())?;
            if client.list().await.is_ok() {
                return Ok(served);
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let said = end_of(&log)?;
        anyhow::bail!("the coordinator does not answer; the last that it said:\n{said}")
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// SIGKILL.
    pub(crate) async fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        let status = tokio::task::spawn_blocking(move || self.child.wait()).await??;
        ensure!(!status.success(), "it ended by itself");
        Ok(())
    }

    /// Bytes in memory.
    pub(crate) fn resident(&self) -> Result<usize> {
        self.status("VmRSS:")
    }

    /// The most bytes it had in memory.
    pub(crate) fn peak(&self) -> Result<usize> {
        self.status("VmHWM:")
    }

    fn status(&self, name: &str) -> Result<usize> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kib = line.and_then(|line| line.split_whitespace().next());
        Ok(kib.context("no such line in /proc")?.parse::<usize>()? << 10)
    }

    /// Processor time, all threads.
    pub(crate) fn cpu_seconds(&self) -> Result<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let (_, after_name) = stat.rsplit_once(')').context("/proc changed its form")?;
        let fields: Vec<&str> = after_name.split_whitespace().collect();
        let ticks = |place: usize| {
            fields
                .get(place)
                .context("too few fields")?
                .parse::<f64>()
                .map_err(anyhow::Error::from)
        };
        Ok((ticks(11)? + ticks(12)?) / TICKS)
    }

    /// Objects in the bucket.
    pub(crate) fn objects(&self) -> Result<usize> {
        count(&self.bucket)
    }
}

/// Whatever happened, no process is left behind.
impl Drop for Served {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

fn end_of(log: &Path) -> Result<String> {
    let text = fs::read(log)?;
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    Ok(lines[lines.len().saturating_sub(LAST_LINES)..].join("\n"))
}

fn count(folder: &Path) -> Result<usize> {
    let mut files = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        files += if entry.file_type()?.is_dir() {
            count(&entry.path())?
        } else {
            1
        };
    }
    Ok(files)
}
