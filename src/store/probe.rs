//! What a bucket can do. Some S3-like servers accept a conditional write and ignore the condition; nobody may find out by losing
//! a journal.

use std::time::Duration;

use bytes::Bytes;
use futures::future::try_join_all;

use super::objects::Objects;
use super::probe_report::{Check, Report, Tried, expect, odd, verdict, works};
use super::{Error, Store, layout};
use crate::clock::{Clock, Timestamp};
use crate::digest::Digest;

const RACES: usize = 5;
const RACERS: usize = 16;
/// Large enough to be sent in parts.
const LARGE: usize = 20 << 20;
const TOLERATED_SKEW: Duration = Duration::from_secs(30);
const SMALL_WRITES: u32 = 5;

/// Tries everything vico needs of a bucket, below `state/probe/`, and cleans up. Takes seconds.
///
/// Fails only where the bucket cannot be written at all; everything else is in the report.
pub async fn storage_check(store: &Store, clock: &dyn Clock) -> Result<Report, Error> {
    let probe = Probe::new(store, clock.now());
    let mut checks = vec![probe.write_and_read().await?];
    checks.push(verdict("list after write", probe.list_after_write().await));
    checks.push(verdict("replace", probe.replace().await));
    checks.push(verdict("create only once", probe.create_once().await));
    checks.push(verdict("create under races", probe.races().await));
    checks.push(verdict("large objects in parts", probe.large(store).await));
    checks.push(verdict("copy inside the bucket", probe.copy().await));
    checks.push(verdict("delete", probe.delete().await));
    checks.push(probe.clock_skew(clock).await);
    checks.push(probe.speed(clock).await);
    probe.clean_up().await;
    let url = store.url().to_owned();
    Ok(Report { url, checks })
}

impl Store {
    /// Refuses a bucket that ignores create-if-absent: the journal's fencing would be worth nothing. Two requests.
    pub async fn require_create_if_absent(&self, clock: &dyn Clock) -> Result<(), Error> {
        let probe = Probe::new(self, clock.now());
        let tried = probe.create_once().await;
        probe.clean_up().await;
        match tried? {
            Ok(_) => Ok(()),
            Err(reason) => Err(Error::Unsafe {
                url: self.url().to_owned(),
                reason,
            }),
        }
    }
}

struct Probe<'a> {
    objects: &'a Objects,
    /// Scratch keys of this run; two runs at the same time must not meet.
    folder: String,
}

impl<'a> Probe<'a> {
    fn new(store: &'a Store, now: Timestamp) -> Self {
        let nonce = Digest::of(format!("{} {}", now.0, std::process::id()).as_bytes());
        Self {
            objects: &store.objects,
            folder: layout::probe(&nonce.short()),
        }
    }

    fn key(&self, name: &str) -> String {
        format!("{}/{name}", self.folder)
    }

    async fn write_and_read(&self) -> Result<Check, Error> {
        let key = self.key("written");
        let bytes = Bytes::from_static(b"vico was here");
        self.objects.put(&key, &bytes).await?;
        let read = self.objects.get(&key, 1024).await?;
        let tried = expect(read == bytes, "", "other bytes came back than were written");
        Ok(verdict("write and read", Ok(tried)))
    }

    async fn list_after_write(&self) -> Tried {
        let names = ["a", "b/c", "b d.txt"].map(|name| self.key(&format!("list/{name}")));
        for name in &names {
            self.objects.put(name, &Bytes::from_static(b"x")).await?;
        }
        let listed = self.objects.list(&self.key("list")).await?;
        let mut expected = names.to_vec();
        expected.sort();
        let found: Vec<String> = listed.into_iter().map(|object| object.key).collect();
        Ok(expect(
            found == expected,
            "",
            &format!("{expected:?} written, {found:?} listed"),
        ))
    }

    async fn replace(&self) -> Tried {
        let key = self.key("replaced");
        for text in ["first", "second"] {
            self.objects
                .put(&key, &Bytes::from_static(text.as_bytes()))
                .await?;
        }
        let read = self.objects.get(&key, 1024).await?;
        Ok(expect(read == "second", "", "the earlier bytes came back"))
    }

