//! The status, the challenge and the other headers of a refusal.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, StatusCode, Uri, header::HeaderName, uri::Authority};

use super::validators::Place;
use crate::{
    admit::{
        error::{ErrorKind, description},
        requirement::{Demand, Denial},
        token_header::TokenHeader,
    },
    characters::{is_nqchar, is_scope_token},
    config_error::ConfigError,
    shown::url_problem,
};

/// The parts of a `Bearer` challenge that are the same for every request:
/// [RFC 6750, section 3](https://www.rfc-editor.org/rfc/rfc6750#section-3).
#[derive(Clone, Debug)]
pub(super) struct Challenge {
    /// Where a client sends its token. Named only in errors: RFC 6750 has no parameter for it.
    token_header: TokenHeader,
    /// The URL of each validator's authority.
    authorities: Vec<String>,
    realm: Option<String>,
    /// Entra's authorize endpoint, in every 401.
    authorization_uri: Option<String>,
    resource_metadata: Option<String>,
    scope: Option<String>,
    /// Goes before each scope of a denial.
    scope_prefix: String,
}

impl Challenge {
    /// Both come from a validator, which has checked their characters.
    pub(super) fn new(authority: &str, realm: &str) -> Self {
        Self {
            token_header: TokenHeader::default(),
            authorities: vec![authority.to_owned()],
            realm: Some(realm.to_owned()),
            authorization_uri: None,
            resource_metadata: None,
            scope: None,
            scope_prefix: String::new(),
        }
    }

    /// From another validator, which has checked its characters.
    pub(super) fn push_authority(&mut self, authority: &str) {
        self.authorities.push(authority.to_owned());
    }

    pub(super) fn token_header(&self) -> &TokenHeader {
        &self.token_header
    }

    pub(super) fn set_token_header(&mut self, header: TokenHeader) {
        self.token_header = header;
    }

    pub(super) fn set_realm(&mut self, realm: String) -> Result<(), ConfigError> {
        if !realm.bytes().all(|byte| byte == b' ' || is_nqchar(byte)) {
            let problem = format!("{realm:?} has a quote, a backslash or a character beyond ASCII");
            return Err(ConfigError::new("realm", problem));
        }
        self.realm = Some(realm);
        Ok(())
    }

    pub(super) fn remove_realm(&mut self) {
        self.realm = None;
    }

    /// From a validator, which has checked its characters.
    pub(super) fn set_authorization_uri(&mut self, uri: String) {
        self.authorization_uri = Some(uri);
    }

    pub(super) fn set_resource_metadata(&mut self, url: String) -> Result<(), ConfigError> {
        let is_url = url.parse::<Uri>().is_ok_and(|uri| {
            // Every client that gets the challenge would read the password.
            let without_user = |authority: &Authority| !authority.as_str().contains('@');
            matches!(uri.scheme_str(), Some("http" | "https"))
                && uri.authority().is_some_and(without_user)
                && uri.host().is_some()
        });
        // `Uri` silently drops a fragment.
        let fits = |byte| is_nqchar(byte) && byte != b'#';
        if !is_url || !url.bytes().all(fits) {
            let problem = "is not an http or https URL without a fragment or a user";
            let problem = url_problem(&url, problem);
            return Err(ConfigError::new("resource_metadata", problem));
        }
        self.resource_metadata = Some(url);
        Ok(())
    }

    pub(super) fn set_scope_prefix(&mut self, prefix: String) -> Result<(), ConfigError> {
        if !is_scope_token(&prefix) {
            let problem = format!("{prefix:?} is not the beginning of a scope");
            return Err(ConfigError::new("scope_prefix", problem));
        }
        self.scope_prefix = prefix;
        Ok(())
    }

    pub(super) fn set_scopes(&mut self, scopes: &[String]) -> Result<(), ConfigError> {
        if let Some(scope) = scopes.iter().find(|scope| !is_scope_token(scope)) {
            return Err(ConfigError::new(
                "scopes",
                format!("{scope:?} is not one scope"),
            ));
        }
        self.scope = (!scopes.is_empty()).then(|| scopes.join(" "));
        Ok(())
    }

