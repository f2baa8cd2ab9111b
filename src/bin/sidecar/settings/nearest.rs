//! The known name that a wrong one may have been meant for.

use super::tree::fold;

/// The name with the fewest letters to change, if these are few.
pub(super) fn nearest<'n>(
    wrong: &str,
    names: impl IntoIterator<Item = &'n str>,
) -> Option<&'n str> {
    let wrong: Vec<char> = fold(wrong).chars().collect();
    if wrong.len() > MAX_LENGTH {
        return None;
    }
    let with_distance = names.into_iter().filter_map(|name| {
        let letters: Vec<char> = fold(name).chars().collect();
        let distance = distance(&wrong, &letters);
        (distance <= 1 + letters.len() / 4).then_some((distance, name))
    });
    with_distance.min().map(|(_, name)| name)
}

/// How many letters must be put in, taken out or replaced.
fn distance(one: &[char], other: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, a) in one.iter().enumerate() {
        let mut diagonal = at;
        let mut left = at + 1;
        for (cell, b) in row.iter_mut().skip(1).zip(other) {
            let above = *cell;
            let replaced = diagonal + usize::from(a != b);
            left = replaced.min(above + 1).min(left + 1);
            diagonal = above;
            *cell = left;
        }
        row[0] = at + 1;
    }
    row.last().copied().unwrap_or_default()
}

/// No known name is longer.
const MAX_LENGTH: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found() {
        let names = ["TenantId", "ClientId", "Instance", "GetAuthorizationHeader"];
        for (wrong, expected) in [
            ("TenantID ", Some("TenantId")),
            ("TennantId", Some("TenantId")),
            ("tenant", Some("TenantId")),
            ("TenantId123", Some("TenantId")),
            ("TenantId1234", None),
            ("Clientid_", Some("ClientId")),
            ("AuthorizationHeader", Some("GetAuthorizationHeader")),
            ("Secret", None),
            ("", None),
        ] {
            assert_eq!(nearest(wrong, names), expected, "{wrong}");
        }
        let known = &*"a".repeat(MAX_LENGTH);
        assert_eq!(nearest(known, [known]), Some(known));
        assert_eq!(nearest(&"a".repeat(MAX_LENGTH + 1), [known]), None);
    }

    #[test]
    fn a_distance_is_that_of_levenshtein() {
        let of = |a: &str, b: &str| {
            let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
            distance(&a, &b)
        };
        for (a, b, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("kitten", "sitting", 3),
            ("flaw", "lawn", 2),
            ("abc", "abc", 0),
        ] {
            assert_eq!(of(a, b), expected, "{a} {b}");
        }
    }
}
