//! A sorted set of a few things. A million jobs have several each, and an ordinary set takes 300 bytes for one member.

use serde::{Deserialize, Serialize};

/// Takes no more memory than its members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Few<T>(Box<[T]>);

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self(Box::default())
    }
}

impl<T: Ord> Few<T> {
    pub(crate) fn insert(&mut self, member: T) {
        if let Err(place) = self.0.binary_search(&member) {
            let mut members = std::mem::take(&mut self.0).into_vec();
            members.reserve_exact(1);
            members.insert(place, member);
            self.0 = members.into_boxed_slice();
        }
    }

    pub(crate) fn remove(&mut self, member: &T) {
        if let Ok(place) = self.0.binary_search(member) {
            let mut members = std::mem::take(&mut self.0).into_vec();
            members.remove(place);
            self.0 = members.into_boxed_slice();
        }
    }

    pub(crate) fn contains(&self, member: &T) -> bool {
        self.0.binary_search(member).is_ok()
    }

    pub(crate) fn is_subset(&self, other: &Self) -> bool {
        self.iter().all(|member| other.contains(member))
    }
}

impl<T> Few<T> {
    pub(crate) fn as_slice(&self) -> &[T] {
        &self.0
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn first(&self) -> Option<&T> {
        self.0.first()
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, T> {
        self.0.iter()
    }
}

impl<'a, T> IntoIterator for &'a Few<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_set(moves in proptest::collection::vec((any::<bool>(), 0..8_u8), 0..40)) {
            let (mut few, mut set) = (Few::default(), BTreeSet::new());
            for (add, member) in moves {
                if add {
                    few.insert(member);
                    set.insert(member);
                } else {
                    few.remove(&member);
                    set.remove(&member);
                }
                prop_assert!(few.iter().eq(&set));
                prop_assert_eq!(few.contains(&member), set.contains(&member));
                prop_assert_eq!(few.first(), set.first());
                prop_assert_eq!(few.is_empty(), set.is_empty());
            }
        }
    }
}
