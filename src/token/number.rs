//! Numbers, in whatever form serde_json presents them.

use std::{fmt, sync::OnceLock};

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};

/// A JSON number.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Number {
    Integer(i64),
    Fraction(f64),
}

/// A number as serde_json hands it over when its feature `arbitrary_precision` is on.
pub(super) struct NumberText(pub(super) Number);

impl<'j> Deserialize<'j> for NumberText {
    fn deserialize<D: Deserializer<'j>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if let Ok(number) = text.parse() {
            return Ok(Self(Number::Integer(number)));
        }
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Self(Number::Fraction(number))),
            _ => Err(D::Error::custom("a number out of range")),
        }
    }
}

/// Whether some crate in the graph has turned on serde_json's `arbitrary_precision`, which makes
/// it present every fraction and every large number as an object with one member. What a token may be must not depend on
/// that, so it is found out and undone here.
pub(super) fn numbers_come_as_objects() -> bool {
    struct Probe;

    impl<'j> Visitor<'j> for Probe {
        type Value = bool;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a number")
        }

        fn visit_f64<E>(self, _: f64) -> Result<bool, E> {
            Ok(false)
        }

        fn visit_map<A: MapAccess<'j>>(self, mut map: A) -> Result<bool, A::Error> {
            map.next_entry::<String, String>().map(|_| true)
        }
    }

    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| {
        serde_json::Deserializer::from_str("0.5")
            .deserialize_any(Probe)
            .unwrap_or(false)
    })
}

/// The name under which serde_json hides a number: its own, and not documented.
pub(super) const NUMBER: &str = "$serde_json::private::Number";
