//! The form of each request. Pure functions of values.

use std::fmt;

use form_urlencoded::Serializer;

use crate::{
    acquire::user::{AgentUser, Named},
    ids::AppId,
    secret::Secret,
};

/// How the client proves who it is: exactly one credential.
#[derive(Clone, Debug)]
pub(super) enum Proof {
    /// `client_secret`.
    Secret(Secret),
    /// `client_assertion`, of the type `jwt-bearer`.
    Assertion(Secret),
}

/// What is asked for.
#[derive(Clone)]
pub(super) enum Grant<'a> {
    /// T1: the blueprint asks for the assertion of this agent. The scope is that of the exchange.
    AgentAssertion { agent: AppId },
    /// The client as itself: TR, T2, or an ordinary app.
    ClientCredentials,
    /// On behalf of the user of this token.
    OnBehalfOf { assertion: &'a Secret },
    /// By the agent's user account, with T2.
    AgentUser { user: &'a AgentUser, t2: &'a str },
}

/// Without T2.
impl fmt::Debug for Grant<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AgentAssertion { agent } => f.debug_tuple("AgentAssertion").field(agent).finish(),
            Self::ClientCredentials => f.write_str("ClientCredentials"),
            Self::OnBehalfOf { .. } => f.write_str("OnBehalfOf"),
            Self::AgentUser { user, .. } => f.debug_tuple("AgentUser").field(user).finish(),
        }
    }
}

/// One request to the token endpoint.
#[derive(Clone, Debug)]
pub(super) struct Leg<'a> {
    pub(super) client_id: AppId,
    pub(super) proof: &'a Proof,
    pub(super) grant: Grant<'a>,
    /// Separated by spaces.
    pub(super) scope: &'a str,
    pub(super) claims: Option<&'a str>,
}

impl Leg<'_> {
    /// The body: `application/x-www-form-urlencoded`, without an empty parameter.
    ///
    /// T1 goes out without `claims`: they are those of the last leg.
    pub(super) fn form(&self) -> Secret {
        let mut form = Form::with_room_for(self);
        form.push("client_id", self.client_id.as_str());
        match self.proof {
            Proof::Secret(secret) => form.push("client_secret", secret.expose()),
            Proof::Assertion(assertion) => {
                form.push("client_assertion_type", JWT_BEARER_ASSERTION);
                form.push("client_assertion", assertion.expose());
            }
        }
        form.push("scope", self.scope);
        if !matches!(self.grant, Grant::AgentAssertion { .. }) {
            form.push("claims", self.claims.unwrap_or_default());
        }
        match self.grant {
            Grant::AgentAssertion { agent } => {
                form.push("grant_type", "client_credentials");
                form.push("fmi_path", agent.as_str());
            }
            Grant::ClientCredentials => form.push("grant_type", "client_credentials"),
            Grant::OnBehalfOf { assertion } => {
                form.push("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");
                form.push("assertion", assertion.expose());
                form.push("requested_token_use", "on_behalf_of");
            }
            Grant::AgentUser { user, t2 } => {
                form.push("grant_type", "user_fic");
                form.push("user_federated_identity_credential", t2);
                match &user.0 {
                    Named::ObjectId(id) => form.push("user_id", id.as_str()),
                    Named::PrincipalName(name) => form.push("username", &name.as_given),
                }
            }
        }
        form.finish()
    }

    /// What is in the request and may appear in no text: an answer can repeat it.
    pub(super) fn withheld(&self) -> Vec<&str> {
        let (Proof::Secret(proof) | Proof::Assertion(proof)) = self.proof;
        let of_grant = match &self.grant {
            Grant::AgentAssertion { .. } | Grant::ClientCredentials => [None, None],
            Grant::OnBehalfOf { assertion } => [Some(assertion.expose()), None],
            Grant::AgentUser { user, t2 } => match &user.0 {
                Named::ObjectId(_) => [Some(*t2), None],
                Named::PrincipalName(name) => [Some(*t2), Some(&*name.as_given)],
            },
        };
        let mut withheld = vec![proof.expose()];
        withheld.extend(of_grant.into_iter().flatten());
        withheld
    }
}

/// Parameters, encoded.
struct Form(Serializer<'static, String>);

impl Form {
    /// The room for every value with each byte percent-encoded: a buffer that grows would leave a copy of
    /// a credential in freed memory.
    fn with_room_for(leg: &Leg<'_>) -> Self {
        let claims = leg.claims.unwrap_or_default();
        let values = leg.withheld().iter().map(|text| text.len()).sum::<usize>()
            + leg.scope.len()
            + claims.len();
        let room = values.saturating_mul(3).saturating_add(ROOM_FOR_NAMES);
        Self(Serializer::new(String::with_capacity(room)))
    }

    fn push(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            self.0.append_pair(name, value);
        }
    }

    fn finish(mut self) -> Secret {
        Secret::new(self.0.finish())
    }
}

