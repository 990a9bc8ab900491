//! A real coordinator process, real gRPC, a real bucket in a folder, and jobs that do nothing.
//!
//! ```sh
//! cargo bench --workspace --bench runner
//! VICO_RUNNER_JOBS=10000 cargo bench --workspace --bench runner
//! VICO_RUNNER_ONLY=rate cargo bench --workspace --bench runner        # the last line alone
//! ```
//!
//! Linux only: it reads `/proc`. The workers live in this process and take jobs, put nothing in the bucket and say that they
//! are done; the coordinator checks their outputs, writes their receipts and its journal as ever.

mod disk;
mod process;
mod workers;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use process::Served;
use vico::protocol::{ManifestText, SweepsClient};
use vico::store::Store;
use workers::Crew;

const WORKERS: usize = 4;
/// Jobs that a worker asks for at a time.
const SLOTS: u32 = 64;
/// Sweeps of one job, each at once after the one before, and each when the results of the one before are written.
const AT_ONCE: usize = 200;
const RESTED: usize = 200;
/// Points of the large manifest's matrix.
const POINTS: usize = 4000;
/// Jobs done for the rate; the rest of the sweep stays queued.
const DONE_AT_MOST: usize = 30_000;

#[tokio::main]
async fn main() -> Result<()> {
    let jobs = match std::env::var("VICO_RUNNER_JOBS") {
        Ok(jobs) => jobs.parse()?,
        Err(_) => 100_000,
    };
    let folder = tempfile::tempdir()?;
    let bucket = folder.path().join("bucket");
    let store = Store::open(bucket.to_str().context("a path that is no text")?).await?;
    let mut served = Served::start(&bucket).await?;
    if only_rate()? {
        SweepsClient::new(served.url())?.submit(large(jobs)).await?;
    } else {
        disk::show(&folder.path().join("disk"))?;
        let crew = Crew::hire(served.url(), &store, 1, 1).await?;
        first_leases(&served, &crew, Pace::Rested).await?;
        first_leases(&served, &crew, Pace::AtOnce).await?;
        queue(&served, jobs).await?;
        served = restart(served, &bucket).await?;
    }
    rate(&served, &store, jobs).await?;
    Ok(())
}

/// Whether nothing but the rate is asked for.
fn only_rate() -> Result<bool> {
    let Ok(only) = std::env::var("VICO_RUNNER_ONLY") else {
        return Ok(false);
    };
    ensure!(
        only == "rate",
        "VICO_RUNNER_ONLY={only}: only `rate` can be measured alone"
    );
    Ok(true)
}

/// Of sorted times, in milliseconds.
fn percentile(sorted: &[Duration], percent: usize) -> f64 {
    1e3 * sorted[sorted.len() * percent / 100].as_secs_f64()
}

/// When the next sweep is submitted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// When nothing is left to do.
    Rested,
    /// At once, while results are still being written.
    AtOnce,
}

impl Pace {
    /// The numbers of its sweeps.
    fn sweeps(self) -> std::ops::RangeInclusive<usize> {
        match self {
            Self::Rested => 0..=RESTED,
            Self::AtOnce => RESTED + 1..=RESTED + AT_ONCE,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Rested => "submit to first lease",
            Self::AtOnce => "   one upon the other",
        }
    }
}

/// One-job sweeps for a worker that waits.
#[expect(clippy::print_stdout, reason = "a benchmark speaks to people")]
async fn first_leases(served: &Served, crew: &Crew, pace: Pace) -> Result<()> {
    let users = SweepsClient::new(served.url())?;
    let mut taken = Vec::new();
    for number in pace.sweeps() {
        let waiting = crew.wait_for_one();
        // The poll should be there before the sweep is.
        tokio::time::sleep(Duration::from_millis(5)).await;
        let begun = Instant::now();
        let submitted = users.submit(single(number)).await?;
        let granted = waiting.await??;
        // The very first one finds that the model's files were never read.
        if number > 0 {
            taken.push(granted.duration_since(begun));
        }
        if pace == Pace::Rested {
            let mut watch = users.watch(&submitted.status.sweep).await?;
            while watch.next().await?.is_some() {}
        }
    }
    taken.sort_unstable();
    println!(
        "{}  {:8.2} ms median, {:.2} ms 99th percentile of {}",
        pace.name(),
        percentile(&taken, 50),
        percentile(&taken, 99),
        taken.len()
    );
    Ok(())
}

