//! The answer of a managed identity's endpoint, and the assertion that is made of it.

use std::{
    error::Error as StdError,
    pin::Pin,
    sync::{Arc, LazyLock, Mutex},
};

use azure_core::{
    Bytes,
    http::{AsyncRawResponse, ClientOptions, HttpClient, Request, Transport, headers::Headers},
};
use azure_identity::{ManagedIdentityCredential, ManagedIdentityCredentialOptions};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, value::RawValue};
use tokio::runtime::{self, Runtime};
use tower_entra::acquire::{AcquireErrorKind, ConfidentialClient, Scopes};

use super::plain_json::Members;
use crate::settings::managed_identity::of;

/// The first byte is the status and says whether an audience is configured; the rest is the body, in which
/// `%JWT%` is a signed JWT.
pub(crate) fn managed_identity(data: &[u8]) {
    let Some((selector, body)) = data.split_first() else {
        return;
    };
    let body = String::from_utf8_lossy(body).replace("%JWT%", JWT);
    let status = STATUS[usize::from(selector % 8)];
    let audience = (selector & 8 != 0).then_some(AUDIENCE);
    let endpoint = Endpoint {
        status,
        body: body.clone(),
        resource: audience.unwrap_or("api://AzureADTokenExchange"),
        requests: Mutex::default(),
    };
    let endpoint = Arc::new(endpoint);
    let transport: Arc<dyn HttpClient> = endpoint.clone();
    let options = ManagedIdentityCredentialOptions {
        client_options: ClientOptions {
            transport: Some(Transport::new(transport)),
            ..ClientOptions::default()
        },
        ..ManagedIdentityCredentialOptions::default()
    };
    let identity = ManagedIdentityCredential::new(Some(options)).expect("a credential");
    let entra = Entra::default();
    let client = ConfidentialClient::builder(TENANT, CLIENT, of(identity, audience))
        .http_client(entra.clone())
        .build()
        .expect("a client");
    let scopes = Scopes::default_of("api://x").expect("scopes");
    let error = RUNTIME
        .block_on(client.itself().token(&scopes))
        .expect_err("a refusal");

    let requests = *endpoint.requests.lock().expect("a lock");
    assert_eq!(requests, 1, "{error}");
    let sent = entra.0.lock().expect("a lock").clone();
    let token = token(&body).filter(|_| (200..300).contains(&status));
    let shown = format!("{error}\n{error:?}");
    assert!(
        shown
            .bytes()
            .all(|byte| matches!(byte, b' '..=b'~' | b'\n')),
        "{shown:?}"
    );
    assert!(error.to_string().len() < 700, "{shown}");
    assert!(
        !shown.contains("eyJ") && !shown.contains("-----BEGIN"),
        "{shown}"
    );
    if let Some(token) = &token {
        let is_long = token.len() >= 24 && !token.contains(' ');
        assert!(!is_long || !shown.contains(token.as_str()), "{shown}");
    }
    match (&*sent, token.as_deref().map(|token| (token, form(token)))) {
        ([], None | Some((_, Form::Other | Form::Unclear))) => {
            let kind = match token {
                None => AcquireErrorKind::Unavailable,
                Some(_) => AcquireErrorKind::CredentialRefused,
            };
            assert_eq!(error.kind(), kind, "{shown}");
        }
        ([assertion], Some((token, Form::Jwt | Form::Unclear))) => {
            let is_space = |c: char| matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0c');
            assert_eq!(assertion, token.trim_matches(is_space));
            assert_eq!(error.kind(), AcquireErrorKind::Misconfigured, "{shown}");
        }
        (sent, token) => panic!("{body}: {} sent of {token:?}: {error}", sent.len()),
    }
}

/// The token that is in the answer: an object with each of four texts once, or the four in a list, in which
/// serde takes them, too. Of other members it reads the names only.
fn token(body: &str) -> Option<String> {
    let text = |raw: &RawValue| serde_json::from_str::<String>(raw.get()).ok();
    let [token, expires_on, _, _] = if let Ok(Members(members)) = serde_json::from_str(body) {
        let once = |name: &str| {
            let mut named = members.iter().filter(|(own, _)| own == name);
            let (_, value) = named.next()?;
            named.next().is_none().then(|| text(value))?
        };
        [
            once("access_token")?,
            once("expires_on")?,
            once("token_type")?,
            once("resource")?,
        ]
    } else {
        let items: Vec<Box<RawValue>> = serde_json::from_str(body).ok()?;
        let [a, b, c, d] = items.as_slice() else {
            return None;
        };
        [text(a)?, text(b)?, text(c)?, text(d)?]
    };
    let expires_on: i64 = expires_on.parse().ok()?;
    // The years -9999 to 9999.
    (-377_705_116_800..=253_402_300_799)
        .contains(&expires_on)
        .then_some(token)
}

