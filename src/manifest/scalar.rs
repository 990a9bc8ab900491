//! Types and limits of single values, as the schema states them, and how messages name them.

use serde_json::Value;

use super::error::Kind;
use super::finding::Finding;
use super::path::{Path, Step};

/// The type names that a part of the schema allows; none allows any.
pub(crate) fn types(part: &Value) -> Vec<&str> {
    match &part["type"] {
        Value::String(name) => vec![name],
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

pub(crate) fn has_type(value: &Value, name: &str) -> bool {
    match name {
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        _ => false,
    }
}

/// How messages call the types a part of the schema allows.
fn wanted(part: &Value) -> String {
    let names = types(part)
        .into_iter()
        .filter(|name| *name != "null")
        .map(|name| match name {
            "string" => "text",
            "integer" => "a whole number",
            "number" => "a number",
            "boolean" => "true or false",
            "array" => "a list",
            _ => "a map",
        });
    names.collect::<Vec<_>>().join(" or ")
}

/// How messages call a value.
fn found(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(yes) => format!("`{yes}`"),
        Value::Number(number) => format!("the number {number}"),
        Value::String(_) => "text".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a map".to_owned(),
    }
}

/// A value as one would write it.
pub(crate) fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// How messages call the value at a path.
pub(crate) fn named(path: &Path) -> String {
    if *path == Path::default() {
        "the manifest".to_owned()
    } else {
        path.to_string()
    }
}

/// The name of the thing at a path: `method`, or `protocols` for an item of that list.
pub(crate) fn last_key(path: &Path) -> &str {
    let keys = path.steps().iter().rev().find_map(|step| match step {
        Step::Key(key) => Some(key.as_str()),
        Step::Index(_) => None,
    });
    keys.unwrap_or("value")
}

pub(crate) fn first_sentence(text: &str) -> &str {
    let end = text.find(". ").or_else(|| text.find('\n')).unwrap_or(text.len());
    text[..end].trim_end_matches('.')
}

pub(crate) fn wrong_type(part: &Value, value: &Value, path: &Path) -> Finding {
    let wanted = wanted(part);
    let finding = Finding::new(
        path,
        Kind::WrongType,
        format!("{} is {}, not {wanted}", named(path), found(value)),
    );
    let finding = finding.note(format!("{wanted} belongs here"));
    let example = part["examples"][0].as_str();
    match value {
        _ if example.is_some() => finding.help(format!("write it like `{}`", example.unwrap_or_default())),
        Value::Null => finding.help("write a value, or leave the key out"),
        Value::Number(_) | Value::Bool(_) if wanted == "text" => {
            finding.help(format!("put quotes around it: \"{value}\""))
        }
        Value::Object(map) if map.is_empty() && wanted == "text" => {
            finding.help("YAML reads {} as an empty map; put quotes around it: \"{}\"")
        }
        Value::Object(_) | Value::Array(_) if wanted.contains("text") => finding.unquoted(),
        Value::String(text) if wanted == "a list" => finding.help(format!("write a list: [{text}]")),
        Value::String(text) if is_number(text) && wanted.contains("number") => {
            finding.help(format!("without quotes: {}", text.trim()))
        }
        _ => finding,
    }
}

fn is_number(text: &str) -> bool {
    text.trim().parse::<f64>().is_ok_and(f64::is_finite)
}

/// What a value of the right type breaks: ranges, lengths, steps.
pub(crate) fn check_limits(part: &Value, value: &Value, path: &Path) -> Option<Finding> {
    let message = match value {
        Value::Number(_) => number_limits(part, value)?,
        Value::String(text) => text_limits(part, text)?,
        _ => return None,
    };
    Some(Finding::new(
        path,
        Kind::BadValue,
        format!("{} {message}", named(path)),
    ))
}

fn number_limits(part: &Value, value: &Value) -> Option<String> {
    let number = value.as_f64().unwrap_or(f64::NAN);
    let most = part["maximum"]
        .as_f64()
        .or((part["format"] == "uint32").then_some(f64::from(u32::MAX)));
    if let Some(least) = part["minimum"].as_f64().filter(|least| number < *least) {
        return Some(format!("is {value}, but must be at least {least}"));
    }
    if let Some(most) = most.filter(|most| number > *most) {
        return Some(format!("is {value}, but must be at most {most}"));
    }
    let step = part["multipleOf"].as_u64().zip(value.as_u64());
    let off = step.filter(|(step, number)| *step > 0 && number % step != 0);
    off.map(|(step, _)| format!("is {value}, but must be a multiple of {step}"))
}

fn text_limits(part: &Value, text: &str) -> Option<String> {
    let length = text.chars().count() as u64;
    if part["minLength"].as_u64().is_some_and(|least| length < least) {
        return Some("is empty".to_owned());
    }
    let most = part["maxLength"].as_u64().filter(|most| length > *most)?;
    Some(format!("has {length} characters, but may have at most {most}"))
}
