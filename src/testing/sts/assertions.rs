//! Whether the client of a request is who it says: its secret, certificate or federated assertion, or an
//! agent's exchange token.

use serde_json::Value;

use crate::testing::{
    algorithm::Algorithm,
    sts::{
        call::{Call, SKEW},
        fmi::agent_of,
        jwt::{Jwt, either_base64},
        refusal::{Refusal, quoted},
        registrations::{App, AppKind, is_exchange},
    },
};

/// How the client has authenticated: the value of `azpacr`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Authentication {
    Secret,
    Assertion,
}

impl Authentication {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Secret => "1",
            Self::Assertion => "2",
        }
    }
}

/// The app that the request names.
pub(super) fn client<'c>(call: &Call<'c>) -> Result<&'c App, Refusal> {
    let client_id = call.required("client_id")?;
    let app = call.directory.app(client_id).filter(|app| match &app.kind {
        AppKind::Agent { tenant, .. } => tenant == call.tenant,
        _ => true,
    });
    let Some(app) = app else {
        let text = format!(
            "No application with the identifier {} is registered in the directory {}",
            quoted(client_id),
            quoted(call.tenant)
        );
        return Err(Refusal::unauthorized(700016, text));
    };
    match app.disabled {
        true => Err(Refusal::unauthorized(
            7000112,
            format!("The application {} is disabled", quoted(client_id)),
        )),
        false => Ok(app),
    }
}

/// Checks the one credential of the request.
pub(super) fn authenticate(call: &Call<'_>, app: &App) -> Result<Authentication, Refusal> {
    let form = call.form;
    let secret = form.get("client_secret");
    let assertion = form.get("client_assertion");
    let kind = form.get("client_assertion_type");
    match (secret, assertion, kind) {
        (Some(_), None, None) if app.is_agent() => Err(Refusal::client(
            7000215,
            "An agent identity has no secret: it presents an exchange token of its blueprint",
        )),
        (Some(secret), None, None) => by_secret(app, secret),
        (None, Some(_), None) => Err(Refusal::missing("client_assertion_type")),
        (None, None, Some(_)) => Err(Refusal::missing("client_assertion")),
        (None, Some(assertion), Some(kind)) => {
            if kind != ASSERTION_TYPE {
                return Err(Refusal::malformed(
                    "'client_assertion_type' has an unknown value",
                ));
            }
            by_assertion(call, app, assertion).map(|()| Authentication::Assertion)
        }
        (None, None, None) => Err(match form.get("grant_type") {
            Some("client_credentials") => Refusal::client(
                7000216,
                "'client_assertion' or 'client_secret' is required for the grant \
                 'client_credentials'",
            ),
            _ => Refusal::client(
                7000218,
                "The body of the request lacks 'client_assertion' or 'client_secret'",
            ),
        }),
        (Some(_), _, _) => Err(Refusal::request(
            9002324,
            "The request has both a client secret and a client assertion",
        )),
    }
}

fn by_secret(app: &App, given: &str) -> Result<Authentication, Refusal> {
    match app.secrets.iter().find(|secret| secret.value == given) {
        Some(secret) if secret.expired => Err(Refusal::client(
            7000222,
            format!(
                "The client secret of the application {} has expired",
                quoted(&app.client_id)
            ),
        )),
        Some(_) => Ok(Authentication::Secret),
        None => Err(Refusal::client(
            7000215,
            format!(
                "The client secret is wrong: send its value, not its id, for the application {}",
                quoted(&app.client_id)
            ),
        )),
    }
}

fn by_assertion(call: &Call<'_>, app: &App, assertion: &str) -> Result<(), Refusal> {
    let Some(token) = Jwt::parse(assertion) else {
        return Err(malformed("it is no signed JWT in compact form"));
    };
    if let AppKind::Agent { blueprint, .. } = &app.kind {
        return by_exchange_token(call, app, blueprint, &token);
    }
    let is_self_issued = token.claim("iss").eq_ignore_ascii_case(&app.client_id);
    let has_thumbprint = ["x5t", "x5t#S256"]
        .iter()
        .any(|name| token.header.contains_key(*name));
    // A version 1.0 token of Entra has a thumbprint too.
    match is_self_issued || (has_thumbprint && !is_from_here(call, &token)) {
        true => by_certificate(call, app, &token),
        false => by_federation(call, app, &token),
    }
}

