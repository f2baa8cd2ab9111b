//! Requests to the API of an agent, and forged tokens at every door.

use http::header::RETRY_AFTER;
use reqwest::Response;
use tower_entra::testing::Leg;

use crate::{
    apis::REASON,
    ask::{Outcome, Request, answered, read, same},
    figures::Wrong,
    oracle::Refusal,
    seen::{Answer, Seen},
};

impl Request<'_> {
    pub(crate) async fn as_app(&self) -> Outcome {
        self.at_api("/app", &self.app_itself(), Leg::App, None)
            .await
    }

    pub(crate) async fn as_itself(&self) -> Outcome {
        let path = format!("/itself/{}", self.agent);
        self.at_api(&path, &self.acting.itself, Leg::Agent, None)
            .await
    }

    pub(crate) async fn by_account(&self) -> Outcome {
        let oid = self.acting.accounts[self.account].object_id();
        let path = format!("/account/{}/{}", self.agent, self.account);
        let expected = self.acting.by_account(oid);
        self.at_api(&path, &expected, Leg::AgentUser, Some(oid))
            .await
    }

    pub(crate) async fn on_behalf_of(&self) -> Outcome {
        let path = format!("/on_behalf_of/{}", self.agent);
        match &self.caller.seen.user {
            Some(user) => {
                let expected = self.acting.on_behalf_of(user);
                self.at_api(&path, &expected, Leg::OnBehalfOf, Some(user))
                    .await
            }
            // There is no user on whose behalf to act.
            None => {
                let answer = self.send_to_api(&path).await?;
                match (answer.status().as_u16(), reason(&answer)) {
                    (403, Some("door: not_delegated")) => Ok("403, no user".to_owned()),
                    (status, reason) => Err((
                        Wrong::Admission,
                        format!("{status} {reason:?} on behalf of an app"),
                    )),
                }
            }
        }
    }

    async fn at_api(&self, path: &str, expected: &Seen, leg: Leg, user: Option<&str>) -> Outcome {
        let answer = self.send_to_api(path).await?;
        if answer.status() == 200 {
            let answer: Answer = read(answer).await?;
            same(&answer.caller, &self.caller.seen)?;
            return same(&answer.called_as, expected);
        }
        // A kind and Entra's number, if there is one; else where it comes from.
        let (kind, code) = match reason(&answer).and_then(|reason| reason.split_once(' ')) {
            Some((kind, "-")) => (Some(kind), None),
            Some((kind, code)) => (Some(kind), code.parse().ok()),
            None => (None, None),
        };
        let is_of_entra = kind.is_some_and(|kind| !kind.ends_with(':'));
        let other = reason(&answer).filter(|_| !is_of_entra);
        let refusal = Refusal {
            status: answer.status().as_u16(),
            kind: kind.map(str::to_owned),
            code,
            has_retry_after: answer.headers().contains_key(RETRY_AFTER),
            other: other.map(str::to_owned),
        };
        self.judge(refusal, leg, user, false).await
    }

    async fn send_to_api(&self, path: &str) -> Result<Response, (Wrong, String)> {
        let url = format!("{}{path}", self.places.agent_apis[self.blueprint]);
        let request = self.places.client.get(url);
        answered(request.bearer_auth(&self.caller.token)).await
    }

    /// A token that no door may admit, at one of them.
    pub(crate) async fn forged(&self, number: usize) -> Outcome {
        let doors = self.places.doors();
        let (door, audience) = &doors[number % doors.len()];
        let forged = &self.world.forged;
        let (what, token) = forged.token(self.world, *audience, self.caller, number / doors.len());
        let answer = answered(self.places.client.get(door).bearer_auth(token)).await?;
        match answer.status().as_u16() {
            401 => Ok(format!("401, {what}")),
            // The door has not looked whether the key is there again.
            503 if what == "withdrawn key" => Ok(format!("503, {what}")),
            200 => Err((Wrong::Admission, format!("{what}: admitted at {door}"))),
            status => Err((Wrong::Refusal, format!("{what}: {status} at {door}"))),
        }
    }
}

fn reason(answer: &Response) -> Option<&str> {
    answer.headers().get(REASON)?.to_str().ok()
}
