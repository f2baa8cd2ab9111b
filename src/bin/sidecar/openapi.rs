//! The description of the HTTP interface, in the form of Microsoft's.

use axum::response::{IntoResponse, Response};
use http::header;

/// The answer to `GET /openapi/v1.json`.
pub(crate) fn document() -> Response {
    let json = [(header::CONTENT_TYPE, "application/json;charset=utf-8")];
    (json, DOCUMENT).into_response()
}

const DOCUMENT: &str = include_str!("openapi.json");

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use serde::{Deserialize, de::IgnoredAny};

    use super::DOCUMENT;
    use crate::{
        overrides::{Overrides, PREFIX},
        paths::Endpoint,
        problem::Problem,
    };

    #[derive(Deserialize)]
    struct Document {
        openapi: String,
        paths: BTreeMap<String, BTreeMap<String, Operation>>,
        components: Components,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Operation {
        operation_id: String,
        #[serde(default)]
        parameters: Vec<Parameter>,
    }

    #[derive(Deserialize)]
    struct Parameter {
        name: String,
    }

    #[derive(Deserialize)]
    struct Components {
        schemas: BTreeMap<String, Schema>,
    }

    #[derive(Deserialize)]
    struct Schema {
        #[serde(default)]
        properties: BTreeMap<String, IgnoredAny>,
    }

    fn document() -> Document {
        serde_json::from_str(DOCUMENT).expect("a document")
    }

    #[test]
    fn it_has_the_paths_and_verbs_of_the_routes() {
        let document = document();
        assert!(document.openapi.starts_with("3.1"));
        let written: BTreeSet<_> = document
            .paths
            .iter()
            .flat_map(|(path, item)| item.keys().map(move |verb| (path.clone(), verb.clone())))
            .collect();
        let routes: BTreeSet<_> = Endpoint::ALL
            .into_iter()
            .filter_map(|endpoint| match endpoint {
                Endpoint::Validate => Some((endpoint, "/Validate".to_owned())),
                Endpoint::Token(route) => {
                    Some((endpoint, format!("/{}/{{apiName}}", route.as_str())))
                }
                _ => None,
            })
            .flat_map(|(endpoint, path)| {
                let verbs = endpoint.methods().iter();
                verbs.map(move |verb| (path.clone(), verb.as_str().to_ascii_lowercase()))
            })
            .collect();
        assert_eq!(written, routes);
    }

    #[test]
    fn operation_ids_are_unique_and_have_those_of_microsoft() {
        let document = document();
        let all: Vec<_> = document
            .paths
            .values()
            .flat_map(BTreeMap::values)
            .map(|operation| operation.operation_id.as_str())
            .collect();
        let unique: BTreeSet<_> = all.iter().copied().collect();
        assert_eq!(unique.len(), all.len());
        for id in [
            "ValidateAuthorizationHeader",
            "AuthorizationHeader",
            "AuthorizationHeaderUnauthenticated",
            "DownstreamApi",
            "DownstreamApiUnauthenticated",
        ] {
            assert!(unique.contains(id), "{id}");
        }
        let post = &document.paths["/DownstreamApi/{apiName}"]["post"];
        assert_eq!(post.operation_id, "DownstreamApi");
    }

    /// Whether a value of this override has an effect.
    fn is_known(name: &str) -> bool {
        ["true", "5ff5a5b5-0000-4000-8000-000000000001"]
            .into_iter()
            .any(|value| {
                let mut taken = Overrides::default();
                taken.take(name, value.to_owned());
                taken.check().is_err()
                    || taken.has_base_url()
                    || taken.request_app_token
                    || taken.force_refresh
                    || taken.tenant.is_some()
                    || !taken.scopes.is_empty()
                    || [
                        taken.relative_path,
                        taken.http_method,
                        taken.accept,
                        taken.claims,
                        taken.correlation_id,
                    ]
                    .iter()
                    .any(Option::is_some)
            })
    }

    #[test]
    fn each_override_is_known() {
        let document = document();
        for operation in document.paths.values().flat_map(BTreeMap::values) {
            let overrides: Vec<_> = operation
                .parameters
                .iter()
                .filter_map(|parameter| parameter.name.strip_prefix(PREFIX))
                .collect();
            let is_of_tokens = operation.operation_id != "ValidateAuthorizationHeader";
            assert_eq!(overrides.len(), if is_of_tokens { 15 } else { 0 });
            for name in overrides {
                // It has no effect in Microsoft's either.
                assert!(is_known(name) || name == "ContentType", "{name}");
            }
        }
        assert!(!is_known("PopClaims"));
    }

    #[test]
    fn a_problem_has_the_members_that_are_written() {
        let problem = Problem::bad_request("x")
            .with_hint("x")
            .with_error_code(Some("x".to_owned()))
            .with_correlation_id(Some("x".to_owned()))
            .with_claims(Some("x".to_owned()));
        let json = serde_json::to_string(&problem).expect("JSON");
        let members: BTreeMap<String, IgnoredAny> = serde_json::from_str(&json).expect("an object");
        let document = document();
        let written: BTreeSet<_> = document.components.schemas["ProblemDetails"]
            .properties
            .keys()
            .map(String::as_str)
            .collect();
        // Microsoft's schema has `instance`, which neither program writes.
        let expected = members.keys().map(String::as_str).chain(["instance"]);
        assert_eq!(written, expected.collect());
    }
}
