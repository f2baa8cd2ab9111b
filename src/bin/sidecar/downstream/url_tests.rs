use std::iter::empty;

use proptest::{collection::vec, prelude::*, sample::select};

use super::*;

#[track_caller]
fn base(text: &str) -> BaseUrl {
    BaseUrl::parse(text, false).expect("a base URL")
}

#[track_caller]
fn call(base_url: &str, relative: &str) -> String {
    let relative = RelativePath::parse(relative).expect("a path");
    let url = base(base_url).call(&relative, empty()).expect("a URL");
    url.to_string()
}

#[test]
fn the_path_is_appended_and_its_query_kept() {
    for (base_url, relative, url) in [
        ("https://api.test/v1", "", "https://api.test/v1"),
        ("https://api.test/v1/", "", "https://api.test/v1"),
        ("https://api.test/v1//", "", "https://api.test/v1"),
        ("https://api.test", "", "https://api.test/"),
        ("https://api.test/", "/", "https://api.test/"),
        ("https://api.test/v1", "/", "https://api.test/v1/"),
        (
            "https://api.test/v1/",
            "/items",
            "https://api.test/v1/items",
        ),
        (
            "https://api.test/v1",
            "items/",
            "https://api.test/v1/items/",
        ),
        ("https://api.test:443", "items", "https://api.test/items"),
        ("https://api.test:8443", "a", "https://api.test:8443/a"),
        ("https://API.test/V1", "a", "https://api.test/V1/a"),
        ("https://api.test/v1", "?a=b", "https://api.test/v1/?a=b"),
        ("https://api.test/v1", "a?", "https://api.test/v1/a"),
        (
            "https://api.test",
            "a?b=c&d=%26",
            "https://api.test/a?b=c&d=%26",
        ),
        (
            "https://api.test",
            "a?b=/../c?d",
            "https://api.test/a?b=/../c?d",
        ),
        (
            "https://api.test",
            "a?b=https://x/@y",
            "https://api.test/a?b=https://x/@y",
        ),
        ("https://api.test", "a//b", "https://api.test/a//b"),
        (
            "http://127.0.0.1:8080/v1",
            "a",
            "http://127.0.0.1:8080/v1/a",
        ),
        ("http://[::1]:8080", "a", "http://[::1]:8080/a"),
        ("http://localhost", "a", "http://localhost/a"),
    ] {
        assert_eq!(call(base_url, relative), url, "{base_url} {relative}");
    }
}

#[test]
fn what_is_no_url_is_escaped_as_dotnet_does() {
    for (relative, url) in [
        ("users/alice@contoso.test", "users/alice@contoso.test"),
        (
            "sites/a.test:/teams/b:/drive",
            "sites/a.test:/teams/b:/drive",
        ),
        ("documents:commit", "documents:commit"),
        (
            "drive/root:/A b/c.txt:/content",
            "drive/root:/A%20b/c.txt:/content",
        ),
        ("J\u{f6}rg", "J%C3%B6rg"),
        ("a%20b%2Fc", "a%20b%2Fc"),
        ("a%25b", "a%25b"),
        ("100%25", "100%25"),
        ("a\"<>^`{|}[]b", "a%22%3C%3E%5E%60%7B%7C%7D%5B%5Db"),
        ("a;v=1/b,c'd(e)*!$&+=~-_.", "a;v=1/b,c'd(e)*!$&+=~-_."),
        (
            "m?$filter=from eq 'a'&x=100%&y=%41\\\u{e9}",
            "m?$filter=from%20eq%20%27a%27&x=100%25&y=%41%5C%C3%A9",
        ),
        (
            "file.tar.gz/..hidden/a..b/...c/c..",
            "file.tar.gz/..hidden/a..b/...c/c..",
        ),
        (".well-known/x", ".well-known/x"),
    ] {
        let expected = format!("https://api.test/v1/{url}");
        assert_eq!(call("https://api.test/v1", relative), expected);
    }
}

#[test]
fn dots_that_stay_below_the_base_url_are_resolved() {
    for (relative, url) in [
        (".", "https://api.test/v1/"),
        ("./a", "https://api.test/v1/a"),
        ("a/./b", "https://api.test/v1/a/b"),
        ("a/../b", "https://api.test/v1/b"),
        ("a/b/..", "https://api.test/v1/a/"),
        ("a/..", "https://api.test/v1/"),
        ("a/b/../../c?d=..", "https://api.test/v1/c?d=.."),
    ] {
        assert_eq!(call("https://api.test/v1", relative), url, "{relative}");
    }
}