/// A large sweep, and the same again.
#[expect(clippy::print_stdout, reason = "a benchmark speaks to people")]
async fn queue(served: &Served, jobs: usize) -> Result<()> {
    let users = SweepsClient::new(served.url())?;
    let (idle, objects) = (served.resident()?, served.objects()?);
    let begun = Instant::now();
    users.submit(large(jobs)).await?;
    println!(
        "submit {jobs} jobs    {:8.2} s, {} objects written, peak {} MiB",
        begun.elapsed().as_secs_f64(),
        served.objects()? - objects,
        served.peak()? >> 20
    );
    println!(
        "memory                 {:8} bytes a queued job",
        served.resident()?.saturating_sub(idle) / jobs
    );
    let begun = Instant::now();
    let again = users.submit(large(jobs)).await?;
    ensure!(again.status.name == "large", "another sweep was joined");
    println!("submit the same again  {:8.2} s", begun.elapsed().as_secs_f64());
    Ok(())
}

#[expect(clippy::print_stdout, reason = "a benchmark speaks to people")]
async fn restart(served: Served, bucket: &std::path::Path) -> Result<Served> {
    served.kill().await?;
    let begun = Instant::now();
    let served = Served::start(bucket).await?;
    println!("kill -9 to serving     {:8.2} s", begun.elapsed().as_secs_f64());
    Ok(served)
}

#[expect(clippy::print_stdout, reason = "a benchmark speaks to people")]
async fn rate(served: &Served, store: &Store, jobs: usize) -> Result<()> {
    let crew = Crew::hire(served.url(), store, WORKERS, SLOTS).await?;
    let (cpu, begun) = (served.cpu_seconds()?, Instant::now());
    let done = crew.work(jobs.min(DONE_AT_MOST)).await?;
    let (wall, cpu) = (begun.elapsed().as_secs_f64(), served.cpu_seconds()? - cpu);
    println!(
        "{WORKERS} workers, {done} jobs  {:8.0} jobs/s, {:.1} us of the coordinator's processor time a job",
        done as f64 / wall,
        1e6 * cpu / done as f64
    );
    Ok(())
}

/// One job that draws a picture, as no other `number` does.
fn single(number: usize) -> ManifestText {
    let matrix = format!("sampling.guidance: [2.{number:03}]");
    manifest(
        &format!("single-{number}"),
        "base_model: {method: base_model}",
        &matrix,
    )
}

/// About `jobs` jobs: some trainings, and many that draw one picture with what was trained.
fn large(jobs: usize) -> ManifestText {
    let methods =
        (1..=jobs.div_ceil(POINTS)).map(|steps| format!("vico-{steps}: {{method: vico, steps: {steps}}}"));
    let steps = (1..=40).map(|steps| steps.to_string());
    let guidance = (0..POINTS.min(jobs) / 40).map(|number| format!("1.{number:03}"));
    let matrix = format!(
        "sampling.steps: [{}], sampling.guidance: [{}]",
        steps.collect::<Vec<_>>().join(", "),
        guidance.collect::<Vec<_>>().join(", ")
    );
    manifest("large", &methods.collect::<Vec<_>>().join("\n  "), &matrix)
}

fn manifest(name: &str, methods: &str, matrix: &str) -> ManifestText {
    let text = format!(
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
  {methods}
matrix: {{{matrix}}}
sampling: {{size: 128, images_per_prompt: 1}}
metrics: {{protocols: []}}
"
    );
    ManifestText {
        bytes: text.into_bytes(),
        origin: format!("file://{}/../manifests/", env!("CARGO_MANIFEST_DIR")),
        file_name: format!("{name}.yaml"),
    }
}