    pub(super) fn answer(&self, kind: ErrorKind) -> (StatusCode, Option<HeaderValue>) {
        let status = status(kind);
        let challenge = match status {
            StatusCode::BAD_REQUEST => self.with_error(self.begin(), "invalid_request", kind),
            StatusCode::FORBIDDEN => insufficient_scope(self.begin(), &[]),
            StatusCode::SERVICE_UNAVAILABLE => return (status, None),
            _ if kind == ErrorKind::MissingToken => self.without_error(),
            _ => self.with_error(self.begin_401(), "invalid_token", kind),
        };
        (status, Some(challenge))
    }

    /// For a caller that the validator at this place has admitted. `None` if nothing that the client does
    /// would help.
    pub(super) fn denial(&self, denial: &Denial, by: Place) -> Option<HeaderValue> {
        let challenge = match denial.demand() {
            Demand::Permission { scopes } => {
                insufficient_scope(self.begin(), &self.in_full(scopes))
            }
            Demand::ClaimsChallenge { tenant, claims } => {
                let authority = self.authorities.get(by.0);
                let uri = authority.map(|url| format!("{url}/{tenant}/oauth2/v2.0/authorize"));
                insufficient_claims(uri.as_deref(), claims)
            }
            Demand::Authentication { acr_values } => {
                insufficient_authentication(self.begin_401(), acr_values)
            }
            Demand::Token => self.without_error(),
            Demand::NewToken => invalid_token(self.begin_401(), denial.client_message()),
            Demand::Layer | Demand::Server | Demand::Later(_) => return None,
        };
        Some(challenge)
    }

    /// The scopes of a denial in the form in which a client asks for them.
    fn in_full(&self, scopes: &[String]) -> Vec<String> {
        let prefix = &self.scope_prefix;
        let in_full = |scope: &String| match scope.contains("://") {
            true => scope.clone(),
            false => format!("{prefix}{scope}"),
        };
        scopes.iter().map(in_full).collect()
    }

    /// Without a token there is no error to name: RFC 6750, section 3.1.
    fn without_error(&self) -> HeaderValue {
        let mut challenge = self.begin_401();
        if let Some(scope) = &self.scope {
            push(&mut challenge, "scope", scope);
        }
        header_value(challenge)
    }

    fn with_error(&self, mut challenge: String, error: &str, kind: ErrorKind) -> HeaderValue {
        let description = description(kind, &self.token_header);
        push_error(&mut challenge, error, &description);
        header_value(challenge)
    }

    fn begin(&self) -> String {
        self.begin_with(None)
    }

    /// Only a client that lacks a good token has a use for the authorize endpoint.
    fn begin_401(&self) -> String {
        self.begin_with(self.authorization_uri.as_deref())
    }

    fn begin_with(&self, authorization_uri: Option<&str>) -> String {
        let mut challenge = "Bearer".to_owned();
        if let Some(realm) = &self.realm {
            push(&mut challenge, "realm", realm);
        }
        if let Some(uri) = authorization_uri {
            push(&mut challenge, "authorization_uri", uri);
        }
        if let Some(url) = &self.resource_metadata {
            push(&mut challenge, "resource_metadata", url);
        }
        challenge
    }
}

