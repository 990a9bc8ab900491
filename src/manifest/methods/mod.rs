//! From a method as it is written to its effective settings, and back for `plan --show-defaults`.
//!
//! - [`keys`]: which keys a method takes. - [`meant`]: its settings. - [`written`]: its settings, written out.

mod keys;
mod meant;
mod subject;
mod written;

use super::finding::Finding;
use super::path::Path;
use super::raw::RawMethod;
use crate::spec::{MethodName, MethodSpec};

pub(crate) use written::write_out;

/// The settings of a method, with what is wrong with them left in `found`. `None` for a method that the schema refuses.
pub(crate) fn method(raw: &RawMethod, path: &Path, found: &mut Vec<Finding>) -> Option<MethodSpec> {
    let name = named(raw)?;
    keys::check(raw, name, path, found);
    let spec = meant::settings(raw, name, path, found);
    subject::check(&spec, &path.key("subject"), found);
    Some(spec)
}

fn named(raw: &RawMethod) -> Option<MethodName> {
    MethodName::ALL
        .into_iter()
        .find(|name| name.as_str() == raw.method)
}
