//! Values of one kind, read from a section.

use std::{fmt, net::IpAddr, str::FromStr};

use reqwest::Url;

use super::{
    report::Report,
    shown::shown,
    tree::{Origin, Section},
};

/// As .NET's `bool.Parse`: `true` or `false` in any letter case, with white space around it or without.
pub(super) fn flag(section: &Section<'_>, default: bool, report: &mut Report) -> bool {
    match section.text() {
        None => default,
        Some(text) if text.eq_ignore_ascii_case("true") => true,
        Some(text) if text.eq_ignore_ascii_case("false") => false,
        Some(text) => {
            let found = format!("{} is neither true nor false", shown(text));
            report.wrong(section, found, "true, false", "Set it to one of them.");
            default
        }
    }
}

/// A GUID that is not all zero.
pub(super) fn guid<T: FromStr + fmt::Display>(text: &str) -> Option<T> {
    let guid: T = text.parse().ok()?;
    let is_zero = guid.to_string().bytes().all(|byte| b"0-".contains(&byte));
    (!is_zero).then_some(guid)
}

/// Whether the host is an address of this machine only: of `127.0.0.0/8`, also as an address of IPv6, or `::1`.
pub(super) fn is_loopback_address(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let host = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    match host.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => false,
    }
}

/// The texts of a section, each with the section that it comes from: a list, or one text that is split at white
/// space. Whichever of the two the later source gives. None if neither is there. That each element is a text is
/// checked with the known keys.
pub(super) fn words<'a>(
    section: &Section<'a>,
    report: &mut Report,
) -> Option<Vec<(&'a str, Section<'a>)>> {
    let elements: Vec<_> = section.children().collect();
    let rank = |section: &Section<'_>| section.origin().map(Origin::rank);
    let of_text = section.raw().and_then(|_| rank(section));
    let of_list = elements.iter().filter_map(rank).max();
    let is_text = of_text > of_list;
    if of_text == of_list && section.text().is_some() {
        let found = "is one text and a list";
        report.wrong(section, found, "either of them", "Remove one of them.");
    }
    if is_text {
        let words = section.raw().unwrap_or_default().split_whitespace();
        return Some(words.map(|word| (word, section.clone())).collect());
    }
    of_list?;
    let mut words = Vec::new();
    for element in elements {
        if let Some(text) = element.text() {
            words.extend(text.split_whitespace().map(|word| (word, element.clone())));
        }
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    use tower_entra::TenantId;

    use super::*;
    use crate::settings::tree::Tree;

    #[test]
    fn a_flag_is_read_as_dotnet_reads_it() {
        for (text, expected) in [
            ("true", Some(true)),
            ("TRUE", Some(true)),
            (" True\n", Some(true)),
            ("False", Some(false)),
            ("", Some(true)),
            ("1", None),
            ("0", None),
            ("yes", None),
            ("on", None),
            ("tru e", None),
        ] {
            let mut tree = Tree::default();
            tree.set("a", Some(text.to_owned()), &Origin::Argument);
            let mut report = Report::default();
            let flag = flag(&tree.root().at("a"), true, &mut report);
            let expected_flag = expected.unwrap_or(true);
            assert_eq!(
                (flag, report.has_problems()),
                (expected_flag, expected.is_none()),
                "{text:?}"
            );
        }
    }

    #[test]
    fn a_guid_of_zeros_is_none() {
        let zero = "00000000-0000-0000-0000-000000000000";
        assert!(guid::<TenantId>(zero).is_none());
        assert!(guid::<TenantId>("00000000-0000-0000-0000-000000000001").is_some());
    }

    #[test]
    fn a_later_source_gives_a_text_or_a_list() {
        let file = || Origin::File {
            name: "f".into(),
            order: 0,
        };
        let list = [("a:0", "b c"), ("a:1", "d")];
        let text = [("a", "x y")];
        for (earlier, later, expected) in [
            (&list[..], &text[..], &["x", "y"][..]),
            (&text, &list, &["b", "c", "d"]),
            (&list, &[], &["b", "c", "d"]),
            (&list, &[("a:1", "e")], &["b", "c", "e"]),
            (&text, &[("a", "")], &[]),
            (&list, &[("a:0", "")], &["d"]),
        ] {
            let mut tree = Tree::default();
            for (path, value) in earlier {
                tree.set(path, Some((*value).to_owned()), &file());
            }
            for (path, value) in later {
                tree.set(path, Some((*value).to_owned()), &Origin::Argument);
            }
            let mut report = Report::default();
            let words = words(&tree.root().at("a"), &mut report).expect("words");
            let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            assert_eq!(words, expected);
            assert!(!report.has_problems());
        }
    }

    #[test]
    fn a_text_and_a_list_of_one_source_are_a_problem() {
        let mut tree = Tree::default();
        for path in ["a", "a:0"] {
            tree.set(path, Some("b".to_owned()), &Origin::Argument);
        }
        let mut report = Report::default();
        words(&tree.root().at("a"), &mut report);
        assert!(report.has_problems());
        tree.set("a", Some(" ".to_owned()), &Origin::Argument);
        let mut report = Report::default();
        let list = words(&tree.root().at("a"), &mut report).expect("words");
        assert!(matches!(&*list, [("b", _)]) && !report.has_problems());
        assert!(words(&tree.root().at("b"), &mut report).is_none());
    }
}
