//! Opening the service behind a [`Location`].

use std::path::Path as FsPath;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{BackoffConfig, ClientConfigKey, ObjectStore, RetryConfig};
use url::Url;

use super::files::Files;
use super::location::Remote;
use super::objects::Objects;
use super::{Access, Error, Location};

type Connection = Result<Arc<dyn ObjectStore>, Error>;

/// Connects to an existing place.
pub(super) fn connect(location: &Location, access: &Access) -> Result<Objects, Error> {
    match location {
        Location::Local(folder) => local(folder),
        Location::Remote { kind, url, prefix } => {
            install_crypto();
            let store = match kind {
                Remote::S3 => s3(url, access)?,
                Remote::Gcs => gcs(url, access)?,
                Remote::Azure => azure(url, access)?,
            };
            let prefix = Path::parse(prefix).map_err(|error| Error::of_store(prefix, error.into()))?;
            Ok(Objects::remote(store, prefix, url.as_str().trim_end_matches('/')))
        }
    }
}

/// A store inside this process.
pub(super) fn in_memory() -> Objects {
    Objects::remote(Arc::new(InMemory::new()), Path::ROOT, "memory:")
}

/// A folder of this machine; it must exist.
pub(super) fn local(folder: &FsPath) -> Result<Objects, Error> {
    let root = folder.canonicalize().map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => Error::NotFound {
            what: format!("the folder {}", folder.display()),
        },
        _ => Error::io("open", folder)(source),
    })?;
    let store = Files::open(&root).map_err(|error| Error::of_store(&root.display().to_string(), error))?;
    Objects::local(Arc::new(store), root)
}

/// Path-style requests where an endpoint is given; `s3://bucket` of Amazon otherwise.
fn s3(url: &Url, access: &Access) -> Connection {
    let builder = settings(access).fold(AmazonS3Builder::from_env(), |builder, (key, value)| {
        builder.with_config(key, value)
    });
    let endpoint = [AmazonS3ConfigKey::S3Endpoint, AmazonS3ConfigKey::Endpoint]
        .iter()
        .find_map(|key| builder.get_config_value(key));
    let allow_http = builder.get_config_value(&AmazonS3ConfigKey::Client(ClientConfigKey::AllowHttp));
    if endpoint.is_some_and(|e| e.starts_with("http://")) && allow_http.is_none_or(|v| v == "false") {
        let reason = "the endpoint is not encrypted; set AWS_ALLOW_HTTP=true if that is meant";
        return Err(Error::bad_url(url.as_str(), reason));
    }
    let built = builder.with_retry(retries()).with_url(url.as_str()).build();
    built.map(|store| Arc::new(store) as _).map_err(cannot_open(url))
}

fn gcs(url: &Url, access: &Access) -> Connection {
    let builder = settings(access).fold(GoogleCloudStorageBuilder::from_env(), |builder, (key, value)| {
        builder.with_config(key, value)
    });
    let built = builder.with_retry(retries()).with_url(url.as_str()).build();
    built.map(|store| Arc::new(store) as _).map_err(cannot_open(url))
}

fn azure(url: &Url, access: &Access) -> Connection {
    let builder = settings(access).fold(MicrosoftAzureBuilder::from_env(), |builder, (key, value)| {
        builder.with_config(key, value)
    });
    let built = builder.with_retry(retries()).with_url(url.as_str()).build();
    built.map(|store| Arc::new(store) as _).map_err(cannot_open(url))
}

/// Those settings that mean something to this service.
fn settings<Key: FromStr>(access: &Access) -> impl Iterator<Item = (Key, &str)> {
    access
        .settings()
        .filter_map(|(name, value)| Some((name.parse().ok()?, value)))
}

/// Far shorter than the library's three minutes: whoever waits for the answer has retries of its own.
fn retries() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(5),
            base: 2.0,
        },
        max_retries: 6,
        retry_timeout: Duration::from_secs(30),
    }
}

fn cannot_open(url: &Url) -> impl FnOnce(object_store::Error) -> Error {
    move |error| Error::bad_url(url.as_str(), error.to_string())
}

/// One crypto library for every TLS connection of the process: ring.
fn install_crypto() {
    // An error only says that somebody has installed one before.
    drop(rustls::crypto::ring::default_provider().install_default());
}
