//! The lines of one attempt, and the text that they are in the bucket.

use std::collections::VecDeque;
use std::fmt;

use vico::clock::Timestamp;

/// Lines kept of one attempt; the oldest go first.
pub(super) const KEPT_LINES: usize = 20_000;
/// Bytes kept of one attempt: any number of attempts can be in memory, and each of them is written and read as a whole.
const KEPT_BYTES: usize = 8 << 20;
/// Longer lines are cut.
const LINE_BYTES: usize = 4096;

/// What a line takes besides its text, in memory as well as in the bucket.
const LINE_OVERHEAD: usize = 32;

/// How the line ends that stands in the place of others.
const DROPPED: &str = " earlier lines were dropped)";

/// When it came, and what it says.
pub(super) type Line = (Timestamp, String);

/// Lines in the order in which they came, without the oldest where there were too many.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Lines {
    /// How many there were before these.
    dropped: u64,
    kept: VecDeque<Line>,
    /// What the kept ones take.
    bytes: usize,
}

impl Lines {
    pub(super) fn push(&mut self, at: Timestamp, text: &str) {
        self.keep((at, shortened(text)));
    }

    /// The newest line stays, however long it is: what was dropped is told where there is a line.
    fn keep(&mut self, line: Line) {
        self.bytes += bytes_of(&line);
        self.kept.push_back(line);
        while self.kept.len() > KEPT_LINES || (self.bytes > KEPT_BYTES && self.kept.len() > 1) {
            let oldest = self.kept.pop_front();
            self.bytes -= oldest.as_ref().map_or(0, bytes_of);
            self.dropped = self.dropped.saturating_add(1);
        }
    }

    /// How many there ever were.
    pub(super) fn count(&self) -> u64 {
        self.dropped.saturating_add(self.kept.len() as u64)
    }

    /// Those after the first `seen`. Where some of them were dropped, the first line says so.
    pub(super) fn after(&self, seen: u64) -> Vec<Line> {
        let skipped = usize::try_from(seen.saturating_sub(self.dropped)).unwrap_or(usize::MAX);
        let rest = self.kept.iter().skip(skipped).cloned();
        self.gap(self.dropped.saturating_sub(seen))
            .into_iter()
            .chain(rest)
            .collect()
    }

    /// These, and then `later` ones. What was dropped between them counts as if it had come first.
    pub(super) fn followed_by(mut self, later: Self) -> Self {
        self.dropped = self.dropped.saturating_add(later.dropped);
        for line in later.kept {
            self.keep(line);
        }
        self
    }

    /// Reads what was written with `to_string`.
    pub(super) fn parse(text: &str) -> Self {
        let mut lines = text.lines().map(parse_line).peekable();
        let dropped = lines.peek().and_then(|(_, text)| parse_gap(text));
        if dropped.is_some() {
            lines.next();
        }
        let mut parsed = Self {
            dropped: dropped.unwrap_or(0),
            ..Self::default()
        };
        for line in lines {
            parsed.keep(line);
        }
        parsed
    }

    /// A line in the place of so many; `None` in the place of none.
    fn gap(&self, lines: u64) -> Option<Line> {
        let (at, _) = self.kept.front()?;
        (lines > 0).then(|| (*at, format!("({lines}{DROPPED}")))
    }
}

/// A line each. The first one says what was dropped.
impl fmt::Display for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, line) in self.gap(self.dropped).iter().chain(&self.kept) {
            writeln!(f, "{at} {line}")?;
        }
        Ok(())
    }
}

fn bytes_of((_, text): &Line) -> usize {
    text.len() + LINE_OVERHEAD
}

fn parse_gap(text: &str) -> Option<u64> {
    text.strip_prefix('(')?.strip_suffix(DROPPED)?.parse().ok()
}

/// `2026-01-31T12:00:00Z text`; a line without a time keeps its text.
fn parse_line(line: &str) -> Line {
    let parsed = line.split_once(' ').and_then(|(at, text)| {
        let at = humantime::parse_rfc3339(at).ok()?;
        let since = at.duration_since(std::time::UNIX_EPOCH).ok()?;
        Some((Timestamp(since.as_millis() as u64), text.to_owned()))
    });
    parsed.unwrap_or_else(|| (Timestamp(0), line.to_owned()))
}

fn shortened(line: &str) -> String {
    if line.len() <= LINE_BYTES {
        return line.to_owned();
    }
    format!("{} …", &line[..line.floor_char_boundary(LINE_BYTES)])
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp(1000);

    fn lines(numbers: std::ops::Range<u64>) -> Lines {
        let mut lines = Lines::default();
        for number in numbers {
            lines.push(AT, &number.to_string());
        }
        lines
    }

    fn texts(lines: Vec<Line>) -> Vec<String> {
        lines.into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn who_was_there_misses_nothing_of_an_endless_log() {
        let mut lines = lines(0..KEPT_LINES as u64);
        let seen = lines.count();
        assert!(lines.after(seen).is_empty());
        for text in ["a", "b"] {
            lines.push(AT, text);
        }
        assert_eq!(texts(lines.after(seen)), ["a", "b"]);
        assert!(lines.after(lines.count()).is_empty());
        assert_eq!(
            texts(lines.after(0))[..2],
            ["(2 earlier lines were dropped)", "2"]
        );
        assert_eq!(
            texts(lines.after(1))[..2],
            ["(1 earlier lines were dropped)", "2"]
        );
        assert_eq!(texts(lines.after(2))[0], "2");
    }

    #[test]
    fn text_comes_back_with_all_that_was_counted() {
        for kept in [lines(0..3), lines(0..KEPT_LINES as u64 + 5), Lines::default()] {
            assert_eq!(Lines::parse(&kept.to_string()), kept);
        }
        let whole = lines(0..3).followed_by(lines(3..5));
        assert_eq!(
            (texts(whole.after(2)), whole.count()),
            (texts(lines(2..5).after(0)), 5)
        );
    }

    #[test]
    fn a_log_of_long_lines_stays_short_whoever_adds_to_it() {
        let long = "x".repeat(LINE_BYTES);
        let mut many = Lines::default();
        for _ in 0..KEPT_LINES {
            many.push(AT, &long);
        }
        let written = many.to_string();
        assert!(written.len() <= KEPT_BYTES, "{} bytes", written.len());
        assert!(written.len() > KEPT_BYTES / 2, "{} bytes", written.len());
        assert_eq!(many.count(), KEPT_LINES as u64);
        assert_eq!(Lines::parse(&written), many);
        let longer = Lines::parse(&written).followed_by(many);
        assert!(longer.to_string().len() <= KEPT_BYTES);
        assert_eq!(longer.count(), 2 * KEPT_LINES as u64);
    }

    #[test]
    fn what_was_dropped_is_told_beside_a_line_that_is_too_long() {
        let written = format!(
            "1970-01-01T00:00:01Z first\n1970-01-01T00:00:01Z {}\n",
            "x".repeat(KEPT_BYTES)
        );
        let lines = Lines::parse(&written);
        assert_eq!(texts(lines.after(0))[0], "(1 earlier lines were dropped)");
        assert_eq!(Lines::parse(&lines.to_string()).count(), 2);
    }

    #[test]
    fn long_lines_are_cut_between_characters() {
        assert_eq!(shortened(&"ü".repeat(4096)).len(), LINE_BYTES + " …".len());
    }
}