/// A reader of URLs, proxies and servers among them, could leave `/v1` by each.
#[test]
fn a_path_that_leaves_the_base_url_is_refused() {
    for relative in [
        // As it is.
        "..",
        "/..",
        "../",
        "../admin",
        "/../admin",
        "../v1",
        "../v1/items",
        "a/../..",
        "a/../../v1/a",
        "./../a",
        "a/b/../../../c",
        "..?a",
        // Escaped.
        "%2e%2e/admin",
        "%2E%2e/admin",
        ".%2e/admin",
        "%2e./admin",
        "a/%2e%2e/%2e%2e/admin",
        "a/%2e%2e",
        "a/%2e/b",
        // Escaped more than once.
        "%252e%252e/admin",
        "%25252e%25252e/admin",
        ".%252e/admin",
        "%2e%252E/admin",
        "%25%32%65%25%32%65/admin",
        "%2525252525252525252e%2e/admin",
        // Behind escaped slashes.
        "..%2fadmin",
        "..%2Fadmin",
        "%2e%2e%2fadmin",
        "a%2f..%2f..%2fadmin",
        "a%2f..",
        "a%252f..%252f..%252fadmin",
        "%2e%2e%252fadmin",
        "..%25%32%66admin",
        // Backslashes.
        "..\\admin",
        "\\..\\admin",
        "a\\..\\..\\admin",
        "..%5cadmin",
        "..%5Cadmin",
        "a%5c..%5c..%5cadmin",
        "..%255cadmin",
        "a\\b",
        "a%5cb",
        // Parameters and ends that a server takes off.
        "..;/admin",
        "..;a=b/admin",
        "..;",
        "a/..;/..;/admin",
        "%2e%2e;/admin",
        "..%3b/admin",
        "%2e%2e%253b/admin",
        "..%3fa/admin",
        "..%23a/admin",
        ".;/admin",
        // More dots and spaces, which Windows takes off.
        ".../admin",
        "..../admin",
        ".. /admin",
        "..%20/admin",
        "..%20./admin",
        ". ./admin",
        "..%09/admin",
        "..%c2%a0/admin",
        "..%e2%80%8b/admin",
        // Overlong, and other alphabets.
        "%c0%ae%c0%ae/admin",
        "%c0%2e%c0%2e/admin",
        "..%c0%afadmin",
        "%e0%80%ae%e0%80%ae/admin",
        "%f0%80%80%ae/admin",
        "%25c0%25ae%25c0%25ae/admin",
        "%u002e%u002e/admin",
        "%%32%65%%32%65/admin",
        "\u{ff0e}\u{ff0e}/admin",
        "%ef%bc%8e%ef%bc%8e/admin",
        "..\u{ff0f}admin",
        "..%ef%bc%8fadmin",
        "..\u{2215}admin",
        "..\u{ff3c}admin",
        "\u{2025}/admin",
        "\u{fe30}/admin",
        "\u{fe52}./admin",
        ".%2e\u{2060}/admin",
        "\u{ad}.%2E/admin",
        "a/..%EF%BB%BF",
        "\u{2024}\u{2024}/admin",
        // Bytes that end or split a text.
        "..%00/admin",
        "a%00/../../admin",
        "items%00",
        "items%0d%0aX: y",
        "items%7f",
        "%2500",
    ] {
        assert!(RelativePath::parse(relative).is_err(), "{relative:?}");
    }
}

#[test]
fn a_path_that_reads_like_another_host_is_refused() {
    for relative in [
        "//evil.test",
        "///evil.test/a",
        "/%2fevil.test",
        "%2f%2fevil.test",
        "a/..//evil.test",
        ".//evil.test",
        "/\\evil.test",
        "\\\\evil.test",
        "https://evil.test/",
        "HTTPS://evil.test/",
        "/https://evil.test/",
        "http:evil.test",
        "https:/evil.test",
        "ftp://evil.test",
        "a+b.c-d://evil.test",
        "./https://evil.test",
        "@evil.test",
        "/@evil.test",
        "a/../@evil.test",
    ] {
        assert!(RelativePath::parse(relative).is_err(), "{relative:?}");
    }
}

/// Each is a path on the API's own host, whatever it looks like.
#[test]
fn the_origin_is_always_that_of_the_base_url() {
    for relative in [
        ".evil.test",
        ":80@evil.test/",
        ":8443",
        "evil.test",
        "user:secret@evil.test/",
        "a@evil.test",
        "?@evil.test",
        "?//evil.test",
        "?https://evil.test",
        "a/https://evil.test",
        "a//evil.test",
        "javascript:alert(1)",
        "%40evil.test",
        "https%3a//evil.test",
        "https%3A%2F%2Fevil.test",
        "1a://evil.test",
    ] {
        let url = call("https://api.test", relative);
        let rest = url.strip_prefix("https://api.test/");
        assert!(rest.is_some(), "{relative:?}: {url}");
    }
}

