//! From bytes to a valid manifest, with every mistake found on the way.

use std::sync::Arc;

use serde_json::Value;

use super::check;
use super::error::{Errors, Kind, Place, Problem};
use super::finding::Finding;
use super::matrix::{self, Axis, Choice};
use super::path::{Path, Step};
use super::raw::RawManifest;
use super::settings::{Point, Settings};
use super::source::{Source, Stretch};
use super::syntax;
use super::tree::Node;
use super::{Manifest, shape};

/// Longest manifest, in bytes.
const MAX_BYTES: usize = 1 << 20;

/// See [`super::parse`].
pub(crate) fn read(bytes: &[u8], file: &str) -> Result<Manifest, Errors> {
    let text = decode(bytes, file)?;
    let source = Source::new(file, text);
    let tree = places(text, &source)?;
    let value = value(text, &source)?;
    let mut findings = shape::check(&value);
    let checked = check_meaning(&value, &mut findings);
    if let Some((raw, points)) = checked.filter(|_| findings.is_empty()) {
        let retry = check::retry(&raw.retry, &mut findings);
        if findings.is_empty() {
            return Ok(Manifest {
                raw,
                retry,
                points,
                tree,
                source,
            });
        }
    }
    let problems = findings
        .into_iter()
        .map(|finding| finding.locate(&tree, &source))
        .collect();
    Err(Errors::from_problems(problems).unwrap_or_else(|| unexplained(file)))
}

fn decode<'a>(bytes: &'a [u8], file: &str) -> Result<&'a str, Errors> {
    if bytes.len() > MAX_BYTES {
        let message = format!(
            "{file} has {} bytes; a manifest has at most {MAX_BYTES}",
            bytes.len()
        );
        return Err(alone(Kind::TooLarge, message, None));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|error| {
        let good = String::from_utf8_lossy(&bytes[..error.valid_up_to()]).into_owned();
        let line = good.matches('\n').count() + 1;
        let text = good.rsplit('\n').next().unwrap_or_default().to_owned();
        let place = Place {
            file: file.to_owned(),
            line,
            column: text.chars().count() + 1,
            width: 1,
            text,
        };
        alone(
            Kind::Syntax,
            "a manifest is UTF-8 text, and this byte is not".to_owned(),
            Some(place),
        )
    })
}

fn places(text: &str, source: &Source) -> Result<Arc<Node>, Errors> {
    let (tree, faults) = Node::read(text);
    let problems = faults
        .into_iter()
        .map(|fault| syntax::explain(fault, source))
        .collect();
    match (Errors::from_problems(problems), tree) {
        (None, Some(tree)) => Ok(tree),
        (Some(errors), _) => Err(errors),
        (None, None) => Err(unexplained(source.file())),
    }
}

/// The values. The only use of `serde_yaml` besides writing: whatever it refuses that the tree let pass is reported here.
fn value(text: &str, source: &Source) -> Result<Value, Errors> {
    serde_yaml::from_str(text).map_err(|error| {
        let place = error.location().map(|at| {
            let (line, column) = (at.line().max(1), at.column().max(1));
            source.place(Stretch {
                line,
                column,
                width: None,
            })
        });
        let words = error.to_string();
        let words = words.split(" at line ").next().unwrap_or_default();
        alone(
            Kind::Syntax,
            format!("not YAML: {}", words.replace("JSON number", "number")),
            place,
        )
    })
}

/// What the manifest means, as far as it can be told beside what is already known to be wrong.
fn check_meaning(value: &Value, findings: &mut Vec<Finding>) -> Option<(RawManifest, Vec<Point>)> {
    let wrong: Vec<Path> = findings.iter().map(|finding| finding.path.clone()).collect();
    let raw: RawManifest = serde_json::from_value(without(value, findings)).ok()?;
    let mut more = Vec::new();
    let settings = check::settings(&raw, &mut more);
    check::retry(&raw.retry, &mut more);
    let axes = matrix::axes(value, &mut more);
    let base_is_good = more.is_empty() && findings.is_empty();
    more.retain(|finding| !wrong.iter().any(|path| finding.path.touches(path)));
    findings.extend(more);
    let points = if base_is_good {
        points(value, &axes, settings, findings)
    } else {
        Vec::new()
    };
    Some((raw, points))
}

/// Without the values that are known to be wrong, so that defaults stand in for them.
fn without(value: &Value, findings: &[Finding]) -> Value {
    let mut value = value.clone();
    for finding in findings {
        let whole = match finding.kind {
            Kind::MissingKey => finding.path.parent(),
            _ => finding.path.clone(),
        };
        remove(&mut value, whole.steps());
    }
    value
}

/// Removes the value at a path; of a list, the whole list, so that no other item changes its number.
fn remove(value: &mut Value, steps: &[Step]) {
    let [Step::Key(key), rest @ ..] = steps else {
        return;
    };
    let Some(map) = value.as_object_mut() else { return };
    if matches!(rest, [] | [Step::Index(_), ..]) {
        map.remove(key);
    } else if let Some(below) = map.get_mut(key) {
        remove(below, rest);
    }
}

fn points(value: &Value, axes: &[Axis], settings: Settings, findings: &mut Vec<Finding>) -> Vec<Point> {
    if axes.is_empty() {
        return vec![Point {
            assignments: Vec::new(),
            settings: Arc::new(settings),
        }];
    }
    let choices = matrix::choices(axes).into_iter();
    choices
        .filter_map(|choice| point(value, axes, &choice, findings))
        .collect()
}

fn point(value: &Value, axes: &[Axis], choice: &Choice, findings: &mut Vec<Finding>) -> Option<Point> {
    let raw: RawManifest = serde_json::from_value(matrix::substitute(value, axes, choice)).ok()?;
    let mut found = Vec::new();
    let settings = check::settings(&raw, &mut found);
    for finding in found {
        let finding = at_axis(finding, axes, choice);
        if !findings.contains(&finding) {
            findings.push(finding);
        }
    }
    Some(Point {
        assignments: matrix::assignments(axes, choice),
        settings: Arc::new(settings),
    })
}

/// What only shows at one point of the matrix is shown at the value that brings it about.
fn at_axis(mut finding: Finding, axes: &[Axis], choice: &Choice) -> Finding {
    let cause = axes
        .iter()
        .zip(choice)
        .find(|(axis, _)| axis.target.touches(&finding.path));
    match cause {
        Some((axis, &i)) => finding.path = Path::of(&["matrix", &axis.name]).index(i),
        None => finding.path = Path::of(&["matrix"]),
    }
    finding
}

fn alone(kind: Kind, message: String, place: Option<Place>) -> Errors {
    let problem = Problem {
        kind,
        path: String::new(),
        message,
        note: None,
        help: None,
        place,
    };
    Errors {
        problems: vec![problem],
        truncated: false,
    }
}

/// The checks and the reading disagree, which is a mistake in this program: still no panic.
fn unexplained(file: &str) -> Errors {
    alone(Kind::Syntax, format!("{file} cannot be read as a manifest"), None)
}
