//! What a collector is told of a sweep: one trace a job, with what the coordinator and the worker did for it, each in a
//! process of its own.
#![expect(clippy::unwrap_used, reason = "tests")]

mod processes;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use processes::{
    Environment, Process, disturbed_manifest, free_port, json, receipts, vico_coord, wait_for_port,
};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};
use vico::store::Store;
use vico::traces::JobTrace;

/// How long anything may take before the test gives up on it.
const PATIENCE: Duration = Duration::from_mins(3);

/// Every span that came, with the service that sent it.
#[derive(Clone, Debug, Default)]
struct Collector(Arc<Mutex<Vec<(String, Span)>>>);

#[derive(Clone, Debug)]
struct Span {
    trace: Vec<u8>,
    id: Vec<u8>,
    parent: Vec<u8>,
    name: String,
    start: u64,
    end: u64,
    attributes: BTreeMap<String, String>,
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let mut heard = self.0.lock().unwrap();
        for resource in request.into_inner().resource_spans {
            let about = texts(resource.resource.unwrap_or_default().attributes);
            for span in resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                let span = Span {
                    trace: span.trace_id,
                    id: span.span_id,
                    parent: span.parent_span_id,
                    name: span.name,
                    start: span.start_time_unix_nano,
                    end: span.end_time_unix_nano,
                    attributes: texts(span.attributes),
                };
                heard.push((about["service.name"].clone(), span));
            }
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

fn texts(attributes: Vec<KeyValue>) -> BTreeMap<String, String> {
    let text = |attribute: KeyValue| match attribute.value?.value? {
        Value::StringValue(text) => Some((attribute.key, text)),
        _ => None,
    };
    attributes.into_iter().filter_map(text).collect()
}

impl Collector {
    /// Listens on a port of this machine.
    async fn open(&self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tonic::transport::Server::builder().add_service(TraceServiceServer::new(self.clone()));
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        address
    }

    /// The spans of one trace by service and name.
    fn trace(&self, trace: &[u8]) -> Vec<(String, Span)> {
        let heard = self.0.lock().unwrap();
        heard
            .iter()
            .filter(|(_, span)| span.trace == trace)
            .cloned()
            .collect()
    }
}

#[test]
fn a_job_is_one_trace_across_coordinator_and_worker() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let collector = Collector::default();
    let address = runtime.block_on(collector.open());
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let manifest = disturbed_manifest(folder.path());
    let short = std::fs::read_to_string(&manifest)
        .unwrap()
        .replace("steps: 60", "steps: 6");
    std::fs::write(&manifest, short).unwrap();

    let (port, bucket) = (free_port(), file("bucket"));
    let (listen, url) = (format!("127.0.0.1:{port}"), format!("http://127.0.0.1:{port}"));
    let told = vec![(
        "OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(),
        format!("http://{address}"),
    )];
    let serve = ["serve", "--bucket", &bucket, "--listen", &listen];
    let mut coordinator = Process::start("vico-coord", &told, &serve, folder.path().join("c.log").as_path());
    wait_for_port(port, &mut coordinator);
    let work = ["--coordinator", &url, "--cache", &file("cache"), "--name", "w1"];
    let mut worker = Process::start("vico-worker", &told, &work, folder.path().join("w.log").as_path());

    let ask = |args: &[&str]| {
        vico_coord(
            &Environment::new(),
            &[args, &["--coordinator", &url, "-o", "json"]].concat(),
        )
    };
    let submitted = json(&ask(&["submit", manifest.to_str().unwrap()]).well());
    let sweep = submitted["sweep"].as_str().unwrap();
    let timeout = format!("{}s", PATIENCE.as_secs());
    let watched = ask(&["watch", sweep, "--timeout", &timeout]);
    assert_eq!(watched.code, 0, "{watched:?}\n{}", worker.words());
    // The last spans leave with their processes.
    assert_eq!(worker.terminate(PATIENCE), Some(0), "{}", worker.words());
    assert_eq!(
        coordinator.terminate(PATIENCE),
        Some(0),
        "{}",
        coordinator.words()
    );

    let (url, receipts) = runtime.block_on(async {
        let store = Store::open(&bucket).await.unwrap();
        (store.url().to_owned(), receipts(&store, sweep).await)
    });
    for receipt in &receipts {
        let trace = JobTrace::of(&url, receipt.job);
        let spans = collector.trace(&trace.id().0);
        check(&spans, &receipt.job.to_string());
    }
    let traces: BTreeSet<_> = collector
        .0
        .lock()
        .unwrap()
        .iter()
        .map(|(_, span)| span.trace.clone())
        .collect();
    assert_eq!(traces.len(), receipts.len());
}

/// One whole, in it one wait and one attempt, in that the worker's parts one after the other.
fn check(spans: &[(String, Span)], job: &str) {
    let find = |name: &str| {
        let mut found = spans.iter().filter(|(_, span)| span.name == name);
        let (service, span) = found
            .next()
            .unwrap_or_else(|| panic!("no `{name}` in {spans:#?}"));
        assert!(found.next().is_none(), "`{name}` twice in {spans:#?}");
        (service.as_str(), span)
    };
    let whole = spans.iter().find(|(_, span)| span.parent.is_empty()).unwrap();
    assert_eq!(whole.0, "vico-coord");
    assert_eq!(whole.1.attributes["vico.job"], job);
    let (wait, attempt) = (find("wait"), find("attempt"));
    for (service, part) in [wait, attempt] {
        assert_eq!((service, &part.parent), ("vico-coord", &whole.1.id));
        assert!(
            whole.1.start <= part.start && part.end <= whole.1.end,
            "{spans:#?}"
        );
    }
    assert_eq!(attempt.1.attributes["vico.worker"], "w1");
    for name in ["fetch", "compute", "store", "commit"] {
        let (service, part) = find(name);
        assert_eq!((service, &part.parent), ("vico-worker", &attempt.1.id));
        // Both processes have this machine's clock.
        assert!(
            attempt.1.start <= part.start && part.start <= part.end,
            "{spans:#?}"
        );
    }
    assert!(find("fetch").1.end <= find("compute").1.start);
    assert!(find("compute").1.end <= find("commit").1.start);
}
