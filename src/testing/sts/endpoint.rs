//! A request to the token endpoint and its answer.

use std::sync::Arc;

use crate::{
    AppId, TenantId,
    testing::{
        documents::Endpoint,
        fault::{Fault, Step},
        names::random_guid,
        response::{JSON, Reply},
        state::Shared,
        sts::{
            answers::answer,
            call::Call,
            form::{Form, decode},
            grants::decide,
            jwt::either_base64,
            legs::{CUT, Leg, TokenRequest, without_secrets},
            refusal::{Refusal, Trace, quoted, timestamp},
            registrations::Directory,
            scopes::asks_for_exchange,
        },
        token::now,
    },
};

/// The body of a request, as far as it could be read.
pub(in crate::testing) enum Body {
    Read(Vec<u8>),
    /// Of no declared length, as with `Transfer-Encoding: chunked`.
    NoLength,
    TooLong,
}

/// Counts and answers a POST.
pub(in crate::testing) fn post(
    shared: &Arc<Shared>,
    head: &str,
    tenant: &str,
    body: &Body,
) -> Vec<Step> {
    let (form, unread) = match read_form(head, body) {
        Ok(form) => (form, None),
        Err(refusal) => (Form::default(), Some(refusal)),
    };
    let (directory, ahead) = {
        let state = shared.lock();
        (Arc::clone(&state.directory), state.tokens.ahead)
    };
    let call = Call {
        shared,
        directory: &directory,
        form: &form,
        tenant,
        leg: leg_of(&directory, &form),
        now: now().saturating_add(ahead),
    };
    let mut request = TokenRequest {
        leg: call.leg,
        tenant: tenant.to_owned(),
        headers: headers(head),
        parameters: without_secrets(&form),
        status: None,
        code: None,
        at: now(),
        reason: None,
        fault: None,
    };
    let fault = {
        let mut state = shared.lock();
        state
            .log
            .record(without_authorization(head), Some(Endpoint::Token));
        state.faults.next(Endpoint::Token, Some(call.leg))
    };
    let trace = Trace {
        timestamp: timestamp(call.now),
        trace_id: random_guid(),
        correlation_id: correlation_id(&request),
    };
    let decided = match (&fault, unread) {
        (Some(fault), _) if fault.is_refusal() => Err(Refusal::new(
            503,
            "temporarily_unavailable",
            90033,
            "A transient error has occurred: try again later",
        )),
        (_, Some(refusal)) => Err(refusal),
        (_, None) => tenant_exists(&call).and_then(|()| decide(&call)),
    };
    let (status, body) = match &decided {
        Ok(grant) => (200, answer(&call, grant)),
        Err(refusal) => (refusal.status, refusal.body(&trace, shared.base())),
    };
    if fault.is_none() || matches!(fault, Some(Fault::Slow(_) | Fault::Drip)) {
        request.status = Some(status);
        if let Err(refusal) = decided {
            (request.code, request.reason) = (Some(refusal.code), Some(refusal.text));
        }
    }
    request.fault = fault.as_ref().map(Fault::in_words);
    report(&request);
    shared.lock().token_log.record(request);
    let reply = Reply {
        status,
        headers: reply_headers(&trace),
        body: body.to_string().into_bytes(),
    };
    match fault {
        Some(fault) => fault.steps(&reply),
        None => vec![Step::reply(&reply)],
    }
}

/// The answer to another method than POST.
pub(in crate::testing) fn not_allowed(shared: &Shared, method: &str) -> Vec<Step> {
    let text = format!(
        "The endpoint accepts only POST requests, not {}",
        quoted(method)
    );
    let trace = Trace {
        timestamp: timestamp(now()),
        trace_id: random_guid(),
        correlation_id: random_guid(),
    };
    let refusal = Refusal::new(405, "invalid_request", 900561, text);
    let mut headers = reply_headers(&trace);
    headers.push(("Allow", "POST".to_owned()));
    let body = refusal.body(&trace, shared.base()).to_string();
    vec![Step::reply(&Reply {
        status: refusal.status,
        headers,
        body: body.into_bytes(),
    })]
}

