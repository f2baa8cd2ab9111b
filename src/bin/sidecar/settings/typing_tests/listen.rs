//! Where the program listens, and its log.

use super::*;

#[test]
fn addresses_are_read_as_kestrel_reads_them() {
    let tcp = |address: &str| Listen::Tcp(address.parse().expect("an address"));
    for (urls, expected) in [
        ("http://127.0.0.1:5000", vec![tcp("127.0.0.1:5000")]),
        ("http://127.0.0.1:0/", vec![tcp("127.0.0.1:0")]),
        ("http://0.0.0.0:1", vec![tcp("0.0.0.0:1")]),
        ("http://+:5000", vec![tcp("[::]:5000")]),
        ("HTTP://*:5000", vec![tcp("[::]:5000")]),
        ("http://*", vec![tcp("[::]:80")]),
        ("http://[::]:8080", vec![tcp("[::]:8080")]),
        ("http://[::1]", vec![tcp("[::1]:80")]),
        ("http://localhost:5000", vec![Listen::Localhost(5000)]),
        ("http://LOCALHOST:0", vec![tcp("127.0.0.1:0")]),
        (
            "http://unix:/run/a b.sock",
            vec![Listen::Unix("/run/a b.sock".into())],
        ),
        (
            "http://127.0.0.1:1; http://unix:/s ;http://127.0.0.1:1;;http://127.0.0.1:0;http://127.0.0.1:0",
            vec![
                tcp("127.0.0.1:1"),
                Listen::Unix("/s".into()),
                tcp("127.0.0.1:0"),
                tcp("127.0.0.1:0"),
            ],
        ),
        (";", vec![tcp("127.0.0.1:8080")]),
    ] {
        assert_eq!(good(&[("urls", urls)]).listen, expected, "{urls}");
    }
    assert_eq!(
        good(&[("HTTP_PORTS", ";80; 81; ;")]).listen,
        [tcp("[::]:80"), tcp("[::]:81")]
    );
    let kestrel = [
        ("Kestrel:Endpoints:b:Url", "http://127.0.0.1:2"),
        ("Kestrel:Endpoints:a:Url", "http://127.0.0.1:1"),
        ("Kestrel:Endpoints:a:Protocols", "Http1"),
    ];
    assert_eq!(
        good(&kestrel).listen,
        [tcp("127.0.0.1:1"), tcp("127.0.0.1:2")]
    );
}

#[test]
fn the_more_exact_addresses_win_with_a_warning() {
    let tcp = |address: &str| Listen::Tcp(address.parse().expect("an address"));
    let ports = ("HTTP_PORTS", "8080");
    let urls = ("Urls", "http://127.0.0.1:1");
    let kestrel = ("Kestrel:Endpoints:a:Url", "http://127.0.0.1:2");
    let (settings, warnings) = read(&[ports, urls]).expect("settings");
    assert_eq!(settings.listen, [tcp("127.0.0.1:1")]);
    assert_eq!(
        warnings,
        [
            "HTTP_PORTS (command line): is not used, because Urls (ASPNETCORE_URLS) is set. Remove one of them."
        ]
    );
    let (settings, warnings) = read(&[ports, urls, kestrel]).expect("settings");
    assert_eq!(settings.listen, [tcp("127.0.0.1:2")]);
    assert_eq!(warnings.len(), 2, "{warnings:?}");
}

