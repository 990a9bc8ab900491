//! The audit trail: one event of the target `audit` for everything that may have changed something, and for everybody
//! who was not let in.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use http::Response;
use tonic::body::Body;
use tonic::{Code, Request, Status};

use crate::auth::Holder;

/// Where events go; `audit=info` in a log filter lets them through.
pub(crate) const TARGET: &str = "audit";

/// What a request is about, as its handler finds out: a sweep, a job, a worker.
#[derive(Clone, Debug, Default)]
pub(crate) struct Subject(Arc<OnceLock<String>>);

impl Subject {
    /// The subject that the trail of this request will name.
    pub(crate) fn of<T>(request: &Request<T>) -> Self {
        request.extensions().get().cloned().unwrap_or_default()
    }

    /// Names it. The first name stays.
    pub(crate) fn is(&self, name: impl std::fmt::Display) {
        _ = self.0.set(name.to_string());
    }
}

/// A request under way. An entry that is dropped tells that nobody heard how it ended.
pub(crate) struct Entry {
    method: &'static str,
    holder: Holder,
    peer: Option<IpAddr>,
    subject: Subject,
    outcome: Option<Outcome>,
}

/// How a request ended.
struct Outcome {
    code: Code,
    reason: String,
}

impl Entry {
    pub(crate) fn open(method: &'static str, holder: Holder, peer: Option<IpAddr>) -> Self {
        Self {
            method,
            holder,
            peer,
            subject: Subject::default(),
            outcome: None,
        }
    }

    /// For the handler to name.
    pub(crate) fn subject(&self) -> Subject {
        self.subject.clone()
    }

    /// Tells how it ended.
    pub(crate) fn close(mut self, response: &Response<Body>) {
        // Where the headers say nothing the handler was content.
        let status = Status::from_header_map(response.headers());
        let status = status.unwrap_or_else(|| Status::ok(""));
        self.outcome = Some(Outcome {
            code: status.code(),
            reason: status.message().to_owned(),
        });
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let subject = self.subject.0.get().map_or("", String::as_str);
        let (outcome, reason) = match &self.outcome {
            // A worker asked for work and got none.
            Some(Outcome { code: Code::Ok, .. }) if subject.is_empty() => return,
            Some(Outcome { code: Code::Ok, .. }) => ("done".to_owned(), ""),
            Some(Outcome { code, reason }) => (format!("{code:?}"), reason.as_str()),
            None => ("unknown".to_owned(), "the caller did not wait for the answer"),
        };
        let (who, role) = (&*self.holder.name, self.holder.role.word());
        let peer = self.peer.map(tracing::field::display);
        tracing::info!(target: TARGET, who, role, peer, method = self.method, subject, outcome, reason, "change");
    }
}

/// Tells of a request that did not get past the gate.
pub(crate) fn refused(path: &str, peer: Option<IpAddr>, reason: &str) {
    let peer = peer.map(tracing::field::display);
    tracing::warn!(target: TARGET, method = path, peer, reason, "request refused");
}
