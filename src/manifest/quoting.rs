//! YAML reads some of this field's favourite texts as something else. Tells when that happened and what to write instead.

/// A line on which YAML may have read text as something else.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Trap {
    /// From 1, in characters.
    pub column: usize,
    /// What YAML makes of it.
    pub why: String,
    /// The line as it should be.
    pub help: String,
}

/// The trap on a line, if there is one.
pub(crate) fn trap(line: &str) -> Option<Trap> {
    in_flow_map(line).or_else(|| at_start_of_value(line))
}

/// `{placeholder: *, …}`
fn in_flow_map(line: &str) -> Option<Trap> {
    let at = line.find(": *")?;
    line[..at].contains('{').then(|| {
        let text: String = line[at + 2..]
            .chars()
            .take_while(|c| !matches!(c, ',' | '}' | ' '))
            .collect();
        Trap {
            column: line[..at].chars().count() + 3,
            why: "YAML reads a leading * as an alias".to_owned(),
            help: format!("put quotes around it: \"{text}\""),
        }
    })
}

fn at_start_of_value(line: &str) -> Option<Trap> {
    let (before, text) = split(line)?;
    let why = misread(text)?;
    Some(Trap {
        column: before.chars().count() + 1,
        why,
        help: format!("put quotes around it: {}{}", before.trim_start(), quoted(text)),
    })
}

/// `  - key: text` in what comes before the text, and the text.
fn split(line: &str) -> Option<(&str, &str)> {
    let indent = line.len() - line.trim_start().len();
    if line[indent..].starts_with('#') {
        return None;
    }
    let mut start = indent;
    while line[start..].starts_with("- ") {
        start += 2;
        start += line[start..].len() - line[start..].trim_start().len();
    }
    let is_item = start > indent;
    let key = line[start..].find(": ").filter(|end| {
        !is_item
            && line[start..start + end]
                .chars()
                .all(|c| c.is_alphanumeric() || "._-".contains(c))
    });
    if let Some(end) = key {
        start += end + 2;
        start += line[start..].len() - line[start..].trim_start().len();
    }
    let text = without_comment(&line[start..]);
    (!text.is_empty() && (is_item || key.is_some())).then_some((&line[..start], text))
}

fn without_comment(text: &str) -> &str {
    let end = if text.starts_with(['"', '\'']) {
        None
    } else {
        text.find(" #")
    };
    text[..end.unwrap_or(text.len())].trim_end()
}

fn misread(text: &str) -> Option<String> {
    let first = text.chars().next()?;
    let why = match first {
        '{' if text.starts_with("{}") && goes_on(text) => "YAML reads a leading {} as an empty map",
        '{' if goes_on(text) => "YAML reads a leading { as the start of a map",
        '[' if goes_on(text) => "YAML reads a leading [ as the start of a list",
        '*' => "YAML reads a leading * as an alias",
        '&' => "YAML reads a leading & as an anchor",
        '!' => "YAML reads a leading ! as a tag",
        '@' | '`' | '%' => return Some(format!("YAML keeps a leading {first} for itself")),
        '"' | '\'' => return after_quote(text, first),
        '{' | '[' | '|' | '>' => return None,
        _ if text.contains(": ") => "YAML reads `: ` as the end of a key",
        _ => return None,
    };
    Some(why.to_owned())
}

/// Whether there is more after the bracket that closes the first one.
fn goes_on(text: &str) -> bool {
    let mut depth = 0_usize;
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, '{' | '[') => depth += 1,
            (None, '}' | ']') if depth <= 1 => return !matches!(text[at + 1..].trim(), "" | ","),
            (None, '}' | ']') => depth -= 1,
            _ => {}
        }
    }
    false
}

fn after_quote(text: &str, quote: char) -> Option<String> {
    let end = text[1..].find(quote)? + 2;
    let rest = text[end..].trim();
    let is_more =
        !rest.is_empty() && !rest.starts_with('#') && !rest.starts_with(',') && !rest.starts_with(quote);
    is_more.then(|| "YAML ends the text at the second quote".to_owned())
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