#[test]
fn a_fragment_white_space_and_control_characters_are_refused() {
    for relative in [
        "#",
        "a#b",
        "a?b#c",
        "#/../admin",
        " a",
        "a ",
        "\ta",
        "a\tb",
        "a\r\nHost: evil.test",
        "a\nb",
        "a\u{0}b",
        "a\u{7f}b",
        "a\u{85}b",
        "a\u{a0}b",
        "a\u{2028}b",
        "a\u{3000}",
        "a?b\tc",
        "a?b\u{0}",
        "a?b\r\nc",
        " //evil.test",
        " ",
        "a%",
        "a%2",
        "a%zz",
        "a%2g",
        "%",
        "%e9",
        "%ff",
    ] {
        assert!(RelativePath::parse(relative).is_err(), "{relative:?}");
    }
}

#[test]
fn a_text_is_escaped_at_most_seven_times() {
    let of = |times: usize| format!("%{}61", "25".repeat(times - 1));
    assert_eq!(of(2), "%2561");
    for times in [1, 2, 7] {
        assert!(RelativePath::parse(&of(times)).is_ok(), "{times}");
    }
    let refused = RelativePath::parse(&of(8));
    assert_eq!(refused, Err("is escaped too often"));
}

#[test]
fn extra_parameters_come_last_and_are_escaped() {
    let base = base("https://api.test/v1");
    let with = |relative: &str, parameters: &[(&str, &str)]| {
        let relative = RelativePath::parse(relative).expect("a path");
        let url = base.call(&relative, parameters.iter().copied());
        url.expect("a URL").to_string()
    };
    let parameters = [("a", "b"), ("$top", "1 + 1&c=d#e%41/?\u{e9}'")];
    let escaped = "a=b&%24top=1%20%2B%201%26c%3Dd%23e%2541%2F%3F%C3%A9%27";
    for (relative, url) in [
        ("", format!("https://api.test/v1?{escaped}")),
        ("items", format!("https://api.test/v1/items?{escaped}")),
        ("items?", format!("https://api.test/v1/items?{escaped}")),
        (
            "items?x=y",
            format!("https://api.test/v1/items?x=y&{escaped}"),
        ),
        ("items?x&", format!("https://api.test/v1/items?x&{escaped}")),
    ] {
        assert_eq!(with(relative, &parameters), url);
    }
    let hostile = [
        ("\r\nHost: evil.test\u{0}", "\r\n\r\n"),
        ("@evil.test/..", "//"),
    ];
    assert_eq!(
        with("", &hostile),
        "https://api.test/v1?%0D%0AHost%3A%20evil.test%00=%0D%0A%0D%0A&%40evil.test%2F..=%2F%2F"
    );
}

#[test]
fn a_url_is_at_most_32_kib_long() {
    let base = base("https://api.test");
    let path = |len| RelativePath::parse(&"a".repeat(len)).expect("a path");
    let origin = "https://api.test/".len();
    assert!(base.call(&path(MAX_URL - origin), empty()).is_ok());
    assert!(base.call(&path(MAX_URL - origin + 1), empty()).is_err());
}

#[test]
fn a_base_url_is_one_of_https_or_of_this_machine() {
    for (text, is_https, as_https) in [
        ("https://api.test", true, "https://api.test:443"),
        ("https://api.test:8443/v1/", true, "https://api.test:8443"),
        ("HTTPS://Api.Test", true, "https://api.test:443"),
        ("http://localhost:8080", false, "https://localhost:8080"),
        ("http://LOCALHOST", false, "https://localhost:80"),
        ("http://127.0.0.1", false, "https://127.0.0.1:80"),
        ("http://127.9.8.7:1", false, "https://127.9.8.7:1"),
        ("http://[::1]:8080", false, "https://[::1]:8080"),
        (
            "http://[::ffff:127.0.0.1]",
            false,
            "https://[::ffff:7f00:1]:80",
        ),
    ] {
        let base = base(text);
        assert_eq!(base.is_https(), is_https, "{text}");
        assert_eq!(base.as_https(), as_https);
    }
}

