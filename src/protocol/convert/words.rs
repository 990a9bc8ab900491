//! Enums that are the same on both sides.

/// Pairs a domain enum with its wire enum, both ways.
macro_rules! same_words {
    ($domain:ident, $field:literal: $($variant:ident),+) => {
        impl From<$domain> for pb::$domain {
            fn from(state: $domain) -> Self {
                match state { $($domain::$variant => Self::$variant),+ }
            }
        }

        impl TryFrom<pb::$domain> for $domain {
            type Error = InvalidMessage;
            fn try_from(wire: pb::$domain) -> Result<Self, InvalidMessage> {
                match wire {
                    $(pb::$domain::$variant => Ok(Self::$variant),)+
                    pb::$domain::Unspecified => Err(InvalidMessage {
                        field: $field,
                        reason: "is not specified".to_owned(),
                    }),
                }
            }
        }
    };
}

pub(super) use same_words;
