//! From what the YAML reader stumbles over to words that help.

use super::error::{Kind, Problem};
use super::quoting::{self, Trap};
use super::source::{Source, Stretch};
use super::tree::{Fault, MAX_DEPTH, MAX_VALUES, What};
use super::unclosed;

/// How many lines before the reader's stumble a quoting trap is looked for.
const LINES_BACK: usize = 3;

/// A fault of the text as a problem with its place.
pub(crate) fn explain(fault: Fault, source: &Source) -> Problem {
    let Fault { at, what } = fault;
    if let What::NotYaml(words) = what {
        return not_yaml(&words, at, source);
    }
    let (kind, message) = say(&what);
    let (note, help) = advise(&what, source.line(at.line));
    Problem {
        kind,
        path: String::new(),
        message,
        note,
        help,
        place: Some(source.place(at)),
    }
}

fn say(what: &What) -> (Kind, String) {
    let (kind, message) = match what {
        What::NotYaml(words) => return (Kind::Syntax, format!("not YAML: {words}")),
        What::Empty => (Kind::Syntax, "the manifest is empty"),
        What::SecondDocument => (Kind::Syntax, "a manifest is one YAML document"),
        What::TooDeep => {
            return (
                Kind::TooLarge,
                format!("more than {MAX_DEPTH} levels of maps and lists"),
            );
        }
        What::TooManyValues { through_aliases } => {
            let how = if *through_aliases {
                ", counting what its aliases stand for"
            } else {
                ""
            };
            return (
                Kind::TooLarge,
                format!("the manifest has more than {MAX_VALUES} values{how}"),
            );
        }
        What::AliasInsideItself => (Kind::Syntax, "an alias stands inside what it means"),
        What::KeyNotText => (Kind::Syntax, "a key must be text"),
        What::NotFinite => (Kind::BadValue, "this is not a number that anything can be"),
        What::Tag => (Kind::Syntax, "YAML tags have no meaning here"),
        What::MergeKey => (Kind::Syntax, "merge keys (`<<`) are not supported"),
        What::Duplicate(key, _) => {
            return (
                Kind::DuplicateKey,
                format!("the key `{key}` stands twice in one map"),
            );
        }
    };
    (kind, message.to_owned())
}

/// What to draw behind the caret, and what to do.
fn advise(what: &What, line: &str) -> (Option<String>, Option<String>) {
    match what {
        What::SecondDocument => (
            Some("a second one starts here".to_owned()),
            Some("put each manifest in a file of its own".to_owned()),
        ),
        What::KeyNotText => {
            quoting::trap(line).map_or((None, None), |trap| (Some(trap.why), Some(trap.help)))
        }
        What::Tag => (None, quoting::trap(line).map(|trap| trap.help)),
        What::MergeKey => {
            let help =
                "write the keys out, or use `concept_defaults`; an alias may still stand for a whole value";
            (None, Some(help.to_owned()))
        }
        What::Duplicate(_, line) => (Some(format!("also on line {line}")), None),
        _ => (None, None),
    }
}

fn not_yaml(words: &str, at: Stretch, source: &Source) -> Problem {
    let problem = |kind, at, message: String| Problem {
        kind,
        path: String::new(),
        message,
        note: None,
        help: None,
        place: Some(source.place(at)),
    };
    if words.contains("recursion limit") {
        let (kind, message) = say(&What::TooDeep);
        return problem(kind, at, message);
    }
    if let Some(tab) = tab_in_indent(at.line, source) {
        let problem = problem(
            Kind::Syntax,
            tab,
            "YAML allows no tabs in the indentation".to_owned(),
        );
        return Problem {
            help: Some("indent with blanks".to_owned()),
            ..problem
        };
    }
    if let Some((line, Trap { column, why, help })) = trap_before(at.line, source) {
        let at = Stretch {
            line,
            column,
            width: None,
        };
        let problem = problem(Kind::Syntax, at, "this is not the text it seems to be".to_owned());
        return Problem {
            note: Some(why),
            help: Some(help),
            ..problem
        };
    }
    let may_be_open = ["flow", "quoted", "indentation", "end"]
        .iter()
        .any(|word| words.contains(word));
    if let Some((sign, at)) = unclosed::innermost(source, at.line).filter(|_| may_be_open) {
        return problem(Kind::Syntax, at, format!("this `{sign}` is never closed"));
    }
    problem(Kind::Syntax, at, format!("not YAML: {words}"))
}

/// The quoting trap that is nearest before the reader's stumble.
fn trap_before(line: usize, source: &Source) -> Option<(usize, Trap)> {
    let mut lines = (line.saturating_sub(LINES_BACK)..=line).rev();
    lines.find_map(|number| quoting::trap(source.line(number)).map(|trap| (number, trap)))
}

fn tab_in_indent(line: usize, source: &Source) -> Option<Stretch> {
    let numbers = [line, line.saturating_sub(1)];
    numbers.into_iter().find_map(|number| {
        let text = source.line(number);
        let indent = &text[..text.len() - text.trim_start().len()];
        let tab = indent.find('\t')?;
        let column = indent[..tab].chars().count() + 1;
        Some(Stretch {
            line: number,
            column,
            width: Some(1),
        })
    })
}
