//! The alert rules and the panels of the guide, held against what is emitted.

use std::collections::{BTreeMap, BTreeSet};

use http::{Request, Response, header::AUTHORIZATION};
use metrics::Unit;
use tower::{Layer, ServiceExt, service_fn};
use tower_entra::{
    EntraAuthLayer, Error, KeySettings, RequireLayer, Requirement,
    acquire::{ClientCredential, ConfidentialClient},
    metrics::VERDICTS,
};

use super::observability::{blocks, guide};
use crate::support::{OTHER_APP, OTHER_TENANT, block_on, issuer, recorder::Recorder, unready};

/// A metric as Prometheus has it: its series, each with its labels.
type Metrics = BTreeMap<String, Vec<BTreeMap<String, String>>>;

/// Everything that is emitted, by the names that the recommended naming of
/// `metrics-exporter-prometheus` makes of ours.
fn emitted() -> Metrics {
    Recorder::during(|recorder| {
        let (_issuer, validator) = unready(KeySettings::default().with_name("one"));
        block_on(validator.ready());
        let credential = ClientCredential::secret("secret");
        let client = ConfidentialClient::builder(OTHER_TENANT, OTHER_APP, credential).build();
        client.expect("a good configuration");
        let units = recorder.described();
        let mut metrics = Metrics::new();
        for series in recorder.series() {
            let (name, labels) = series.split_once('{').unwrap_or((&series, ""));
            let labels = labels.trim_end_matches('}').split(',');
            let labels = labels.filter_map(|label| {
                let (name, value) = label.split_once('=')?;
                Some((name.replace('.', "_"), value.to_owned()))
            });
            let labels: BTreeMap<_, _> = labels.collect();
            let suffixes: &[&str] = match (&units[name], name.ends_with(".duration")) {
                (Some(Unit::Seconds), true) => {
                    &["_seconds_bucket", "_seconds_sum", "_seconds_count"]
                }
                (Some(Unit::Seconds), false) => &["_seconds"],
                (Some(Unit::Count), false) => &["_total"],
                other => panic!("{name}: {other:?}"),
            };
            for suffix in suffixes {
                let name = format!("{}{suffix}", name.replace('.', "_"));
                metrics.entry(name).or_default().push(labels.clone());
            }
        }
        metrics
    })
}

/// What is in the braces or parentheses at the beginning of a text.
fn within(text: &str, open: char, close: char) -> Option<&str> {
    let inside = text.trim_start().strip_prefix(open)?;
    Some(inside.split_once(close).expect("a closed bracket").0)
}

/// A condition on one label: `label="value"`, with `=~`, `!=` or `!~` too.
struct Matcher<'q> {
    label: &'q str,
    values: Vec<&'q str>,
    is_negative: bool,
}

impl<'q> Matcher<'q> {
    fn of(text: &'q str) -> Self {
        let (left, value) = text.split_once('"').expect("a matcher");
        let label = left.trim_end_matches(['=', '!', '~']);
        Self {
            label: label.trim(),
            values: value.trim_end_matches('"').split('|').collect(),
            is_negative: left.contains('!'),
        }
    }

    fn fits(&self, series: &BTreeMap<String, String>) -> bool {
        let found = series.get(self.label).map_or("", String::as_str);
        self.values.contains(&found) != self.is_negative
    }
}

