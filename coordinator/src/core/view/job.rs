//! Jobs at a glance, and why they wait.

use vico::clock::Timestamp;
use vico::job::{Device, Progress, Resources, Stage};
use vico::status::{AttemptRecord, JobStatus};

use crate::core::Brain;
use crate::core::state::{Ending, Job, JobNo, Lease, Phase, Try};

const GIB: u64 = 1 << 30;

impl Brain {
    /// One job at a glance.
    pub(crate) fn job_status(&self, job: &Job, now: Timestamp) -> JobStatus {
        // Of two attempts, the one that has come further.
        let lease = job
            .leases()
            .min_by(|a, b| self.share(b).total_cmp(&self.share(a)));
        let made_by = match &job.phase {
            Phase::Succeeded { worker } => worker.clone(),
            _ => None,
        };
        JobStatus {
            job: job.key,
            label: self.state.label(job).to_owned(),
            stage: job.stage,
            state: job.phase.state(),
            worker: lease.map(|lease| lease.worker.clone()).or(made_by),
            attempts: job.attempts(),
            progress: lease.and_then(|lease| self.floor.progress(lease.id)).cloned(),
            reason: self.reason(job, now),
        }
    }

    /// How far an attempt has come, as far as it has told.
    fn share(&self, lease: &Lease) -> f64 {
        let progress = self.floor.progress(lease.id);
        progress.and_then(Progress::share).unwrap_or(0.0)
    }

    /// Why a job waits or how it failed, in one line.
    fn reason(&self, job: &Job, now: Timestamp) -> Option<String> {
        match &job.phase {
            Phase::Blocked => Some(self.blocked_on(job)),
            Phase::Ready { .. } if self.state.is_due(job, now) => Some(self.why_unplaced(job, now)),
            Phase::Ready { not_before } => Some(backing_off(job, *not_before)),
            Phase::Leased(_) | Phase::Succeeded { .. } => None,
            Phase::Failed(failure) => {
                let tries = match job.failures() {
                    1 => "1 failed attempt".to_owned(),
                    more => format!("{more} failed attempts"),
                };
                Some(format!("{}: {} (after {tries})", failure.class, failure.message))
            }
            Phase::Aborted { by } => {
                let by = self.root_of(*by).map(|by| self.state.label(by));
                Some(format!("{} failed", by.unwrap_or("a job before it")))
            }
            Phase::Cancelled => Some("cancelled by a user".to_owned()),
        }
    }

    /// The job that a failure began with: those between it and what was aborted for its sake never ran.
    fn root_of(&self, by: JobNo) -> Option<&Job> {
        let before = |job: &&Job| match job.phase {
            Phase::Aborted { by } => self.state.numbered(by),
            _ => None,
        };
        let chain = std::iter::successors(self.state.numbered(by), before);
        chain.take(Stage::ALL.len()).last()
    }

    fn blocked_on(&self, job: &Job) -> String {
        let upstream = self.state.upstream(job);
        let waiting = upstream.filter(|upstream| !matches!(upstream.phase, Phase::Succeeded { .. }));
        let names: Vec<_> = waiting
            .map(|job| format!("{} ({})", self.state.label(job), job.phase.state()))
            .collect();
        format!("waits for {}", names.join(", "))
    }

    fn why_unplaced(&self, job: &Job, now: Timestamp) -> String {
        let present: Vec<_> = self
            .floor
            .workers()
            .filter(|(_, worker)| self.floor.is_present(worker, now))
            .collect();
        if present.is_empty() {
            return "no worker is connected".to_owned();
        }
        let nothing = Resources::default();
        let needed = self
            .state
            .profile(job)
            .map_or(&nothing, |profile| &profile.resources);
        if !present.iter().any(|(_, worker)| worker.fits(needed)) {
            let there: Vec<_> = present
                .iter()
                .map(|(id, worker)| format!("{id} ({})", worker.offer()))
                .collect();
            return format!(
                "no connected worker fits: needs {}; there are {}",
                needs(needed),
                there.join(", ")
            );
        }
        if self.fitting_workers(job, now).next().is_none() {
            return "every worker that fits is quarantined, cordoned or draining".to_owned();
        }
        if let Some(most) = self.reached_limit(job) {
            return format!("its sweep runs {most} jobs at a time (`scheduling.max_running`)");
        }
        "waits for a free slot".to_owned()
    }

    /// The limit that keeps the job back, if all sweeps that want it have reached theirs.
    fn reached_limit(&self, job: &Job) -> Option<u32> {
        let reached = self.state.wanting(job).map(|sweep| {
            let running = self.state.running(&sweep.id);
            sweep.reached_limit(running)
        });
        reached.collect::<Option<Vec<u32>>>()?.into_iter().max()
    }
}

impl crate::core::floor::Worker {
    /// What the worker has, as messages put it.
    fn offer(&self) -> String {
        match self.device.vram {
            0 => self.device.name.clone(),
            vram => format!("{}, {} GiB", self.device.name, vram / GIB),
        }
    }
}

fn needs(demand: &Resources) -> String {
    match (demand.device, demand.vram) {
        (Device::Gpu, 0) => "a gpu".to_owned(),
        (Device::Gpu, vram) => format!("a gpu with {} GiB of memory", vram.div_ceil(GIB)),
        (Device::Any, vram) => format!("a cpu, or a gpu with {} GiB of memory", vram.div_ceil(GIB)),
    }
}

fn backing_off(job: &Job, not_before: Timestamp) -> String {
    let last = job.tries().iter().rev().find_map(|tried| match &tried.ended {
        Some((_, Ending::Failed(failure))) => Some((tried.attempt, failure)),
        _ => None,
    });
    match last {
        Some((attempt, failure)) => format!(
            "backs off until {not_before}: attempt {attempt} failed: {}: {}",
            failure.class, failure.message
        ),
        None => format!("backs off until {not_before}"),
    }
}

/// An attempt as people see it.
pub(crate) fn attempt_record(tried: &Try) -> AttemptRecord {
    let failure = match &tried.ended {
        Some((_, Ending::Failed(failure))) => Some((**failure).clone()),
        _ => None,
    };
    AttemptRecord {
        attempt: tried.attempt,
        worker: tried.worker.clone(),
        started: tried.started,
        ended: tried.ended.as_ref().map(|(at, _)| *at),
        failure,
    }
}
