//! Files that are read again whenever they change: certificates, keys and tokens are renewed while a server runs.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use vico::digest::{Digest, Digester};

use crate::error::Error;

/// What files say.
#[derive(Debug)]
pub(crate) struct Renewed<T>(watch::Receiver<Arc<T>>);

impl<T> Clone for Renewed<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Renewed<T> {
    /// As of the last look.
    pub(crate) fn current(&self) -> Arc<T> {
        Arc::clone(&self.0.borrow())
    }
}

/// The files' bytes, in their order, to what they mean; or what is wrong with them.
pub(crate) type Read<T> = Box<dyn Fn(&[Vec<u8>]) -> Result<T, String> + Send + Sync>;

/// Looks after a set of files.
pub(crate) struct Keeper<T> {
    files: Vec<PathBuf>,
    read: Read<T>,
    /// Of the bytes last looked at, whether they could be used or not.
    seen: Digest,
    current: watch::Sender<Arc<T>>,
}

impl<T: Send + Sync + 'static> Keeper<T> {
    /// Reads the files for the first time; from here on mistakes are only logged.
    pub(crate) async fn open(files: Vec<PathBuf>, read: Read<T>) -> Result<Self, Error> {
        let unusable = |reason| Error::Credentials { reason };
        let bytes = bytes_of(&files).await.map_err(unusable)?;
        let (current, _) = watch::channel(Arc::new(read(&bytes).map_err(unusable)?));
        Ok(Self {
            seen: digest(&bytes),
            files,
            read,
            current,
        })
    }

    /// What the files say, now and later.
    pub(crate) fn renewed(&self) -> Renewed<T> {
        Renewed(self.current.subscribe())
    }

    /// Looks at the files again and again until told to stop. Polling sees what Kubernetes does to a mounted Secret, which
    /// is to point a link elsewhere.
    pub(crate) async fn run(mut self, every: Duration, stop: CancellationToken) -> Result<(), Error> {
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(every) => self.look().await,
            }
        }
    }

    /// Takes up changed files. What cannot be used is told once, and what was there before stays.
    async fn look(&mut self) {
        let (seen, read) = match bytes_of(&self.files).await {
            Ok(bytes) => (digest(&bytes), (self.read)(&bytes)),
            Err(reason) => (Digest::of(reason.as_bytes()), Err(reason)),
        };
        if std::mem::replace(&mut self.seen, seen) == seen {
            return;
        }
        match read {
            Ok(value) => {
                self.current.send_replace(Arc::new(value));
                tracing::info!(files = ?self.files, "renewed credentials are in use");
            }
            Err(reason) => tracing::error!(reason, "renewed credentials cannot be used; the old ones stay"),
        }
    }
}

async fn bytes_of(files: &[PathBuf]) -> Result<Vec<Vec<u8>>, String> {
    let mut all = Vec::new();
    for file in files {
        let bytes = tokio::fs::read(file).await;
        all.push(bytes.map_err(|error| format!("{}: {error}", file.display()))?);
    }
    Ok(all)
}

fn digest(files: &[Vec<u8>]) -> Digest {
    let mut digester = Digester::default();
    for bytes in files {
        digester.update(&(bytes.len() as u64).to_le_bytes());
        digester.update(bytes);
    }
    digester.finish()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests say what they expect")]
mod tests {
    use super::*;

    fn number(bytes: &[Vec<u8>]) -> Result<u32, String> {
        let text = String::from_utf8_lossy(&bytes[0]);
        text.trim()
            .parse()
            .map_err(|error| format!("`{text}` is no number: {error}"))
    }

    #[tokio::test]
    async fn a_change_is_taken_up_and_a_mistake_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("number");
        std::fs::write(&file, "1").unwrap();
        let mut keeper = Keeper::open(vec![file.clone()], Box::new(number)).await.unwrap();
        let renewed = keeper.renewed();
        assert_eq!(*renewed.current(), 1);
        for (text, expected) in [("2", 2), ("oops", 2), ("3", 3)] {
            std::fs::write(&file, text).unwrap();
            keeper.look().await;
            assert_eq!(*renewed.current(), expected, "after {text}");
        }
        std::fs::remove_file(&file).unwrap();
        keeper.look().await;
        assert_eq!(*renewed.current(), 3);
    }

    #[tokio::test]
    async fn the_first_look_must_succeed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("number");
        let missing = Keeper::open(vec![file.clone()], Box::new(number)).await.err();
        assert!(missing.unwrap().to_string().contains("number"));
        std::fs::write(&file, "one").unwrap();
        assert!(Keeper::open(vec![file], Box::new(number)).await.is_err());
    }
}
