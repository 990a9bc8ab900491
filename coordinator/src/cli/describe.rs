//! `describe`: everything about a sweep or a job.

use anyhow::Context as _;
use clap::Args;
use serde_json::{Value, json};
use vico::ids::SweepId;
use vico::protocol::{ClientError, Connect, RefusalKind, SweepsClient};
use vico::status::{AttemptRecord, JobDetail, SweepDetail};

use crate::cli::exit::Result;
use crate::cli::output::{self, Output};
use crate::cli::view;

/// Shows a sweep with all its jobs, or a job with its attempts, inputs and outputs.
#[derive(Debug, Args)]
pub(super) struct Describe {
    /// A sweep, or a job by its key or the first digits of it
    what: String,
    #[command(flatten)]
    connect: Connect,
}

impl Describe {
    pub(super) async fn execute(self, out: Output) -> Result {
        let client = self.connect.client()?;
        match self.sweep(&client).await? {
            Some(sweep) => show_sweep(out, &sweep),
            None => show_job(out, &client.describe_job(&self.what).await?),
        }
    }

    /// The sweep of that name, if there is one.
    async fn sweep(&self, client: &SweepsClient) -> Result<Option<SweepDetail>> {
        let Ok(sweep) = self.what.parse::<SweepId>() else {
            return Ok(None);
        };
        match client.describe_sweep(&sweep).await {
            Ok(detail) => Ok(Some(detail)),
            Err(ClientError::Refused(refusal)) if refusal.kind == RefusalKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

fn show_sweep(out: Output, detail: &SweepDetail) -> Result {
    if out.is_json() {
        return output::json(detail);
    }
    view::status(out, &detail.status)?;
    output::line("")?;
    output::table(view::JOB_HEADER, detail.jobs.iter().map(view::job_row))
}

fn show_job(out: Output, detail: &JobDetail) -> Result {
    let spec = document(&detail.spec_json).context("the job's spec is no JSON")?;
    let receipt = detail.receipt_json.as_deref().map(document).transpose();
    let receipt = receipt.context("the job's receipt is no JSON")?;
    if out.is_json() {
        let attempts = &detail.attempts;
        return output::json(
            &json!({"status": detail.status, "attempts": attempts, "spec": spec, "receipt": receipt}),
        );
    }
    output::line(format_args!("{}  {}", detail.status.job, detail.status.label))?;
    output::line(format_args!(
        "{}: {}",
        detail.status.state,
        detail.status.reason.as_deref().unwrap_or("-")
    ))?;
    output::line("")?;
    output::table(
        &["ATTEMPT", "WORKER", "STARTED", "TOOK", "FAILURE"],
        detail.attempts.iter().map(attempt_row),
    )?;
    output::line("\nspec:")?;
    output::json(&spec)?;
    if let Some(receipt) = receipt {
        output::line("\nreceipt:")?;
        output::json(&receipt)?;
    }
    Ok(())
}

fn document(text: &str) -> serde_json::Result<Value> {
    if text.is_empty() {
        Ok(Value::Null)
    } else {
        serde_json::from_str(text)
    }
}

fn attempt_row(attempt: &AttemptRecord) -> Vec<String> {
    let took = attempt
        .ended
        .map(|ended| view::rounded(ended.since(attempt.started)));
    let failure = attempt
        .failure
        .as_ref()
        .map(|failure| format!("{}: {}", failure.class, failure.message));
    vec![
        attempt.attempt.to_string(),
        attempt.worker.to_string(),
        attempt.started.to_string(),
        took.unwrap_or_else(|| "running".to_owned()),
        failure.unwrap_or_default(),
    ]
}
