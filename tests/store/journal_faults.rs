//! The journal on a server that fails: an acknowledged append is never lost, an unacknowledged one never half there, and no frame
//! is there twice.

use hyper::Method;
use vico::store::{Error, Journal};

use crate::journal::frames;
use crate::s3::{Fault, FaultPlan, S3Server};
use crate::snapshots::snapshot;

#[tokio::test]
async fn a_lost_reply_is_not_a_fence() {
    let server = S3Server::start(FaultPlan::none()).await;
    let store = server.store("").await;
    server.faults().order(Method::PUT, "state/log", Fault::ReplyLost);
    let (mut journal, _) = Journal::open(&store, "one").await.unwrap();
    for (name, fault) in [
        ("a", Fault::ReplyLost),
        ("b", Fault::DroppedBefore),
        ("c", Fault::Unavailable),
    ] {
        server.faults().order(Method::PUT, "state/log", fault);
        journal.append(&frames(&[name])).await.unwrap();
    }
    server
        .faults()
        .order(Method::PUT, "state/snapshot", Fault::ReplyLost);
    snapshot(&mut journal, "abc").await;
    assert_eq!(server.faults().injected(), 5);
    let (_, recovered) = Journal::open(&store, "two").await.unwrap();
    assert_eq!(recovered.snapshot.as_deref(), Some(b"abc".as_slice()));
    assert!(
        recovered.events.is_empty() && recovered.repairs.is_empty(),
        "{recovered:?}"
    );
}

/// Three coordinators take turns in taking over from each other without ever stopping, on a rough server.
#[tokio::test]
async fn what_was_acknowledged_is_there_exactly_once() {
    for seed in 0..4 {
        let server = S3Server::start(FaultPlan::rough(seed)).await;
        let store = server.store("").await;
        let mut acknowledged: Vec<String> = Vec::new();
        let mut journals: Vec<Journal> = Vec::new();
        for round in 0..60_usize {
            if round % 8 == 0 {
                let opened = Journal::open(&store, &format!("writer {round}")).await;
                journals.extend(opened.ok().map(|(journal, _)| journal));
            }
            let count = journals.len();
            let Some(journal) = journals.get_mut(round * 7 % count.max(1)) else {
                continue;
            };
            let name = format!("event {round}");
            match journal.append(&frames(&[&name])).await {
                Ok(()) => acknowledged.push(name),
                Err(Error::Fenced { .. } | Error::JournalBroken | Error::Unavailable { .. }) => {}
                Err(error) => panic!("seed {seed}, round {round}: {error}"),
            }
        }
        server.faults().set(FaultPlan::none());
        let (_, recovered) = Journal::open(&store, "auditor").await.unwrap();
        let found: Vec<String> = recovered
            .events
            .iter()
            .map(|e| String::from_utf8_lossy(e).into_owned())
            .collect();
        assert_in_order(&acknowledged, &found, seed);
        assert!(
            server.faults().injected() > 5,
            "seed {seed}: {} faults",
            server.faults().injected()
        );
    }
}

/// `found` holds every one of `acknowledged` in that order, and nothing twice.
fn assert_in_order(acknowledged: &[String], found: &[String], seed: u64) {
    let mut rest = found.iter();
    for name in acknowledged {
        assert!(
            rest.any(|other| other == name),
            "seed {seed}: {name} is lost or late in {found:?}"
        );
    }
    let mut sorted = found.to_vec();
    sorted.sort();
    sorted.dedup();
    assert_eq!(
        sorted.len(),
        found.len(),
        "seed {seed}: something is there twice in {found:?}"
    );
    assert!(
        acknowledged.len() > 10,
        "seed {seed}: only {acknowledged:?} was acknowledged"
    );
}
