//! Watching somebody else's journal grow.

use super::super::objects::Objects;
use super::super::{Error, Store, layout};
use super::claim;

/// Where a journal ended when it was last looked at. Looking changes nothing.
#[derive(Debug)]
pub struct Lookout {
    objects: Objects,
    /// The first number that was free.
    next: u64,
}

impl Lookout {
    /// From where the journal ends now.
    pub async fn open(store: &Store) -> Result<Self, Error> {
        let objects = store.objects.clone();
        let next = claim::next_number(&objects).await?;
        Ok(Self { objects, next })
    }

    /// Whether something was appended since the last look.
    pub async fn look(&mut self) -> Result<bool, Error> {
        let before = self.next;
        // Numbers have no gaps at the end: leap until one is free, then halve the leaps.
        let mut leap = 1;
        while self.is_taken(leap).await? {
            self.next += leap;
            leap *= 2;
        }
        while leap > 1 {
            leap /= 2;
            if self.is_taken(leap).await? {
                self.next += leap;
            }
        }
        Ok(self.next > before)
    }

    /// Where the next segment will be, as far as was seen.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Whether all of the next `leap` numbers are.
    async fn is_taken(&self, leap: u64) -> Result<bool, Error> {
        let key = layout::segment(self.next + leap - 1);
        Ok(self.objects.head(&key).await?.is_some())
    }
}
