//! The walk over points, methods and concepts that makes the graph.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::jobs::{Keyed, Parts};
use super::label::labels;
use super::lookup::{Found, Lookup, Models};
use super::{Plan, PlannedJob, Resolved, Run};
use crate::digest::Digest;
use crate::ids::{ConceptId, InvalidId, JobKey, MethodId, SweepId};
use crate::manifest::{Errors, Finding, Kind, Manifest, Origin, Path, Point, Settings};
use crate::spec::{JobInputs, JobSpec, MethodSpec, ModelSource, PromptSpec, ReferencePolicy, SamplingSpec};

/// More runs than this are taken for a mistake.
const MAX_RUNS: usize = 500_000;
/// The same for the images of one sample job.
const MAX_IMAGES: u64 = 100_000;

/// Freezes the graph of jobs. `resolved` must answer [`super::needs`] of the same manifest and origin.
///
/// Reports, with their places in the manifest, all inputs that do not fit: concepts without images or with the same
/// images, prompts in files that cannot be used, a reference image that is not there.
pub fn expand(manifest: &Manifest, origin: &Origin, resolved: &Resolved) -> Result<Plan, Errors> {
    let mut walk = Walk {
        lookup: Lookup::new(manifest, origin, resolved),
        runs: Vec::new(),
        seen: BTreeSet::new(),
        jobs: BTreeMap::new(),
        trained: BTreeMap::new(),
    };
    for point in manifest.points() {
        walk.point(point);
    }
    let Walk {
        mut lookup,
        runs,
        jobs,
        ..
    } = walk;
    let sweep = sweep_id(manifest.name(), &jobs).map_err(|error| {
        lookup.report(Finding::new(
            &Path::of(&["name"]),
            Kind::BadValue,
            error.to_string(),
        ));
    });
    let input_bytes = lookup.finish()?;
    let sweep = sweep.expect("a bad name was reported, and so ended this above");
    let mut labels = labels(&runs, &jobs);
    let planned = |(key, spec): (JobKey, JobSpec)| {
        let label = labels.remove(&key).unwrap_or_default();
        let upstream = spec.inputs.upstream();
        (
            key,
            PlannedJob {
                spec,
                label,
                upstream,
            },
        )
    };
    let jobs = jobs.into_iter().map(planned).collect();
    Ok(Plan {
        sweep,
        name: manifest.name().to_owned(),
        runs,
        jobs,
        retry: manifest.retry().clone(),
        scheduling: manifest.scheduling().clone(),
        input_bytes,
        made_of: Some(made_of(manifest, resolved)),
    })
}

fn made_of(manifest: &Manifest, resolved: &Resolved) -> Digest {
    let models: Vec<&Arc<ModelSource>> = resolved.models.values().collect();
    Digest::of_json(&(manifest.show_defaults(), models)).expect("texts and plain structs have a JSON form")
}

/// Name and eight digits over the name and all keys: the same manifest over the same inputs is the same sweep.
fn sweep_id(name: &str, jobs: &BTreeMap<JobKey, JobSpec>) -> Result<SweepId, InvalidId> {
    let keys: Vec<&JobKey> = jobs.keys().collect();
    let digest = Digest::of_json(&(name, keys)).expect("a text and a list of texts have a JSON form");
    format!("{name}-{}", digest.short()).parse()
}

type Prompts = Arc<[PromptSpec]>;

struct Walk<'a> {
    lookup: Lookup<'a>,
    runs: Vec<Run>,
    /// Runs so far: a point that differs only in what does not concern a run gives no new run.
    seen: BTreeSet<(MethodId, ConceptId, String, u64)>,
    jobs: BTreeMap<JobKey, JobSpec>,
    /// The training that a method's last run on a concept had.
    trained: BTreeMap<(MethodId, ConceptId), JobKey>,
}