/// The one place that turns a kind of error into a status.
pub(super) fn status(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::MultipleCredentials | ErrorKind::MalformedAuthorization => {
            StatusCode::BAD_REQUEST
        }
        ErrorKind::MissingToken
        | ErrorKind::TokenTooLarge
        | ErrorKind::MalformedToken
        | ErrorKind::EncryptedToken
        | ErrorKind::MalformedHeader
        | ErrorKind::AlgorithmNotAllowed
        | ErrorKind::InvalidKeyId
        | ErrorKind::UnsupportedTokenType
        | ErrorKind::UnsupportedHeader
        | ErrorKind::UnknownKey
        | ErrorKind::InvalidSignature
        | ErrorKind::GraphToken
        | ErrorKind::MalformedClaims
        | ErrorKind::UnsupportedVersion
        | ErrorKind::InvalidTenant
        | ErrorKind::IssuerMismatch
        | ErrorKind::TenantNotAllowed
        | ErrorKind::KeyNotForIssuer
        | ErrorKind::AudienceMismatch
        | ErrorKind::InvalidDates
        | ErrorKind::Expired
        | ErrorKind::NotYetValid
        | ErrorKind::IdToken
        | ErrorKind::ContradictoryClaims
        | ErrorKind::SenderConstrained => StatusCode::UNAUTHORIZED,
        ErrorKind::NothingGranted | ErrorKind::Denied => StatusCode::FORBIDDEN,
        ErrorKind::KeysUnavailable => StatusCode::SERVICE_UNAVAILABLE,
    }
}

pub(super) fn insufficient_scope(mut challenge: String, scopes: &[String]) -> HeaderValue {
    push(&mut challenge, "error", "insufficient_scope");
    if !scopes.is_empty() {
        push(&mut challenge, "scope", &scopes.join(" "));
    }
    header_value(challenge)
}

/// Entra's claims challenge, in which `realm` is empty.
pub(super) fn insufficient_claims(authorization_uri: Option<&str>, claims: &str) -> HeaderValue {
    let mut challenge = "Bearer realm=\"\"".to_owned();
    if let Some(uri) = authorization_uri {
        push(&mut challenge, "authorization_uri", uri);
    }
    push(&mut challenge, "error", "insufficient_claims");
    push(&mut challenge, "claims", claims);
    header_value(challenge)
}

pub(super) fn insufficient_authentication(
    mut challenge: String,
    acr_values: &[String],
) -> HeaderValue {
    push_error(
        &mut challenge,
        "insufficient_user_authentication",
        "a stronger sign-in is needed",
    );
    if !acr_values.is_empty() {
        push(&mut challenge, "acr_values", &acr_values.join(" "));
    }
    header_value(challenge)
}

/// For a token that is good here and cannot be exchanged.
pub(super) fn invalid_token(mut challenge: String, description: &str) -> HeaderValue {
    push_error(&mut challenge, "invalid_token", description);
    header_value(challenge)
}

fn push_error(challenge: &mut String, error: &str, description: &str) {
    push(challenge, "error", error);
    push(challenge, "error_description", description);
}

/// Adds a parameter whose characters need no quoting.
fn push(challenge: &mut String, name: &str, value: &str) {
    // The scheme precedes the first parameter, a comma every other.
    challenge.push_str(if challenge.contains('=') { ", " } else { " " });
    challenge.push_str(name);
    challenge.push_str("=\"");
    challenge.push_str(value);
    challenge.push('"');
}

fn header_value(challenge: String) -> HeaderValue {
    HeaderValue::try_from(challenge)
        .expect("every part has been checked to be printable ASCII, or is a constant that is")
}

/// Whole seconds, rounded up, at least one.
pub(super) fn whole_seconds(duration: Duration) -> HeaderValue {
    let seconds = duration
        .as_secs()
        .saturating_add(u64::from(duration.subsec_nanos() > 0));
    HeaderValue::from(seconds.max(1))
}

/// Sets the header or removes it, whatever it was before.
pub(super) fn set(headers: &mut HeaderMap, name: HeaderName, value: Option<HeaderValue>) {
    match value {
        Some(value) => headers.insert(name, value),
        None => headers.remove(name),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_whole_seconds_rounded_up_and_at_least_one() {
        for (milliseconds, seconds) in [
            (0, "1"),
            (1, "1"),
            (1_000, "1"),
            (1_001, "2"),
            (9_999, "10"),
        ] {
            assert_eq!(whole_seconds(Duration::from_millis(milliseconds)), seconds);
        }
    }
}