/// What is wrong with a query, and the metrics that it names.
fn check(query: &str, metrics: &Metrics) -> (Vec<String>, BTreeSet<String>) {
    let (mut faults, mut named) = (Vec::new(), BTreeSet::new());
    let mut labels: BTreeSet<&str> = ["job", "instance", "le"].into();
    for (at, _) in query.match_indices("tower_entra_") {
        let rest = &query[at..];
        let is_part = |letter: char| letter.is_ascii_lowercase() || letter == '_';
        let name = rest.split(|letter| !is_part(letter)).next().unwrap();
        let Some(series) = metrics.get(name) else {
            faults.push(format!("no metric {name}"));
            continue;
        };
        named.insert(name.to_owned());
        labels.extend(series.iter().flat_map(BTreeMap::keys).map(String::as_str));
        let matchers = within(&rest[name.len()..], '{', '}').unwrap_or_default();
        let matchers: Vec<_> = matchers
            .split(',')
            .filter(|matcher| !matcher.is_empty())
            .map(Matcher::of)
            .collect();
        // Each alternative of each matcher, together with the others, has a series. What a negative one
        // excludes is there, too.
        for Matcher {
            label,
            values,
            is_negative,
        } in &matchers
        {
            for value in values {
                let has_it = |series: &BTreeMap<String, String>| {
                    series.get(*label).is_some_and(|found| found == value)
                };
                let fits = |series: &BTreeMap<String, String>| {
                    *is_negative || matchers.iter().all(|matcher| matcher.fits(series))
                };
                if !series.iter().any(|series| has_it(series) && fits(series)) {
                    faults.push(format!("no series of {name} with {label}={value}"));
                }
            }
        }
    }
    for (at, _) in query.match_indices("by (") {
        let listed = within(&query[at + 2..], '(', ')').unwrap();
        for label in listed.split(',').map(str::trim) {
            if !labels.contains(label) {
                faults.push(format!("no label {label}"));
            }
        }
    }
    (faults, named)
}

#[test]
fn a_query_for_something_that_is_not_emitted_is_found() {
    let metrics = emitted();
    for (query, fault) in [
        (
            "tower_entra_verdict_total",
            "no metric tower_entra_verdict_total",
        ),
        ("tower_entra_keys_age", "no metric tower_entra_keys_age"),
        (
            r#"tower_entra_verdicts_total{error_type="unknown_kid"}"#,
            "no series of tower_entra_verdicts_total with error_type=unknown_kid",
        ),
        (
            r#"tower_entra_verdicts_total{error_type=~"expired|late"}"#,
            "no series of tower_entra_verdicts_total with error_type=late",
        ),
        (
            r#"tower_entra_verdicts_total{outcome="admitted", denial="policy"}"#,
            "no series of tower_entra_verdicts_total with outcome=admitted",
        ),
        (
            r#"tower_entra_verdicts_total{outcome!="rejected"}"#,
            "no series of tower_entra_verdicts_total with outcome=rejected",
        ),
        (
            r#"tower_entra_verdicts_total{outcome="denied", error_type!="denied"}"#,
            "no series of tower_entra_verdicts_total with outcome=denied",
        ),
        (
            "sum by (reason) (tower_entra_verdicts_total)",
            "no label reason",
        ),
    ] {
        let (faults, _) = check(query, &metrics);
        assert_eq!(faults.first().map(String::as_str), Some(fault), "{query}");
    }
}

#[test]
fn alert_rules_and_panels_ask_for_what_is_emitted() {
    let metrics = emitted();
    let guide = guide();
    let mut all = BTreeSet::new();
    for kind in ["yaml", "promql"] {
        let blocks = blocks(&guide, kind);
        assert_eq!(blocks.len(), 1, "{kind}");
        // Words for people are no queries, and name the target of the log.
        let lines = blocks[0].lines();
        let lines = lines.filter(|line| {
            let line = line.trim_start();
            !line.starts_with('#') && !line.starts_with("summary:")
        });
        let query = lines.collect::<Vec<_>>().join("\n");
        let query = query.replace("name: tower_entra\n", "");
        let (faults, named) = check(&query, &metrics);
        assert_eq!(faults, [""; 0], "{kind}");
        all.extend(named);
    }
    assert!(all.len() > 7, "{all:?}");
}

#[test]
fn the_table_of_metrics_has_each_with_its_labels() {
    let guide = guide();
    for (name, series) in emitted() {
        let name = name.trim_end_matches("_bucket");
        let name = name.trim_end_matches("_sum").trim_end_matches("_count");
        let row = guide
            .lines()
            .find(|line| line.contains(&format!("| `{name}` |")));
        let row = row.unwrap_or_else(|| panic!("{name} is not in the table"));
        let labels: BTreeSet<_> = series.iter().flat_map(BTreeMap::keys).collect();
        let (_, listed) = row.trim_end_matches(" |").rsplit_once('|').unwrap();
        let listed: BTreeSet<_> = listed
            .split(',')
            .map(|label| label.trim().trim_matches('`'))
            .collect();
        let labels: BTreeSet<_> = labels.into_iter().map(String::as_str).collect();
        assert_eq!(listed, labels, "{name}");
    }
}

