//! What jobs are called, in one text.

use serde::{Deserialize, Serialize};

/// The labels of all jobs, one after the other: a text of its own would cost each of a million jobs 30 bytes more.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Labels(String);

/// Where a label stands.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Label {
    start: u32,
    length: u16,
}

impl Labels {
    pub(super) fn reserve(&mut self, bytes: usize) {
        self.0.reserve(bytes);
    }

    /// Adds a label. Labels are for people: one that has no room is cut, and nothing else suffers.
    pub(super) fn add(&mut self, label: &str) -> Label {
        let room = (u32::MAX as usize).saturating_sub(self.0.len());
        let most = label.len().min(u16::MAX as usize).min(room);
        let length = (0..=most).rev().find(|&end| label.is_char_boundary(end));
        let kept = &label[..length.unwrap_or(0)];
        let added = Label {
            start: self.0.len().min(u32::MAX as usize) as u32,
            length: kept.len() as u16,
        };
        self.0.push_str(kept);
        added
    }

    pub(super) fn get(&self, label: Label) -> &str {
        let start = label.start as usize;
        self.0
            .get(start..start + label.length as usize)
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_come_back() {
        let mut labels = Labels::default();
        let long = "ü".repeat(40_000);
        let added = ["a", "", "vico/barn/train", long.as_str()].map(|label| labels.add(label));
        assert_eq!(labels.get(added[0]), "a");
        assert_eq!(labels.get(added[1]), "");
        assert_eq!(labels.get(added[2]), "vico/barn/train");
        assert_eq!(
            labels.get(added[3]).chars().count(),
            32_767,
            "cut between characters"
        );
        let nowhere = Label {
            start: 1 << 30,
            length: 1,
        };
        assert_eq!(labels.get(nowhere), "");
    }
}
