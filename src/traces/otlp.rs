//! Spans to a collector, in batches, by OTLP over gRPC.
//!
//! OpenTelemetry's own SDK waits, batches and sends; what it asks to be set it reads from the environment
//! (`OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_BSP_…`, `OTEL_RESOURCE_ATTRIBUTES`). It keeps at most a few thousand spans: a
//! collector that does not answer costs spans and nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::trace::{SpanContext, SpanKind, Status, TraceFlags, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{BatchSpanProcessor, SpanData, SpanEvents, SpanLinks, SpanProcessor as _};

use super::{Sink, Span, Traces};
use crate::clock::Timestamp;

/// How long the last spans may take to leave.
const FAREWELL: Duration = Duration::from_secs(3);

/// Who tells.
#[derive(Clone, Debug)]
pub struct Service<'a> {
    /// The program.
    pub name: &'static str,
    /// Which of its processes.
    pub instance: &'a str,
}

/// A collector that cannot be one.
#[derive(Debug, thiserror::Error)]
#[error(
    "spans cannot go to `{endpoint}`: {reason}; give a collector's gRPC address, such as http://127.0.0.1:4317"
)]
pub struct InvalidExporter {
    /// What was given.
    endpoint: String,
    /// What is wrong with it.
    reason: ExporterBuildError,
}

/// A line to a collector.
#[derive(Debug)]
pub struct Otlp {
    processor: BatchSpanProcessor,
    scope: InstrumentationScope,
}

impl Otlp {
    /// Connects with the first spans; must be called inside a Tokio runtime that outlives it.
    ///
    /// # Errors
    /// `endpoint` is no address.
    pub fn open(endpoint: &str, service: &Service) -> Result<Arc<Self>, InvalidExporter> {
        let exporter = SpanExporter::builder().with_tonic().with_endpoint(endpoint);
        let exporter = exporter.build().map_err(|reason| InvalidExporter {
            endpoint: endpoint.to_owned(),
            reason,
        })?;
        let version = env!("CARGO_PKG_VERSION");
        let resource = Resource::builder()
            .with_service_name(service.name)
            .with_attribute(KeyValue::new("service.version", version))
            .with_attribute(KeyValue::new("service.instance.id", service.instance.to_owned()))
            .build();
        let mut processor = BatchSpanProcessor::builder(Heard::new(exporter)).build();
        processor.set_resource(&resource);
        let scope = InstrumentationScope::builder("vico")
            .with_version(version)
            .build();
        Ok(Arc::new(Self { processor, scope }))
    }

    /// What spans are told to.
    pub fn traces(self: &Arc<Self>) -> Traces {
        Traces::to(Arc::clone(self) as Arc<dyn Sink>)
    }

    /// Sends what is left, and waits a moment for that.
    pub async fn close(self: Arc<Self>) {
        let send = move || self.processor.shutdown_with_timeout(FAREWELL);
        match tokio::task::spawn_blocking(send).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the last spans were not sent"),
            Err(error) => tracing::warn!(%error, "the last spans were not sent"),
        }
    }
}

impl Sink for Otlp {
    fn take(&self, span: Span) {
        self.processor.on_end(data(span, self.scope.clone()));
    }
}

fn data(span: Span, scope: InstrumentationScope) -> SpanData {
    let trace = opentelemetry::trace::TraceId::from_bytes(span.trace.0);
    let id = |id: super::SpanId| opentelemetry::trace::SpanId::from_bytes(id.0);
    let (sampled, state) = (TraceFlags::SAMPLED, TraceState::default());
    let attributes = span.attributes.into_iter();
    SpanData {
        span_context: SpanContext::new(trace, id(span.id), sampled, false, state),
        parent_span_id: span.parent.map_or(opentelemetry::trace::SpanId::INVALID, id),
        parent_span_is_remote: false,
        span_kind: SpanKind::Internal,
        name: span.name.into(),
        start_time: time(span.start),
        end_time: time(span.end),
        attributes: attributes.map(|(key, value)| KeyValue::new(key, value)).collect(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: span.failure.map_or(Status::Ok, Status::error),
        instrumentation_scope: scope,
    }
}

fn time(at: Timestamp) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(at.0)
}

/// An exporter whose failures are heard of: once, until it works again.
#[derive(Debug)]
struct Heard {
    exporter: SpanExporter,
    fails: AtomicBool,
}

impl Heard {
    fn new(exporter: SpanExporter) -> Self {
        let fails = AtomicBool::new(false);
        Self { exporter, fails }
    }
}

impl opentelemetry_sdk::trace::SpanExporter for Heard {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let sent = self.exporter.export(batch).await;
        let failed_before = self.fails.swap(sent.is_err(), Ordering::Relaxed);
        match &sent {
            Err(error) if !failed_before => {
                tracing::warn!(%error, "spans are lost: the collector does not take them");
            }
            Ok(()) if failed_before => tracing::info!("the collector takes spans again"),
            _ => {}
        }
        sent
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