#[derive(Debug)]
enum Form {
    Jwt,
    /// Whether it has objects depends on how strictly JSON is read.
    Unclear,
    Other,
}

fn form(token: &str) -> Form {
    let is_space = |c: char| matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0c');
    let parts: Vec<Option<Vec<u8>>> = token
        .trim_matches(is_space)
        .split('.')
        .map(|part| URL_SAFE_NO_PAD.decode(part).ok())
        .collect();
    let [Some(header), Some(claims), Some(signature)] = parts.as_slice() else {
        return Form::Other;
    };
    if signature.is_empty() || token.len() > 64 * 1024 {
        return Form::Other;
    }
    let is_object =
        |json: &Vec<u8>| serde_json::from_slice::<Value>(json).is_ok_and(|json| json.is_object());
    let can_be = |json: &Vec<u8>| {
        let text = json.trim_ascii();
        text.starts_with(b"{") && text.ends_with(b"}")
    };
    match [header, claims] {
        both if both.iter().all(|json| is_object(json)) => Form::Jwt,
        both if both.iter().all(|json| can_be(json)) => Form::Unclear,
        _ => Form::Other,
    }
}

/// Gives one answer to each request.
#[derive(Debug)]
struct Endpoint {
    status: u16,
    body: String,
    resource: &'static str,
    requests: Mutex<usize>,
}

impl HttpClient for Endpoint {
    fn execute_request<'s, 'r, 'f>(
        &'s self,
        request: &'r Request,
    ) -> Pin<Box<dyn Future<Output = azure_core::Result<AsyncRawResponse>> + Send + 'f>>
    where
        's: 'f,
        'r: 'f,
        Self: 'f,
    {
        let url = request.url();
        assert_eq!(url.host_str(), Some("169.254.169.254"));
        let resource = url.query_pairs().find(|(name, _)| name == "resource");
        assert_eq!(resource.expect("a resource").1, self.resource);
        *self.requests.lock().expect("a lock") += 1;
        let answer = AsyncRawResponse::from_bytes(
            self.status.into(),
            Headers::new(),
            Bytes::from(self.body.clone()),
        );
        Box::pin(async { Ok(answer) })
    }
}

/// Refuses each request, and keeps the assertion in it.
#[derive(Clone, Default)]
struct Entra(Arc<Mutex<Vec<String>>>);

impl tower_entra::HttpClient for Entra {
    fn send(
        &self,
        request: http::Request<Vec<u8>>,
        _: usize,
    ) -> Pin<
        Box<
            dyn Future<Output = Result<http::Response<Vec<u8>>, Box<dyn StdError + Send + Sync>>>
                + Send,
        >,
    > {
        let form: Vec<(String, String)> = form_urlencoded::parse(request.body())
            .into_owned()
            .collect();
        let all = |name: &str| {
            let named = form.iter().filter(|(own, _)| own == name);
            named.map(|(_, value)| value.clone()).collect::<Vec<_>>()
        };
        let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        assert_eq!(all("client_assertion_type"), [kind]);
        assert!(all("client_secret").is_empty());
        self.0
            .lock()
            .expect("a lock")
            .extend(all("client_assertion"));
        let refusal =
            br#"{"error":"invalid_request","error_description":"AADSTS1: a","error_codes":[1]}"#;
        let mut answer = http::Response::new(refusal.to_vec());
        *answer.status_mut() = http::StatusCode::BAD_REQUEST;
        Box::pin(async { Ok(answer) })
    }
}

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    // A hand-over to another thread takes most of the time of a check.
    let runtime = runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime")
});

/// Those that `azure_identity` does not try again, which takes a minute.
const STATUS: [u16; 8] = [200, 200, 200, 201, 400, 401, 403, 302];

const TENANT: &str = "7090e106-1ad3-4313-9b7a-75cc3e576d40";
const CLIENT: &str = "3aa6c2f7-1e0f-4caa-a55a-7c08f5f87a1a";
const AUDIENCE: &str = "api://other";
const JWT: &str = "eyJhbGciOiJSUzI1NiJ9.eyJvaWQiOiJhIn0.c2ln";
