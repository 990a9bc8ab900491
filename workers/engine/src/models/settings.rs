//! Checks of configuration files: what this engine does not do must not be asked for.

use std::collections::BTreeMap;

use serde_json::Value;

/// Far more levels than any published network; keeps the halvings of a map within a machine word.
const MAX_LEVELS: usize = 16;
/// Far wider than any published network; keeps products of sizes within a machine word.
const MAX_SIZE: usize = 1 << 20;

/// The keys a model does not read, and what they may say.
pub(super) struct Settings<'a> {
    /// Keys that describe a file or training, not the computation.
    pub(super) irrelevant: &'a [&'a str],
    /// Keys that must be absent, null, false or exactly this.
    pub(super) required: &'a [(&'a str, Value)],
}

impl Settings<'_> {
    /// Refuses a key whose value asks for something else.
    pub(super) fn check(&self, rest: &BTreeMap<String, Value>) -> Result<(), String> {
        for (key, value) in rest {
            if key.starts_with('_') || self.irrelevant.contains(&key.as_str()) || is_off(value) {
                continue;
            }
            match self.required.iter().find(|(name, _)| name == key) {
                Some((_, wanted)) if same(wanted, value) => {}
                Some((_, wanted)) => return Err(format!("`{key}` is {value}, only {wanted} is supported")),
                None => return Err(format!("`{key}` is {value}, which is not supported")),
            }
        }
        Ok(())
    }
}

fn is_off(value: &Value) -> bool {
    value.is_null() || value == false
}

/// JSON equality in which 1 equals 1.0.
fn same(a: &Value, b: &Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => (a - b).abs() < f64::EPSILON,
        _ => a == b,
    }
}

/// One known block type per level.
pub(super) fn check_blocks(
    widths: &[usize],
    key: &str,
    types: &[String],
    known: &[&str],
) -> Result<(), String> {
    let levels = widths.len();
    if levels == 0 || levels > MAX_LEVELS || types.len() != levels {
        return Err(format!(
            "`block_out_channels` has {levels} entries, `{key}` has {}",
            types.len()
        ));
    }
    match types.iter().find(|kind| !known.contains(&kind.as_str())) {
        Some(kind) => Err(format!("`{key}` names `{kind}`, supported: {}", known.join(", "))),
        None => Ok(()),
    }
}

/// A level's width falls into equal parts.
pub(super) fn check_divides(key: &str, parts: usize, width: usize) -> Result<(), String> {
    check_positive(key, parts)?;
    check_positive("block_out_channels", width)?;
    if width.is_multiple_of(parts) {
        return Ok(());
    }
    Err(format!(
        "`block_out_channels`: {width} is not a multiple of {parts} (`{key}`)"
    ))
}

/// A size that a network can have.
pub(super) fn check_positive(key: &str, value: usize) -> Result<(), String> {
    if (1..=MAX_SIZE).contains(&value) {
        Ok(())
    } else {
        Err(format!("`{key}` is {value}"))
    }
}
