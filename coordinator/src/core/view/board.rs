//! A sweep as a table of concepts and methods, and its jobs page by page: what is small however many jobs there are.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use vico::clock::Timestamp;
use vico::ids::SweepId;
use vico::job::{FailureClass, JobState, Stage};
use vico::status::{JobStatus, SweepStatus};

use crate::core::state::{Job, Phase};
use crate::core::{Brain, Refusal};

/// Concepts that a table shows; a larger one would help nobody.
const MOST_ROWS: usize = 500;

/// A sweep, counted.
#[derive(Debug, Serialize)]
pub(crate) struct Board {
    /// At a glance.
    pub(crate) status: SweepStatus,
    /// The columns.
    pub(crate) methods: Vec<String>,
    /// A row for every concept.
    pub(crate) concepts: Vec<Row>,
    /// Concepts that have no row.
    pub(crate) more_concepts: usize,
    /// What failed for good, by class.
    pub(crate) failures: Vec<FailureCount>,
}

/// One concept.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) concept: String,
    /// In the order of the methods; jobs of all matrix points and seeds together.
    pub(crate) cells: Vec<Cell>,
}

/// Numbers of jobs, by stage and state.
pub(crate) type Cell = BTreeMap<Stage, BTreeMap<JobState, u32>>;

/// Failed jobs of one class.
#[derive(Debug, Serialize)]
pub(crate) struct FailureCount {
    pub(crate) class: FailureClass,
    pub(crate) jobs: u32,
    /// What one of them said.
    pub(crate) example: String,
}

/// Which jobs of a sweep, and how many.
#[derive(Clone, Debug, Default)]
pub(crate) struct JobQuery {
    pub(crate) stage: Option<Stage>,
    pub(crate) state: Option<JobState>,
    /// Method and concept as in the table.
    pub(crate) method: Option<String>,
    pub(crate) concept: Option<String>,
    /// Those that ended last come first; otherwise they come by stage and label.
    pub(crate) latest: bool,
    pub(crate) offset: usize,
    pub(crate) limit: usize,
}

/// Some of the jobs that were asked for.
#[derive(Debug, Serialize)]
pub(crate) struct JobPage {
    /// How many there are in all.
    pub(crate) total: usize,
    pub(crate) jobs: Vec<JobStatus>,
}

/// Method and concept of a label such as `vico@lr=1e-5/teapot/train`; class images have neither.
fn place(label: &str) -> Option<(&str, &str)> {
    let mut parts = label.rsplitn(3, '/').skip(1);
    let (concept, method) = (parts.next()?, parts.next()?);
    Some((method.split('@').next().unwrap_or(method), concept))
}

impl Brain {
    /// A sweep's table.
    pub(crate) fn board(&self, id: &SweepId, now: Timestamp) -> Result<Board, Refusal> {
        let sweep = self.state.known_sweep(id)?;
        let mut cells: BTreeMap<(&str, &str), Cell> = BTreeMap::new();
        for job in self.state.jobs_of(sweep) {
            if let Some((method, concept)) = place(self.state.label(job)) {
                let stages = cells.entry((concept, method)).or_default();
                let states = stages.entry(job.stage).or_default();
                *states.entry(job.phase.state()).or_default() += 1;
            }
        }
        let methods: BTreeSet<&str> = cells.keys().map(|(_, method)| *method).collect();
        let concepts: BTreeSet<&str> = cells.keys().map(|(concept, _)| *concept).collect();
        let row = |concept: &&str| Row {
            concept: (*concept).to_owned(),
            cells: methods
                .iter()
                .map(|method| cells.get(&(*concept, *method)).cloned().unwrap_or_default())
                .collect(),
        };
        Ok(Board {
            status: self.sweep_status(id, now)?,
            concepts: concepts.iter().take(MOST_ROWS).map(row).collect(),
            more_concepts: concepts.len().saturating_sub(MOST_ROWS),
            methods: methods.into_iter().map(str::to_owned).collect(),
            failures: failures(self.state.jobs_of(sweep)),
        })
    }

    /// Some jobs of a sweep.
    pub(crate) fn job_page(
        &self,
        id: &SweepId,
        query: &JobQuery,
        now: Timestamp,
    ) -> Result<JobPage, Refusal> {
        let sweep = self.state.known_sweep(id)?;
        let mut jobs: Vec<&Job> = self
            .state
            .jobs_of(sweep)
            .filter(|job| query.wants(job, self.state.label(job)))
            .collect();
        if query.latest {
            jobs.sort_by_key(|job| Reverse((ended(job), job.key)));
        } else {
            jobs.sort_by_key(|job| (job.stage, self.state.label(job), job.key));
        }
        let total = jobs.len();
        let page = jobs.into_iter().skip(query.offset).take(query.limit);
        Ok(JobPage {
            total,
            jobs: page.map(|job| self.job_status(job, now)).collect(),
        })
    }
}

impl JobQuery {
    fn wants(&self, job: &Job, label: &str) -> bool {
        let place = place(label);
        self.stage.is_none_or(|stage| stage == job.stage)
            && self.state.is_none_or(|state| state == job.phase.state())
            && self
                .method
                .as_deref()
                .is_none_or(|wanted| place.is_some_and(|(method, _)| method == wanted))
            && self
                .concept
                .as_deref()
                .is_none_or(|wanted| place.is_some_and(|(_, concept)| concept == wanted))
    }
}

fn ended(job: &Job) -> Option<Timestamp> {
    let (at, _) = job.tries().last()?.ended.as_ref()?;
    Some(*at)
}

fn failures<'a>(jobs: impl Iterator<Item = &'a Job>) -> Vec<FailureCount> {
    let mut classes: BTreeMap<FailureClass, FailureCount> = BTreeMap::new();
    for job in jobs {
        let Phase::Failed(failure) = &job.phase else {
            continue;
        };
        let count = classes.entry(failure.class).or_insert_with(|| FailureCount {
            class: failure.class,
            jobs: 0,
            example: failure.message.clone(),
        });
        count.jobs += 1;
    }
    classes.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn a_label_says_where_its_job_is() {
        assert_eq!(place("vico/teapot/train"), Some(("vico", "teapot")));
        assert_eq!(
            place("vico@lr=1e-5,seed=0/teapot/sample"),
            Some(("vico", "teapot"))
        );
        assert_eq!(place("a-photo-of-a-toy/class_images"), None);
        assert_eq!(place("train"), None);
    }
}