impl Walk<'_> {
    fn point(&mut self, point: &Point) {
        let settings = &point.settings;
        let concepts = self.concepts(settings);
        let Some(models) = self.lookup.models(settings) else {
            return;
        };
        for (id, method) in &settings.methods {
            for concept in &concepts {
                self.check_reference(id, method, &concept.0);
                if self.runs.len() >= MAX_RUNS {
                    let message = format!("the sweep has more than {MAX_RUNS} runs");
                    self.lookup
                        .report(Finding::new(&Path::default(), Kind::TooLarge, message));
                    return;
                }
                self.run(point, (id, method), concept, &models);
            }
        }
    }

    /// The concepts of some settings with their prompts; those with the same share them.
    fn concepts(&mut self, settings: &Settings) -> Vec<(Found, Prompts)> {
        let mut of_kind = BTreeMap::new();
        let found = self.lookup.concepts(settings).into_iter();
        let with_prompts = found.map(|concept| {
            let prompts = match &concept.prompts {
                Some(own) => Arc::clone(own),
                None => Arc::clone(
                    of_kind
                        .entry(concept.kind)
                        .or_insert_with(|| self.lookup.prompts(settings, concept.kind).into()),
                ),
            };
            (concept, prompts)
        });
        with_prompts.collect()
    }

    fn run(
        &mut self,
        point: &Point,
        (id, method): (&MethodId, &MethodSpec),
        (concept, prompts): &(Found, Prompts),
        models: &Models,
    ) {
        let settings = &point.settings;
        let concerns = point
            .assignments
            .iter()
            .filter(|axis| axis.scope.concerns(id, &concept.inputs.id));
        let label = concerns
            .map(|axis| axis.label.as_str())
            .collect::<Vec<_>>()
            .join(",");
        let run = (
            id.clone(),
            concept.inputs.id.clone(),
            label.clone(),
            settings.train_seed,
        );
        if !self.seen.insert(run) {
            return;
        }
        self.check_images(prompts, &settings.sampling);
        let parts = Parts {
            settings,
            models,
            concept: &concept.inputs,
            method,
            prompts,
        };
        let class_images = parts.class_images().map(|job| self.add(job));
        let train = parts.train_inputs(class_images);
        let train = train.map(|inputs| self.add_training((id, &concept.inputs.id), inputs, &parts));
        let sample = self.add(parts.sample(train));
        let score = parts.score(sample).map(|job| self.add(job));
        let (method, concept) = (id.clone(), concept.inputs.id.clone());
        self.runs.push(Run {
            method,
            concept,
            point: label,
            train_seed: settings.train_seed,
            class_images,
            train,
            sample,
            score,
        });
    }

    /// Points that differ only in how they draw bring the same training again and again: it is compared, not digested anew.
    fn add_training(
        &mut self,
        (method, concept): (&MethodId, &ConceptId),
        inputs: JobInputs,
        parts: &Parts<'_>,
    ) -> JobKey {
        let of = (method.clone(), concept.clone());
        let before = self.trained.get(&of).copied();
        let same = |key: &JobKey| self.jobs.get(key).is_some_and(|job| job.inputs == inputs);
        if let Some(key) = before.filter(same) {
            return key;
        }
        let key = self.add(parts.train(inputs));
        self.trained.insert(of, key);
        key
    }

    fn add(&mut self, (key, spec): Keyed) -> JobKey {
        self.jobs.entry(key).or_insert(spec);
        key
    }

    fn check_images(&mut self, prompts: &[PromptSpec], sampling: &SamplingSpec) {
        let images = sampling.images_of(prompts.len());
        if images > MAX_IMAGES {
            let path = Path::of(&["sampling", "images_per_prompt"]);
            let message = format!("one job would draw {images} images; at most {MAX_IMAGES} make sense");
            self.lookup.report(Finding::new(&path, Kind::TooLarge, message));
        }
    }

    fn check_reference(&mut self, id: &MethodId, method: &MethodSpec, concept: &Found) {
        let MethodSpec::Vico(settings) = method else {
            return;
        };
        let images = concept.inputs.images.len();
        if settings.reference_policy == ReferencePolicy::Fixed && settings.reference_index as usize >= images
        {
            let path = Path::of(&["methods", id.as_str(), "reference", "index"]);
            let message = format!(
                "image {}, counted from 0, is to be shown, but the concept {} has only {images}",
                settings.reference_index, concept.inputs.id
            );
            self.lookup.report(Finding::new(&path, Kind::BadInput, message));
        }
    }
}
