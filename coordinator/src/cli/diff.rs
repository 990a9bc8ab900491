//! `diff`: what the jobs of two manifests have in common.

use std::path::PathBuf;

use clap::Args;
use vico::job::Stage;
use vico::plan::{self, FieldChange, PlanDiff, StageDiff};

use crate::cli::bucket::Bucket;
use crate::cli::exit::Result;
use crate::cli::manifest_file::ManifestFile;
use crate::cli::output::{self, Output};
use crate::cli::planning;

/// Shows which inputs changed between two manifests, which stages that touches, and how many jobs stay the same.
#[derive(Debug, Args)]
pub(super) struct Diff {
    /// The manifest before
    before: PathBuf,
    /// The manifest after
    after: PathBuf,
    #[command(flatten)]
    bucket: Bucket,
}

impl Diff {
    pub(super) async fn execute(self, out: Output) -> Result {
        let store = self.bucket.open().await?;
        let before = planning::plan(&ManifestFile::read(&self.before)?, &store).await?;
        let after = planning::plan(&ManifestFile::read(&self.after)?, &store).await?;
        let diff = plan::diff(&before, &after);
        if out.is_json() {
            return output::json(&diff);
        }
        show(&diff)
    }
}

fn show(diff: &PlanDiff) -> Result {
    output::table(
        &["STAGE", "SAME", "ADDED", "REMOVED"],
        diff.stages.iter().map(stage),
    )?;
    if !diff.changes.is_empty() {
        output::line("")?;
        let header = ["FIELD", "BEFORE", "AFTER", "RUNS AGAIN", "IN RUNS"];
        output::table(&header, diff.changes.iter().map(change))?;
    }
    for run in &diff.runs_removed {
        output::line(format_args!("- {run}"))?;
    }
    for run in &diff.runs_added {
        output::line(format_args!("+ {run}"))?;
    }
    Ok(())
}

fn stage(diff: &StageDiff) -> Vec<String> {
    let StageDiff {
        stage,
        same,
        added,
        removed,
    } = diff;
    vec![
        stage.to_string(),
        same.to_string(),
        added.to_string(),
        removed.to_string(),
    ]
}

fn change(change: &FieldChange) -> Vec<String> {
    let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
    let stages: Vec<&str> = change.invalidates.iter().copied().map(Stage::as_str).collect();
    vec![
        change.field.clone(),
        shown(&change.before),
        shown(&change.after),
        stages.join(" "),
        change.runs.to_string(),
    ]
}
