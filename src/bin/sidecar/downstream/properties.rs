//! Where a call goes, whatever a caller changes of it.

use std::ops::RangeInclusive;

use crate::{
    downstream::prepared::prepared, overrides::Overrides, problem::Problem,
    properties::query::decoded, settings::Settings,
};

/// The call of `orders` stays below `https://api.example/base/v1`, names no other caller, and frames no second
/// request.
pub(crate) fn call(settings: &Settings, overrides: &Overrides) -> Result<(), Problem> {
    let call = prepared(settings, "orders", overrides)?;
    let url = call.url.as_str();
    let rest = url.strip_prefix(BASE).expect(url);
    assert!(rest.is_empty() || rest.starts_with(['/', '?']), "{url}");
    let is_of_a_url = |byte: u8| byte.is_ascii_graphic() && !b"\"#<>\\^`{|}'".contains(&byte);
    let path = rest.split('?').next().unwrap_or_default();
    assert!(path.replace('\'', "").bytes().all(is_of_a_url), "{url}");
    let query = rest.split_once('?').map_or("", |(_, query)| query);
    assert!(query.bytes().all(is_of_a_url), "{url}");
    stays(path);

    // Those of the caller take the place of those configured, in any letter case.
    let names = query
        .split('&')
        .map(|part| part.split('=').next().unwrap_or_default());
    if overrides.relative_path.is_none() {
        let versions = names.filter(|name| decoded(name).eq_ignore_ascii_case("version"));
        assert_eq!(versions.count(), 1, "{url}");
    }

    for (own, value) in &call.headers {
        let is_other = |c: char| !matches!(c, 'a'..='z' | '0'..='9');
        let name = own.as_str().replace(is_other, "-");
        let starts = ["content-", "proxy-", "x-forwarded-", "x-ms-token-"];
        assert!(
            !starts.iter().any(|start| name.starts_with(start)),
            "{name}"
        );
        let of_principal = name.strip_prefix("x-ms-client-principal");
        assert!(
            !matches!(of_principal, Some("" | "-id" | "-idp" | "-name")),
            "{name}"
        );
        assert!(!RESERVED.contains(&&*name), "{name}");
        let is_plain = |byte: &u8| matches!(byte, b'\t' | b' '..=b'~');
        assert!(value.as_bytes().iter().all(is_plain), "{name}");
        assert_eq!(call.headers.get_all(own).iter().count(), 1, "{own}");
    }
    assert!(call.headers.contains_key("accept"));
    let method = call.method.as_str().to_ascii_uppercase();
    assert!(
        !["CONNECT", "DEBUG", "TRACE", "TRACK"].contains(&&*method),
        "{method}"
    );
    assert!(call.body.is_none());
    Ok(())
}

/// No server takes a part of this path for `..`: however often it decodes, whatever it takes for a slash or a
/// dot, whatever it cuts off or leaves out.
fn stays(path: &str) {
    let mut text = path.to_owned();
    for _ in 0..16 {
        let plain = text
            .replace(SLASHES, "/")
            .replace(['\u{2024}', '\u{fe52}', '\u{ff0e}'], ".")
            .replace(['\u{2025}', '\u{fe30}'], "..")
            .replace(['\u{2026}', '\u{fe19}'], "...");
        for segment in plain.split('/') {
            let mut segment = segment
                .split([';', '?', '#'])
                .next()
                .unwrap_or_default()
                .to_owned();
            segment.retain(|c| !c.is_whitespace() && !has_no_width(c));
            let is_dots = segment.len() > 1 && segment.chars().all(|c| c == '.');
            assert!(!is_dots, "{path}");
        }
        assert!(!plain.contains(char::is_control), "{path}");
        // A `+` of a path is no space.
        let next = decoded(&text.replace('+', "%2B"));
        if next == text {
            break;
        }
        text = next;
    }
}

/// `Default_Ignorable_Code_Point` of Unicode, and the three marks of an annotation, which had it once.
fn has_no_width(c: char) -> bool {
    let code = u32::from(c);
    NO_WIDTH.iter().any(|range| range.contains(&code))
}

const BASE: &str = "https://api.example/base/v1";

const RESERVED: [&str; 15] = [
    "authorization",
    "connection",
    "cookie",
    "expect",
    "forwarded",
    "host",
    "http2-settings",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-original-host",
    "x-original-url",
    "x-rewrite-url",
];

const SLASHES: [char; 7] = [
    '\\', '\u{2044}', '\u{2215}', '\u{2216}', '\u{fe68}', '\u{ff0f}', '\u{ff3c}',
];

const NO_WIDTH: [RangeInclusive<u32>; 17] = [
    0xad..=0xad,
    0x34f..=0x34f,
    0x61c..=0x61c,
    0x115f..=0x1160,
    0x17b4..=0x17b5,
    0x180b..=0x180f,
    0x200b..=0x200f,
    0x202a..=0x202e,
    0x2060..=0x206f,
    0x3164..=0x3164,
    0xfe00..=0xfe0f,
    0xfeff..=0xfeff,
    0xffa0..=0xffa0,
    0xfff0..=0xfffb,
    0x1bca0..=0x1bca3,
    0x1d173..=0x1d17a,
    0xe0000..=0xe0fff,
];
