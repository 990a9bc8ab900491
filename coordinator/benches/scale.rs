//! The brain with a million jobs and ten thousand workers, in one process and without network or bucket.
//!
//! ```sh
//! cargo bench --workspace --bench scale
//! VICO_SCALE_JOBS=100000 cargo bench --workspace --bench scale
//! ```

use std::time::Instant;

use vico_coord::rehearsal::{Drill, Planned};

const WORKERS: usize = 10_000;
const TURNS: usize = 100_000;

#[expect(clippy::print_stdout, reason = "a benchmark speaks to people")]
fn main() -> anyhow::Result<()> {
    let jobs = match std::env::var("VICO_SCALE_JOBS") {
        Ok(jobs) => jobs.parse()?,
        Err(_) => 1_000_000,
    };
    let idle = resident()?;
    let mut drill = Drill::default();
    let planned = Planned::new("large", jobs)?;
    let (journal, took) = timed(|| drill.submit(planned))?;
    println!("{jobs} jobs, {WORKERS} workers");
    println!(
        "submit             {took:8.2} s, {} bytes of journal a job",
        journal / jobs
    );
    println!("memory             {:8} bytes a job", (resident()? - idle) / jobs);
    drill.hire(WORKERS)?;
    let (placed, took) = timed(|| drill.place_all())?;
    println!(
        "all workers at once{:8.2} us a placement, {placed} placed",
        1e6 * took / placed as f64
    );
    let turns = TURNS.min(jobs / 2);
    let (bytes, took) = timed(|| drill.turn_over(turns))?;
    println!(
        "one after the other{:8.2} us a job (commit, placement, encoding), {} bytes of journal",
        1e6 * took / turns as f64,
        bytes / turns
    );
    let (snapshot, took) = timed(|| drill.snapshot())?;
    println!(
        "snapshot written in{took:8.2} s, {} bytes a job",
        snapshot.len() / jobs
    );
    drop(drill);
    let (_, took) = timed(|| Drill::from_snapshot(&snapshot))?;
    println!("back from it in    {took:8.2} s, all invariants checked");
    Ok(())
}

fn timed<T, E>(work: impl FnOnce() -> Result<T, E>) -> Result<(T, f64), E> {
    let started = Instant::now();
    let done = work()?;
    Ok((done, started.elapsed().as_secs_f64()))
}

/// Bytes of this process in memory.
fn resident() -> anyhow::Result<usize> {
    let pages = std::fs::read_to_string("/proc/self/statm")?;
    let pages: usize = pages.split(' ').nth(1).unwrap_or_default().parse()?;
    Ok(pages * 4096)
}