fn by_certificate(call: &Call<'_>, app: &App, token: &Jwt<'_>) -> Result<(), Refusal> {
    let Some(algorithm @ (Algorithm::Ps256 | Algorithm::Rs256)) = token.algorithm() else {
        return Err(malformed("its algorithm is neither PS256 nor RS256"));
    };
    let text = |name: &str| match token.header.get(name) {
        None => Ok(None),
        Some(Value::String(text)) if either_base64(text).is_some() => Ok(Some(text.as_str())),
        Some(_) => Err(malformed(&format!("'{name}' is no thumbprint"))),
    };
    let (sha256, sha1) = (text("x5t#S256")?, text("x5t")?);
    let chain_is_text = match token.header.get("x5c") {
        None | Some(Value::String(_)) => true,
        Some(Value::Array(chain)) => !chain.is_empty() && chain.iter().all(Value::is_string),
        Some(_) => false,
    };
    if !chain_is_text {
        return Err(malformed("'x5c' is neither a text nor a list of texts"));
    }
    let certificate = match (sha256, sha1) {
        (None, None) => None,
        _ => app
            .certificates
            .iter()
            .find(|certificate| certificate.has_thumbprints(sha256, sha1)),
    };
    let Some(certificate) = certificate else {
        return Err(Refusal::client(
            700027,
            "The certificate of the client assertion is not registered on the application. \
             [Reason - The key was not found.]",
        ));
    };
    if !(certificate.not_before..=certificate.not_after).contains(&call.now) {
        return Err(Refusal::client(
            1000502,
            "The certificate is outside its validity period",
        ));
    }
    if !certificate
        .key
        .verifies(algorithm, token.input, &token.signature)
    {
        return Err(Refusal::client(
            700027,
            "The client assertion has an invalid signature. [Reason - The signature does not \
             match the certificate.]",
        ));
    }
    let is_client = |claim: &str| token.claim(claim).eq_ignore_ascii_case(&app.client_id);
    if !is_client("iss") || !is_client("sub") {
        return Err(Refusal::client(
            700021,
            "'iss' and 'sub' of the client assertion are not both the 'client_id' of the request",
        ));
    }
    if !token.is_for(|audience| is_this_endpoint(call, audience)) {
        return Err(Refusal::client(
            700023,
            "The audience of the client assertion is not this token endpoint",
        ));
    }
    check_dates(call, token)
}

fn by_federation(call: &Call<'_>, app: &App, token: &Jwt<'_>) -> Result<(), Refusal> {
    let issuer = token.claim("iss");
    let of_issuer: Vec<_> = app
        .trusted
        .iter()
        .filter(|trusted| trusted.issuer == issuer)
        .collect();
    // Entra's own tokens have rules of their own: only that of a managed identity may be used.
    if is_from_here(call, token) {
        if token.claims.contains_key("xms_ficinfo") {
            return Err(Refusal::client(
                700231,
                "A token that was got by a federated credential is no federated credential",
            ));
        }
        if !token.is_app_only() {
            return Err(Refusal::client(
                700229,
                "Only app-only tokens are federated credentials",
            ));
        }
        if of_issuer.is_empty() {
            return Err(Refusal::client(
                700222,
                "A token of Entra is no federated credential of this application",
            ));
        }
    }
    if of_issuer.is_empty() {
        return Err(no_record(700211, "issuer", issuer));
    }
    let subject = token.claim("sub");
    let of_subject: Vec<_> = of_issuer
        .into_iter()
        .filter(|trusted| trusted.subject == subject)
        .collect();
    if of_subject.is_empty() {
        return Err(no_record(700213, "subject", subject));
    }
    let trusted = of_subject.into_iter().find(|trusted| {
        token.is_for(|audience| {
            audience == trusted.audience
                || (is_exchange(audience) && is_exchange(&trusted.audience))
        })
    });
    let Some(trusted) = trusted else {
        return Err(no_record(7002121, "audience", token.claim("aud")));
    };
    let kid = token.header.get("kid").and_then(Value::as_str);
    let is_signed = token.algorithm().is_some_and(|algorithm| {
        matches!(algorithm, Algorithm::Rs256)
            && (trusted.verifies)(kid, algorithm, token.input, &token.signature)
    });
    if !is_signed {
        return Err(Refusal::client(
            700027,
            "The federated assertion has an invalid signature, or is not signed with RS256",
        ));
    }
    check_dates(call, token)
}

