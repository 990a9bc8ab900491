//! Wire to domain (checked) and domain to wire (total).

mod jobs;
mod leases;
mod nouns;
mod sweeps;
mod words;
mod workers;

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use crate::clock::Timestamp;

/// A message of the wire that means nothing in the domain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("field `{field}`: {reason}")]
pub struct InvalidMessage {
    /// The offending field.
    pub field: &'static str,
    /// What is wrong with it.
    pub reason: String,
}

/// Parses a text field.
pub(super) fn parse<T>(field: &'static str, text: &str) -> Result<T, InvalidMessage>
where
    T: FromStr<Err: Display>,
{
    text.parse().map_err(|reason: T::Err| InvalidMessage {
        field,
        reason: reason.to_string(),
    })
}

/// Parses a text field in which nothing stands for `None`.
fn parse_optional<T>(field: &'static str, text: &str) -> Result<Option<T>, InvalidMessage>
where
    T: FromStr<Err: Display>,
{
    if text.is_empty() {
        Ok(None)
    } else {
        parse(field, text).map(Some)
    }
}

/// Takes a nested message that must be there.
fn require<T>(field: &'static str, value: Option<T>) -> Result<T, InvalidMessage> {
    let reason = || InvalidMessage {
        field,
        reason: "is missing".to_owned(),
    };
    value.ok_or_else(reason)
}

/// Converts every element of a repeated field.
fn each<W, D>(items: Vec<W>) -> Result<Vec<D>, InvalidMessage>
where
    D: TryFrom<W, Error = InvalidMessage>,
{
    items.into_iter().map(D::try_from).collect()
}

/// What ends a text that was cut.
const CUT: &str = " …";

/// A peer's text for people, of at most so many bytes: it may be kept for ever.
fn cut(mut text: String, most: usize) -> String {
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most - CUT.len()));
        text.push_str(CUT);
    }
    text
}

/// A peer's text that would be another one if it were cut.
fn no_longer_than(most: usize, field: &'static str, text: String) -> Result<String, InvalidMessage> {
    if text.len() > most {
        let reason = format!("has {} bytes, at most {most} are accepted", text.len());
        return Err(InvalidMessage { field, reason });
    }
    Ok(text)
}

fn into_each<D, W: From<D>>(items: Vec<D>) -> Vec<W> {
    items.into_iter().map(W::from).collect()
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// A moment in which 0 stands for `None`.
fn optional_time(millis: u64) -> Option<Timestamp> {
    (millis != 0).then_some(Timestamp(millis))
}

fn optional_text(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}
