//! A bucket in memory that behaves badly on purpose, for simulations: slow, failing before or after the deed, silent, torn.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use super::objects::Objects;
use super::{Access, Store, layout};

/// Decides what happens to requests. One weather belongs to one process: it may also end it.
pub trait Weather: fmt::Debug + Send + Sync {
    /// What happens to the next request, a write or a read of `key`.
    fn next(&self, key: &str, is_write: bool) -> Fate;
}

/// What happens to one request, after a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fate {
    /// How long it takes to arrive.
    pub after: Duration,
    /// What then becomes of it.
    pub outcome: FateOutcome,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FateOutcome {
    /// It is carried out and answered.
    Done,
    /// Nothing is done, and an error says so.
    Refused,
    /// It is carried out, but answered by an error.
    ReplyLost,
    /// Nothing is done, and no answer ever comes.
    Silent,
    /// It is carried out, and no answer ever comes.
    DoneSilent,
    /// Half of the bytes are written, and no answer ever comes.
    TornSilent,
}

/// Objects that outlive every process of a simulation.
#[derive(Clone, Debug, Default)]
pub struct SharedMemory {
    live: Arc<InMemory>,
    deleted: Arc<InMemory>,
}

impl SharedMemory {
    /// The bucket as a process under some weather sees it.
    pub fn under(&self, weather: Arc<dyn Weather>) -> Store {
        let memory = self.clone();
        let raw = Arc::new(Weathered { memory, weather });
        Store::at(Objects::remote(raw, Path::ROOT, "memory:"), Access::from_env())
    }

    /// Another bucket, with every journal segment that there ever was in this one and no snapshot: a start there reads all that
    /// has happened.
    ///
    /// # Errors
    /// Never: memory does not fail.
    pub async fn whole_journal(&self) -> Result<Self, super::Error> {
        let whole = Self::default();
        // Where a number was given again after its segment was deleted, by one who came too late, the first counts.
        for memory in [&self.live, &self.deleted] {
            let copied = copy_segments(memory, &whole.live).await;
            copied.map_err(|error| super::Error::of_store(layout::SEGMENTS, error))?;
        }
        Ok(whole)
    }

    /// Deletes an object, and does not forget it.
    async fn delete(&self, location: &Path) -> Result<()> {
        copy(&self.live, &self.deleted, location).await?;
        self.live.delete(location).await
    }
}

async fn copy_segments(from: &InMemory, to: &InMemory) -> Result<()> {
    let segments = from.list(Some(&Path::from(layout::SEGMENTS)));
    segments
        .try_for_each(async |segment| copy(from, to, &segment.location).await)
        .await
}

async fn copy(from: &InMemory, to: &InMemory, location: &Path) -> Result<()> {
    let bytes = from.get(location).await?.bytes().await?;
    to.put(location, bytes.into()).await.map(drop)
}

#[derive(Debug, Clone)]
struct Weathered {
    memory: SharedMemory,
    weather: Arc<dyn Weather>,
}

impl fmt::Display for Weathered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a simulated bucket")
    }
}

impl Weathered {
    /// What becomes of a request, once it has travelled.
    async fn fate(&self, key: &str, is_write: bool) -> FateOutcome {
        let fate = self.weather.next(key, is_write);
        tokio::time::sleep(fate.after).await;
        fate.outcome
    }

    async fn read<T>(&self, key: &str, deed: impl Future<Output = Result<T>>) -> Result<T> {
        self.fate(key, false).await.befall(deed).await
    }

    async fn write<T>(&self, key: &str, deed: impl Future<Output = Result<T>>) -> Result<T> {
        self.fate(key, true).await.befall(deed).await
    }
}

impl FateOutcome {
    /// Carries `deed` out, or not.
    async fn befall<T>(self, deed: impl Future<Output = Result<T>>) -> Result<T> {
        match self {
            Self::Done => deed.await,
            Self::Refused => Err(out_of_order()),
            Self::ReplyLost => {
                deed.await?;
                Err(out_of_order())
            }
            Self::Silent => std::future::pending().await,
            Self::DoneSilent | Self::TornSilent => {
                deed.await?;
                std::future::pending().await
            }
        }
    }
}

fn out_of_order() -> Error {
    Error::Generic {
        store: "simulation",
        source: "503: the simulated bucket is out of order".into(),
    }
}

fn name(prefix: Option<&Path>) -> &str {
    prefix.map_or("", AsRef::as_ref)
}

fn half(payload: &PutPayload) -> PutPayload {
    let whole: Vec<u8> = payload.iter().flat_map(|part| part.iter().copied()).collect();
    PutPayload::from(whole[..whole.len() / 2].to_vec())
}

#[async_trait]
impl ObjectStore for Weathered {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        let fate = self.fate(location.as_ref(), true).await;
        let payload = if fate == FateOutcome::TornSilent {
            half(&payload)
        } else {
            payload
        };
        fate.befall(self.memory.live.put_opts(location, payload, opts))
            .await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let begin = self.memory.live.put_multipart_opts(location, opts);
        self.write(location.as_ref(), begin).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let get = self.memory.live.get_opts(location, options);
        self.read(location.as_ref(), get).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let this = self.clone();
        let each = locations.and_then(move |location| {
            let this = this.clone();
            async move {
                this.write(location.as_ref(), this.memory.delete(&location))
                    .await?;
                Ok(location)
            }
        });
        each.boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (this, prefix) = (self.clone(), prefix.cloned());
        let found = async move {
            let list = this.memory.live.list(prefix.as_ref()).try_collect::<Vec<_>>();
            this.read(name(prefix.as_ref()), list).await
        };
        let flat = stream::once(found).map_ok(|found| stream::iter(found.into_iter().map(Ok)));
        flat.try_flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let list = self.memory.live.list_with_delimiter(prefix);
        self.read(name(prefix), list).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let copy = self.memory.live.copy_opts(from, to, options);
        self.write(to.as_ref(), copy).await
    }
}
