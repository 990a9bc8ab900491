//! The schema that editors use is the schema that manifests are held against.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::manifest::schema;

/// `vico-coord schema > manifests/schema/manifest.v1.json` brings the file up to date.
#[test]
fn the_committed_schema_is_this_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/manifests/schema/manifest.v1.json");
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    let committed: Value = serde_json::from_str(&committed).unwrap_or_default();
    assert!(
        committed == schema(),
        "manifests/schema/manifest.v1.json has drifted; it should be:\n{:#}",
        schema()
    );
}

/// A keyword that the reader does not know would be promised to editors and never checked.
#[test]
fn the_reader_knows_every_keyword() {
    const CHECKED: [&str; 17] = [
        "$ref",
        "additionalProperties",
        "anyOf",
        "const",
        "enum",
        "format",
        "items",
        "maxLength",
        "maximum",
        "minItems",
        "minLength",
        "minProperties",
        "minimum",
        "multipleOf",
        "oneOf",
        "required",
        "type",
    ];
    const FOR_PEOPLE: [&str; 5] = ["$schema", "default", "description", "examples", "title"];
    let mut used = BTreeSet::new();
    keywords(&schema(), &mut used);
    let unknown: Vec<_> = used
        .iter()
        .filter(|word| !CHECKED.contains(&word.as_str()) && !FOR_PEOPLE.contains(&word.as_str()))
        .collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

fn keywords(part: &Value, used: &mut BTreeSet<String>) {
    for (word, below) in part.as_object().into_iter().flatten() {
        match word.as_str() {
            "properties" | "$defs" => below
                .as_object()
                .into_iter()
                .flatten()
                .for_each(|(_, part)| keywords(part, used)),
            "default" | "examples" | "enum" | "const" => drop(used.insert(word.clone())),
            _ => {
                used.insert(word.clone());
                keywords(below, used);
                below
                    .as_array()
                    .into_iter()
                    .flatten()
                    .for_each(|part| keywords(part, used));
            }
        }
    }
}

/// Formats are part of the schema's types; these are the ones whose range is checked or needs no check.
#[test]
fn the_reader_knows_every_format() {
    let mut formats = BTreeSet::new();
    collect_formats(&schema(), &mut formats);
    assert_eq!(
        formats.into_iter().collect::<Vec<_>>(),
        ["double", "int32", "uint32", "uint64"]
    );
}

fn collect_formats(part: &Value, formats: &mut BTreeSet<String>) {
    match part {
        Value::Object(map) => {
            formats.extend(map.get("format").and_then(Value::as_str).map(str::to_owned));
            map.values().for_each(|below| collect_formats(below, formats));
        }
        Value::Array(items) => items.iter().for_each(|below| collect_formats(below, formats)),
        _ => {}
    }
}
