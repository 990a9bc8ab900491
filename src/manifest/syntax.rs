//! From what the YAML reader stumbles over to words that help.

use super::error::{Kind, Problem};
use super::quoting;
use super::source::{Source, Stretch};
use super::tree::{Fault, MAX_DEPTH, MAX_VALUES, What};

/// How many lines before the reader's stumble a quoting trap is looked for.
const LINES_BACK: usize = 3;

/// A fault of the text as a problem with its place.
pub(crate) fn explain(fault: Fault, source: &Source) -> Problem {
    let Fault { at, what } = fault;
    let problem = |kind, message: String, note: Option<&str>, help: Option<String>| Problem {
        kind,
        path: String::new(),
        message,
        note: note.map(str::to_owned),
        help,
        place: Some(source.place(at)),
    };
    match what {
        What::NotYaml(words) => not_yaml(&words, at, source),
        What::Empty => problem(Kind::Syntax, "the manifest is empty".into(), None, None),
        What::SecondDocument => {
            let help = "put each manifest in a file of its own".to_owned();
            problem(
                Kind::Syntax,
                "a manifest is one YAML document".into(),
                Some("a second one starts here"),
                Some(help),
            )
        }
        What::TooDeep => problem(
            Kind::TooLarge,
            format!("more than {MAX_DEPTH} levels of maps and lists"),
            None,
            None,
        ),
        What::TooManyValues { through_aliases } => {
            let how = if through_aliases {
                ", counting what its aliases stand for"
            } else {
                ""
            };
            problem(
                Kind::TooLarge,
                format!("the manifest has more than {MAX_VALUES} values{how}"),
                None,
                None,
            )
        }
        What::AliasInsideItself => problem(
            Kind::Syntax,
            "an alias stands inside what it means".into(),
            None,
            None,
        ),
        What::KeyNotText => {
            let trap = quoting::trap(source.line(at.line));
            problem(
                Kind::Syntax,
                "a key must be text".into(),
                None,
                trap.map(|trap| trap.help),
            )
        }
        What::Tag(tag) => problem(
            Kind::Syntax,
            format!("the tag `{tag}` has no meaning here"),
            None,
            None,
        ),
        What::MergeKey => {
            let help =
                "write the keys out, or use `concept_defaults`; an alias may still stand for a whole value";
            problem(
                Kind::Syntax,
                "merge keys (`<<`) are not supported".into(),
                None,
                Some(help.to_owned()),
            )
        }
        What::Duplicate(key, line) => {
            let note = format!("also on line {line}");
            problem(
                Kind::DuplicateKey,
                format!("the key `{key}` stands twice in one map"),
                Some(&note),
                None,
            )
        }
    }
}

fn not_yaml(words: &str, at: Stretch, source: &Source) -> Problem {
    let problem = |at, message: &str, note: Option<String>, help: Option<String>| Problem {
        kind: Kind::Syntax,
        path: String::new(),
        message: message.to_owned(),
        note,
        help,
        place: Some(source.place(at)),
    };
    if let Some(tab) = tab_in_indent(at.line, source) {
        let help = "indent with blanks".to_owned();
        return problem(tab, "YAML allows no tabs in the indentation", None, Some(help));
    }
    let lines = (at.line.saturating_sub(LINES_BACK)..=at.line).rev();
    for number in lines {
        if let Some(trap) = quoting::trap(source.line(number)) {
            let at = Stretch {
                line: number,
                column: trap.column,
                width: None,
            };
            return problem(
                at,
                "this is not the text it seems to be",
                Some(trap.why),
                Some(trap.help),
            );
        }
    }
    problem(at, &format!("not YAML: {words}"), None, None)
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
