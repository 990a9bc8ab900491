//! The matrix: axes by key path, and the points they span.

use serde_json::{Map, Value};

use super::error::Kind;
use super::finding::Finding;
use super::path::{Path, Step};
use super::scalar;
use super::settings::{Assignment, Scope};
use super::shape;
use super::suggest;

/// More points than this are taken for a mistake.
const MAX_POINTS: usize = 4096;
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

/// One axis.
#[derive(Clone, Debug)]
pub(crate) struct Axis {
    /// As written.
    pub name: String,
    pub target: Path,
    pub values: Vec<Value>,
}

/// One value of each axis, by position.
pub(crate) type Choice = Vec<usize>;

/// The axes of a manifest that has the right shape.
pub(crate) fn axes(manifest: &Value, found: &mut Vec<Finding>) -> Vec<Axis> {
    let matrix = manifest["matrix"].as_object().cloned().unwrap_or_default();
    let mut axes: Vec<Axis> = Vec::new();
    for (name, values) in &matrix {
        let at = Path::of(&["matrix", name]);
        let values = values.as_array().cloned().unwrap_or_default();
        match resolve(name, manifest) {
            Err((message, help)) => found.push(
                Finding::new(&at, Kind::BadAxis, message)
                    .at_key()
                    .maybe_help(help),
            ),
            Ok((target, part)) => {
                check_values(part, &values, &at, found);
                axes.push(Axis {
                    name: name.clone(),
                    target,
                    values,
                });
            }
        }
    }
    axes.sort_by(|a, b| a.name.cmp(&b.name));
    let points = axes
        .iter()
        .fold(1_usize, |points, axis| points.saturating_mul(axis.values.len()));
    if points > MAX_POINTS {
        let message = format!("the matrix has {points} points; at most {MAX_POINTS} make sense");
        found.push(Finding::new(&Path::of(&["matrix"]), Kind::BadAxis, message).at_key());
    }
    axes
}

/// All choices, the last axis varying fastest.
pub(crate) fn choices(axes: &[Axis]) -> Vec<Choice> {
    let mut choices: Vec<Choice> = vec![Vec::new()];
    for axis in axes {
        let longer = |choice: &Choice| {
            let choice = choice.clone();
            (0..axis.values.len()).map(move |i| [choice.clone(), vec![i]].concat())
        };
        choices = choices.iter().flat_map(longer).collect();
    }
    choices
}

/// The manifest with the chosen values in their places.
pub(crate) fn substitute(manifest: &Value, axes: &[Axis], choice: &Choice) -> Value {
    let mut at_point = manifest.clone();
    for (axis, &i) in axes.iter().zip(choice) {
        set(&mut at_point, axis.target.steps(), axis.values[i].clone());
    }
    at_point
}

fn set(value: &mut Value, steps: &[Step], leaf: Value) {
    match steps {
        [Step::Key(key), rest @ ..] => {
            if !value.is_object() {
                *value = Value::Object(Map::new());
            }
            if let Some(map) = value.as_object_mut() {
                set(map.entry(key.clone()).or_insert(Value::Null), rest, leaf);
            }
        }
        _ => *value = leaf,
    }
}

/// What a choice sets, for labels.
pub(crate) fn assignments(axes: &[Axis], choice: &Choice) -> Vec<Assignment> {
    let named = axes
        .iter()
        .zip(choice)
        .filter(|(axis, _)| axis.name != TRAIN_SEED);
    named
        .map(|(axis, &i)| Assignment {
            path: axis.name.clone(),
            scope: scope(&axis.target),
            label: format!("{}={}", short_name(axis, axes), short_value(&axis.values[i], i)),
        })
        .collect()
}

fn scope(target: &Path) -> Scope {
    match target.steps() {
        [Step::Key(section), Step::Key(id), ..] if section == "methods" => Scope::Method(id.clone()),
        [Step::Key(section), Step::Key(id), ..] if section == "concepts" => Scope::Concept(id.clone()),
        _ => Scope::All,
    }
}

/// The last key where it is enough to tell the axes apart.
fn short_name(axis: &Axis, axes: &[Axis]) -> String {
    let last = scalar::last_key(&axis.target);
    let same = axes
        .iter()
        .filter(|other| scalar::last_key(&other.target) == last)
        .count();
    let name = if same == 1 { last } else { axis.name.as_str() };
    name.chars().map(|c| if is_plain(c) { c } else { '_' }).collect()
}

/// The value where it is safe in a file name, else its number in the list from 1.
fn short_value(value: &Value, index: usize) -> String {
    let text = scalar::shown(value);
    let plain = !text.is_empty() && text.len() <= 32 && text.chars().all(is_plain);
    if plain { text } else { format!("v{}", index + 1) }
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '+' | '-')
}

fn check_values(part: &Value, values: &[Value], at: &Path, found: &mut Vec<Finding>) {
    if values.is_empty() {
        found.push(Finding::new(at, Kind::BadAxis, "the axis has no values").at_key());
    }
    for (i, value) in values.iter().enumerate() {
        shape::check_below(part, value, &at.index(i), found);
        if values[..i].contains(value) {
            let message = format!("the value {value} stands twice in this axis");
            found.push(Finding::new(&at.index(i), Kind::BadAxis, message));
        }
    }
}

type Refusal = (String, Option<String>);

/// The path that an axis names, and the schema of the value there.
fn resolve(name: &str, manifest: &Value) -> Result<(Path, &'static Value), Refusal> {
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