    async fn create_once(&self) -> Tried {
        let key = self.key("created");
        let (first, second) = (Bytes::from_static(b"first"), Bytes::from_static(b"second"));
        let won = self.objects.create(&key, &first).await?;
        let also = self.objects.create(&key, &second).await?;
        let kept = self.objects.get(&key, 1024).await? == first;
        Ok(expect(
            won && !also && kept,
            "",
            "it ignores create-if-absent: a second writer replaced the first one's bytes",
        ))
    }

    async fn races(&self) -> Tried {
        for round in 0..RACES {
            let key = self.key(&format!("raced-{round}"));
            let racers = (0..RACERS).map(|racer| {
                let (key, bytes) = (&key, Bytes::from(format!("racer {racer}")));
                async move { self.objects.create(key, &bytes).await }
            });
            let won = try_join_all(racers).await?.into_iter().filter(|won| *won).count();
            if won != 1 {
                return Ok(Err(format!(
                    "{won} of {RACERS} racing writers were told that they came first"
                )));
            }
        }
        Ok(Ok(format!("{RACES} races of {RACERS} writers, one winner each")))
    }

    async fn large(&self, store: &Store) -> Tried {
        let key = self.key("large");
        let bytes: Bytes = (0..LARGE).map(|i| (i % 251) as u8).collect::<Vec<u8>>().into();
        store.upload_bytes(&key, &bytes).await?;
        let read = super::transfer::download_bytes(self.objects, &key, bytes.len() as u64).await?;
        let detail = format!("{} MiB", LARGE >> 20);
        Ok(expect(
            read == bytes,
            &detail,
            "other bytes came back than were written",
        ))
    }

    async fn copy(&self) -> Tried {
        let (from, to) = (self.key("written"), self.key("copied"));
        self.objects.copy(&from, &to).await?;
        let same = self.objects.get(&from, 1024).await? == self.objects.get(&to, 1024).await?;
        Ok(expect(same, "", "the copy has other bytes"))
    }

    async fn delete(&self) -> Tried {
        let key = self.key("copied");
        self.objects.delete(&key).await?;
        // Again: that nothing is there must be no error.
        self.objects.delete(&key).await?;
        Ok(expect(
            self.objects.head(&key).await?.is_none(),
            "",
            "the object is still there",
        ))
    }

    async fn clock_skew(&self, clock: &dyn Clock) -> Check {
        let key = self.key("time");
        let written = self.objects.put(&key, &Bytes::from_static(b"now")).await;
        let now = clock.now();
        let head = match written {
            Ok(()) => self.objects.head(&key).await,
            Err(error) => Err(error),
        };
        let Ok(Some(object)) = head else {
            return odd("clock", "the time of writing could not be read");
        };
        let skew = now.since(object.modified).max(object.modified.since(now));
        let detail = format!("{:.1} s apart", skew.as_secs_f64());
        if skew > TOLERATED_SKEW {
            return odd(
                "clock",
                &format!("{detail}; vico does not rely on it, signatures of requests do"),
            );
        }
        works("clock", detail)
    }

    async fn speed(&self, clock: &dyn Clock) -> Check {
        let began = clock.now();
        for _ in 0..SMALL_WRITES {
            let written = self
                .objects
                .put(&self.key("speed"), &Bytes::from_static(b"quick?"))
                .await;
            if let Err(error) = written {
                return odd("speed", &error.to_string());
            }
        }
        let each = clock.now().since(began) / SMALL_WRITES;
        works(
            "speed",
            format!("{:.0} ms a small write", each.as_secs_f64() * 1000.0),
        )
    }

    async fn clean_up(&self) {
        let Ok(objects) = self.objects.list(&self.folder).await else {
            return;
        };
        for object in objects {
            if let Err(error) = self.objects.delete(&object.key).await {
                tracing::debug!(error = &error as &dyn std::error::Error, "scratch object stays");
            }
        }
    }
}
