//! The settings of a tree.

use super::{
    apis::apis,
    azure_ad::azure_ad,
    known, listen, log,
    report::{Finding, Problems, Report},
    shown::shown,
    tree::Section,
    types::{AllowOverrides, Settings},
    values::flag,
};

/// The settings and the warnings, or everything that is wrong.
pub(super) fn settings(
    root: &Section<'_>,
    environment: &str,
) -> Result<(Settings, Vec<Finding>), Problems> {
    let mut report = Report::default();
    known::check(root, &mut report);
    let settings = typed(root, environment, &mut report);
    report.finish(settings)
}

fn typed(root: &Section<'_>, environment: &str, report: &mut Report) -> Option<Settings> {
    let is_development = environment.eq_ignore_ascii_case("Development");
    let sidecar = root.at("Sidecar");
    let switch = |name: &str, report: &mut Report| flag(&sidecar.at(name), false, report);
    let ignore_denied_agents = switch("IgnoreDeniedAgents", report);
    let lenient_agent_parameters = switch("LenientAgentParameters", report);
    let allow_plain_http = switch("AllowPlainHttp", report);
    let follow_redirects = switch("AllowOutboundRedirects", report);
    let pop = sidecar.at("PopValidation");
    if pop.is_given() {
        report.refused(&pop, "proof of possession is not supported. Remove it.");
    }
    forwarded_headers(&root.at("ForwardedHeaders_Enabled"), is_development, report);
    allowed_hosts(&root.at("AllowedHosts"), report);
    let azure_ad = azure_ad(root, report);
    let apis = apis(root, allow_plain_http, report);
    let allow_overrides = allow_overrides(&sidecar.at("AllowOverrides"), report);
    let listen = listen::listen(root, report);
    let metrics = listen::metrics(&sidecar.at("MetricsUrl"), report);
    let log = log::log(root, report);
    Some(Settings {
        azure_ad: azure_ad?,
        apis,
        allow_overrides,
        ignore_denied_agents,
        lenient_agent_parameters,
        allow_plain_http,
        follow_redirects,
        listen,
        metrics,
        is_development,
        log,
    })
}

fn allow_overrides(section: &Section<'_>, report: &mut Report) -> AllowOverrides {
    let default = AllowOverrides::default();
    let mut flag = |name: &str, default: bool| flag(&section.at(name), default, report);
    AllowOverrides {
        authorization_header: flag("GetAuthorizationHeader", default.authorization_header),
        authorization_header_unauthenticated: flag(
            "GetAuthorizationHeaderUnauthenticated",
            default.authorization_header_unauthenticated,
        ),
        downstream_api: flag("CallDownstreamApi", default.downstream_api),
        downstream_api_unauthenticated: flag(
            "CallDownstreamApiUnauthenticated",
            default.downstream_api_unauthenticated,
        ),
    }
}

/// The text is Microsoft's. As there, only `true` counts, in any letter case and without white space.
fn forwarded_headers(section: &Section<'_>, is_development: bool, report: &mut Report) {
    if !section
        .raw()
        .is_some_and(|text| text.eq_ignore_ascii_case("true"))
    {
        return;
    }
    if is_development {
        report.warn(
            section,
            "has no effect. Forwarded headers are never read: remove it.",
        );
    } else {
        report.refused(
            section,
            "Forwarded headers cannot be enabled outside Development. Remove 'ForwardedHeaders_Enabled' or set it \
             to 'false'.",
        );
    }
}

fn allowed_hosts(section: &Section<'_>, report: &mut Report) {
    let hosts = section.text().unwrap_or_default().split(';').map(str::trim);
    let known = ["", "*", "localhost", "127.0.0.1", "[::1]"];
    let mut others =
        hosts.filter(|host| !known.iter().any(|known| known.eq_ignore_ascii_case(host)));
    if let Some(host) = others.next() {
        let text = format!(
            "{} has no effect: outside Development only localhost, 127.0.0.1 and [::1] are allowed. Remove it.",
            shown(host)
        );
        report.warn(section, text);
    }
}

#[cfg(test)]
#[path = "typing_tests/mod.rs"]
mod tests;
