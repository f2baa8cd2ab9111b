//! Every answer that is no token, or not the one that was asked for.

use serde_json::{Value, json};
use tower_entra::{
    acquire::AcquireErrorKind as Kind,
    testing::{Fault, Leg, Target},
};

use super::world::World;

/// What the token endpoint does in the place of a good answer, and the error that comes of it.
pub(crate) struct Bad {
    pub(crate) what: &'static str,
    apply: Box<Apply>,
    pub(crate) kind: Kind,
    /// Parts of the text and of the hint.
    pub(crate) text: &'static str,
    pub(crate) hint: &'static str,
    /// How many requests are made.
    pub(crate) tries: usize,
    /// When to ask again, in seconds.
    pub(crate) after: u64,
}

type Apply = dyn Fn(&World, Leg);

impl Bad {
    /// The requests for tokens of this leg are answered by it from now on.
    pub(crate) fn apply(&self, world: &World, leg: Leg) {
        (self.apply)(world, leg);
    }

    fn new(what: &'static str, apply: impl Fn(&World, Leg) + 'static, text: &'static str) -> Self {
        Self {
            what,
            apply: Box::new(apply),
            kind: Kind::Unavailable,
            text,
            hint: "no proxy or sign-in page answers in its place",
            tries: 1,
            after: 5,
        }
    }

    fn fault(what: &'static str, fault: Fault, text: &'static str) -> Self {
        let apply = move |world: &World, leg| {
            world.issuer.fail_at(Target::Leg(leg), fault.clone());
        };
        Self::new(what, apply, text)
    }

    fn body(status: u16, body: &'static str, text: &'static str) -> Self {
        let fault = Fault::Answer {
            status,
            headers: vec![],
            body: body.as_bytes().to_vec(),
        };
        Self::fault(body, fault, text)
    }

    /// A good answer but for this member.
    fn member(what: &'static str, name: &'static str, value: Value, text: &'static str) -> Self {
        let apply = move |world: &World, leg| {
            world.issuer.set_token_member(leg, name, &value);
        };
        Self::new(what, apply, text)
    }

    fn without(name: &'static str, text: &'static str) -> Self {
        let apply = move |world: &World, leg| world.issuer.remove_token_member(leg, name);
        Self::new(name, apply, text)
    }

    /// A good token but for these claims.
    fn claims(what: &'static str, claims: fn(&World, Leg) -> Value, text: &'static str) -> Self {
        let apply = move |world: &World, leg| {
            let mut all = good_claims(world, leg);
            for (name, value) in claims(world, leg).as_object().unwrap() {
                all[name] = value.clone();
            }
            all.as_object_mut()
                .unwrap()
                .retain(|_, value| !value.is_null());
            let token = world.issuer.token().payload(all.to_string()).mint();
            world.issuer.set_token_member(leg, "access_token", token);
        };
        Self {
            kind: Kind::IdentityMismatch,
            hint: "it answered with a token of another identity than the one asked for",
            ..Self::new(what, apply, text)
        }
    }

    fn twice(self) -> Self {
        Self { tries: 2, ..self }
    }

    fn kind(self, kind: Kind, hint: &'static str, after: u64) -> Self {
        Self {
            kind,
            hint,
            after,
            ..self
        }
    }
}

/// Of whom the token of a leg should be.
fn good_claims(world: &World, leg: Leg) -> Value {
    let client = match leg {
        Leg::App => world.app.client_id(),
        Leg::T1 => world.blueprint.client_id(),
        _ => world.agent.client_id(),
    };
    let user = match leg {
        Leg::OnBehalfOf => Some(world.issuer.object_id_of(&world.person)),
        Leg::AgentUser => Some(world.account.object_id().to_owned()),
        _ => None,
    };
    let scope = user.is_some().then_some("Orders.Read");
    json!({"azp": client, "tid": world.issuer.tenant_id(), "oid": user, "scp": scope})
}

