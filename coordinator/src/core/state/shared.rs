//! One copy of what many jobs have in common.

use std::sync::Arc;

/// Lists seen so far; there are few different ones.
#[derive(Debug)]
pub(super) struct Shared<T>(Vec<Arc<[T]>>);

impl<T: PartialEq + Clone> Shared<T> {
    pub(super) fn new() -> Self {
        Self(Vec::new())
    }

    /// The copy that everybody has.
    pub(super) fn copy_of(&mut self, list: &[T]) -> Arc<[T]> {
        if let Some(known) = self.0.iter().find(|known| ***known == *list) {
            return Arc::clone(known);
        }
        let new: Arc<[T]> = list.into();
        self.0.push(Arc::clone(&new));
        new
    }
}
