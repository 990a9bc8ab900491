//! Sweeps, jobs and workers as rows and blocks of text.

use std::time::Duration;

use vico::clock::{Clock as _, SystemClock, Timestamp};
use vico::job::{JobState, Progress};
use vico::status::{JobStatus, StageStatus, SweepState, SweepStatus, WorkerStatus};

use crate::cli::exit::Result;
use crate::cli::output::{self, Output};

pub(super) const SWEEP_HEADER: &[&str] = &["SWEEP", "STATE", "DONE", "FAILED", "RUNNING", "AGE", "LEFT"];
pub(super) const STAGE_HEADER: &[&str] = &[
    "STAGE",
    "DONE",
    "REUSED",
    "RUNNING",
    "WAITING",
    "FAILED",
    "CANCELLED",
];
pub(super) const JOB_HEADER: &[&str] = &[
    "JOB", "LABEL", "STATE", "ATTEMPTS", "WORKER", "PROGRESS", "REASON",
];
pub(super) const WORKER_HEADER: &[&str] = &[
    "WORKER",
    "DEVICE",
    "MEMORY",
    "SLOTS",
    "JOBS",
    "SEEN",
    "VERSION",
    "CONDITION",
];

/// A sweep: as JSON the status, for people a block of its stages.
pub(super) fn status(out: Output, status: &SweepStatus) -> Result {
    if out.is_json() {
        return output::json(status);
    }
    let left = match (status.state, status.eta) {
        (SweepState::Running, Some(eta)) => format!(", about {} left", rounded(eta)),
        _ => String::new(),
    };
    output::line(format_args!("{}: {}{left}", status.sweep, status.state))?;
    output::table(STAGE_HEADER, status.stages.iter().map(stage_row))?;
    for notice in &status.notices {
        output::line(format_args!("! {notice}"))?;
    }
    Ok(())
}

/// A line of [`SWEEP_HEADER`].
pub(super) fn sweep_row(status: &SweepStatus) -> Vec<String> {
    vec![
        status.sweep.to_string(),
        status.state.to_string(),
        format!(
            "{}/{}",
            status.total(|stage| stage.succeeded),
            status.total(StageStatus::jobs)
        ),
        status.total(lost).to_string(),
        status.total(|stage| stage.leased).to_string(),
        ago(status.submitted),
        status.eta.map_or_else(String::new, rounded),
    ]
}

fn stage_row(stage: &StageStatus) -> Vec<String> {
    vec![
        stage.stage.to_string(),
        format!("{}/{}", stage.succeeded, stage.jobs()),
        stage.reused.to_string(),
        stage.leased.to_string(),
        stage.blocked.saturating_add(stage.ready).to_string(),
        lost(stage).to_string(),
        stage.cancelled.to_string(),
    ]
}

/// Jobs without a result, and with no more tries.
fn lost(stage: &StageStatus) -> u32 {
    stage.failed.saturating_add(stage.aborted)
}

/// A line of [`JOB_HEADER`].
pub(super) fn job_row(job: &JobStatus) -> Vec<String> {
    let progress = job.progress.as_ref().filter(|_| job.state == JobState::Leased);
    vec![
        job.job.0.short(),
        job.label.clone(),
        job.state.to_string(),
        job.attempts.to_string(),
        job.worker.as_ref().map(ToString::to_string).unwrap_or_default(),
        progress.map(progress_text).unwrap_or_default(),
        job.reason.clone().unwrap_or_default(),
    ]
}

/// `120/400 loss 0.0312`.
pub(super) fn progress_text(progress: &Progress) -> String {
    let Progress { done, of, note } = progress;
    let text = if *of > 0 {
        format!("{done}/{of} {note}")
    } else {
        note.clone()
    };
    text.trim_end().to_owned()
}

/// A line of [`WORKER_HEADER`].
pub(super) fn worker_row(worker: &WorkerStatus) -> Vec<String> {
    let jobs: Vec<String> = worker.jobs.iter().map(|job| job.0.short()).collect();
    vec![
        worker.worker.to_string(),
        worker.device.name.clone(),
        if worker.device.vram == 0 {
            String::new()
        } else {
            bytes(worker.device.vram)
        },
        worker.slots.to_string(),
        jobs.join(" "),
        ago(worker.last_seen),
        worker.version.clone(),
        worker.condition.clone().unwrap_or_default(),
    ]
}

/// `3m 20s ago`.
pub(super) fn ago(time: Timestamp) -> String {
    format!("{} ago", rounded(SystemClock.now().since(time)))
}

/// A span to the second, its two largest units only.
pub(super) fn rounded(span: Duration) -> String {
    let text = humantime::format_duration(Duration::from_secs(span.as_secs())).to_string();
    text.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

/// `16.0 GiB`.
pub(super) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = count as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 {
        format!("{count} B")
    } else {
        format!("{value:.1} {}", UNITS[unit])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_spans_are_short() {
        assert_eq!(bytes(17), "17 B");
        assert_eq!(bytes(16 << 30), "16.0 GiB");
        assert_eq!(rounded(Duration::from_millis(3_723_456)), "1h 2m");
        assert_eq!(rounded(Duration::from_millis(400)), "0s");
    }
}
