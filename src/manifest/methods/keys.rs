//! Which keys a method takes.

use serde_json::Value;

use crate::manifest::error::Kind;
use crate::manifest::finding::Finding;
use crate::manifest::path::Path;
use crate::manifest::raw::RawMethod;
use crate::spec::MethodName::{self, CustomDiffusion, Dreambooth, Lora, TextualInversion, Vico};

/// Keys that only some methods take, with those that do. All other keys are everybody's.
pub(super) const TAKEN_BY: [(&[&str], &[MethodName]); 19] = [
    (&["steps"], &ALL_THAT_LEARN),
    (&["batch"], &ALL_THAT_LEARN),
    (&["weight_decay"], &ALL_THAT_LEARN),
    (&["lr", "embedding"], &[Vico, TextualInversion, CustomDiffusion]),
    (&["lr", "image_attention"], &[Vico]),
    (&["lr", "unet"], &[Dreambooth]),
    (&["lr", "text_encoder"], &[Dreambooth]),
    (&["lr", "cross_attention"], &[CustomDiffusion]),
    (&["lr", "lora"], &[Lora]),
    (&["reg_weight"], &[Vico]),
    (&["mask"], &[Vico]),
    (&["reference"], &[Vico]),
    (&["vectors"], &[TextualInversion]),
    (&["max_grad_norm"], &[Dreambooth, CustomDiffusion, Lora]),
    (&["text_encoder"], &[Dreambooth]),
    (&["augmentation"], &[CustomDiffusion]),
    (&["rank"], &[Lora]),
    (&["alpha"], &[Lora]),
    (&["targets"], &[Lora]),
];
const ALL_THAT_LEARN: [MethodName; 5] = [Vico, TextualInversion, Dreambooth, CustomDiffusion, Lora];
/// As [`TAKEN_BY`], for the prior loss.
pub(super) const PRIOR_TAKEN_BY: &[MethodName] = &[Dreambooth, CustomDiffusion, Lora];

/// Records every key that `name` does not take.
pub(super) fn check(raw: &RawMethod, name: MethodName, path: &Path, found: &mut Vec<Finding>) {
    let written = serde_json::to_value(raw).unwrap_or_default();
    let prior: (&[&str], &[MethodName]) = (&["prior"], PRIOR_TAKEN_BY);
    for (keys, takers) in TAKEN_BY.into_iter().chain([prior]) {
        if takers.contains(&name) || !is_written(&written, keys) {
            continue;
        }
        let at = keys.iter().fold(path.clone(), |path, key| path.key(key));
        let takers: Vec<&str> = takers.iter().map(|taker| taker.as_str()).collect();
        let message = format!("{name} takes no `{}`", keys.join("."));
        let help = format!("remove it; it is a setting of {}", takers.join(", "));
        found.push(Finding::new(&at, Kind::UnknownKey, message).at_key().help(help));
    }
}

fn is_written(value: &Value, keys: &[&str]) -> bool {
    let below = keys.iter().try_fold(value, |value, key| value.get(key));
    below.is_some()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// A key of one method alone that this table forgets would be taken in by all, and ignored.
    #[test]
    fn every_key_of_the_schema_is_everybodys_or_in_the_table() {
        const EVERYBODYS: [&str; 2] = ["method", "subject"];
        let schema = crate::manifest::schema();
        let keys = |part: &str, before: &str| -> BTreeSet<String> {
            let keys = schema["$defs"][part]["properties"]
                .as_object()
                .into_iter()
                .flatten();
            keys.map(|(key, _)| format!("{before}{key}")).collect()
        };
        let mut all = keys("RawMethod", "");
        all.extend(keys("RawLr", "lr."));
        let table = TAKEN_BY.iter().map(|(keys, _)| keys.join("."));
        let known: BTreeSet<String> = table
            .chain(EVERYBODYS.map(str::to_owned))
            .chain(["lr".to_owned(), "prior".to_owned()])
            .collect();
        assert_eq!(all, known);
    }
}