const OTHER: &str = "0bad0bad-0bad-4bad-8bad-0bad0bad0bad";
const PIPE: &str = "Check that this machine reaches the authority";
const FAILS: &str = "Entra has an outage or a short fault";

/// Answers that are none.
pub(crate) fn no_answers() -> Vec<Bad> {
    let cut = "gave no answer";
    let redirect = |status| Fault::Answer {
        status,
        headers: vec![("Location".to_owned(), "https://login.example/".to_owned())],
        body: Vec::new(),
    };
    let unavailable = |bad: Bad, after| bad.kind(Kind::Unavailable, FAILS, after);
    let pipe = |bad: Bad| bad.twice().kind(Kind::Unavailable, PIPE, 5);
    vec![
        Bad::fault(
            "a sign-in page",
            Fault::Html,
            "answered 200, and its body is HTML",
        ),
        Bad::fault(
            "no body",
            Fault::Empty,
            "answered 200, and its body is empty",
        ),
        Bad::fault(
            "an empty object",
            Fault::EmptyObject,
            "it has no token_type",
        ),
        Bad::fault("another document", Fault::NoKeys, "it has no token_type"),
        Bad::fault("text behind it", Fault::TrailingGarbage, "malformed"),
        Bad::fault(
            "an encoding",
            Fault::GzipBomb,
            "its body has a content encoding",
        ),
        Bad::fault(
            "302",
            redirect(302),
            "answered 302, and redirects are not followed",
        ),
        Bad::fault(
            "307",
            redirect(307),
            "answered 307, and redirects are not followed",
        ),
        pipe(Bad::fault("half of it", Fault::Truncated, cut)),
        pipe(Bad::fault("no HTTP", Fault::Garbage, cut)),
        pipe(Bad::fault("no answer", Fault::Close, cut)),
        unavailable(
            Bad::fault(
                "500",
                Fault::Status(500),
                "Entra failed (500 temporarily_unavailable)",
            )
            .twice(),
            5,
        ),
        unavailable(Bad::fault("503 for 9 s", waiting(503, 9), "AADSTS90033"), 9),
        Bad::fault("429 for 30 s", waiting(429, 30), "Entra throttles (429").kind(
            Kind::Throttled,
            "short fault",
            30,
        ),
        Bad::fault(
            "429 for two hours",
            waiting(429, 7_200),
            "Entra throttles (429",
        )
        .kind(Kind::Throttled, "short fault", 3_600),
        Bad::body(
            429,
            "<html>busy</html>",
            "answered 429, and its body is HTML",
        )
        .kind(Kind::Throttled, "Send fewer requests", 5),
        Bad::body(
            502,
            "bad gateway",
            "answered 502, and its body is not a JSON object",
        )
        .twice()
        .kind(Kind::Unavailable, FAILS, 5),
        Bad::body(400, "<html>", "answered 400, and its body is HTML"),
        Bad::body(204, "", "answered 204, and its body is empty"),
        Bad::body(200, "[]", "its body is not a JSON object"),
        Bad::body(200, r#"{"error": 7}"#, "its error is no text"),
        Bad::body(
            200,
            r#"{"token_type":"Bearer","access_token":"a","access_token":"b","expires_in":3599}"#,
            "has a member twice",
        ),
        Bad::body(
            200,
            r#"{"token_type":"Bearer","access_token":"a","expires_in":0,"expires_in":3599}"#,
            "has a member twice",
        ),
        Bad::body(
            201,
            r#"{"token_type":"Bearer","access_token":"a","expires_in":3599}"#,
            "answered 201, and its body names no error",
        ),
    ]
}

fn waiting(status: u16, seconds: u64) -> Fault {
    Fault::StatusWithRetryAfter { status, seconds }
}

/// Answers whose members are not those of a token.
pub(crate) fn bad_members() -> Vec<Bad> {
    let life = "its expires_in is not from 1 s to ten years";
    let character = "its access_token has a character that RFC 6750 does not allow";
    vec![
        Bad::member("a life of 0", "expires_in", json!(0), life),
        Bad::member("a life that ended", "expires_in", json!(-3_599), life),
        Bad::member("a life in words", "expires_in", json!("an hour"), life),
        Bad::member("a life in negative words", "expires_in", json!("-1"), life),
        Bad::member(
            "more than ten years",
            "expires_in",
            json!(315_705_600),
            life,
        ),
        Bad::member("the end of numbers", "expires_in", json!(u64::MAX), life),
        Bad::member("half a second", "expires_in", json!(0.5), life),
        Bad::member("no life", "expires_in", json!(null), life),
        Bad::without("expires_in", "it has no expires_in"),
        Bad::without("access_token", "it has no access_token"),
        Bad::without("token_type", "it has no token_type"),
        Bad::member(
            "another type",
            "token_type",
            json!("pop"),
            "its token_type is not Bearer",
        ),
        Bad::member("an empty token", "access_token", json!(""), character),
        Bad::member("two tokens", "access_token", json!("a b"), character),
        Bad::member(
            "a header",
            "access_token",
            json!("a\r\nX-Admin: 1"),
            character,
        ),
        Bad::member("a letter", "access_token", json!("\u{e9}"), character),
        Bad::member(
            "a list",
            "access_token",
            json!(["a"]),
            "it has no access_token",
        ),
        Bad::member(
            "an error too",
            "error",
            json!("invalid_request"),
            "(200 invalid_request)",
        )
        .kind(
            Kind::Misconfigured,
            "Compare client id, tenant and scopes",
            0,
        ),
    ]
}

/// Tokens of another identity than that of the leg.
pub(crate) fn others() -> Vec<Bad> {
    let client = |name: &'static str| format!("its {name} is {OTHER}, not ").leak();
    vec![
        Bad::claims(
            "another client's",
            |_, _| json!({"azp": OTHER}),
            client("azp"),
        ),
        Bad::claims(
            "two clients'",
            |_, _| json!({"appid": OTHER}),
            client("appid"),
        ),
        Bad::claims(
            "no client's",
            |_, _| json!({"azp": null}),
            "it has neither azp nor appid",
        ),
        Bad::claims(
            "a client's by name",
            |_, _| json!({"azp": "orders"}),
            "its azp is no GUID",
        ),
        Bad::claims(
            "another tenant's",
            |_, _| json!({"tid": OTHER}),
            client("tid"),
        ),
        Bad::claims("no tenant's", |_, _| json!({"tid": null}), "it has no tid"),
        Bad::claims(
            "one in disguise",
            |_, _| json!({"AZP": OTHER}),
            "its claims cannot be read",
        ),
        Bad::claims(
            "of the other kind",
            |_, leg| match leg {
                Leg::OnBehalfOf | Leg::AgentUser => json!({"idtyp": "app"}),
                _ => json!({"scp": "Orders.Read"}),
            },
            "so it is ",
        ),
        Bad::claims(
            "of the other kind, by its idtyp or by its subject",
            |world, leg| match leg {
                Leg::OnBehalfOf | Leg::AgentUser => {
                    let agent = world.agent.client_id();
                    json!({"scp": null, "sub": agent, "oid": agent})
                }
                _ => json!({"idtyp": "user"}),
            },
            "it",
        ),
    ]
}

/// Tokens of another user, for the legs of users.
pub(crate) fn other_users() -> Vec<Bad> {
    let oid = format!("its oid is {OTHER}, not ").leak();
    vec![
        Bad::claims("another user's", |_, _| json!({"oid": OTHER}), oid),
        Bad::claims(
            "the blueprint's own",
            |world, _| json!({"azp": world.blueprint.client_id(), "scp": null, "idtyp": "app"}),
            "its azp is ",
        ),
    ]
}