/// What is no form has no parameter, as for Entra.
fn read_form(head: &str, body: &Body) -> Result<Form, Refusal> {
    let body = match body {
        Body::Read(body) => body,
        Body::NoLength => {
            return Err(Refusal::new(
                411,
                "invalid_request",
                9002313,
                "The request has no 'Content-Length'",
            ));
        }
        Body::TooLong => {
            return Err(Refusal::new(
                413,
                "invalid_request",
                9002313,
                "The body of the request is too long",
            ));
        }
    };
    let content_type = header(head, "content-type").unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    let is_form = media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded");
    let mut form = match is_form {
        true => {
            Form::parse(body).ok_or_else(|| Refusal::malformed("the body is no form in UTF-8"))?
        }
        false => return Ok(Form::default()),
    };
    if let Some((client_id, secret)) = basic_credentials(head) {
        if form.count("client_id") == 0 {
            form.push("client_id", client_id);
        }
        form.push("client_secret", secret);
    }
    Ok(form)
}

/// Client id and secret of `Authorization: Basic` (RFC 6749, section 2.3.1), which Entra takes too.
fn basic_credentials(head: &str) -> Option<(String, String)> {
    let value = header(head, "authorization")?;
    let (scheme, credentials) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = either_base64(credentials.trim())?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    Some((decode(&decoded[..colon])?, decode(&decoded[colon + 1..])?))
}

fn leg_of(directory: &Directory, form: &Form) -> Leg {
    let client = form.get("client_id").and_then(|id| directory.app(id));
    let is_exchange = asks_for_exchange(form.get("scope").unwrap_or_default());
    Leg::of(form, client.is_some_and(|app| app.is_agent()), is_exchange)
}

fn tenant_exists(call: &Call<'_>) -> Result<(), Refusal> {
    match call.tenant {
        "common" | "consumers" => Err(Refusal::request(
            9001023,
            "The grant type is not supported over the endpoints /common and /consumers: name the \
             tenant",
        )),
        "organizations" => Err(Refusal::request(
            50194,
            "The application is of a single tenant: name the tenant in place of /organizations",
        )),
        tenant if call.directory.tenants.contains(tenant) => Ok(()),
        tenant => Err(Refusal::request(
            90002,
            format!("The tenant {} was not found", quoted(tenant)),
        )),
    }
}

/// The client's own id of the request: the header, or what msal-node sends in its place.
fn correlation_id(request: &TokenRequest) -> String {
    let given = request
        .header("client-request-id")
        .or_else(|| request.parameter("client-request-id"));
    let given = given.and_then(|id| id.trim().parse::<TenantId>().ok());
    given.map_or_else(random_guid, |id| id.to_string())
}

fn reply_headers(trace: &Trace) -> Vec<(&'static str, String)> {
    vec![
        (JSON.0, JSON.1.to_owned()),
        ("Cache-Control", "no-store, no-cache".to_owned()),
        ("Pragma", "no-cache".to_owned()),
        ("x-ms-request-id", trace.trace_id.clone()),
        ("client-request-id", trace.correlation_id.clone()),
    ]
}

fn headers(head: &str) -> Vec<(String, String)> {
    let lines = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    let cut = |name: &str, value: &str| match name.eq_ignore_ascii_case("authorization") {
        true => CUT.to_owned(),
        false => value.trim().to_owned(),
    };
    lines
        .map(|(name, value)| (name.to_owned(), cut(name, value)))
        .collect()
}

/// The value of a header, the first if there are several.
pub(in crate::testing) fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    let mut lines = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    lines
        .find(|(other, _)| other.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
}

fn without_authorization(head: &str) -> String {
    let lines = head.split_inclusive('\n').map(|line| {
        let name = line.split(':').next().unwrap_or_default();
        match name.eq_ignore_ascii_case("authorization") {
            true => format!("{name}: {CUT}\r\n"),
            false => line.to_owned(),
        }
    });
    lines.collect()
}

/// One event for each request. What is no client id is not shown.
fn report(request: &TokenRequest) {
    let client = request.parameter("client_id");
    let client = client.and_then(|id| id.parse::<AppId>().ok());
    let client = client.as_ref().map_or("unknown", AppId::as_str);
    let (leg, outcome) = (request.leg.as_str(), request.outcome());
    match request.code {
        Some(code) => tracing::debug!(target: TARGET, leg, client, outcome, code, "token request"),
        None => tracing::debug!(target: TARGET, leg, client, outcome, "token request"),
    }
}

const TARGET: &str = "tower_entra::testing";
