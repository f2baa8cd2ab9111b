//! Numbers in JSON.

/// A JSON number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    Integer(i64),
    /// Also a whole number that an `i64` does not hold or that is written as a fraction, and `-0`.
    Fraction(f64),
}

impl Number {
    /// Reads a number that keeps to the grammar of JSON. None if it is out of the range of an `f64`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text.parse() {
            Ok(0) if text == "-0" => {}
            Ok(integer) => return Some(Self::Integer(integer)),
            Err(_) => {}
        }
        let fraction: f64 = text.parse().ok()?;
        fraction.is_finite().then_some(Self::Fraction(fraction))
    }
}
