//! Pictures that jobs have made: only what the receipt of a job that is known here names, and only pictures.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use vico::protocol::{Refusal, RefusalKind};

use super::Dashboard;
use super::api::{self, Failure, Shared};
use crate::rpc::of_bucket;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";
/// Above any picture a model draws.
const MOST_BYTES: u64 = 32 << 20;
/// What a name stands for never changes: the job's key is the digest of all it reads.
const FOR_EVER: &str = "private, max-age=31536000, immutable";

pub(super) async fn picture(
    State(dashboard): Shared,
    Path((job, name)): Path<(String, String)>,
) -> Result<Response, Failure> {
    let bytes = dashboard.picture(&job, &name).await?;
    let headers = [
        (header::CONTENT_TYPE, "image/png"),
        (header::CACHE_CONTROL, FOR_EVER),
    ];
    Ok((headers, bytes).into_response())
}

impl Dashboard {
    async fn picture(self: &Arc<Self>, job: &str, name: &str) -> Result<bytes::Bytes, Refusal> {
        let key = api::key(job)?;
        let services = &self.services;
        let known = services
            .handle
            .look(move |brain, _| brain.state.job(key).is_some());
        let nothing = || {
            Refusal::new(
                RefusalKind::NotFound,
                format!("job {job} has made no picture `{name}`"),
            )
        };
        if !known.await? {
            return Err(nothing());
        }
        let receipt = services.store.receipt(key).await.map_err(of_bucket)?;
        let outputs = receipt.map(|receipt| receipt.outputs).unwrap_or_default();
        let blob = outputs
            .get(name)
            .filter(|blob| blob.size <= MOST_BYTES)
            .ok_or_else(nothing)?;
        let bytes = services.store.blob(blob).await.map_err(of_bucket)?;
        if bytes.starts_with(PNG) {
            Ok(bytes)
        } else {
            Err(nothing())
        }
    }
}
