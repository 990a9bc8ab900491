//! A sweep as planned, and what makes it one that can be taken in: every job reads jobs of earlier stages that are in it.

use std::collections::HashMap;

use vico::digest::Digest;
use vico::ids::{JobKey, SweepId};
use vico::job::{Outputs, Resources, Stage};
use vico::plan::{RetryPolicy, Scheduling};

use super::Refusal;
use super::event::{AddedJob, AddedSweep, Place, Profile};
use super::few::Few;

/// A sweep as planned.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NewSweep {
    /// Its id.
    pub(crate) id: SweepId,
    /// The manifest's name.
    pub(crate) name: String,
    /// How often its jobs are tried.
    pub(crate) retry: RetryPolicy,
    /// Its place among other sweeps.
    pub(crate) scheduling: Scheduling,
    /// Its jobs, each once; every upstream job is among them.
    pub(crate) jobs: Vec<NewJob>,
    /// Those whose receipt was there already; others are passed over.
    pub(crate) done: Vec<JobKey>,
}

/// A job as planned.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NewJob {
    /// Its key.
    pub(crate) key: JobKey,
    /// Its stage.
    pub(crate) stage: Stage,
    /// For people.
    pub(crate) label: String,
    /// The jobs whose outputs it reads.
    pub(crate) upstream: Vec<JobKey>,
    /// What it needs of a worker.
    pub(crate) resources: Resources,
    /// What a worker has at hand that has loaded its models, networks and files, for placement.
    pub(crate) models: Vec<Digest>,
    /// What it makes.
    pub(crate) outputs: Outputs,
}

impl NewSweep {
    /// Keys to places, where the plan allows it.
    pub(super) fn close(&self) -> Result<AddedSweep, Refusal> {
        if self.jobs.is_empty() {
            return Err(Refusal::EmptyPlan(self.id.clone()));
        }
        let keys = self.jobs.iter().zip(0..);
        let places: HashMap<JobKey, Place> = keys.map(|(job, place)| (job.key, Place(place))).collect();
        let mut profiles = Vec::new();
        let jobs = self.jobs.iter().map(|job| {
            Ok(AddedJob {
                key: job.key,
                label: job.label.as_str().into(),
                profile: profile_of(job, &mut profiles),
                upstream: self.upstream(job, &places)?,
            })
        });
        Ok(AddedSweep {
            jobs: jobs.collect::<Result<_, Refusal>>()?,
            profiles,
            id: self.id.clone(),
            name: self.name.clone(),
            retry: self.retry.clone(),
            scheduling: self.scheduling.clone(),
            done: self
                .done
                .iter()
                .filter_map(|key| places.get(key).copied())
                .collect(),
        })
    }

    fn upstream(&self, job: &NewJob, places: &HashMap<JobKey, Place>) -> Result<Few<Place>, Refusal> {
        let place = |&upstream: &JobKey| {
            let (sweep, job_key) = (self.id.clone(), job.key);
            let Some(&place) = places.get(&upstream) else {
                return Err(Refusal::OpenPlan {
                    sweep,
                    job: job_key,
                    upstream,
                });
            };
            let stage = self.jobs.get(place.0 as usize).map(|job| job.stage);
            if stage.is_some_and(|stage| stage < job.stage) {
                return Ok(place);
            }
            Err(Refusal::BackwardPlan {
                sweep,
                job: job_key,
                upstream,
            })
        };
        job.upstream.iter().map(place).collect()
    }
}

impl NewJob {
    /// Whether the profile is the job's.
    pub(super) fn has(&self, profile: &Profile) -> bool {
        let looks = (profile.stage, &profile.resources, &profile.models);
        looks == (self.stage, &self.resources, &self.models) && profile.outputs == self.outputs
    }
}

/// The place of the job's profile, which is added where it is new.
pub(super) fn profile_of(job: &NewJob, profiles: &mut Vec<Profile>) -> u32 {
    let known = profiles.iter().position(|profile| job.has(profile));
    let place = known.unwrap_or_else(|| {
        profiles.push(Profile {
            stage: job.stage,
            resources: job.resources.clone(),
            models: job.models.clone(),
            outputs: job.outputs,
        });
        profiles.len() - 1
    });
    place as u32
}
