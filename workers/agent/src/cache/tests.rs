#![expect(clippy::unwrap_used, reason = "tests")]

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;

use super::*;

fn blob(bytes: &[u8]) -> BlobRef {
    BlobRef {
        digest: Digest::of(bytes),
        size: bytes.len() as u64,
    }
}

/// Delivers `bytes` and counts how often it was asked to.
struct Source {
    bytes: Vec<u8>,
    asked: AtomicUsize,
}

impl Source {
    fn of(bytes: &[u8]) -> Self {
        Self {
            bytes: bytes.to_vec(),
            asked: AtomicUsize::new(0),
        }
    }

    async fn write(&self, to: PathBuf) -> io::Result<()> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        tokio::task::yield_now().await;
        std::fs::write(to, &self.bytes)
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn open(limit: u64) -> (TempDir, Cache) {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::open(dir.path(), limit).unwrap();
    (dir, cache)
}

fn partials(dir: &TempDir) -> usize {
    std::fs::read_dir(dir.path().join("partial")).unwrap().count()
}

#[tokio::test]
async fn a_blob_is_fetched_once_however_many_want_it_at_once() {
    let (_dir, cache) = open(100);
    let source = Source::of(b"cat");
    let want = blob(b"cat");
    let wanted = (0..8).map(|_| cache.file(&want, |to| source.write(to)));
    let files = futures::future::try_join_all(wanted).await.unwrap();
    assert_eq!(source.asked(), 1);
    assert_eq!(files[7].read().await.unwrap(), b"cat");
}

#[tokio::test]
async fn other_bytes_than_asked_for_are_refused_and_leave_nothing_behind() {
    let (dir, cache) = open(100);
    let source = Source::of(b"dog");
    let error = cache
        .file(&blob(b"cat"), |to| source.write(to))
        .await
        .unwrap_err();
    assert!(
        matches!(error, Error::Corrupt { got, .. } if got == Digest::of(b"dog")),
        "{error}"
    );
    assert_eq!(partials(&dir), 0);
    let room = Source::of(&[7; 100]);
    assert!(cache.file(&blob(&[7; 100]), |to| room.write(to)).await.is_ok());
}

#[tokio::test]
async fn a_fetch_given_up_half_way_is_not_visible() {
    let (dir, cache) = open(100);
    let never = |to: PathBuf| async move {
        std::fs::write(to, b"ca")?;
        std::future::pending::<io::Result<()>>().await
    };
    let want = blob(b"cat");
    let fetch = cache.file(&want, never);
    let gave_up = tokio::time::timeout(std::time::Duration::from_millis(20), fetch).await;
    assert!(gave_up.is_err());
    assert_eq!(partials(&dir), 0);
    let source = Source::of(b"cat");
    let file = cache.file(&blob(b"cat"), |to| source.write(to)).await.unwrap();
    assert_eq!(
        (file.read().await.unwrap().as_slice(), source.asked()),
        (&b"cat"[..], 1)
    );
}

#[tokio::test]
async fn an_entry_damaged_between_two_processes_is_fetched_again() {
    let (dir, cache) = open(100);
    let source = Source::of(b"cat");
    let path = cache
        .file(&blob(b"cat"), |to| source.write(to))
        .await
        .unwrap()
        .path()
        .to_owned();
    drop(cache);
    std::fs::write(path, b"rat").unwrap();
    let cache = Cache::open(dir.path(), 100).unwrap();
    let file = cache.file(&blob(b"cat"), |to| source.write(to)).await.unwrap();
    assert_eq!(
        (file.read().await.unwrap().as_slice(), source.asked()),
        (&b"cat"[..], 2)
    );
}

/// Where the bytes of `source`, which the cache fetches for that, lie.
async fn fetched(cache: &Cache, source: &Source) -> PathBuf {
    let want = blob(&source.bytes);
    let file = cache.file(&want, |to| source.write(to)).await.unwrap();
    file.path().to_owned()
}

#[tokio::test]
async fn an_entry_that_is_gone_or_cut_short_since_its_last_use_is_fetched_again() {
    let (_dir, cache) = open(100);
    let source = Source::of(b"cat");
    let path = fetched(&cache, &source).await;
    std::fs::remove_file(&path).unwrap();
    fetched(&cache, &source).await;
    std::fs::write(&path, b"ca").unwrap();
    let file = cache.file(&blob(b"cat"), |to| source.write(to)).await.unwrap();
    assert_eq!(
        (file.read().await.unwrap().as_slice(), source.asked()),
        (&b"cat"[..], 3)
    );
}

/// It looks as it did when it was checked: only who reads it can tell.
#[tokio::test]
async fn damage_that_is_found_by_reading_is_not_found_twice() {
    let (_dir, cache) = open(3);
    let source = Source::of(b"cat");
    let path = fetched(&cache, &source).await;
    let changed = std::fs::metadata(&path).unwrap().modified().unwrap();
    std::fs::write(&path, b"rat").unwrap();
    let damaged = std::fs::File::options().write(true).open(&path).unwrap();
    damaged.set_modified(changed).unwrap();
    let file = cache.file(&blob(b"cat"), |to| source.write(to)).await.unwrap();
    let error = file.read().await.unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "{error}");
    let again = cache.file(&blob(b"cat"), |to| source.write(to)).await.unwrap();
    drop(file);
    assert_eq!(
        (again.read().await.unwrap().as_slice(), source.asked()),
        (&b"cat"[..], 2)
    );
    assert!(again.path().exists());
}

