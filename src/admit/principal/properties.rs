//! What holds of every set of facets.

use crate::admit::facets::{Facet, FacetSet, Facets};

/// A text is read as another reading of it says; order, repeats and spacing make no difference; and
/// what a set lists is what it contains.
pub(crate) fn facets(text: &str) {
    let read = |text: &str| FacetSet::read([Ok(text)]).map(Facets);
    let values = |set: &Facets| set.iter().map(Facet::value).collect::<Vec<_>>();
    let set = read(text);
    assert_eq!(set.as_ref().map(values), expected_set(text), "{text:?}");

    let mut parts: Vec<&str> = text.split_whitespace().collect();
    parts.reverse();
    assert_eq!(read(&parts.join("\t")), set, "{text:?} in another order");
    let twice = [parts.join(" "), text.to_owned()].join("\n");
    assert_eq!(read(&twice), set, "{text:?} twice");
    let apart = FacetSet::read(parts.iter().map(|part| Ok(*part))).map(Facets);
    assert_eq!(apart, set, "{text:?} as a list");

    let Some(set) = set else { return };
    for facet in set.iter() {
        assert!(set.contains(facet) && facet.value() % 2 == 1, "{facet:?}");
        assert!(!set.contains(Facet::new(facet.value() - 1)), "{facet:?}");
    }
}

/// The odd and positive of the integers in a text, in ascending order; `None` if a part of it is no
/// integer of 32 bits, or if there is none at all.
pub(crate) fn expected_set(text: &str) -> Option<Vec<u32>> {
    let mut values = std::collections::BTreeSet::new();
    let mut parts = text
        .split(char::is_whitespace)
        .filter(|part| !part.is_empty())
        .peekable();
    parts.peek()?;
    for part in parts {
        let digits = part.strip_prefix(['-', '+']).unwrap_or(part);
        if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        let significant = digits.trim_start_matches('0');
        if significant.len() > 10 {
            return None;
        }
        let value = significant
            .bytes()
            .fold(0_i64, |value, digit| value * 10 + i64::from(digit - b'0'));
        let value = if part.starts_with('-') { -value } else { value };
        i32::try_from(value).ok()?;
        if let Ok(value) = u32::try_from(value)
            && value % 2 == 1
        {
            values.insert(value);
        }
    }
    Some(values.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::select};

    /// Mostly small integers between spaces, and now and then something else.
    fn text() -> impl Strategy<Value = String> {
        let part = prop_oneof![
            8 => (0..40_i64).prop_map(|value| value.to_string()),
            2 => any::<i32>().prop_map(|value| value.to_string()),
            1 => select(ODD_PARTS.as_slice()).prop_map(str::to_owned),
        ];
        let space = select([" ", "  ", "\t", "\u{3000}", ",", "\u{200b}"].as_slice());
        vec((part, prop_oneof![9 => Just(" "), 1 => space]), 0..8).prop_map(|parts| {
            let parts = parts.into_iter().map(|(part, space)| part + space);
            parts.collect()
        })
    }

    const ODD_PARTS: [&str; 14] = [
        "+11",
        "-11",
        "011",
        "11.0",
        "1e1",
        "0x11",
        "2147483647",
        "2147483648",
        "-2147483648",
        "4294967309",
        "99999999999999999999",
        "١١",
        "-",
        "x",
    ];

    proptest! {
        #[test]
        fn a_set_is_what_another_reading_of_the_text_says(text in text()) {
            super::facets(&text);
        }

        #[test]
        fn any_text_at_all_is_a_set_or_none(text in any::<String>()) {
            super::facets(&text);
        }
    }
}