#[test]
fn plain_http_to_another_host_is_refused_unless_it_is_allowed() {
    for text in [
        "http://api.test",
        "http://10.0.0.1",
        "http://0.0.0.0",
        "http://[::]",
        "http://localhost.test",
        "http://localhost.",
        "http://127.0.0.1.test",
        "http://xlocalhost",
    ] {
        assert!(BaseUrl::parse(text, false).is_err(), "{text}");
        assert!(BaseUrl::parse(text, true).is_ok(), "{text}");
    }
}

#[test]
fn anything_else_is_no_base_url() {
    for text in [
        "",
        "api.test",
        "//api.test",
        "/v1",
        "https:api.test",
        "https:/api.test",
        "https://",
        "ftp://api.test",
        "file:///etc/passwd",
        "unix:/run/api.sock",
        "https://user@api.test",
        "https://user:secret@api.test",
        "https://:secret@api.test",
        "https://api.test?a",
        "https://api.test#a",
        "https://api.test/v1?",
        "https://api.test:port",
        "https://api.test:65536",
        " https://api.test",
        "https://api.test ",
        "https://api.test\n",
        "https://api\t.test",
        "https://api.test/\u{1}",
        "https://api.test/\u{7f}",
        "https:\\\\api.test",
        "https://api.test\\v1",
    ] {
        assert!(BaseUrl::parse(text, true).is_err(), "{text:?}");
    }
}

/// Pieces of which paths that lead elsewhere are made.
const PIECES: [&str; 48] = [
    "a",
    "v1",
    "evil.test",
    "..",
    ".",
    "...",
    "/",
    "//",
    "\\",
    "%2e",
    "%2E",
    "%2f",
    "%5c",
    "%25",
    "25",
    "2e",
    "2f",
    "%",
    "%%",
    ";",
    "?",
    "#",
    "@",
    ":",
    "http:",
    "https://",
    "%00",
    "%0a",
    "%3b",
    "%3f",
    "%23",
    " ",
    "%20",
    "\t",
    "\n",
    "\u{0}",
    "\u{7f}",
    "\u{ff0e}",
    "\u{ff0f}",
    "\u{2024}",
    "\u{2215}",
    "%c0%ae",
    "%ef%bc%8e",
    "\u{e9}",
    "%e9",
    "&",
    "+",
    "'",
];

/// All that a lenient server could make of a path: every round of escapes, both slashes, and segments without
/// parameters, spaces and more dots than two.
fn stays_below(path: &str) -> bool {
    let mut text = path.to_owned();
    for _ in 0..20 {
        let mut depth = 0_i32;
        for segment in text.split(['/', '\\', '\u{ff0f}', '\u{2215}']).skip(2) {
            let segment = segment
                .split([';', '?', '#', '\0'])
                .next()
                .unwrap_or_default();
            let segment = segment.trim();
            match segment {
                "" | "." => {}
                _ if segment
                    .chars()
                    .all(|c| matches!(c, '.' | '\u{ff0e}' | '\u{2024}')) =>
                {
                    depth -= 1
                }
                _ => depth += 1,
            }
            if depth < 0 {
                return false;
            }
        }
        let bytes = text.as_bytes();
        let mut decoded = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            match escape(&bytes[at..]) {
                Some(byte) => {
                    decoded.push(byte);
                    at += 3;
                }
                None => {
                    decoded.push(bytes[at]);
                    at += 1;
                }
            }
        }
        // Overlong forms of `.` and `/`.
        let next = String::from_utf8_lossy(&decoded).replace("\u{fffd}\u{fffd}", ".");
        if next == text {
            return true;
        }
        text = next;
    }
    false
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn no_text_makes_a_url_elsewhere(pieces in vec(select(&PIECES[..]), 0..12)) {
        let text = pieces.concat();
        if let Ok(relative) = RelativePath::parse(&text) {
            let url = base("https://api.test/v1").call(&relative, empty()).expect("a URL");
            prop_assert_eq!(url.origin().ascii_serialization(), "https://api.test");
            prop_assert!(url.as_str().is_ascii() && url.fragment().is_none());
            prop_assert!(url.path() == "/v1" || url.path().starts_with("/v1/"), "{}", url);
            prop_assert!(stays_below(url.path()), "{:?} {}", text, url);
        }
    }

    #[test]
    fn no_text_at_all_panics_or_makes_a_url_elsewhere(text in any::<String>()) {
        if let Ok(relative) = RelativePath::parse(&text) {
            let url = base("https://api.test/v1").call(&relative, empty()).expect("a URL");
            prop_assert!(stays_below(url.path()), "{:?} {}", text, url);
        }
    }
}