/// An agent presents a T1 that its blueprint has got for it, and nothing else.
fn by_exchange_token(
    call: &Call<'_>,
    app: &App,
    blueprint: &str,
    token: &Jwt<'_>,
) -> Result<(), Refusal> {
    let issuer = token.claim("iss");
    if issuer != call.shared.v2_issuer(call.tenant) {
        // Another authority's, another tenant's, or one of version 1.0.
        return Err(no_record(700211, "issuer", issuer));
    }
    if !call.is_own(token) {
        return Err(Refusal::client(
            700027,
            "The client assertion has an invalid signature. [Reason - The key was not found or \
             does not match.]",
        ));
    }
    if !call.is_in_force(token) {
        return Err(out_of_dates());
    }
    if !token.is_app_only() {
        return Err(Refusal::client(
            700229,
            "Only app-only tokens are federated credentials",
        ));
    }
    if !token.is_for(is_exchange) {
        return Err(no_record(7002121, "audience", token.claim("aud")));
    }
    let subject = token.claim("sub");
    let Some(agent) = agent_of(subject) else {
        return Err(Refusal::client(
            700231,
            "A token that was got by a federated credential is no federated credential: present \
             the blueprint's token with the FMI path",
        ));
    };
    let is_blueprint = token.claim("azp").eq_ignore_ascii_case(blueprint);
    if !is_blueprint || !agent.eq_ignore_ascii_case(&app.client_id) {
        return Err(no_record(700213, "subject", subject));
    }
    match call.directory.app(blueprint) {
        Some(blueprint) if !blueprint.disabled => Ok(()),
        _ => Err(Refusal::unauthorized(
            7000112,
            "The blueprint of the agent is disabled",
        )),
    }
}

fn check_dates(call: &Call<'_>, token: &Jwt<'_>) -> Result<(), Refusal> {
    let time = |name: &str| {
        token
            .time(name)
            .map_err(|()| malformed(&format!("'{name}' is no time")))
    };
    let (expires, begins, _) = (time("exp")?, time("nbf")?, time("iat")?);
    let Some(expires) = expires else {
        return Err(malformed("it has no 'exp'"));
    };
    let is_early = begins.is_some_and(|begins| begins > call.now + SKEW);
    match is_early || expires.saturating_add(SKEW) <= call.now {
        true => Err(out_of_dates()),
        false => Ok(()),
    }
}

/// Whether the token says that a tenant of this issuer has issued it.
fn is_from_here(call: &Call<'_>, token: &Jwt<'_>) -> bool {
    let issuer = token.claim("iss");
    let tenants = &call.directory.tenants;
    tenants.iter().any(|tenant| {
        issuer == call.shared.v2_issuer(tenant) || issuer == call.shared.v1_issuer(tenant)
    })
}

/// With a proxy in front, the URL of either is right.
fn is_this_endpoint(call: &Call<'_>, audience: &str) -> bool {
    let path = format!("/{}/oauth2/v2.0/token", call.tenant);
    [call.shared.base(), call.shared.url.as_str()]
        .iter()
        .any(|base| audience.eq_ignore_ascii_case(&format!("{base}{path}")))
}

fn no_record(code: u32, what: &str, value: &str) -> Refusal {
    let text = format!(
        "No federated identity record matches the {what} of the assertion, {}",
        quoted(value)
    );
    Refusal::client(code, text)
}

fn malformed(problem: &str) -> Refusal {
    Refusal::client(50027, format!("The client assertion is invalid: {problem}"))
}

fn out_of_dates() -> Refusal {
    Refusal::client(
        700024,
        "The client assertion is not within its valid time range",
    )
}

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
