//! Configured claims, read as the crate reads them when it sends them: what it refuses would fail each request.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Whether it is one JSON object of at most 8 KiB, at most 32 deep, in which no object has a member twice.
pub(super) fn are_claims(text: &str) -> bool {
    if text.len() > MAX_BYTES || !text.starts_with('{') {
        return false;
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    let read = reader.deserialize_any(Distinct { room: MAX_DEPTH });
    read.is_ok() && reader.end().is_ok()
}

/// Checks a value with everything in it, and keeps nothing.
#[derive(Clone, Copy)]
struct Distinct {
    /// How many levels may still be opened.
    room: usize,
}

impl Distinct {
    fn inside<E: Error>(self) -> Result<Self, E> {
        let room = self.room.checked_sub(1);
        let room = room.ok_or_else(|| E::custom("too deep"))?;
        Ok(Self { room })
    }
}

impl<'de> DeserializeSeed<'de> for Distinct {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Distinct {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let inside = self.inside()?;
        while let Some(()) = list.next_element_seed(inside)? {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let inside = self.inside()?;
        let mut names = std::collections::HashSet::new();
        while let Some(name) = map.next_key::<String>()? {
            if !names.insert(name) {
                return Err(A::Error::custom("a member name appears twice"));
            }
            map.next_value_seed(inside)?;
        }
        Ok(())
    }
}

/// The limits of the crate.
const MAX_BYTES: usize = 8 * 1024;
const MAX_DEPTH: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_that_the_crate_would_refuse_are_none() {
        let nested = |depth: usize| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
        let long = |length: usize| format!("{{\"a\":\"{}\"}}", "b".repeat(length - 8));
        for good in [
            "{}",
            r#"{"access_token":{"nbf":{"essential":true,"value":"1"}}}"#,
            r#"{"a":{"b":null},"c":{"b":[1,-2,2.5,"x",{"b":false}]}}"#,
            r#"{"a":1,"A":2}"#,
            &nested(MAX_DEPTH),
            &long(MAX_BYTES),
        ] {
            assert!(are_claims(good), "{good}");
        }
        for wrong in [
            "",
            "[]",
            "\"a\"",
            "{",
            "{} {}",
            "{\"a\":1,}",
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":1}"#,
            r#"{"access_token":{"nbf":null,"nbf":null}}"#,
            r#"{"a":[{"b":1,"b":2}]}"#,
            &nested(MAX_DEPTH + 1),
            &nested(100_000),
            &long(MAX_BYTES + 1),
        ] {
            assert!(!are_claims(wrong), "{wrong}");
        }
    }
}
