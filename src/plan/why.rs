//! Why a job has the key it has: its inputs, as a tree.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use super::Plan;
use crate::ids::JobKey;

/// One input, or a group of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Why {
    /// What it is called.
    pub name: String,
    /// Its value; absent for a group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// What the group holds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub below: Vec<Why>,
}

impl Plan {
    /// The inputs of a job, and below each upstream job its inputs. `None` if the job is not of this plan.
    pub fn why(&self, key: JobKey) -> Option<Why> {
        let job = self.jobs.get(&key)?;
        let inputs = serde_json::to_value(&job.spec.inputs).expect("inputs are plain structs");
        let mut top = tree(&format!("{} {}", job.label, key.0.short()), &inputs);
        for below in &mut top.below {
            let upstream = job
                .upstream
                .iter()
                .find(|key| below.value.as_ref() == Some(&key.to_string()));
            if let Some(why) = upstream.and_then(|key| self.why(*key)) {
                below.value = None;
                below.below = vec![why];
            }
        }
        Some(top)
    }

    /// The jobs whose key starts with these digits, or whose label is this.
    pub fn find(&self, key_or_label: &str) -> Vec<JobKey> {
        let digits = key_or_label.to_lowercase();
        let is_key = !digits.is_empty() && digits.chars().all(|c| c.is_ascii_hexdigit());
        let fits = |key: &JobKey, label: &str| {
            label == key_or_label || (is_key && key.to_string().starts_with(&digits))
        };
        self.jobs
            .iter()
            .filter(|(key, job)| fits(key, &job.label))
            .map(|(key, _)| *key)
            .collect()
    }
}

fn tree(name: &str, value: &Value) -> Why {
    let below = match value {
        Value::Object(map) => map.iter().map(|(key, value)| tree(key, value)).collect(),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(i, item)| tree(&i.to_string(), item))
            .collect(),
        _ => Vec::new(),
    };
    let is_leaf = !matches!(value, Value::Object(_) | Value::Array(_));
    let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    Why {
        name: name.to_owned(),
        value: is_leaf.then_some(shown),
        below,
    }
}

/// One line per input, indented by two blanks per level; digests cut to eight digits.
impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.draw(0, f)
    }
}

impl Why {
    fn draw(&self, level: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:level$}{}", "", self.name, level = 2 * level)?;
        match self.value.as_deref() {
            Some("") => f.write_str(": \"\"")?,
            Some(value) if is_digest(value) => write!(f, ": {}", &value[..8])?,
            Some(value) => write!(f, ": {value}")?,
            None => {}
        }
        f.write_str("\n")?;
        self.below.iter().try_for_each(|below| below.draw(level + 1, f))
    }
}

fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
