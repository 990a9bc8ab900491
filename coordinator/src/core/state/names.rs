//! One copy of every worker's name.

use std::collections::BTreeSet;

use vico::ids::WorkerId;

/// Each message and each journal entry brings its own copy of a name; a million attempts should not keep them.
#[derive(Debug, Clone, Default)]
pub(super) struct Names(BTreeSet<WorkerId>);

impl Names {
    /// The copy that everybody has.
    pub(super) fn shared(&mut self, name: &WorkerId) -> WorkerId {
        if let Some(known) = self.0.get(name) {
            return known.clone();
        }
        self.0.insert(name.clone());
        name.clone()
    }
}
