//! From the name of an axis to the value it varies.

use serde_json::Value;

use super::path::Path;
use super::scalar;
use super::shape;
use super::suggest;

/// Sections that change a result, and so may vary.
const VARYING: [&str; 8] = [
    "base",
    "concept_defaults",
    "concepts",
    "concepts_from",
    "methods",
    "metrics",
    "prompt_sets",
    "sampling",
];
/// The one axis that labels leave out: it repeats a run and does not change what was asked.
pub(crate) const TRAIN_SEED: &str = "train_seed";

/// Why an axis cannot vary, and what to write instead.
pub(crate) type Refusal = (String, Option<String>);

/// The path that an axis names, and the schema of the value there.
pub(crate) fn resolve(name: &str, manifest: &Value) -> Result<(Path, &'static Value), Refusal> {
    let section = name.split('.').next().unwrap_or_default();
    let root = shape::schema();
    if root["properties"].get(section).is_some() && section != TRAIN_SEED && !VARYING.contains(&section) {
        return Err((format!("`{name}` cannot vary: it does not change a result"), None));
    }
    let mut part = root;
    let mut value = manifest;
    let mut path = Path::default();
    let mut rest = name;
    while !rest.is_empty() {
        let (key, below) = step(part, value, rest).ok_or_else(|| no_such_path(name, manifest))?;
        path = path.key(key);
        part = below;
        value = &value[key];
        rest = rest[key.len()..].trim_start_matches('.');
    }
    let takes_scalar = scalar::types(part)
        .iter()
        .any(|name| !matches!(*name, "object" | "array" | "null"));
    if takes_scalar || shape::words(part).is_some() {
        Ok((path, part))
    } else {
        let keys = leaves(manifest)
            .into_iter()
            .filter(|leaf| leaf.starts_with(&format!("{name}.")));
        let keys: Vec<String> = keys.take(20).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        Err((
            format!("`{name}` is not a single value"),
            (!keys.is_empty()).then(|| format!("vary one of {}", suggest::list(&keys))),
        ))
    }
}

/// One key down. Ids may have dots in them: the longest id that fits is meant.
fn step<'a>(part: &'static Value, value: &'a Value, rest: &'a str) -> Option<(&'a str, &'static Value)> {
    let fits = |key: &str| {
        rest.strip_prefix(key)
            .is_some_and(|more| more.is_empty() || more.starts_with('.'))
    };
    if let Some(open) = part.get("additionalProperties").filter(|open| open.is_object()) {
        let keys = value.as_object()?.keys().filter(|key| fits(key));
        let key = keys.max_by_key(|key| key.len())?;
        return Some((&rest[..key.len()], shape::follow(open)));
    }
    let key = rest.split('.').next()?;
    Some((key, shape::follow(part["properties"].get(key)?)))
}

fn no_such_path(name: &str, manifest: &Value) -> Refusal {
    let leaves = leaves(manifest);
    let names: Vec<&str> = leaves.iter().map(String::as_str).collect();
    (
        format!("`{name}` names nothing in this manifest"),
        suggest::help(name, &names, "axes"),
    )
}

/// Every path that may vary in this manifest.
fn leaves(manifest: &Value) -> Vec<String> {
    let mut leaves = vec![TRAIN_SEED.to_owned()];
    for section in VARYING {
        let part = shape::follow(&shape::schema()["properties"][section]);
        collect(part, &manifest[section], section, &mut leaves);
    }
    leaves
}

fn collect(part: &Value, value: &Value, path: &str, leaves: &mut Vec<String>) {
    if let Some(known) = part["properties"].as_object() {
        for (key, below) in known {
            collect(
                shape::follow(below),
                &value[key],
                &format!("{path}.{key}"),
                leaves,
            );
        }
    } else if let Some(open) = part.get("additionalProperties").filter(|open| open.is_object()) {
        // A thousand concepts make no better suggestions than twenty.
        for (id, below) in value.as_object().into_iter().flatten().take(20) {
            collect(shape::follow(open), below, &format!("{path}.{id}"), leaves);
        }
    } else if !scalar::types(part).contains(&"array") {
        leaves.push(path.to_owned());
    }
}
