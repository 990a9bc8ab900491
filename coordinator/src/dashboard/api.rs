//! The answers, as JSON. They are those of the command line.

use std::str::FromStr;
use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;
use vico::ids::JobKey;
use vico::protocol::{Refusal, RefusalKind};
use vico::status::{AttemptRecord, JobStatus, LogLine};

use super::Dashboard;
use super::access;
use crate::core::Brain;
use crate::core::view::JobQuery;
use crate::rpc::{known, of_bucket};

/// Jobs of a page, at most.
const MOST_JOBS: usize = 200;
/// Lines of a log, at most: the last ones.
const MOST_LINES: usize = 1000;

pub(super) type Shared = State<Arc<Dashboard>>;
type Answer<T> = Result<Json<T>, Failure>;

/// A value as JSON that nobody keeps.
pub(super) struct Json<T>(T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(bytes) => {
                let headers = [
                    (header::CONTENT_TYPE, "application/json"),
                    (header::CACHE_CONTROL, "no-store"),
                ];
                (headers, bytes).into_response()
            }
            Err(error) => {
                Failure::from(Refusal::new(RefusalKind::Internal, error.to_string())).into_response()
            }
        }
    }
}

/// A refusal as an answer: its status, and `{"error": …}`.
pub(super) struct Failure(Refusal);

impl<R: Into<Refusal>> From<R> for Failure {
    fn from(refusal: R) -> Self {
        Self(refusal.into())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let error = serde_json::json!({"error": self.0.message});
        (access::status(self.0.kind), Json(error)).into_response()
    }
}

pub(super) async fn sweeps(State(dashboard): Shared) -> Answer<impl Serialize> {
    Ok(Json(dashboard.services.handle.look(Brain::sweep_list).await?))
}

pub(super) async fn workers(State(dashboard): Shared) -> Answer<impl Serialize> {
    Ok(Json(dashboard.services.handle.look(Brain::worker_list).await?))
}

pub(super) async fn sweep(State(dashboard): Shared, Path(sweep): Path<String>) -> Answer<impl Serialize> {
    let sweep = known(&sweep)?;
    let look = dashboard
        .services
        .handle
        .look(move |brain, now| brain.board(&sweep, now));
    Ok(Json(look.await??))
}

pub(super) async fn jobs(
    State(dashboard): Shared,
    Path(sweep): Path<String>,
    RawQuery(query): RawQuery,
) -> Answer<impl Serialize> {
    let (sweep, query) = (known(&sweep)?, job_query(&query.unwrap_or_default())?);
    let look = dashboard
        .services
        .handle
        .look(move |brain, now| brain.job_page(&sweep, &query, now));
    Ok(Json(look.await??))
}

/// A job, its attempts, what it reads and what it made.
#[derive(Serialize)]
struct Job {
    status: JobStatus,
    attempts: Vec<AttemptRecord>,
    spec: Value,
    receipt: Option<Value>,
}

pub(super) async fn job(State(dashboard): Shared, Path(job): Path<String>) -> Answer<impl Serialize> {
    let detail = dashboard.services.job_detail(job).await?;
    let parsed = |json: &str| {
        let parsed = serde_json::from_str(json);
        parsed.map_err(|error| Refusal::new(RefusalKind::Internal, error.to_string()))
    };
    Ok(Json(Job {
        status: detail.status,
        attempts: detail.attempts,
        spec: parsed(&detail.spec_json)?,
        receipt: detail.receipt_json.as_deref().map(parsed).transpose()?,
    }))
}

pub(super) async fn log(State(dashboard): Shared, Path(job): Path<String>) -> Answer<Vec<LogLine>> {
    let services = &dashboard.services;
    let look = services.handle.look(move |brain, _| {
        let job = brain.state.find_job(&job)?;
        let tries = job
            .tries()
            .iter()
            .map(|tried| (tried.attempt, tried.worker.clone()));
        Ok::<_, crate::core::Refusal>((job.key, tries.collect::<Vec<_>>()))
    });
    let (job, attempts) = look.await??;
    let mut lines = Vec::new();
    for (attempt, worker) in attempts.into_iter().rev() {
        let id = (job, attempt);
        let read = services.logs.read(&services.store, (id, &worker), 0).await;
        let mut read = read.map_err(of_bucket)?.lines;
        read.append(&mut lines);
        lines = read;
        if lines.len() >= MOST_LINES {
            break;
        }
    }
    let skipped = lines.len().saturating_sub(MOST_LINES);
    Ok(Json(lines.split_off(skipped)))
}

/// A job by its whole key.
pub(super) fn key(job: &str) -> Result<JobKey, Refusal> {
    let digest = job.parse();
    digest
        .map(JobKey)
        .map_err(|_| crate::core::Refusal::UnknownJob(job.to_owned()).into())
}

/// `stage=train&state=failed&method=vico&concept=teapot&order=latest&offset=200&limit=50`, each of them if need be.
fn job_query(text: &str) -> Result<JobQuery, Refusal> {
    let mut query = JobQuery {
        limit: MOST_JOBS,
        ..JobQuery::default()
    };
    for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
        match name.as_ref() {
            "stage" => query.stage = Some(word(&value)?),
            "state" => query.state = Some(state(&value)?),
            "method" => query.method = Some(value.into_owned()),
            "concept" => query.concept = Some(value.into_owned()),
            "order" => query.latest = value == "latest",
            "offset" => query.offset = word(&value)?,
            "limit" => query.limit = word::<usize>(&value)?.min(MOST_JOBS),
            other => return Err(invalid(format!("`{other}` means nothing in a query for jobs"))),
        }
    }
    Ok(query)
}

fn word<T: FromStr<Err: std::fmt::Display>>(value: &str) -> Result<T, Refusal> {
    value.parse().map_err(|error: T::Err| invalid(error.to_string()))
}

fn state(value: &str) -> Result<vico::job::JobState, Refusal> {
    let known = vico::job::JobState::ALL
        .into_iter()
        .find(|state| state.as_str() == value);
    known.ok_or_else(|| invalid(format!("`{value}` is no state of a job")))
}

fn invalid(message: String) -> Refusal {
    Refusal::new(RefusalKind::Invalid, message)
}
