//! What would run again, and because of what, when one plan takes the place of another.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use super::{Plan, Run};
use crate::ids::JobKey;
use crate::job::Stage;

/// The difference between two plans.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlanDiff {
    /// Jobs by stage, in order, where either plan has any.
    pub stages: Vec<StageDiff>,
    /// Inputs that changed in runs which both plans have.
    pub changes: Vec<FieldChange>,
    /// Runs that only the second plan has.
    pub runs_added: Vec<String>,
    /// Runs that only the first plan has.
    pub runs_removed: Vec<String>,
}

/// One stage in numbers of jobs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StageDiff {
    /// The stage.
    pub stage: Stage,
    /// In both plans.
    pub same: usize,
    /// Only in the second.
    pub added: usize,
    /// Only in the first.
    pub removed: usize,
}

/// One input that changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldChange {
    /// Its path in the inputs, `sampling.guidance`.
    pub field: String,
    /// As the first plan has it; absent if it did not have it.
    pub before: Option<String>,
    /// As the second plan has it.
    pub after: Option<String>,
    /// Stages that read it.
    pub read_by: Vec<Stage>,
    /// Stages that run again: those that read it, and all after them.
    pub invalidates: Vec<Stage>,
    /// In how many runs.
    pub runs: usize,
}

/// From `before` to `after`. Order and comments of the manifests do not matter.
pub fn diff(before: &Plan, after: &Plan) -> PlanDiff {
    let (old, new) = (by_name(before), by_name(after));
    let only = |a: &BTreeMap<String, &Run>, b: &BTreeMap<String, &Run>| {
        a.keys().filter(|name| !b.contains_key(*name)).cloned().collect()
    };
    PlanDiff {
        stages: Stage::ALL
            .into_iter()
            .map(|stage| stage_diff(stage, before, after))
            .filter(|stage| stage.same + stage.added + stage.removed > 0)
            .collect(),
        changes: changes(before, after, &old, &new),
        runs_added: only(&new, &old),
        runs_removed: only(&old, &new),
    }
}

fn by_name(plan: &Plan) -> BTreeMap<String, &Run> {
    let name = |run: &Run| {
        let at = if run.point.is_empty() { "" } else { "@" };
        format!(
            "{}{at}{}/{} seed {}",
            run.method, run.point, run.concept, run.train_seed
        )
    };
    plan.runs.iter().map(|run| (name(run), run)).collect()
}

fn stage_diff(stage: Stage, before: &Plan, after: &Plan) -> StageDiff {
    let keys = |plan: &Plan| -> BTreeSet<JobKey> {
        plan.jobs
            .iter()
            .filter(|(_, job)| job.stage() == stage)
            .map(|(key, _)| *key)
            .collect()
    };
    let (old, new) = (keys(before), keys(after));
    StageDiff {
        stage,
        same: old.intersection(&new).count(),
        added: new.difference(&old).count(),
        removed: old.difference(&new).count(),
    }
}

type Change = (String, Option<String>, Option<String>);

fn changes(
    before: &Plan,
    after: &Plan,
    old: &BTreeMap<String, &Run>,
    new: &BTreeMap<String, &Run>,
) -> Vec<FieldChange> {
    let mut found: BTreeMap<Change, (BTreeSet<Stage>, BTreeSet<&str>)> = BTreeMap::new();
    for (name, old_run) in old {
        let Some(new_run) = new.get(name) else { continue };
        for (stage, a, b) in pairs(old_run, new_run) {
            for change in changed_fields(before, a, after, b) {
                let (stages, runs) = found.entry(change).or_default();
                stages.insert(stage);
                runs.insert(name);
            }
        }
    }
    let change = |((field, before, after), (read_by, runs)): (Change, (BTreeSet<Stage>, BTreeSet<&str>))| {
        let first = read_by.first().copied();
        FieldChange {
            field,
            before,
            after,
            invalidates: Stage::ALL
                .into_iter()
                .filter(|stage| Some(*stage) >= first)
                .collect(),
            read_by: read_by.into_iter().collect(),
            runs: runs.len(),
        }
    };
    found.into_iter().map(change).collect()
}

/// The jobs of a run in both plans, where they differ.
fn pairs(old: &Run, new: &Run) -> Vec<(Stage, JobKey, JobKey)> {
    let new: BTreeMap<Stage, JobKey> = new.jobs().collect();
    let pairs = old
        .jobs()
        .filter_map(|(stage, a)| Some((stage, a, *new.get(&stage)?)));
    pairs.filter(|(_, a, b)| a != b).collect()
}

fn changed_fields(before: &Plan, a: JobKey, after: &Plan, b: JobKey) -> Vec<Change> {
    let (old, new) = (fields(before, a), fields(after, b));
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let changed = names.into_iter().filter(|name| old.get(*name) != new.get(*name));
    changed
        .map(|name| (name.clone(), old.get(name).cloned(), new.get(name).cloned()))
        .collect()
}

/// The leaves of a job's inputs, without the keys of upstream jobs: those only hand on what changed there.
fn fields(plan: &Plan, key: JobKey) -> BTreeMap<String, String> {
    let mut leaves = BTreeMap::new();
    if let Some(job) = plan.jobs.get(&key) {
        let inputs = serde_json::to_value(&job.spec.inputs).expect("inputs are plain structs");
        collect(&inputs, "", &mut leaves);
        leaves.retain(|name, _| !matches!(name.as_str(), "class_images" | "train" | "sample" | "stage"));
    }
    leaves
}

fn collect(value: &Value, path: &str, leaves: &mut BTreeMap<String, String>) {
    let below = |key: &str| {
        if path.is_empty() {
            key.to_owned()
        } else {
            format!("{path}.{key}")
        }
    };
    match value {
        Value::Object(map) => map
            .iter()
            .for_each(|(key, value)| collect(value, &below(key), leaves)),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(i, item)| collect(item, &format!("{path}[{i}]"), leaves)),
        leaf => {
            let shown = leaf.as_str().map_or_else(|| leaf.to_string(), str::to_owned);
            leaves.insert(path.to_owned(), shown);
        }
    }
}
