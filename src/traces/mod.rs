//! Traces: what happened to a job and how long each part took, one trace for each job, for OpenTelemetry.
//!
//! The ids follow from the bucket, the job and the lease. So coordinator and worker tell one trace without telling each
//! other, and so does a coordinator that took over from another.

#[cfg(feature = "otlp")]
mod otlp;
mod span;

use std::fmt;
use std::sync::Arc;

#[cfg(feature = "otlp")]
pub use otlp::{InvalidExporter, Otlp, Service};
pub use span::{JobTrace, Span, SpanId, TraceId};

/// Who takes finished spans. Taking must not block.
pub trait Sink: Send + Sync {
    /// Takes a span.
    fn take(&self, span: Span);
}

/// Where finished spans go, if anywhere. Clones share it.
#[derive(Clone, Default)]
pub struct Traces(Option<Arc<dyn Sink>>);

impl Traces {
    /// Spans go to `sink`.
    pub fn to(sink: Arc<dyn Sink>) -> Self {
        Self(Some(sink))
    }

    /// Tells of spans, which are only made where somebody takes them.
    pub fn tell<I: IntoIterator<Item = Span>>(&self, spans: impl FnOnce() -> I) {
        if let Some(sink) = &self.0 {
            spans().into_iter().for_each(|span| sink.take(span));
        }
    }
}

impl fmt::Debug for Traces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.0.is_some() { "taken" } else { "dropped" };
        write!(f, "Traces({word})")
    }
}
