//! Who is let in, over a real TLS connection and with real tokens.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::AsyncReadExt as _;
use vico::protocol::{ClientError, LeasesClient, RefusalKind, SweepsClient, Target, Token};
use vico::store::Store;
use vico_coord::{Config, Coordinator, Error, Parts, TlsFiles};

use crate::bench::{Running, manifest};
use crate::fake_worker::FakeWorker;
use crate::pki::{Authority, showing};

pub(crate) const ADMIN: &str = "admin-0123456789abcdef0123456789abcdef";
pub(crate) const SUBMIT: &str = "submit-0123456789abcdef0123456789abcdef";
pub(crate) const READ: &str = "read-0123456789abcdef0123456789abcdef";
pub(crate) const WORKER: &str = "worker-0123456789abcdef0123456789abcdef";

/// A coordinator behind TLS and tokens, with the authority that signed its certificate.
pub(crate) struct House {
    folder: TempDir,
    authority: Authority,
    store: Store,
    coordinator: Running,
}

impl House {
    /// A coordinator with TLS and one token of each role.
    pub(crate) async fn new(change: impl FnOnce(&mut TlsFiles, &Authority)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new(&folder.path().join("pki"));
        let mut files = authority.server();
        change(&mut files, &authority);
        let bucket = folder.path().join("bucket").display().to_string();
        let store = Store::open(&bucket).await.unwrap();
        let config = Config {
            listen: ([127, 0, 0, 1], 0).into(),
            tls: Some(files),
            tokens: Some(tokens(folder.path(), &[("submit", SUBMIT)])),
            look_every: Duration::from_millis(50),
            ..Config::default()
        };
        let coordinator = Running::with(&config, store.clone()).await;
        Self {
            folder,
            authority,
            store,
            coordinator,
        }
    }

    pub(crate) fn target(&self, token: &str) -> Target {
        self.authority.target(self.coordinator.url(), token)
    }

    pub(crate) fn users(&self, token: &str) -> SweepsClient {
        SweepsClient::new(self.target(token)).unwrap()
    }

    pub(crate) fn worker(&self, token: &str) -> FakeWorker {
        let leases = LeasesClient::new(self.target(token)).unwrap();
        FakeWorker::new("w1", 1, leases, self.store.clone())
    }
}

/// A tokens file with the usual holders and `more`.
fn tokens(folder: &Path, more: &[(&str, &str)]) -> PathBuf {
    let usual = [("admin", ADMIN), ("read", READ), ("worker", WORKER)];
    let holders = usual.iter().chain(more);
    let lines: Vec<_> = holders
        .map(|(role, token)| format!("{role} the-{role} {token}\n"))
        .collect();
    let file = folder.join("tokens");
    std::fs::write(&file, lines.concat()).unwrap();
    file
}

fn kind<T: std::fmt::Debug>(outcome: Result<T, ClientError>) -> RefusalKind {
    match outcome {
        Err(ClientError::Refused(refusal)) => refusal.kind,
        other => panic!("{other:?}"),
    }
}