const JWT_BEARER_ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// More than the names and the fixed values of any leg.
const ROOM_FOR_NAMES: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: &str = "3AA6C2F7-1E0F-4CAA-A55A-7C08F5F87A1A";
    const AGENT: &str = "11111111-2222-4333-8444-5555555555AF";
    const TYPE: &str = "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer";

    fn form(proof: &Proof, grant: Grant<'_>, scope: &str, claims: Option<&str>) -> String {
        let leg = Leg {
            client_id: CLIENT.parse().expect("a GUID"),
            proof,
            grant,
            scope,
            claims,
        };
        leg.form().expose().to_owned()
    }

    fn agent() -> AppId {
        AGENT.parse().expect("a GUID")
    }

    #[test]
    fn each_leg_has_the_parameters_of_its_flow_and_no_other() {
        let secret = Proof::Secret(Secret::new("s~é +&="));
        let t1 = Proof::Assertion(Secret::new("t1.t1.t1"));
        let person = Secret::new("tc");
        let by_id = AgentUser::object_id(AGENT.parse().expect("a GUID"));
        let by_name = AgentUser::principal_name("Agent1+x@contoso.com");
        let exchange = "api://AzureADTokenExchange/.default";
        for (proof, grant, scope, claims, expected) in [
            (
                &secret,
                Grant::AgentAssertion { agent: agent() },
                exchange,
                Some("{}"),
                "client_id=3aa6c2f7-1e0f-4caa-a55a-7c08f5f87a1a&client_secret=s%7E%C3%A9+%2B%26%3D\
                 &scope=api%3A%2F%2FAzureADTokenExchange%2F.default&grant_type=client_credentials\
                 &fmi_path=11111111-2222-4333-8444-5555555555af"
                    .to_owned(),
            ),
            (
                &t1,
                Grant::ClientCredentials,
                exchange,
                None,
                format!(
                    "client_id=3aa6c2f7-1e0f-4caa-a55a-7c08f5f87a1a&client_assertion_type={TYPE}\
                     &client_assertion=t1.t1.t1&scope=api%3A%2F%2FAzureADTokenExchange%2F.default\
                     &grant_type=client_credentials"
                ),
            ),
            (
                &t1,
                Grant::OnBehalfOf { assertion: &person },
                "api://x/A api://x/B",
                Some(r#"{"a":1}"#),
                format!(
                    "client_id=3aa6c2f7-1e0f-4caa-a55a-7c08f5f87a1a&client_assertion_type={TYPE}\
                     &client_assertion=t1.t1.t1&scope=api%3A%2F%2Fx%2FA+api%3A%2F%2Fx%2FB\
                     &claims=%7B%22a%22%3A1%7D\
                     &grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=tc\
                     &requested_token_use=on_behalf_of"
                ),
            ),
            (
                &t1,
                Grant::AgentUser {
                    user: &by_id,
                    t2: "t2",
                },
                "User.Read",
                None,
                format!(
                    "client_id=3aa6c2f7-1e0f-4caa-a55a-7c08f5f87a1a&client_assertion_type={TYPE}\
                     &client_assertion=t1.t1.t1&scope=User.Read&grant_type=user_fic\
                     &user_federated_identity_credential=t2\
                     &user_id=11111111-2222-4333-8444-5555555555af"
                ),
            ),
            (
                &t1,
                Grant::AgentUser {
                    user: &by_name,
                    t2: "t2",
                },
                "User.Read",
                Some(""),
                format!(
                    "client_id=3aa6c2f7-1e0f-4caa-a55a-7c08f5f87a1a&client_assertion_type={TYPE}\
                     &client_assertion=t1.t1.t1&scope=User.Read&grant_type=user_fic\
                     &user_federated_identity_credential=t2&username=Agent1%2Bx%40contoso.com"
                ),
            ),
            (
                &secret,
                Grant::ClientCredentials,
                "https://x//.default",
                Some("{}"),
                "client_id=3aa6c2f7-1e0f-4caa-a55a-7c08f5f87a1a&client_secret=s%7E%C3%A9+%2B%26%3D\
                 &scope=https%3A%2F%2Fx%2F%2F.default&claims=%7B%7D&grant_type=client_credentials"
                    .to_owned(),
            ),
        ] {
            assert_eq!(form(proof, grant, scope, claims), expected);
        }
    }

    #[test]
    fn what_a_request_contains_is_withheld_from_texts() {
        let proof = Proof::Assertion(Secret::new("t1"));
        let user = AgentUser::principal_name("a@b");
        let leg = Leg {
            client_id: agent(),
            proof: &proof,
            grant: Grant::AgentUser {
                user: &user,
                t2: "t2",
            },
            scope: "s",
            claims: None,
        };
        assert_eq!(leg.withheld(), ["t1", "t2", "a@b"]);
        let shown = format!("{leg:?}");
        assert!(!shown.contains("t1") && !shown.contains("a@b"), "{shown}");
    }

    #[test]
    fn the_buffer_never_grows() {
        let proof = Proof::Secret(Secret::new("é".repeat(10_000)));
        let leg = Leg {
            client_id: agent(),
            proof: &proof,
            grant: Grant::ClientCredentials,
            scope: &"{".repeat(10_000),
            claims: Some(&"}".repeat(10_000)),
        };
        let length = leg.form().expose().len();
        let room = 3 * (20_000 + 10_000 + 10_000) + ROOM_FOR_NAMES;
        assert!(length > room - ROOM_FOR_NAMES && length <= room);
    }
}
