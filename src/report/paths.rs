//! Where a run's files lie below `results/<sweep>/`.

use crate::job::output_names;
use crate::report::RunOutcome;

/// Names folders so that no two runs of a sweep share one.
pub(super) struct Paths {
    several_seeds: bool,
}

impl Paths {
    /// The paths of a sweep of these runs.
    pub(super) fn of(runs: &[RunOutcome]) -> Self {
        Self {
            several_seeds: runs
                .windows(2)
                .any(|pair| pair[0].train_seed != pair[1].train_seed),
        }
    }

    /// `images/vico@steps=300/barn/p07/s3.png`.
    pub(super) fn image(&self, run: &RunOutcome, prompt: usize, sample: usize) -> String {
        let image = output_names::image(prompt, sample);
        format!("images/{}/{}/{image}", self.variant(run), run.concept)
    }

    /// `images/vico@steps=300/barn/prior/s3.png`.
    pub(super) fn prior_image(&self, run: &RunOutcome, number: usize) -> String {
        let image = output_names::prior_image(number);
        format!("images/{}/{}/{image}", self.variant(run), run.concept)
    }

    /// `adapters/vico@steps=300/barn.safetensors`.
    pub(super) fn adapter(&self, run: &RunOutcome) -> String {
        format!("adapters/{}/{}.safetensors", self.variant(run), run.concept)
    }

    /// `references/barn/00_front.jpg`; numbered, because names may repeat.
    pub(super) fn reference(run: &RunOutcome, number: usize) -> String {
        format!(
            "references/{}/{number:02}_{}",
            run.concept, run.references[number].name
        )
    }

    /// The leaderboard's name of the row, and the train seed where there are several.
    pub(super) fn variant(&self, run: &RunOutcome) -> String {
        let row = run.method_at_point();
        match (self.several_seeds, run.point.is_empty()) {
            (false, _) => row,
            (true, true) => format!("{row}@seed={}", run.train_seed),
            (true, false) => format!("{row},seed={}", run.train_seed),
        }
    }
}
