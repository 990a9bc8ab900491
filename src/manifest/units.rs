//! Sizes, durations and counts with their units: `16GiB`, `5m`, `50 steps`.

use std::time::Duration;

/// A text that is not what it should be, and how it should look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Malformed {
    pub message: String,
    pub help: &'static str,
}

const SIZE_HELP: &str = "write a number and a unit: `512MiB`, `16GiB`, `1.5GB`";
const STEPS_HELP: &str =
    "write a number and the word: `50 steps`; `0 steps` saves only when a worker is told to stop";
const SPAN_HELP: &str = "write a number and a unit: `500ms`, `10s`, `5m`, `1h`";

/// Bytes in `16GiB`. Units are powers of 1024 with an `i`, else of 1000.
pub(crate) fn size(text: &str) -> Result<u64, Malformed> {
    let malformed = || Malformed {
        message: format!("`{text}` is not a size"),
        help: SIZE_HELP,
    };
    let (number, unit) = split(text);
    let factor: f64 = match unit {
        "B" => 1.0,
        "kB" | "KB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        "TB" => 1e12,
        "KiB" => 1024.0,
        "MiB" => 1_048_576.0,
        "GiB" => 1_073_741_824.0,
        "TiB" => 1_099_511_627_776.0,
        _ => return Err(malformed()),
    };
    let number: f64 = number.parse().map_err(|_| malformed())?;
    let bytes = number * factor;
    if bytes.is_finite() && (0.0..9e15).contains(&bytes) {
        Ok(bytes as u64)
    } else {
        Err(malformed())
    }
}

/// Steps in `50 steps`.
pub(crate) fn steps(text: &str) -> Result<u32, Malformed> {
    let malformed = || Malformed {
        message: format!("`{text}` is not a number of steps"),
        help: STEPS_HELP,
    };
    let (number, unit) = split(text);
    let number = number.parse().map_err(|_| malformed())?;
    if matches!(unit, "step" | "steps") {
        Ok(number)
    } else {
        Err(malformed())
    }
}

/// The time in `5m`; at most a week.
pub(crate) fn span(text: &str) -> Result<Duration, Malformed> {
    let parsed = humantime::parse_duration(text);
    parsed
        .map_err(|_| Malformed {
            message: format!("`{text}` is not a length of time"),
            help: SPAN_HELP,
        })
        .and_then(|span| {
            let week = Duration::from_hours(7 * 24);
            let too_long = Malformed {
                message: format!("`{text}` is longer than a week"),
                help: SPAN_HELP,
            };
            if span <= week { Ok(span) } else { Err(too_long) }
        })
}

/// The leading number and the unit after it.
fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_read() {
        assert_eq!(size("16GiB"), Ok(16 << 30));
        assert_eq!(size("1.5 GB"), Ok(1_500_000_000));
        assert_eq!(size("0B"), Ok(0));
        assert_eq!(steps("50 steps"), Ok(50));
        assert_eq!(steps("1 step"), Ok(1));
        assert_eq!(span("5m"), Ok(Duration::from_mins(5)));
    }

    #[test]
    fn what_has_no_unit_or_no_end_is_refused() {
        for text in [
            "",
            "16",
            "16 G",
            "GiB",
            "-1GiB",
            "1e99GiB",
            "9999999999999TiB",
            "1.2.3GiB",
            "16GiB 1",
        ] {
            assert!(size(text).is_err(), "{text:?} was accepted");
        }
        for text in ["", "50", "50 epochs", "-1 steps", "5000000000 steps", "1.5 steps"] {
            assert!(steps(text).is_err(), "{text:?} was accepted");
        }
        for text in ["", "10", "5 parsecs", "9y", "-1s"] {
            assert!(span(text).is_err(), "{text:?} was accepted");
        }
    }
}
