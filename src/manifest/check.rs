//! From what is written to what is meant: fills in the defaults and finds what no single value shows.

use std::collections::BTreeMap;

use super::error::Kind;
use super::finding::Finding;
use super::location;
use super::methods;
use super::path::Path;
use super::raw::{RawDemand, RawManifest, RawMetrics, RawRetry};
use super::settings::{Backoff, BaseModel, Metrics, RetryPolicy, Settings, StageResources};
use super::{check_concepts, check_prompts, units};
use crate::ids::{InvalidId, SweepId};
use crate::job::Resources;
use crate::spec::SamplingSpec;

/// The settings, or why there are none. What is `None` has left a finding.
pub(crate) fn settings(raw: &RawManifest, found: &mut Vec<Finding>) -> Settings {
    check_name(&raw.name, found);
    let concepts = check_concepts::concepts(raw, found);
    let concepts_from = check_concepts::concepts_from(raw, found);
    let prompt_sets = by_id(&raw.prompt_sets, "prompt_sets", found, check_prompts::prompt_set);
    if raw.prompt_sets.is_empty() {
        check_concepts::prompt_sets_are_not_needed(&concepts, concepts_from.as_ref(), found);
    }
    check_concepts::every_concept_has_prompts(&concepts, concepts_from.as_ref(), &prompt_sets, found);
    check_location(&raw.base.model, &Path::of(&["base", "model"]), found);
    check_variant(raw.base.variant.as_deref(), found);
    check_prompts::negative_prompt(&raw.sampling.negative_prompt, found);
    Settings {
        base: BaseModel {
            model: raw.base.model.clone(),
            variant: raw.base.variant.clone(),
            precision: raw.base.precision,
        },
        concepts,
        concepts_from,
        prompt_sets,
        methods: by_id(&raw.methods, "methods", found, methods::method),
        train_seed: raw.train_seed,
        sampling: sampling(raw),
        metrics: metrics(&raw.metrics, found),
        resources: resources(raw, found),
        checkpoint_every: checkpoint_every(&raw.retry, found),
    }
}

/// Whether a variant of a model's files can have this name, which is a part of theirs and must not lead into another folder.
pub fn is_variant(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    !name.is_empty() && name.chars().all(is_plain)
}

fn check_variant(variant: Option<&str>, found: &mut Vec<Finding>) {
    if let Some(variant) = variant.filter(|variant| !is_variant(variant)) {
        let message = format!("`{variant}` cannot be a variant: letters, digits, `.`, `_` and `-` can");
        found.push(Finding::new(
            &Path::of(&["base", "variant"]),
            Kind::BadValue,
            message,
        ));
    }
}

fn check_name(name: &str, found: &mut Vec<Finding>) {
    if let Err(InvalidId { reason, .. }) = name.parse::<SweepId>() {
        found.push(Finding::new(
            &Path::of(&["name"]),
            Kind::BadValue,
            format!("`{name}` cannot be a name: {reason}"),
        ));
    }
}

/// A map by id with every id and value checked.
pub(crate) fn by_id<I, R, T>(
    raw: &BTreeMap<String, R>,
    section: &str,
    found: &mut Vec<Finding>,
    check: impl Fn(&R, &Path, &mut Vec<Finding>) -> Option<T>,
) -> BTreeMap<I, T>
where
    I: Ord + std::str::FromStr<Err = InvalidId>,
{
    let mut checked = BTreeMap::new();
    for (word, value) in raw {
        let path = Path::of(&[section, word]);
        match word.parse() {
            Err(InvalidId { reason, .. }) => {
                let message = format!("`{word}` cannot be an id: {reason}");
                found.push(Finding::new(&path, Kind::BadValue, message).at_key());
            }
            Ok(id) => {
                checked.extend(check(value, &path, found).map(|value| (id, value)));
            }
        }
    }
    checked
}

