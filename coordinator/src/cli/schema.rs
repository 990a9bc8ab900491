//! `schema`: the JSON Schema of manifests, which editors use to complete and check them.

use crate::cli::exit::Result;
use crate::cli::output;

pub(super) fn print() -> Result {
    output::json(&vico::manifest::schema())
}
