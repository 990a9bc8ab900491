//! The matrix: axes by key path, and the points they span.

use serde_json::{Map, Value};

use super::axis;
use super::error::Kind;
use super::finding::Finding;
use super::path::{Path, Step};
use super::scalar;
use super::settings::{Assignment, Scope};
use super::shape;

/// More points than this are taken for a mistake.
const MAX_POINTS: usize = 4096;
/// Every point holds all settings: points times values of the manifest.
const MAX_VALUES: usize = 2_000_000;
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
        match axis::resolve(name, manifest) {
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
    check_size(&axes, manifest, found);
    axes
}

fn check_size(axes: &[Axis], manifest: &Value, found: &mut Vec<Finding>) {
    let lengths = axes.iter().map(|axis| axis.values.len());
    let points = lengths.fold(1_usize, usize::saturating_mul);
    let too_much = if points > MAX_POINTS {
        format!("the matrix has {points} points; at most {MAX_POINTS} make sense")
    } else if points > 1 && points.saturating_mul(count(manifest)) > MAX_VALUES {
        format!("{points} points of so long a manifest are too many; split it into several sweeps")
    } else {
        return;
    };
    found.push(Finding::new(&Path::of(&["matrix"]), Kind::BadAxis, too_much).at_key());
}

/// How many values there are.
fn count(value: &Value) -> usize {
    match value {
        Value::Object(map) => 1 + map.values().map(count).sum::<usize>(),
        Value::Array(items) => 1 + items.iter().map(count).sum::<usize>(),
        _ => 1,
    }
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
        .filter(|(axis, _)| axis.name != axis::TRAIN_SEED);
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
    if values.len() > MAX_POINTS {
        // Refused with the matrix as a whole.
        return;
    }
    for (i, value) in values.iter().enumerate() {
        shape::check_below(part, value, &at.index(i), found);
        if values[..i].contains(value) {
            let message = format!("the value {value} stands twice in this axis");
            found.push(Finding::new(&at.index(i), Kind::BadAxis, message));
        }
    }
}
