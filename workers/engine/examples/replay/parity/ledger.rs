//! One line per compared item.

use std::fmt;

use candle_core::{DType, Tensor};

/// How far a recomputed value may be from the golden one.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Tolerance {
    /// Equal, NaN included.
    Exact,
    /// Absolute difference of any element.
    Abs(f64),
    /// Absolute difference relative to the golden tensor's largest element.
    Rel(f64),
    /// Bytes: at most 1 apart, in at most this share of the elements.
    Bytes(f64),
}

/// The outcome of one item.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    name: String,
    outcome: Outcome,
}

#[derive(Clone, Debug)]
enum Outcome {
    Compared(Difference),
    /// Could not be compared, and why.
    Missed(String),
    /// Something to know about the set; compares nothing.
    Note(String),
}

#[derive(Clone, Copy, Debug)]
struct Difference {
    abs: f64,
    rel: f64,
    apart: f64,
    tolerance: Tolerance,
}

impl Difference {
    fn of(got: &[f64], want: &[f64], tolerance: Tolerance) -> Self {
        let distance = |(got, want): (&f64, &f64)| match (got.is_nan(), want.is_nan()) {
            (true, true) => 0.0,
            (false, false) if got.to_bits() == want.to_bits() => 0.0,
            (false, false) => (got - want).abs(),
            _ => f64::INFINITY,
        };
        let distances: Vec<f64> = got.iter().zip(want).map(distance).collect();
        let largest = want
            .iter()
            .fold(0.0, |largest: f64, value| largest.max(value.abs()));
        let abs = distances.iter().copied().fold(0.0, f64::max);
        let rel = if abs == 0.0 { 0.0 } else { abs / largest };
        let apart =
            distances.iter().filter(|distance| **distance > 0.0).count() as f64 / want.len().max(1) as f64;
        Self {
            abs,
            rel,
            apart,
            tolerance,
        }
    }

    fn ok(&self) -> bool {
        match self.tolerance {
            Tolerance::Exact => self.abs == 0.0,
            Tolerance::Abs(most) => self.abs <= most,
            Tolerance::Rel(most) => self.rel <= most,
            Tolerance::Bytes(share) => self.abs <= 1.0 && self.apart <= share,
        }
    }
}

impl Line {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn ok(&self) -> bool {
        match &self.outcome {
            Outcome::Compared(difference) => difference.ok(),
            Outcome::Missed(_) => false,
            Outcome::Note(_) => true,
        }
    }
}

impl fmt::Display for Tolerance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Exact => "exact".to_owned(),
            Self::Abs(most) => format!("abs {most:.0e}"),
            Self::Rel(most) => format!("rel {most:.0e}"),
            Self::Bytes(share) => format!("±1 on {share:.0e}"),
        };
        f.pad(&text)
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<58} ", self.name)?;
        match &self.outcome {
            Outcome::Note(text) => write!(f, "note: {text}"),
            Outcome::Missed(reason) => write!(f, "{:>9} {:>9} {:>12}  MISS  {reason}", "-", "-", "-"),
            Outcome::Compared(Difference {
                abs, rel, tolerance, ..
            }) => {
                let verdict = if self.ok() { "ok" } else { "MISS" };
                write!(f, "{abs:>9.1e} {rel:>9.1e} {tolerance:>12}  {verdict}")
            }
        }
    }
}

/// Collects the lines of one part.
#[derive(Default)]
pub(crate) struct Ledger(Vec<Line>);

impl Ledger {
    /// Records an item that could not be compared.
    pub(crate) fn miss(&mut self, name: &str, reason: &str) {
        self.0.push(Line {
            name: name.to_owned(),
            outcome: Outcome::Missed(reason.to_owned()),
        });
    }

    /// Records something a reader should know about the set.
    pub(crate) fn note(&mut self, name: &str, text: &str) {
        self.0.push(Line {
            name: name.to_owned(),
            outcome: Outcome::Note(text.to_owned()),
        });
    }

    /// Compares plain numbers.
    pub(crate) fn numbers(&mut self, name: &str, got: &[f64], want: &[f64], tolerance: Tolerance) {
        if got.len() != want.len() {
            return self.miss(name, &format!("{} values, expected {}", got.len(), want.len()));
        }
        let outcome = Outcome::Compared(Difference::of(got, want, tolerance));
        self.0.push(Line {
            name: name.to_owned(),
            outcome,
        });
    }

    /// Compares tensors of equal shape and any element type.
    pub(crate) fn tensors(&mut self, name: &str, got: &Tensor, want: &Tensor, tolerance: Tolerance) {
        if got.dims() != want.dims() {
            return self.miss(
                name,
                &format!("shape {:?}, expected {:?}", got.dims(), want.dims()),
            );
        }
        match (elements(got), elements(want)) {
            (Ok(got), Ok(want)) => self.numbers(name, &got, &want, tolerance),
            (Err(error), _) | (_, Err(error)) => self.miss(name, &error.to_string()),
        }
    }

    /// Records whether `got` is `want`.
    pub(crate) fn equal<T: PartialEq + fmt::Debug>(&mut self, name: &str, got: &T, want: &T) {
        if got == want {
            self.numbers(name, &[], &[], Tolerance::Exact);
        } else {
            self.miss(name, &format!("got {got:?}, expected {want:?}"));
        }
    }

    pub(crate) fn into_lines(self) -> Vec<Line> {
        self.0
    }
}

fn elements(tensor: &Tensor) -> candle_core::Result<Vec<f64>> {
    tensor.flatten_all()?.to_dtype(DType::F64)?.to_vec1::<f64>()
}
