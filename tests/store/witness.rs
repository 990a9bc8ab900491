//! Whoever is told of requests is told of all.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use vico::digest::Digest;
use vico::ids::{Attempt, JobKey};
use vico::store::{Fate, FateOutcome, Request, RequestKind, SharedMemory, Store, Weather, Witness};

#[derive(Debug, Default)]
struct Notes(Mutex<Vec<Request>>);

impl Witness for Notes {
    fn saw(&self, request: Request) {
        self.0.lock().unwrap().push(request);
    }
}

impl Notes {
    /// Kinds and bytes of the requests since the last time.
    fn taken(&self) -> Vec<(RequestKind, u64)> {
        let requests = std::mem::take(&mut *self.0.lock().unwrap());
        assert!(requests.iter().all(|request| !request.failed), "{requests:?}");
        requests
            .iter()
            .map(|request| (request.kind, request.bytes))
            .collect()
    }
}

#[tokio::test]
async fn every_request_is_told_with_its_bytes() {
    use RequestKind::{Get, List, Put};

    let notes = Arc::new(Notes::default());
    let store = Store::in_memory().witnessed(Arc::clone(&notes) as _);
    let job = JobKey(Digest::of(b"job"));
    assert!(store.log(job, Attempt(1)).await.unwrap().is_none());
    assert_eq!(notes.taken(), [(Get, 0)], "what is missing is no failure");
    store.put_log(job, Attempt(1), "ten bytes.").await.unwrap();
    assert_eq!(notes.taken(), [(Put, 10)]);
    store.log(job, Attempt(1)).await.unwrap().unwrap();
    assert_eq!(notes.taken(), [(Get, 10)]);
    assert!(store.checkpoints(job).await.unwrap().is_empty());
    assert_eq!(notes.taken(), [(List, 0)], "an empty list is a list");

    let large = Bytes::from(vec![7; 20 << 20]);
    store.put_blob(large.clone()).await.unwrap();
    let written: u64 = notes.taken().iter().map(|(_, bytes)| bytes).sum();
    assert_eq!(written, large.len() as u64, "in parts or as a whole");
}

/// Nothing can be written.
#[derive(Debug)]
struct Sealed;

impl Weather for Sealed {
    fn next(&self, _: &str, is_write: bool) -> Fate {
        Fate {
            after: Duration::ZERO,
            outcome: if is_write {
                FateOutcome::Refused
            } else {
                FateOutcome::Done
            },
        }
    }
}

#[tokio::test]
async fn attempts_do_not_multiply() {
    let notes = Arc::new(Notes::default());
    let store = SharedMemory::default().under(Arc::new(Sealed));
    let store = store.witnessed(Arc::clone(&notes) as _);
    assert!(store.put_blob(Bytes::from_static(b"x")).await.is_err());
    let requests = notes.0.lock().unwrap();
    let kinds: Vec<RequestKind> = requests.iter().map(|request| request.kind).collect();
    // Whether it is there, and the attempt to write it.
    assert_eq!(kinds, [RequestKind::Get, RequestKind::Put].repeat(4));
}
