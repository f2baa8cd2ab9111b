//! Requests to the sidecar.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::header::RETRY_AFTER;
use reqwest::{RequestBuilder, Response};
use serde::Deserialize;
use serde_json::Value;
use tower_entra::testing::Leg;

use crate::{
    ask::{Outcome, Request, answered, read, same},
    figures::Wrong,
    oracle::Refusal,
    seen::Seen,
};

impl Request<'_> {
    /// The header that it gives, shown to the API.
    pub(crate) async fn header(&self, leg: Leg) -> Outcome {
        let Some((query, expected, user)) = self.wish(leg) else {
            return self.without_user("AuthorizationHeader").await;
        };
        let url = match leg {
            Leg::OnBehalfOf => format!("/AuthorizationHeader/person?{query}"),
            Leg::AgentUser => format!("/AuthorizationHeaderUnauthenticated/person?{query}"),
            _ => format!("/AuthorizationHeaderUnauthenticated/orders?{query}"),
        };
        let client = &self.places.client;
        let answer = self
            .send_to_sidecar(client.get(self.at_sidecar(&url)), leg)
            .await?;
        if answer.status() != 200 {
            return self.refused(answer, leg, user).await;
        }
        let header: Header = read(answer).await?;
        let request = client.get(&self.places.orders);
        let request = request.header("authorization", header.authorization_header);
        let answer = answered(request).await?;
        if answer.status() != 200 {
            let text = format!("the API: {} to a token of the sidecar", answer.status());
            return Err((Wrong::Refusal, text));
        }
        same(&read(answer).await?, &expected)
    }

    /// It calls the API.
    pub(crate) async fn call(&self, leg: Leg) -> Outcome {
        let Some((query, expected, user)) = self.wish(leg) else {
            return self.without_user("DownstreamApi").await;
        };
        let url = match leg {
            Leg::OnBehalfOf => format!("/DownstreamApi/person?{query}"),
            _ => format!("/DownstreamApiUnauthenticated/orders?{query}"),
        };
        let request = self.places.client.post(self.at_sidecar(&url));
        let answer = self.send_to_sidecar(request, leg).await?;
        if answer.status() != 200 {
            return self.refused(answer, leg, user).await;
        }
        let called: Called = read(answer).await?;
        match serde_json::from_str(&called.content) {
            Ok(seen) => same(&seen, &expected),
            Err(_) => {
                let text = format!("the API: {} to the sidecar", called.status_code);
                Err((Wrong::Refusal, text))
            }
        }
    }

    pub(crate) async fn validate(&self) -> Outcome {
        let request = self.places.client.get(self.at_sidecar("/Validate"));
        let answer = answered(request.bearer_auth(&self.caller.token)).await?;
        if answer.status() != 200 {
            let text = format!("{} to a good token", answer.status());
            return Err((Wrong::Refusal, text));
        }
        let validated: Validated = read(answer).await?;
        match claims_of(&self.caller.token) {
            Some(claims) if claims == validated.claims => Ok("as asked".to_owned()),
            _ => Err((Wrong::Identity, format!("claims {}", validated.claims))),
        }
    }

    /// The query, who must be seen, and the user. `None` on behalf of a caller that has no user.
    fn wish(&self, leg: Leg) -> Option<(String, Seen, Option<String>)> {
        let agent = format!("AgentIdentity={}", self.acting.id());
        let tenant = &self.acting.itself.tenant;
        let query = match *tenant == self.world.tenants[0] {
            true => agent,
            false => format!("{agent}&optionsOverride.AcquireTokenOptions.Tenant={tenant}"),
        };
        match leg {
            Leg::AgentUser => {
                let account = &self.acting.accounts[self.account];
                let oid = account.object_id();
                let query = match self.account {
                    0 => format!("{query}&AgentUserId={oid}"),
                    _ => format!("{query}&AgentUsername={}", account.principal_name()),
                };
                Some((query, self.acting.by_account(oid), Some(oid.to_owned())))
            }
            Leg::OnBehalfOf => {
                let user = self.caller.seen.user.as_ref()?;
                Some((query, self.acting.on_behalf_of(user), Some(user.clone())))
            }
            _ => Some((query, self.acting.itself.clone(), None)),
        }
    }

    /// On behalf of a caller that has no user: 401 before a token request.
    async fn without_user(&self, route: &str) -> Outcome {
        let url = format!("/{route}/person?AgentIdentity={}", self.acting.id());
        let client = &self.places.client;
        let request = match route {
            "DownstreamApi" => client.post(self.at_sidecar(&url)),
            _ => client.get(self.at_sidecar(&url)),
        };
        let answer = answered(request.bearer_auth(&self.caller.token)).await?;
        match answer.status().as_u16() {
            401 => Ok("401, no user".to_owned()),
            status => Err((Wrong::Admission, format!("{status} on behalf of an app"))),
        }
    }

    async fn send_to_sidecar(
        &self,
        request: RequestBuilder,
        leg: Leg,
    ) -> Result<Response, (Wrong, String)> {
        answered(match leg {
            Leg::OnBehalfOf => request.bearer_auth(&self.caller.token),
            _ => request,
        })
        .await
    }

    async fn refused(&self, answer: Response, leg: Leg, user: Option<String>) -> Outcome {
        let status = answer.status().as_u16();
        let has_retry_after = answer.headers().contains_key(RETRY_AFTER);
        let problem: Option<Problem> = read(answer).await.ok();
        let code = problem
            .as_ref()
            .and_then(|problem| problem.error_code.as_deref());
        let code = code.and_then(|code| code.strip_prefix("AADSTS")?.parse().ok());
        let refusal = Refusal {
            status,
            kind: None,
            code,
            has_retry_after,
            other: problem
                .is_none()
                .then(|| "no problem in the body".to_owned()),
        };
        self.judge(refusal, leg, user.as_deref(), true).await
    }

    fn at_sidecar(&self, path: &str) -> String {
        format!("{}{path}", self.places.sidecar)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Header {
    authorization_header: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Called {
    status_code: u16,
    content: String,
}

#[derive(Deserialize)]
struct Validated {
    claims: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Problem {
    error_code: Option<String>,
    #[serde(rename = "detail")]
    _detail: String,
}

fn claims_of(token: &str) -> Option<Value> {
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice(&payload).ok()
}
