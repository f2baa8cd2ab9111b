//! `Logging`, as Microsoft.Extensions.Logging has it.

use std::collections::BTreeMap;

use tracing::level_filters::LevelFilter;

use super::{
    report::Report,
    shown::shown,
    tree::{Section, fold},
    types::Log,
};

/// `Logging:LogLevel`, and `Logging:Console:LogLevel` in its place where both name a category. A category is a
/// prefix of targets. Those of Microsoft's libraries are none here, and are not read.
pub(super) fn log(root: &Section<'_>, report: &mut Report) -> Log {
    let section = root.at("Logging");
    let mut levels = BTreeMap::new();
    for rules in [section.at("LogLevel"), section.at("Console:LogLevel")] {
        collect(&rules, rules.path().len() + 1, &mut levels, report);
    }
    let default = levels
        .remove(DEFAULT)
        .map_or(LevelFilter::INFO, |(_, level)| level);
    let of_microsoft = ["Microsoft", "System", "Azure"];
    let is_own = |name: &str| {
        let root = name.split('.').next().unwrap_or_default();
        !of_microsoft
            .iter()
            .any(|other| other.eq_ignore_ascii_case(root))
    };
    let mut all = vec![(String::new(), default)];
    let own = levels.into_values().filter(|(name, _)| is_own(name));
    all.extend(own.map(|(name, level)| (name.replace('.', "::"), level)));
    Log {
        levels: all,
        as_json: as_json(&section.at("Console:FormatterName"), report),
    }
}

/// The levels below a section, whose path has this length with a separator. A target such as `tower_entra::audit`
/// has separators, so it is a section in a section; with dots it is one name.
fn collect(
    section: &Section<'_>,
    start: usize,
    levels: &mut BTreeMap<String, (String, LevelFilter)>,
    report: &mut Report,
) {
    for rule in section.children() {
        if let Some(level) = level(&rule, report) {
            let name = rule.path().get(start..).unwrap_or_default();
            levels.insert(fold(name), (name.to_owned(), level));
        }
        collect(&rule, start, levels, report);
    }
}

fn level(section: &Section<'_>, report: &mut Report) -> Option<LevelFilter> {
    let text = section.text()?;
    let level = match &*text.to_ascii_lowercase() {
        "trace" => LevelFilter::TRACE,
        "debug" => LevelFilter::DEBUG,
        "information" => LevelFilter::INFO,
        "warning" => LevelFilter::WARN,
        "error" | "critical" => LevelFilter::ERROR,
        "none" => LevelFilter::OFF,
        _ => {
            let found = format!("{} is not a level", shown(text));
            let accepted = "Trace, Debug, Information, Warning, Error, Critical, None";
            report.wrong(section, found, accepted, "Set it to one of them.");
            return None;
        }
    };
    Some(level)
}

fn as_json(section: &Section<'_>, report: &mut Report) -> bool {
    match section.text() {
        Some(text) if text.eq_ignore_ascii_case("json") => true,
        Some(text)
            if !["simple", "systemd"]
                .iter()
                .any(|name| name.eq_ignore_ascii_case(text)) =>
        {
            let found = format!("{} is not a formatter", shown(text));
            report.wrong(
                section,
                found,
                "json, simple, systemd",
                "Set it to one of them.",
            );
            false
        }
        _ => false,
    }
}

const DEFAULT: &str = "DEFAULT";