fn unreachable<T: std::fmt::Debug>(outcome: Result<T, ClientError>) -> String {
    match outcome {
        Err(ClientError::Unreachable { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_sweep_runs_to_its_end_with_tls_and_tokens() {
    let house = House::new(|_, _| {}).await;
    let users = house.users(SUBMIT);
    assert_eq!(
        users.version().await.unwrap().as_deref(),
        Some(env!("CARGO_PKG_VERSION"))
    );
    let sweep = users.submit(manifest("hello", 1)).await.unwrap().status.sweep;
    let worker = house.worker(WORKER);
    worker.register(&[]).await.unwrap();
    for _ in 0..3 {
        let grant = worker.acquire_one().await;
        worker.complete(&grant).await.unwrap();
    }
    let mut watch = house.users(READ).watch(&sweep).await.unwrap();
    while watch.next().await.unwrap().is_some() {}
    assert!(
        users
            .describe_sweep(&sweep)
            .await
            .unwrap()
            .status
            .state
            .has_ended()
    );
}

#[tokio::test]
async fn no_token_and_a_wrong_token_open_nothing() {
    let house = House::new(|_, _| {}).await;
    let almost = &ADMIN[..ADMIN.len() - 1];
    for token in ["", almost, "nonsense"] {
        assert_eq!(
            kind(house.users(token).list().await),
            RefusalKind::Unauthenticated
        );
        let registered = house.worker(token).register(&[]).await;
        assert_eq!(kind(registered), RefusalKind::Unauthenticated);
    }
    assert!(
        house.users(READ).list().await.is_ok(),
        "a right token is not refused for others' wrong ones"
    );
}

#[tokio::test]
async fn a_role_may_do_its_own_and_nothing_else() {
    let house = House::new(|_, _| {}).await;
    let sweep = "nobody-00000000".parse().unwrap();
    let worker = "w1".parse().unwrap();
    for (token, may_read, may_submit, may_drain, may_work) in [
        (ADMIN, true, true, true, true),
        (SUBMIT, true, true, false, false),
        (READ, true, false, false, false),
        (WORKER, false, false, false, true),
    ] {
        let users = house.users(token);
        let allowed = |kind| kind == RefusalKind::NotFound || kind == RefusalKind::UnknownSession;
        assert_eq!(users.list().await.is_ok(), may_read, "{token}");
        assert_eq!(allowed(kind(users.cancel(&sweep).await)), may_submit, "{token}");
        for asked in [
            users.drain(&worker).await,
            users.cordon(&worker).await,
            users.uncordon(&worker).await,
        ] {
            assert_eq!(allowed(kind(asked)), may_drain, "{token}");
        }
        let asked = house.worker(token).try_acquire(Duration::ZERO).await;
        assert_eq!(allowed(kind(asked)), may_work, "{token}");
    }
}

#[tokio::test]
async fn many_wrong_tokens_do_not_shut_out_right_ones() {
    let house = House::new(|_, _| {}).await;
    let wrong = house.users("wrong");
    for _ in 0..10 {
        assert_eq!(kind(wrong.list().await), RefusalKind::Unauthenticated);
    }
    let started = tokio::time::Instant::now();
    assert_eq!(kind(wrong.list().await), RefusalKind::Unauthenticated);
    assert!(
        started.elapsed() >= Duration::from_secs(1),
        "the eleventh has to wait"
    );
    assert!(house.users(READ).list().await.is_ok());
}

#[tokio::test]
async fn who_does_not_trust_the_server_says_nothing_to_it() {
    let house = House::new(|_, _| {}).await;
    let other = Authority::new(&house.folder.path().join("other"));
    let stranger = SweepsClient::new(other.target(house.coordinator.url(), ADMIN)).unwrap();
    let reason = unreachable(stranger.list().await);
    assert!(
        reason.contains("UnknownIssuer") || reason.contains("BadSignature"),
        "{reason}"
    );
    let plain = SweepsClient::new(house.coordinator.url()).unwrap();
    unreachable(plain.list().await);
    assert!(house.users(READ).list().await.is_ok());
}

#[tokio::test]
async fn an_expired_certificate_is_refused() {
    let house =
        House::new(|files, authority| (files.cert, files.key) = authority.issue("old", 2000..2001)).await;
    let reason = unreachable(house.users(READ).list().await);
    assert!(reason.contains("expired"), "{reason}");
}

#[tokio::test]
async fn with_a_clients_authority_only_its_clients_come_in() {
    let house = House::new(|files, authority| files.client_ca = Some(authority.ca())).await;
    unreachable(house.users(ADMIN).list().await);
    let friend = showing(house.target(ADMIN), house.authority.issue("friend", 2000..4000));
    assert!(SweepsClient::new(friend).unwrap().list().await.is_ok());
    let late = showing(house.target(ADMIN), house.authority.issue("late", 2000..2001));
    unreachable(SweepsClient::new(late).unwrap().list().await);
    let other = Authority::new(&house.folder.path().join("other"));
    let stranger = showing(house.target(ADMIN), other.issue("stranger", 2000..4000));
    unreachable(SweepsClient::new(stranger).unwrap().list().await);
    // The certificate is a second lock, not another key.
    let friend = showing(house.target(""), house.authority.issue("friend", 2000..4000));
    let asked = SweepsClient::new(friend).unwrap().list().await;
    assert_eq!(kind(asked), RefusalKind::Unauthenticated);
}

/// Asks again until the coordinator has looked at its files; the test's runner ends what never happens.
async fn eventually(mut holds: impl AsyncFnMut() -> bool) {
    while !holds().await {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn renewed_certificates_and_tokens_are_taken_up() {
    let house = House::new(|_, _| {}).await;
    assert!(house.users(READ).list().await.is_ok());
    // A new authority altogether, in the same files; a client reads its own again for every connection.
    let renewed = Authority::new(&house.folder.path().join("pki"));
    renewed.issue("server", 2000..4000);
    eventually(async || house.users(READ).list().await.is_ok()).await;

    let file = house.folder.path().join("token");
    std::fs::write(&file, format!("{READ}\n")).unwrap();
    let target = Target {
        token: Some(Token::File(file.clone())),
        ..house.target("")
    };
    let users = SweepsClient::new(target).unwrap();
    assert!(users.list().await.is_ok());
    let new = "a-new-token-0123456789abcdef0123456789";
    std::fs::write(house.folder.path().join("tokens"), format!("read bob {new}\n")).unwrap();
    eventually(async || users.list().await.is_err()).await;
    std::fs::write(&file, new).unwrap();
    assert!(users.list().await.is_ok(), "the client reads its token again");
}

#[tokio::test]
async fn nonsense_on_the_wire_harms_nobody() {
    let house = House::new(|_, _| {}).await;
    let address = house.coordinator.url().trim_start_matches("http://").to_owned();
    for nonsense in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        &[0x16, 3, 1, 0xff, 0xff, 0],
        &[0; 4096],
    ] {
        let mut line = tokio::net::TcpStream::connect(&address).await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut line, nonsense)
            .await
            .unwrap();
        tokio::io::AsyncWriteExt::shutdown(&mut line).await.unwrap();
        // An alert or nothing, and then the end.
        let mut answer = Vec::new();
        _ = line.read_to_end(&mut answer).await;
        assert!(answer.len() < 100);
    }
    assert!(house.users(READ).list().await.is_ok());
}

#[tokio::test]
async fn a_message_too_large_is_refused() {
    let house = House::new(|_, _| {}).await;
    let mut large = manifest("hello", 1);
    large.bytes = vec![b' '; 17 << 20];
    assert!(house.users(SUBMIT).submit(large).await.is_err());
    assert!(house.users(READ).list().await.is_ok());
}

#[tokio::test]
async fn a_door_for_others_needs_both_locks() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path());
    let (tls, tokens) = (Some(authority.server()), Some(tokens(folder.path(), &[])));
    let open = async |tls, tokens, insecure| {
        let config = Config {
            listen: ([0, 0, 0, 0], 0).into(),
            tls,
            tokens,
            insecure,
            ..Config::default()
        };
        Coordinator::open(&config, Parts::new(Store::in_memory()))
            .await
            .err()
    };
    for (tls, tokens) in [(None, None), (tls.clone(), None), (None, tokens.clone())] {
        let refused = open(tls, tokens, false).await;
        assert!(matches!(refused, Some(Error::Exposed { .. })), "{refused:?}");
    }
    assert!(open(tls, tokens, false).await.is_none());
    assert!(open(None, None, true).await.is_none());
}

#[tokio::test]
async fn credentials_that_are_of_no_use_are_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path());
    let mut mismatched = authority.server();
    (_, mismatched.key) = authority.issue("other", 2000..4000);
    let missing = folder.path().join("no-such-file");
    let cases = [
        (Some(mismatched), None),
        (None, Some(missing.clone())),
        (None, Some(authority.ca())),
    ];
    for (tls, tokens) in cases {
        let config = Config {
            listen: ([127, 0, 0, 1], 0).into(),
            tls,
            tokens,
            ..Config::default()
        };
        let refused = Coordinator::open(&config, Parts::new(Store::in_memory()))
            .await
            .err();
        assert!(matches!(refused, Some(Error::Credentials { .. })), "{refused:?}");
    }
    let mut target = authority.target("http://127.0.0.1:1", "");
    target.tls.ca = Some(missing);
    let refused = SweepsClient::new(target.clone()).err();
    assert!(
        matches!(refused, Some(ClientError::Credentials { .. })),
        "{refused:?}"
    );
    let plain = Target {
        url: "http://127.0.0.1:1".to_owned(),
        ..target
    };
    let refused = SweepsClient::new(plain).err();
    assert!(
        matches!(refused, Some(ClientError::Credentials { .. })),
        "{refused:?}"
    );
}
