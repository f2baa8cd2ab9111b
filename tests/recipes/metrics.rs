//! The alert rules and the panels of the guide, held against what is emitted.

use std::collections::{BTreeMap, BTreeSet};

use metrics::Unit;
use tower_entra::KeySettings;

use super::observability::{blocks, guide};
use crate::support::{block_on, recorder::Recorder, unready};

/// A metric as Prometheus has it: its series, each with its labels.
type Metrics = BTreeMap<String, Vec<BTreeMap<String, String>>>;

/// Everything that is emitted, by the names that the recommended naming of
/// `metrics-exporter-prometheus` makes of ours.
fn emitted() -> Metrics {
    Recorder::during(|recorder| {
        let (_issuer, validator) = unready(KeySettings::default().with_name("one"));
        block_on(validator.ready());
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
            .map(|matcher| {
                let (label, value) = matcher.split_once('=').expect("a matcher");
                let values = value.trim_start_matches('~').trim_matches('"');
                (label.trim(), values.split('|').collect::<Vec<_>>())
            })
            .collect();
        // Each alternative of each matcher, together with the others, has a series.
        for (label, values) in &matchers {
            for value in values {
                let fits = |series: &&BTreeMap<String, String>| {
                    series.get(*label).is_some_and(|found| found == value)
                        && matchers.iter().all(|(label, values)| {
                            let found = series.get(*label).map(String::as_str);
                            found.is_some_and(|found| values.contains(&found))
                        })
                };
                if !series.iter().any(|series| fits(&series)) {
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
        // A part of the metrics has no name of its key source.
        let listed: BTreeSet<_> = listed
            .split(',')
            .map(|label| label.trim().trim_matches('`'))
            .collect();
        let labels: BTreeSet<_> = labels.into_iter().map(String::as_str).collect();
        assert_eq!(listed, labels, "{name}");
    }
}
