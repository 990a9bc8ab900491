//! How a bucket is reached: the environment's settings, or others in their place.

use std::fmt;

/// Settings such as `aws_endpoint` that win over the environment's.
#[derive(Clone, Default)]
pub struct Access {
    settings: Vec<(String, String)>,
}

impl Access {
    /// Whatever the environment says.
    pub fn from_env() -> Self {
        Self::default()
    }

    /// Sets `name`, which is the environment variable's name in lower case (`aws_access_key_id`).
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_ascii_lowercase(), value.to_owned()));
        self
    }

    pub(super) fn settings(&self) -> impl Iterator<Item = (&str, &str)> {
        self.settings
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// Names only: values may be secrets.
impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.settings.iter().map(|(name, _)| name))
            .finish()
    }
}