#[tokio::test]
async fn a_restart_keeps_entries_and_sweeps_partial_files() {
    let (dir, cache) = open(100);
    let source = Source::of(b"cat");
    drop(cache.file(&blob(b"cat"), |to| source.write(to)).await.unwrap());
    drop(cache);
    std::fs::write(dir.path().join("partial/left-over"), b"x").unwrap();
    let cache = Cache::open(dir.path(), 100).unwrap();
    drop(cache.file(&blob(b"cat"), |to| source.write(to)).await.unwrap());
    assert_eq!((source.asked(), partials(&dir)), (1, 0));
}

#[tokio::test]
async fn the_longest_unused_gives_way_but_not_one_in_use() {
    let (_dir, cache) = open(10);
    let sources: Vec<Source> = (0..3).map(|n| Source::of(&[n; 5])).collect();
    let in_use = cache
        .file(&blob(&[0; 5]), |to| sources[0].write(to))
        .await
        .unwrap();
    drop(
        cache
            .file(&blob(&[1; 5]), |to| sources[1].write(to))
            .await
            .unwrap(),
    );
    drop(
        cache
            .file(&blob(&[2; 5]), |to| sources[2].write(to))
            .await
            .unwrap(),
    );
    assert!(in_use.path().exists());
    drop(
        cache
            .file(&blob(&[1; 5]), |to| sources[1].write(to))
            .await
            .unwrap(),
    );
    assert_eq!(sources[1].asked(), 2);
    let too_large = Source::of(&[9; 6]);
    let error = cache
        .file(&blob(&[9; 6]), |to| too_large.write(to))
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            Error::NoRoom {
                needed: 6,
                free: 5,
                limit: 10
            }
        ),
        "{error}"
    );
    assert_eq!(too_large.asked(), 0);
}

#[tokio::test]
async fn two_processes_do_not_share_a_folder() {
    let (dir, _cache) = open(10);
    assert!(matches!(Cache::open(dir.path(), 10), Err(Error::InUse(_))));
}

#[tokio::test]
async fn a_failing_source_is_named() {
    let (_dir, cache) = open(10);
    let fail = |_| async { Err::<(), _>(io::Error::other("no route")) };
    let error = cache.file(&blob(b"cat"), fail).await.unwrap_err();
    assert!(
        matches!(&error, Error::Fetch { source, .. } if source.to_string() == "no route"),
        "{error}"
    );
}