/// Records what is wrong with a location.
pub(crate) fn check_location(text: &str, path: &Path, found: &mut Vec<Finding>) {
    if let Err((message, help)) = location::check(text) {
        found.push(Finding::new(path, Kind::BadValue, message).maybe_help(help));
    }
}

fn sampling(raw: &RawManifest) -> SamplingSpec {
    let sampling = &raw.sampling;
    SamplingSpec {
        steps: sampling.steps,
        eta: sampling.eta,
        guidance: sampling.guidance,
        size: sampling.size,
        images_per_prompt: sampling.images_per_prompt,
        prior_images: sampling.prior_images,
        negative_prompt: sampling.negative_prompt.clone(),
        seed: sampling.seeds.base,
    }
}

fn metrics(raw: &RawMetrics, found: &mut Vec<Finding>) -> Option<Metrics> {
    if raw.protocols.is_empty() {
        return None;
    }
    let path = Path::of(&["metrics"]);
    let mut model = |key: &str, location: &Option<String>, what: &str| {
        let path = path.key(key);
        if let Some(location) = location {
            check_location(location, &path, found);
        } else {
            let message = format!("metrics has no `{key}`");
            let help =
                format!("name the folder of the {what} that measures, or measure nothing: `protocols: []`");
            found.push(Finding::new(&path, Kind::MissingKey, message).at_key().help(help));
        }
        location.clone()
    };
    let clip = model("clip", &raw.clip, "CLIP model");
    let dino = model("dino", &raw.dino, "DINO model");
    if let Some(lpips) = &raw.lpips {
        check_location(lpips, &path.key("lpips"), found);
    }
    let mut protocols: Vec<String> = raw
        .protocols
        .iter()
        .map(|name| name.as_str().to_owned())
        .collect();
    protocols.sort();
    protocols.dedup();
    Some(Metrics {
        protocols,
        clip: clip?,
        dino: dino?,
        lpips: raw.lpips.clone(),
    })
}

fn resources(raw: &RawManifest, found: &mut Vec<Finding>) -> StageResources {
    let mut demand = |key: &str, demand: &RawDemand| {
        let path = Path::of(&["resources", key, "vram"]);
        let vram = measured(units::size(&demand.vram), &path, found).unwrap_or_default();
        Resources {
            device: demand.device,
            vram,
        }
    };
    StageResources {
        class_images: demand("class_images", &raw.resources.class_images),
        train: demand("train", &raw.resources.train),
        sample: demand("sample", &raw.resources.sample),
        score: demand("score", &raw.resources.score),
    }
}

fn checkpoint_every(raw: &RawRetry, found: &mut Vec<Finding>) -> u32 {
    let path = Path::of(&["retry", "checkpoint_every"]);
    measured(units::steps(&raw.checkpoint_every), &path, found).unwrap_or_default()
}

/// What happens when attempts fail.
pub(crate) fn retry(raw: &RawRetry, found: &mut Vec<Finding>) -> RetryPolicy {
    let path = Path::of(&["retry", "backoff"]);
    let initial =
        measured(units::span(&raw.backoff.initial), &path.key("initial"), found).unwrap_or_default();
    let max = measured(units::span(&raw.backoff.max), &path.key("max"), found).unwrap_or(initial);
    if max < initial {
        let message = format!(
            "the longest wait, {}, is shorter than the first, {}",
            raw.backoff.max, raw.backoff.initial
        );
        found.push(Finding::new(&path.key("max"), Kind::BadValue, message));
    }
    RetryPolicy {
        attempts: raw.attempts,
        backoff: Backoff {
            initial,
            factor: raw.backoff.factor,
            max,
        },
    }
}

fn measured<T>(result: Result<T, units::Malformed>, path: &Path, found: &mut Vec<Finding>) -> Option<T> {
    let malformed = |malformed: units::Malformed| {
        found.push(Finding::new(path, Kind::BadValue, malformed.message).help(malformed.help));
    };
    result.map_err(malformed).ok()
}
