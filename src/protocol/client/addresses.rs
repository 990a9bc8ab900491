//! Where coordinators of one bucket are. One of them serves; those that stand by refuse connections.

use std::future::Future;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tonic::codegen::http::Uri;

/// How long one address may take, with all machines that it stands for and the agreement on keys.
const PATIENCE: Duration = Duration::from_secs(15);

/// One address or several.
#[derive(Debug)]
pub(super) struct Addresses {
    all: Vec<Uri>,
    /// Where the last connection was made to.
    latest: AtomicUsize,
}

impl Addresses {
    pub(super) fn new(all: Vec<Uri>) -> Self {
        let latest = AtomicUsize::new(0);
        Self { all, latest }
    }

    /// Tries one address after the other, first the one that answered last.
    pub(super) async fn connect<T, F>(&self, one: impl Fn(Uri) -> F) -> io::Result<T>
    where
        F: Future<Output = io::Result<T>>,
    {
        let first = self.latest.load(Ordering::Relaxed);
        let mut failure = io::Error::other("there is no address");
        for at in (first..self.all.len()).chain(0..first) {
            match tokio::time::timeout(PATIENCE, one(self.all[at].clone())).await {
                Ok(Ok(connected)) => {
                    self.latest.store(at, Ordering::Relaxed);
                    return Ok(connected);
                }
                Ok(Err(error)) => failure = error,
                Err(_) => failure = io::ErrorKind::TimedOut.into(),
            }
        }
        Err(failure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_one_that_answers_is_kept_until_it_does_not() {
        let uris = ["http://a", "http://b", "http://c"].map(Uri::from_static);
        let addresses = Addresses::new(uris.to_vec());
        for (serving, tried) in [("b", "ab"), ("b", "b"), ("a", "bca"), ("nobody", "abc")] {
            let seen = std::sync::Mutex::new(String::new());
            let connected = addresses.connect(|uri| {
                let host = uri.host().unwrap_or_default().to_owned();
                seen.lock().expect("no panics").push_str(&host);
                let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
                std::future::ready(if host == serving { Ok(host) } else { Err(refused) })
            });
            assert_eq!(connected.await.is_ok(), serving != "nobody");
            assert_eq!(seen.into_inner().expect("no panics"), tried);
        }
    }
}
