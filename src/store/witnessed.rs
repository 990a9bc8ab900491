//! A store that tells somebody of every request.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::stream::{BoxStream, StreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
};

/// Is told of requests as they end.
pub trait Witness: fmt::Debug + Send + Sync {
    /// One has ended.
    fn saw(&self, request: Request);
}

/// A request that has ended, repetitions inside the client included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// What was asked for.
    pub kind: RequestKind,
    /// Until the answer began. Bodies that are read come after that.
    pub took: Duration,
    /// Whether the service could not do it. That there is no such object, or one already, is an answer.
    pub failed: bool,
    /// Bytes of the body, sent or announced.
    pub bytes: u64,
}

/// What can be asked of a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RequestKind {
    /// An object is written, or a part of one.
    Put,
    /// An object is read, a part of one, or what there is to say of it.
    Get,
    /// Objects are listed; pages count once.
    List,
    /// An object is deleted.
    Delete,
    /// An object is copied within the bucket.
    Copy,
}

impl RequestKind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Put, Self::Get, Self::List, Self::Delete, Self::Copy];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::Get => "get",
            Self::List => "list",
            Self::Delete => "delete",
            Self::Copy => "copy",
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Witnessed {
    pub(super) inner: Arc<dyn ObjectStore>,
    pub(super) witness: Arc<dyn Witness>,
}

impl fmt::Display for Witnessed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

/// A request under way.
struct Watch {
    witness: Arc<dyn Witness>,
    kind: RequestKind,
    begun: Instant,
}

impl Watch {
    fn ends<T>(&self, with: &Result<T>, bytes: u64) {
        self.witness.saw(Request {
            kind: self.kind,
            took: self.begun.elapsed(),
            failed: with.as_ref().is_err_and(is_failure),
            bytes: if with.is_ok() { bytes } else { 0 },
        });
    }
}

fn is_failure(error: &Error) -> bool {
    !matches!(
        error,
        Error::NotFound { .. }
            | Error::AlreadyExists { .. }
            | Error::Precondition { .. }
            | Error::NotModified { .. }
    )
}

impl Witnessed {
    fn watch(&self, kind: RequestKind) -> Watch {
        watch(&self.witness, kind)
    }
}

fn watch(witness: &Arc<dyn Witness>, kind: RequestKind) -> Watch {
    Watch {
        witness: Arc::clone(witness),
        kind,
        begun: Instant::now(),
    }
}

#[async_trait]
impl ObjectStore for Witnessed {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        let (watch, bytes) = (self.watch(RequestKind::Put), payload.content_length() as u64);
        let result = self.inner.put_opts(location, payload, opts).await;
        watch.ends(&result, bytes);
        result
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let watch = self.watch(RequestKind::Put);
        let result = self.inner.put_multipart_opts(location, opts).await;
        watch.ends(&result, 0);
        let witness = Arc::clone(&self.witness);
        Ok(Box::new(Upload {
            inner: result?,
            witness,
        }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let (watch, head) = (self.watch(RequestKind::Get), options.head);
        let result = self.inner.get_opts(location, options).await;
        let body = |result: &GetResult| result.range.end - result.range.start;
        let bytes = result.as_ref().map_or(0, body);
        watch.ends(&result, if head { 0 } else { bytes });
        result
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let witness = Arc::clone(&self.witness);
        let deleted = self.inner.delete_stream(locations);
        deleted
            .inspect(move |result| watch(&witness, RequestKind::Delete).ends(result, 0))
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let mut listing = Listing(Some(self.watch(RequestKind::List)));
        let listed = self.inner.list(prefix);
        listed.inspect(move |first| listing.begins(first)).boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let watch = self.watch(RequestKind::List);
        let result = self.inner.list_with_delimiter(prefix).await;
        watch.ends(&result, 0);
        result
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let watch = self.watch(RequestKind::Copy);
        let result = self.inner.copy_opts(from, to, options).await;
        watch.ends(&result, 0);
        result
    }
}

/// A list whose first object is still awaited. There may be none.
struct Listing(Option<Watch>);

impl Listing {
    fn begins<T>(&mut self, with: &Result<T>) {
        if let Some(watch) = self.0.take() {
            watch.ends(with, 0);
        }
    }
}

impl Drop for Listing {
    fn drop(&mut self) {
        self.begins(&Ok(()));
    }
}

#[derive(Debug)]
struct Upload {
    inner: Box<dyn MultipartUpload>,
    witness: Arc<dyn Witness>,
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let (watch, bytes) = (
            watch(&self.witness, RequestKind::Put),
            data.content_length() as u64,
        );
        let part = self.inner.put_part(data);
        Box::pin(async move {
            let result = part.await;
            watch.ends(&result, bytes);
            result
        })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let watch = watch(&self.witness, RequestKind::Put);
        let result = self.inner.complete().await;
        watch.ends(&result, 0);
        result
    }

    async fn abort(&mut self) -> Result<()> {
        let watch = watch(&self.witness, RequestKind::Delete);
        let result = self.inner.abort().await;
        watch.ends(&result, 0);
        result
    }
}
