//! What is the same in many jobs, once.

use serde::{Deserialize, Serialize};

use crate::core::event::Profile;

/// A profile's place in the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct ProfileNo(u32);

/// There are few: a handful for each sweep.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Profiles(Vec<Profile>);

impl Profiles {
    /// The number that everybody with this profile has.
    pub(super) fn number(&mut self, profile: &Profile) -> ProfileNo {
        let known = self.0.iter().position(|known| known == profile);
        let number = known.unwrap_or_else(|| {
            self.0.push(profile.clone());
            self.0.len() - 1
        });
        ProfileNo(number as u32)
    }

    pub(super) fn get(&self, number: ProfileNo) -> Option<&Profile> {
        self.0.get(number.0 as usize)
    }
}
