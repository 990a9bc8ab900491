//! What a process asks of its bucket, as its metrics show it.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::store::{Request, RequestKind, Witness};

/// From a local disk to a service in trouble, in seconds.
const SECONDS: [f64; 10] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];

type Labels = [(&'static str, &'static str); 1];

/// Counts requests and bytes. Clones count together.
#[derive(Clone, Debug)]
pub struct Traffic {
    seconds: Family<Labels, Histogram, fn() -> Histogram>,
    failed: Family<Labels, Counter>,
    bytes: Family<Labels, Counter>,
}

impl Default for Traffic {
    /// With every series there can be: one that is absent cannot be told from one that is not scraped.
    fn default() -> Self {
        let seconds: Family<Labels, Histogram, _> =
            Family::new_with_constructor((|| Histogram::new(SECONDS)) as fn() -> Histogram);
        let (failed, bytes) = (
            Family::<Labels, Counter>::default(),
            Family::<Labels, Counter>::default(),
        );
        for kind in RequestKind::ALL {
            drop(seconds.get_or_create(&[("request", kind.as_str())]));
            drop(failed.get_or_create(&[("request", kind.as_str())]));
        }
        for direction in ["written", "read"] {
            drop(bytes.get_or_create(&[("direction", direction)]));
        }
        Self {
            seconds,
            failed,
            bytes,
        }
    }
}

impl Traffic {
    /// Shows the counts under their names.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "store_request_seconds",
            "How long the bucket took until its answer began, by kind of request; the count is that of requests",
            self.seconds.clone(),
        );
        registry.register(
            "store_requests_failed",
            "Requests that the bucket could not carry out, by kind; they may have been tried again",
            self.failed.clone(),
        );
        registry.register(
            "store_bytes",
            "Bytes written to the bucket and read from it",
            self.bytes.clone(),
        );
    }
}

impl Witness for Traffic {
    fn saw(&self, request: Request) {
        let labels = [("request", request.kind.as_str())];
        self.seconds
            .get_or_create(&labels)
            .observe(request.took.as_secs_f64());
        if request.failed {
            self.failed.get_or_create(&labels).inc();
        }
        let direction = match request.kind {
            RequestKind::Put => "written",
            RequestKind::Get => "read",
            RequestKind::List | RequestKind::Delete | RequestKind::Copy => return,
        };
        self.bytes
            .get_or_create(&[("direction", direction)])
            .inc_by(request.bytes);
    }
}
