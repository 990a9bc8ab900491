//! Whether the bucket lets us do what we must, and has the time of day.

use vico::clock::SystemClock;
use vico::store::{self, Outcome, Store};

use super::finding::Finding;

const RIGHTS: &str = "let these credentials write, read, list and delete objects below the bucket's prefix";

/// Looks at everything that `storage-check` does; gives the bucket back where it opens.
pub(super) async fn open(url: &str, findings: &mut Vec<Finding>) -> Option<Store> {
    let store = match Store::open(url).await {
        Ok(store) => store,
        Err(error) => {
            findings.push(unusable(&error));
            return None;
        }
    };
    match store::storage_check(&store, &SystemClock).await {
        Ok(report) => findings.extend(report.checks.iter().map(finding)),
        Err(error) => findings.push(unusable(&error)),
    }
    Some(store)
}

fn unusable(error: &store::Error) -> Finding {
    Finding::fails("bucket", error.to_string(), error.hint().unwrap_or(RIGHTS))
}

fn finding(check: &store::Check) -> Finding {
    let fix = match (check.outcome, check.name.as_str()) {
        (Outcome::Works, _) => "",
        (_, "clock") => "set the clock of this machine by NTP: signatures of requests expire",
        (Outcome::Odd, _) => "nothing, if its speed suffices",
        (Outcome::Fails, "create only once" | "create under races") => {
            "choose a service that honours If-None-Match; two coordinators would destroy each other's journal"
        }
        (Outcome::Fails, _) => RIGHTS,
    };
    Finding::new(
        &format!("bucket: {}", check.name),
        check.outcome,
        check.detail.clone(),
        fix,
    )
}
