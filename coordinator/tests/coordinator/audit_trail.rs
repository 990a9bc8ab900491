//! What the audit trail says, as an operator reads it.

use std::cell::RefCell;
use std::io::Write;

use serde_json::Value;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use vico::protocol::SweepsClient;

use crate::bench::manifest;
use crate::security::{House, READ, SUBMIT, WORKER};

thread_local! {
    static WRITTEN: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The lines of this thread, on which a test and its coordinator run. There is one subscriber for the whole process: one of
/// this test alone would now and then miss what another test came by first.
#[derive(Clone, Copy)]
struct Lines;

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        WRITTEN.with_borrow_mut(|written| written.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        *self
    }
}

impl Lines {
    /// The fields of every event so far.
    fn events() -> Vec<Value> {
        let text = String::from_utf8(WRITTEN.with_borrow(Clone::clone)).unwrap();
        let parsed = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        parsed.map(|event| event["fields"].clone()).collect()
    }
}

/// `method who subject outcome` of changes, `method reason` of what was refused.
fn told(events: &[Value]) -> Vec<String> {
    let text = |event: &Value, field: &str| event[field].as_str().unwrap_or_default().to_owned();
    let line = |event: &Value| {
        let fields = match text(event, "message").as_str() {
            "change" => &["method", "who", "subject", "outcome"][..],
            _ => &["method", "reason"],
        };
        let words: Vec<_> = fields.iter().map(|field| text(event, field)).collect();
        words.join(" | ")
    };
    events.iter().map(line).collect()
}

#[tokio::test]
async fn changes_and_refusals_are_told_and_reading_is_not() {
    let subscriber = tracing_subscriber::fmt().json().with_writer(Lines);
    let subscriber = subscriber
        .with_env_filter(EnvFilter::new("off,audit=info"))
        .finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let house = House::new(|_, _| {}).await;
    let users = house.users(SUBMIT);
    let sweep = users.submit(manifest("hello", 1)).await.unwrap().status.sweep;
    let worker = house.worker(WORKER);
    worker.register(&[]).await.unwrap();
    let grant = worker.acquire_one().await;
    worker.complete(&grant).await.unwrap();
    house.users(READ).list().await.unwrap();
    users.cancel(&sweep).await.unwrap();
    house.users(READ).cancel(&sweep).await.unwrap_err();
    SweepsClient::new(house.target(""))
        .unwrap()
        .list()
        .await
        .unwrap_err();
    assert!(users.cancel(&"nobody-00000000".parse().unwrap()).await.is_err());
    let job = grant.job.0.short();
    let expected = [
        format!("/vico.v1.Sweeps/Submit | the-submit | {sweep} | done"),
        "/vico.v1.Leases/Register | the-worker | w1 | done".to_owned(),
        format!("/vico.v1.Leases/Acquire | the-worker | w1: {job} | done"),
        format!("/vico.v1.Leases/Complete | the-worker | w1: {job} | done"),
        format!("/vico.v1.Sweeps/CancelSweep | the-submit | {sweep} | done"),
        "/vico.v1.Sweeps/CancelSweep | the-read may not do this: the token's role is `read`, it takes `submit`"
            .to_owned(),
        "/vico.v1.Sweeps/ListSweeps | a token is needed and none was shown".to_owned(),
        "/vico.v1.Sweeps/CancelSweep | the-submit | nobody-00000000 | NotFound".to_owned(),
    ];
    assert_eq!(told(&Lines::events()), expected);
    let everything = format!("{:?}", Lines::events());
    assert!(
        !everything.contains(SUBMIT) && !everything.contains(READ),
        "a token leaked"
    );
}
