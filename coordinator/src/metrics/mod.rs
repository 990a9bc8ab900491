//! What a coordinator counts.
//!
//! What the journal knows is counted from the state when somebody asks ([`census`]), so it cannot disagree with the
//! receipts. What only this process knows is counted as it happens ([`meters`]). [`pages`] shows both.

mod census;
mod meters;
mod pages;
#[cfg(test)]
mod tests;

pub(crate) use meters::Meters;
pub(crate) use pages::{Pages, text_of_a_standby};
