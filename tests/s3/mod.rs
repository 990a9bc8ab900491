//! An S3 server in this process, and the faults that real ones have.
//!
//! `s3s-fs` answers from a temporary folder and checks signatures. It looks before it writes, so writers are let in one at a time:
//! that is what makes its create-if-absent hold under races. The same gate is where faults are made, by a seeded generator.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test binary uses its own part of this"
)]

mod faults;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::IF_NONE_MATCH;
use hyper::service::{Service, service_fn};
use hyper::{Method, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, HttpError};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::RwLock;
use vico::store::{Access, Store};

pub use faults::{Fault, FaultPlan, Faults};

pub const BUCKET: &str = "vico";
const KEY_ID: &str = "test-key-id";
const SECRET: &str = "test-secret-key";

/// A running server with one empty bucket, [`BUCKET`]. It stops when dropped.
pub struct S3Server {
    address: SocketAddr,
    faults: Arc<Faults>,
    folder: TempDir,
    serving: tokio::task::JoinHandle<()>,
}

impl S3Server {
    /// Starts on a free port of the loopback, inside the current tokio runtime.
    pub async fn start(plan: FaultPlan) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(BUCKET)).unwrap();
        let mut service = S3ServiceBuilder::new(s3s_fs::FileSystem::new(folder.path()).unwrap());
        service.set_auth(SimpleAuth::from_single(KEY_ID, SECRET));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let faults = Arc::new(Faults::new(plan));
        let gate = Gate {
            service: service.build(),
            root: folder.path().to_owned(),
            faults: faults.clone(),
            writers: Arc::default(),
        };
        let serving = tokio::spawn(accept(listener, gate));
        Self {
            address,
            faults,
            folder,
            serving,
        }
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What is to happen to requests.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// From now on conditional writes are accepted and their condition is ignored, as some servers do.
    pub fn ignore_conditions(&self) {
        self.faults.ignore_conditions();
    }

    /// The folder that holds the bucket's objects as files.
    pub fn bucket_folder(&self) -> PathBuf {
        self.folder.path().join(BUCKET)
    }

    /// Settings for a store in this process.
    pub fn access(&self) -> Access {
        let access = Access::from_env();
        self.env()
            .iter()
            .fold(access, |access, (name, value)| access.with(name, value))
    }

    /// The same for processes of their own.
    pub fn env(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT", self.endpoint()),
            ("AWS_ALLOW_HTTP", "true".to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", KEY_ID.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET.to_owned()),
        ]
    }

    /// Opens a folder of the bucket; empty for all of it.
    pub async fn store(&self, folder: &str) -> Store {
        let url = format!("s3://{BUCKET}/{folder}");
        Store::open_with(&url, self.access()).await.unwrap()
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

#[derive(Clone)]
struct Gate {
    service: S3Service,
    root: PathBuf,
    faults: Arc<Faults>,
    writers: Arc<RwLock<()>>,
}

impl Gate {
    /// An error closes the connection without an answer.
    async fn handle(self, request: Request<Incoming>) -> Result<Response<Body>, HttpError> {
        // s3s-fs would write into a bucket that nobody has made.
        if request.uri().path().split('/').nth(1) != Some(BUCKET) {
            return Ok(error(404, "NoSuchBucket"));
        }
        let fault = self.faults.next(request.method(), request.uri().path());
        match fault {
            Some(Fault::Unavailable) => return Ok(error(503, "SlowDown")),
            Some(Fault::DroppedBefore) => return Err(dropped()),
            Some(Fault::Delay(time)) => tokio::time::sleep(time).await,
            Some(Fault::ReplyLost) | None => {}
        }
        let answer = self.answer(request).await;
        match fault {
            Some(Fault::ReplyLost) => Err(dropped()),
            _ => answer,
        }
    }

    async fn answer(self, request: Request<Incoming>) -> Result<Response<Body>, HttpError> {
        if matches!(*request.method(), Method::GET | Method::HEAD) {
            let _reading = self.writers.read().await;
            return Service::call(&self.service, request).await;
        }
        let _writing = self.writers.write().await;
        if self.faults.ignores_conditions() && request.headers().contains_key(IF_NONE_MATCH) {
            // The header itself is signed; without the object its condition holds.
            let object = self.root.join(request.uri().path().trim_start_matches('/'));
            drop(std::fs::remove_file(object));
        }
        Service::call(&self.service, request).await
    }
}

async fn accept(listener: TcpListener, gate: Gate) {
    // Dropped with this future, which ends all connections.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let gate = gate.clone();
        connections.spawn(async move {
            let handle = service_fn(move |request| gate.clone().handle(request));
            let io = TokioIo::new(stream);
            // A client that goes away is no trouble of ours.
            drop(
                Builder::new(TokioExecutor::new())
                    .serve_connection(io, handle)
                    .await,
            );
        });
        while connections.try_join_next().is_some() {}
    }
}

fn error(status: u16, code: &str) -> Response<Body> {
    let body = format!("<Error><Code>{code}</Code></Error>");
    let response = Response::builder()
        .status(status)
        .header("content-type", "application/xml");
    response.body(Body::from(body)).unwrap()
}

fn dropped() -> HttpError {
    HttpError::new("the connection is dropped on purpose".into())
}
