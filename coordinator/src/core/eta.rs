//! How long things take, from what was measured in the same sweep.

use std::collections::BTreeMap;
use std::time::Duration;

use vico::clock::Timestamp;
use vico::ids::SweepId;
use vico::job::{JobState, Progress, Stage};

use super::Brain;
use super::state::{Job, Lease, Sweep, Tally, Timing};

/// How long an attempt at a stage takes; a guess of the right order until the sweep has measured one. Only for
/// choosing between jobs, never shown.
pub(crate) fn expected(sweep: Option<&Sweep>, stage: Stage) -> Duration {
    let measured = sweep
        .and_then(|sweep| sweep.timings.get(&stage))
        .and_then(Timing::mean);
    measured.unwrap_or(match stage {
        Stage::ClassImages => Duration::from_mins(5),
        Stage::Train => Duration::from_mins(10),
        Stage::Sample => Duration::from_mins(2),
        Stage::Score => Duration::from_secs(20),
    })
}

/// No attempt takes longer. What promises to is no measure of anything: a worker may say whatever it likes.
const LONGEST: Duration = Duration::from_hours(365 * 24);

impl Brain {
    /// Estimated time until the sweep has ended: the work that is left, spread over the slots that could do it, but
    /// no less than the longest chain of stages that is left. `None` while a stage that is left was never measured.
    pub(crate) fn eta(&self, id: &SweepId, now: Timestamp) -> Option<Duration> {
        let sweep = self.state.sweep(id)?;
        let tally = self.state.tally(id)?;
        let number = self.state.sweep_number(id)?;
        let running: Vec<(&Job, &Lease)> = self
            .state
            .leased_jobs()
            .filter(|(job, _)| job.listed_by.contains(&number))
            .collect();
        let (mut work, mut chain) = (Duration::ZERO, Duration::ZERO);
        for (stage, count) in left(tally) {
            let each = self.stage_time(sweep, stage, &running, now)?;
            work = work.saturating_add(each.saturating_mul(count));
            chain = chain.saturating_add(each);
        }
        let done = running
            .iter()
            .map(|(_, lease)| now.since(lease.since))
            .fold(Duration::ZERO, Duration::saturating_add);
        let slots = self.parallelism(tally.in_state(JobState::Leased), now);
        let spread = work.saturating_sub(done) / slots;
        Some(spread.max(rest_of(chain, &running, now)))
    }

    /// The mean of the finished attempts, or what the running ones suggest.
    fn stage_time(
        &self,
        sweep: &Sweep,
        stage: Stage,
        running: &[(&Job, &Lease)],
        now: Timestamp,
    ) -> Option<Duration> {
        let measured = sweep.timings.get(&stage).and_then(Timing::mean);
        let projected = || {
            let of_stage = running.iter().filter(|(job, _)| job.stage == stage);
            let projected = of_stage
                .filter_map(|(_, lease)| projected(now.since(lease.since), self.floor.progress(lease.id)?));
            projected.max()
        };
        measured.or_else(projected)
    }

    /// Slots of the workers that are there, but at least what runs now.
    fn parallelism(&self, leased: u32, now: Timestamp) -> u32 {
        let present = self
            .floor
            .workers()
            .filter(|(_, worker)| self.floor.is_present(worker, now));
        let slots: u32 = present
            .map(|(_, worker)| worker.slots)
            .fold(0, u32::saturating_add);
        slots.max(leased).max(1)
    }
}

/// Jobs that have not ended, by stage.
fn left(tally: &Tally) -> BTreeMap<Stage, u32> {
    let mut left: BTreeMap<Stage, u32> = BTreeMap::new();
    for (stage, state, count) in tally.iter() {
        if !state.has_ended() {
            *left.entry(stage).or_default() += count;
        }
    }
    left
}

/// What is left of a chain of stages of which the oldest running attempt has done a part.
fn rest_of(chain: Duration, running: &[(&Job, &Lease)], now: Timestamp) -> Duration {
    let oldest = running.iter().map(|(_, lease)| now.since(lease.since)).max();
    chain.saturating_sub(oldest.unwrap_or_default())
}

/// How long an attempt takes in all, if it goes on as it has; `None` where that cannot be.
fn projected(elapsed: Duration, progress: &Progress) -> Option<Duration> {
    let share = progress.share().filter(|share| *share > 0.0)?;
    let whole = Duration::try_from_secs_f64(elapsed.as_secs_f64() / share).ok();
    whole.filter(|whole| *whole <= LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_projected() {
        let progress = |done, of| Progress {
            done,
            of,
            note: String::new(),
        };
        let elapsed = Duration::from_secs(10);
        assert_eq!(projected(elapsed, &progress(1, 4)), Some(Duration::from_secs(40)));
        assert_eq!(projected(elapsed, &progress(0, 4)), None);
        assert_eq!(projected(elapsed, &progress(5, 4)), Some(elapsed));
        assert_eq!(projected(elapsed, &progress(10, u64::MAX)), None);
    }
}
