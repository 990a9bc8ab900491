//! A sorted set of a few things, most often one. A million jobs have several each, and an ordinary set takes 300 bytes for
//! one member.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Up to one member needs no memory of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Few<T> {
    #[default]
    None,
    One(T),
    /// At least two.
    #[expect(
        clippy::box_collection,
        reason = "a thin pointer: with a wide one, every set would be half as large again"
    )]
    Many(Box<Vec<T>>),
}

impl<T: Ord> Few<T> {
    pub(crate) fn insert(&mut self, member: T) {
        let Err(place) = self.as_slice().binary_search(&member) else {
            return;
        };
        let mut members = self.take();
        members.reserve_exact(1);
        members.insert(place, member);
        *self = Self::of_sorted(members);
    }

    pub(crate) fn contains(&self, member: &T) -> bool {
        self.as_slice().binary_search(member).is_ok()
    }
}

impl<T> Few<T> {
    fn of_sorted(mut members: Vec<T>) -> Self {
        if members.len() > 1 {
            return Self::Many(Box::new(members));
        }
        members.pop().map_or(Self::None, Self::One)
    }

    fn take(&mut self) -> Vec<T> {
        match std::mem::take(self) {
            Self::None => Vec::new(),
            Self::One(member) => vec![member],
            Self::Many(members) => *members,
        }
    }

    pub(crate) fn as_slice(&self) -> &[T] {
        match self {
            Self::None => &[],
            Self::One(member) => std::slice::from_ref(member),
            Self::Many(members) => members,
        }
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, T> {
        self.as_slice().iter()
    }
}

impl<'a, T> IntoIterator for &'a Few<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T: Ord> FromIterator<T> for Few<T> {
    fn from_iter<I: IntoIterator<Item = T>>(members: I) -> Self {
        let mut few = Self::None;
        for member in members {
            few.insert(member);
        }
        few
    }
}

impl<T: Serialize> Serialize for Few<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_slice().serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de> + Ord> Deserialize<'de> for Few<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::deserialize(deserializer)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_set(members in proptest::collection::vec(0..8_u32, 0..20)) {
            let (mut few, mut set) = (Few::default(), BTreeSet::new());
            for member in members {
                few.insert(member);
                set.insert(member);
                prop_assert!(few.iter().eq(&set));
                prop_assert!((0..8).all(|member| few.contains(&member) == set.contains(&member)));
                let bytes = postcard::to_allocvec(&few).unwrap_or_default();
                prop_assert_eq!(postcard::from_bytes(&bytes), Ok(few.clone()));
            }
        }
    }

    #[test]
    fn one_member_takes_no_more_than_two_words() {
        assert_eq!(size_of::<Few<u32>>(), 16);
    }
}
