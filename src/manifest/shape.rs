//! Holds a manifest against its own JSON Schema, so that every misplaced key and wrong type is found in one pass.
//!
//! Knows exactly the keywords that the schema uses; a test fails when the schema learns a new one.

use std::sync::OnceLock;

use serde_json::{Map, Value};

use super::error::{Errors, Kind};
use super::finding::Finding;
use super::path::Path;
use super::raw::RawManifest;
use super::scalar;
use super::suggest;

/// The schema of manifests.
pub(crate) fn schema() -> &'static Value {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    SCHEMA.get_or_init(|| schemars::schema_for!(RawManifest).to_value())
}

/// Everything in `value` that the schema does not allow.
pub(crate) fn check(value: &Value) -> Vec<Finding> {
    let mut found = Vec::new();
    check_below(schema(), value, &Path::default(), &mut found);
    found
}

/// Checks one value against one part of the schema.
pub(crate) fn check_below(part: &Value, value: &Value, path: &Path, found: &mut Vec<Finding>) {
    if (value.is_null() && allows_null(part)) || found.len() > Errors::MOST {
        return;
    }
    let part = follow(part);
    if let Some(words) = words(part) {
        check_word(part, &words, value, path, found);
    } else if !scalar::types(part)
        .iter()
        .any(|name| scalar::has_type(value, name))
    {
        found.push(scalar::wrong_type(part, value, path));
    } else {
        match value {
            Value::Object(map) => check_map(part, map, path, found),
            Value::Array(items) => check_list(part, items, path, found),
            _ => found.extend(scalar::check_limits(part, value, path)),
        }
    }
}

/// Through `$ref`, and through the `anyOf` of an optional value to the value.
pub(crate) fn follow(part: &Value) -> &Value {
    if let Some(name) = part["$ref"]
        .as_str()
        .and_then(|link| link.strip_prefix("#/$defs/"))
    {
        return follow(&schema()["$defs"][name]);
    }
    let branches = part["anyOf"].as_array();
    let real = branches.and_then(|branches| branches.iter().find(|branch| branch["type"] != "null"));
    real.map_or(part, follow)
}

fn allows_null(part: &Value) -> bool {
    let branches = part["anyOf"].as_array().into_iter().flatten();
    branches
        .chain([part])
        .any(|branch| scalar::types(branch).contains(&"null"))
}

/// The words that may stand here, if only certain ones may.
pub(crate) fn words(part: &Value) -> Option<Vec<Value>> {
    if let Some(words) = part["enum"].as_array() {
        return Some(words.iter().filter(|word| !word.is_null()).cloned().collect());
    }
    let branches = part["oneOf"].as_array()?;
    Some(branches.iter().map(|branch| branch["const"].clone()).collect())
}

fn check_word(part: &Value, words: &[Value], value: &Value, path: &Path, found: &mut Vec<Finding>) {
    if words.contains(value) {
        return;
    }
    let names: Vec<String> = words.iter().map(scalar::shown).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let word = scalar::shown(value);
    found.push(if value.is_string() || value.is_number() {
        let message = format!("{} cannot be `{word}`", scalar::named(path));
        Finding::new(path, Kind::BadValue, message).maybe_help(suggest::help(&word, &names, "it can be"))
    } else {
        scalar::wrong_type(part, value, path).maybe_help(suggest::help("", &names, "it can be"))
    });
}

fn check_map(part: &Value, map: &Map<String, Value>, path: &Path, found: &mut Vec<Finding>) {
    let known = part["properties"].as_object();
    let open = part.get("additionalProperties").filter(|rest| rest.is_object());
    for (key, value) in map {
        if found.len() > Errors::MOST {
            return;
        }
        let below = path.key(key);
        match known.and_then(|known| known.get(key)).or(open) {
            Some(part) => check_below(part, value, &below, found),
            None => found.push(unknown_key(part, key, &below)),
        }
    }
    let required = part["required"].as_array().into_iter().flatten();
    for key in required
        .filter_map(Value::as_str)
        .filter(|key| !map.contains_key(*key))
    {
        found.push(missing_key(part, key, path));
    }
    if part["minProperties"]
        .as_u64()
        .is_some_and(|least| (map.len() as u64) < least)
    {
        found.push(Finding::new(path, Kind::BadValue, format!("{path} is empty")).at_key());
    }
}

fn unknown_key(part: &Value, key: &str, path: &Path) -> Finding {
    let known: Vec<&str> = part["properties"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, _)| key.as_str())
        .collect();
    let parent = path.parent();
    let place = if parent == Path::default() {
        String::new()
    } else {
        format!(" in {parent}")
    };
    Finding::new(path, Kind::UnknownKey, format!("unknown key `{key}`{place}"))
        .at_key()
        .maybe_help(suggest::help(key, &known, "keys here"))
}

fn missing_key(part: &Value, key: &str, path: &Path) -> Finding {
    let meaning = part["properties"][key]["description"].as_str();
    let message = format!("{} has no `{key}`", scalar::named(path));
    Finding::new(&path.key(key), Kind::MissingKey, message)
        .at_key()
        .maybe_help(meaning.map(|text| format!("`{key}`: {}", scalar::first_sentence(text))))
}

fn check_list(part: &Value, items: &[Value], path: &Path, found: &mut Vec<Finding>) {
    if part["minItems"]
        .as_u64()
        .is_some_and(|least| (items.len() as u64) < least)
    {
        found.push(Finding::new(path, Kind::BadValue, format!("{path} is empty")));
    }
    for (i, item) in items.iter().enumerate() {
        check_below(&part["items"], item, &path.index(i), found);
    }
}