#[test]
fn an_address_that_cannot_be_listened_at_is_refused() {
    for url in [
        "https://127.0.0.1:5000",
        "HTTPS://+:5001",
        "127.0.0.1:5000",
        "tcp://127.0.0.1:5000",
        "http://",
        "http://contoso.com:5000",
        "http://127.0.0.1:65536",
        "http://127.0.0.1:",
        "http://127.0.0.1:+1",
        "http://127.0.0.1:x",
        "http://[127.0.0.1]:1",
        "http://::1:1",
        "http://127.0.0.1:1/base",
        "http://127.0.0.1:1?x",
        "http://user:hunter2@127.0.0.1:1",
        "http://unix:relative",
        "http://unix:/",
        "http://unix:",
        "http://unix:/a\0b",
    ] {
        for key in ["Urls", "Kestrel:Endpoints:a:Url", "Sidecar:MetricsUrl"] {
            assert_refused(&[(key, url, ". Accepted: http with an address, ")]);
        }
    }
    assert_refused(&[
        (
            "Urls",
            "https://+:5000",
            "\"https://+:5000\" is https, which is not supported",
        ),
        (
            "Urls",
            "https://+:5000",
            "Use http on loopback or a Unix socket, or put a proxy in front.",
        ),
        ("Urls", "http://", "Set it to such a URL."),
        (
            "Urls",
            "http://127.0.0.1:1/base",
            "has a path, a query or a fragment",
        ),
        (
            "Urls",
            "http://127.0.0.1?x",
            "has a path, a query or a fragment",
        ),
        ("HTTPS_PORTS", "8081", "https is not supported"),
        ("HTTP_PORTS", "80;x", "\"x\" is not a port"),
        ("HTTP_PORTS", "65536", "\"65536\" is not a port"),
        ("HTTP_PORTS", "-1", "\"-1\" is not a port"),
    ]);
    let lines = read(&[("Kestrel:Endpoints:a:Protocols", "Http1")]).expect_err("no URL");
    assert!(
        lines[0].starts_with("Kestrel:Endpoints:a:Url: is not set. "),
        "{lines:?}"
    );
    let lines = read(&[("Urls", "http://user:hunter2@127.0.0.1:1")]).expect_err("a user");
    assert!(!lines[0].contains("hunter2"), "{lines:?}");
}

#[test]
fn metrics_have_an_address_of_their_own() {
    let tcp = |address: &str| Some(Listen::Tcp(address.parse().expect("an address")));
    for (url, expected) in [
        ("http://127.0.0.1:9464", tcp("127.0.0.1:9464")),
        ("http://127.0.0.1:9464/metrics", tcp("127.0.0.1:9464")),
        ("http://127.0.0.1:9464/metrics/", tcp("127.0.0.1:9464")),
        ("http://*:9464/", tcp("[::]:9464")),
        (
            "http://unix:/run/metrics",
            Some(Listen::Unix("/run/metrics".into())),
        ),
    ] {
        assert_eq!(
            good(&[("Sidecar:MetricsUrl", url)]).metrics,
            expected,
            "{url}"
        );
    }
}

#[test]
fn levels_are_those_of_dotnet() {
    let log = good(&[
        ("Logging:LogLevel:Default", "warning"),
        ("Logging:LogLevel:Microsoft.AspNetCore", "Debug"),
        ("Logging:LogLevel:tower_entra.audit", "None"),
        ("Logging:LogLevel:tower_entra::keys", "Trace"),
        ("Logging:LogLevel:hyper", "Critical"),
        ("Logging:Console:LogLevel:Hyper", "Debug"),
        ("Logging:Console:FormatterName", "JSON"),
        ("Logging:Console:FormatterOptions:SingleLine", "true"),
    ])
    .log;
    assert!(log.as_json);
    let expected = [
        ("", LevelFilter::WARN),
        ("Hyper", LevelFilter::DEBUG),
        ("tower_entra::audit", LevelFilter::OFF),
        ("tower_entra::keys", LevelFilter::TRACE),
    ]
    .map(|(name, level)| (name.to_owned(), level));
    assert_eq!(log.levels, expected);
    let log = good(&[]).log;
    assert_eq!(log.levels, [(String::new(), LevelFilter::INFO)]);
    for (level, expected) in [
        ("Trace", LevelFilter::TRACE),
        ("Debug", LevelFilter::DEBUG),
        ("Information", LevelFilter::INFO),
        ("Warning", LevelFilter::WARN),
        ("Error", LevelFilter::ERROR),
        ("Critical", LevelFilter::ERROR),
        ("None", LevelFilter::OFF),
    ] {
        let log = good(&[("Logging:LogLevel:Default", level)]).log;
        assert_eq!(log.levels, [(String::new(), expected)], "{level}");
    }
    for formatter in ["Simple", "systemd", ""] {
        let log = good(&[("Logging:Console:FormatterName", formatter)]).log;
        assert!(!log.as_json, "{formatter}");
    }
    assert_refused(&[
        (
            "Logging:LogLevel:Default",
            "Verbose",
            "\"Verbose\" is not a level",
        ),
        (
            "Logging:LogLevel:Microsoft.AspNetCore",
            "Info",
            "\"Info\" is not a level",
        ),
        (
            "Logging:Console:FormatterName",
            "xml",
            "\"xml\" is not a formatter",
        ),
    ]);
}
