//! `plan`: what a manifest would run, before anything is spent.

use std::path::PathBuf;

use clap::Args;
use vico::plan::{self, PlanSummary, StageSummary};

use crate::cli::bucket::Bucket;
use crate::cli::exit::{Error, Result};
use crate::cli::manifest_file::ManifestFile;
use crate::cli::output::{self, Output};
use crate::cli::{planning, view};

/// Shows the jobs that a manifest stands for, and which of them the bucket has done already.
#[derive(Debug, Args)]
pub(super) struct Plan {
    /// The manifest
    manifest: PathBuf,
    /// Show what a job's result depends on; the job by its label or the first digits of its key
    #[arg(long, value_name = "JOB")]
    why: Option<String>,
    /// Print the manifest with every default filled in
    #[arg(long, conflicts_with = "why")]
    show_defaults: bool,
    #[command(flatten)]
    bucket: Bucket,
}

impl Plan {
    pub(super) async fn execute(self, out: Output) -> Result {
        let file = ManifestFile::read(&self.manifest)?;
        if self.show_defaults {
            return output::text(&file.parse()?.show_defaults());
        }
        let store = self.bucket.open().await?;
        let plan = planning::plan(&file, &store).await?;
        if let Some(job) = &self.why {
            return show_why(out, &plan, job);
        }
        let summary = plan.summary(&planning::done(&plan, &store).await?);
        if out.is_json() {
            return output::json(&summary);
        }
        show(&summary)
    }
}

fn show_why(out: Output, plan: &plan::Plan, job: &str) -> Result {
    let found = plan.find(job);
    let [key] = found[..] else {
        let what = format!("{} jobs of this plan are called `{job}`", found.len());
        let labels: Vec<&str> = plan.jobs.values().take(3).map(|job| job.label.as_str()).collect();
        return Err(Error::usage(
            what,
            format!("name one by its label, such as {}", labels.join(" or ")),
        ));
    };
    let why = plan.why(key);
    if out.is_json() {
        return output::json(&why);
    }
    output::text(&why.map(|why| why.to_string()).unwrap_or_default())
}

fn show(summary: &PlanSummary) -> Result {
    let PlanSummary {
        sweep,
        runs,
        concepts,
        rows,
        train_steps,
        class_images,
        images,
        ..
    } = summary;
    output::line(format_args!(
        "{sweep}: {concepts} concepts × {rows} rows of the leaderboard, {runs} runs"
    ))?;
    output::table(
        &["STAGE", "JOBS", "DONE", "TO DO"],
        summary.stages.iter().map(stage),
    )?;
    let class_images = match class_images {
        0 => String::new(),
        count => format!("{count} class images, "),
    };
    output::line(format_args!(
        "\n{class_images}{train_steps} train steps, {images} images"
    ))?;
    let (read, written) = (
        view::bytes(summary.input_bytes),
        view::bytes(summary.output_bytes_estimate),
    );
    output::line(format_args!("reads {read}, will write about {written}"))
}

fn stage(stage: &StageSummary) -> Vec<String> {
    let StageSummary { stage, jobs, done } = stage;
    vec![
        stage.to_string(),
        jobs.to_string(),
        done.to_string(),
        (jobs - done).to_string(),
    ]
}