/// The values that the guide lists for a label of these metrics: in the row of that label, and in the one
/// below it if the label has two.
fn listed(guide: &str, label: &str, of: &str) -> BTreeSet<String> {
    let rows = guide.lines().filter_map(|line| line.strip_prefix("| "));
    let mut current = String::new();
    let mut values = BTreeSet::new();
    for row in rows {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        if !cells[0].is_empty() {
            current = cells[0].trim_matches('`').to_owned();
        }
        if current == label && cells[1] == of {
            let codes = cells[2].split('`').skip(1).step_by(2);
            values.extend(codes.filter(|code| !code.contains("::")).map(str::to_owned));
        }
    }
    values
}

#[test]
fn the_table_of_labels_has_every_value_and_no_other() {
    let guide = guide();
    let metrics = emitted();
    for (label, of, names) in [
        ("outcome", "verdicts", &["verdicts_total"][..]),
        (
            "outcome",
            "keys",
            &[
                "keys_refreshes_total",
                "keys_refresh_duration_seconds_count",
                "keys_wait_duration_seconds_count",
            ],
        ),
        ("error_type", "verdicts", &["verdicts_total"]),
        ("error_type", "refreshes", &["keys_refreshes_total"]),
        ("kind", "admitted, denied", &["verdicts_total"]),
        ("agent_status", "admitted, denied", &["verdicts_total"]),
        ("denial", "denied", &["verdicts_total"]),
        ("result", "look-ups", &["token_cache_lookups_total"]),
        (
            "cause",
            "refreshes",
            &["keys_refreshes_total", "keys_suppressed_refreshes_total"],
        ),
    ] {
        let all = names
            .iter()
            .flat_map(|name| &metrics[&format!("tower_entra_{name}")]);
        let emitted: BTreeSet<_> = all
            .filter_map(|series| series.get(label).cloned())
            .collect();
        assert_eq!(listed(&guide, label, of), emitted, "{label} of {of}");
    }
}

#[test]
fn without_a_name_no_series_has_a_key_source() {
    Recorder::during(|recorder| {
        let (_issuer, validator) = unready(KeySettings::default());
        block_on(validator.ready());
        let series = recorder.series();
        assert!(series.len() > 300);
        assert!(!series.iter().any(|series| series.contains("key_source")));
    });
}

#[test]
fn the_sums_of_the_guide_count_each_request_once() {
    Recorder::during(|recorder| {
        let issuer = issuer();
        let people = RequireLayer::new(Requirement::people());
        let inner = service_fn(async |_: Request<()>| Ok::<_, Error>(Response::new(String::new())));
        let service = EntraAuthLayer::new(issuer.validator()).layer(people.layer(inner));
        let send = async |token: Option<String>| {
            let mut request = Request::new(());
            if let Some(token) = token {
                let value = format!("Bearer {token}").parse().unwrap();
                request.headers_mut().insert(AUTHORIZATION, value);
            }
            service.clone().oneshot(request).await.unwrap().status()
        };
        let mut statuses = Vec::new();
        block_on(async {
            for token in [
                Some(issuer.user()),
                Some(issuer.user()),
                Some(issuer.autonomous_agent()),
                Some(issuer.user().expired()),
                None,
            ] {
                statuses.push(send(token.map(|token| token.mint())).await.as_u16());
            }
        });
        assert_eq!(statuses, [200, 200, 403, 401, 401]);

        let counters = recorder.counters();
        let sum = |outcomes: &[&str]| -> u64 {
            let counted = counters.iter().filter(|(series, _)| {
                let has =
                    |outcome: &&str| series.starts_with(&format!("{VERDICTS}{{outcome={outcome}"));
                outcomes.iter().any(has)
            });
            counted.map(|(_, count)| count).sum()
        };
        assert_eq!(sum(&["admitted", "anonymous", "refused"]), 5, "requests");
        assert_eq!(sum(&["admitted"]) - sum(&["denied"]), 2, "served");
        assert_eq!(sum(&["refused", "denied"]), 3, "not served");
        assert_eq!(sum(&[""]), 6, "the denied one counts twice");
    });
}
