//! Numbers in JSON.

use std::borrow::Cow;

/// A JSON number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    Integer(i64),
    /// Also a whole number that an `i64` does not hold or that is written as a fraction, and `-0`. Digits
    /// after the nineteenth count as zeros.
    Fraction(f64),
}

impl Number {
    /// Reads a number that keeps to the grammar of JSON. None if it is out of the range of an `f64`, or
    /// if `serde_json` says so, with which a handler reads the claims again.
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text.parse() {
            Ok(0) if text == "-0" => {}
            Ok(integer) => return Some(Self::Integer(integer)),
            Err(_) => {}
        }
        let fraction: f64 = cut_off(text).parse().ok()?;
        let is_in_range = fraction.abs() <= UNDISPUTED || serde_json::from_str::<f64>(text).is_ok();
        is_in_range.then_some(Self::Fraction(fraction))
    }
}

/// The same number, its digits after the nineteenth taken for zeros.
///
/// Further digits only decide between two neighbouring doubles, for which the standard library takes a
/// hundred times as long. One 16 KiB header of such numbers cost as much as 339 good tokens.
fn cut_off(text: &str) -> Cow<'_, str> {
    if text.len() <= DIGITS {
        return Cow::Borrowed(text);
    }
    let (digits, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    // An exponent beyond 32 bits makes the number zero or infinite, whatever its digits.
    let Ok(exponent) = exponent.parse::<i32>() else {
        return Cow::Borrowed(text);
    };
    let (mut value, mut taken, mut exponent) = (0_u64, 0, i64::from(exponent));
    let mut after_the_point = false;
    for byte in digits.bytes() {
        match byte {
            b'.' => after_the_point = true,
            b'0'..=b'9' if taken < DIGITS => {
                value = 10 * value + u64::from(byte - b'0');
                // Leading zeros do not count.
                taken += usize::from(value > 0);
                exponent -= i64::from(after_the_point);
            }
            b'0'..=b'9' => exponent += i64::from(!after_the_point),
            _ => {}
        }
    }
    let sign = if text.starts_with('-') { "-" } else { "" };
    Cow::Owned(format!("{sign}{value}e{exponent}"))
}

/// `f64::MAX` is 1.79769313486231570…e308. `serde_json` refuses 1.797693134862315807e308, which rounds to
/// it: it multiplies rounded factors, and errs by less than two units in the last place. This is four
/// below.
const UNDISPUTED: f64 = 1.797_693_134_862_315e308;

/// The most decimal digits that a `u64` holds.
const DIGITS: usize = 19;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn fraction(text: &str) -> f64 {
        match Number::parse(text) {
            Some(Number::Fraction(fraction)) => fraction,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn a_long_number_is_what_it_is_without_its_last_digits() {
        for (long, short) in [
            ("12345678901234567890123", "12345678901234567890000"),
            ("-12345678901234567890123", "-12345678901234567890000"),
            ("0.12345678901234567890123", "0.1234567890123456789"),
            ("0.000000000000000000000012345", "12345e-27"),
            ("123.4567890123456789012345e-7", "123.4567890123456789e-7"),
            ("123.4567890123456789012345E+7", "123.4567890123456789E7"),
            ("-0.00000000000000000000000", "-0.0"),
            ("1000000000000000000000.000", "1e21"),
            ("17000000000000002382e289", "1.700000000000000238e308"),
        ] {
            assert_eq!(
                fraction(long).to_bits(),
                fraction(short).to_bits(),
                "{long}"
            );
        }
        // With the last digit it would be nearer to the next one.
        assert_eq!(
            fraction("9007199254740993.0000001"),
            9_007_199_254_740_992.0
        );
    }

    /// A token whose claims could not be read again would fail in the handler.
    #[test]
    fn no_number_is_read_that_serde_json_finds_out_of_range() {
        let mut read = 0;
        for last in (0..100_000).step_by(11) {
            for text in [
                format!("1.79769313486231{last:05}e308"),
                format!("-179769313486231{last:05}e289"),
                format!("0.000179769313486231{last:05}E+312"),
                format!("179769313486231{last:05}{}", "0".repeat(289)),
            ] {
                if Number::parse(&text).is_some() {
                    read += 1;
                    assert!(serde_json::from_str::<f64>(&text).is_ok(), "{text}");
                }
            }
        }
        assert!((1..36_000).contains(&read), "{read}");
        assert_eq!(Number::parse("1.797693134862315807e308"), None);
    }

    #[test]
    fn an_exponent_beyond_all_measure_decides_alone() {
        assert_eq!(fraction("12345678901234567890e-99999999999"), 0.0);
        assert_eq!(fraction("0.0000000000000000000e99999999999"), 0.0);
        for text in [
            "12345678901234567890e99999999999",
            "12345678901234567890e2147483647",
            "0.1234567890123456789e2147483648",
        ] {
            assert_eq!(Number::parse(text), None, "{text}");
        }
        assert_eq!(fraction("0.1234567890123456789e-2147483648"), 0.0);
    }
}
