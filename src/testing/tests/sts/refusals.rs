//! Each rule of the token endpoint, broken in one thing.

use super::*;
use crate::testing::Policy;

/// A request that differs in one thing from one that is granted.
type Row = (&'static str, Ask, (u16, &'static str, u64));

#[track_caller]
fn prove(issuer: &Issuer, good: &Ask, rows: Vec<Row>) {
    good.granted(issuer);
    for (name, ask, (status, error, code)) in rows {
        println!("  {name}");
        let expected = (status, error.to_owned(), code);
        assert_eq!(ask.refused(issuer), expected, "{name}");
    }
}

const GUID: &str = "5d3b2a10-0000-4000-8000-000000000001";

#[test]
fn a_request_that_is_malformed_is_refused() {
    let issuer = Issuer::start_blocking();
    let good = app(&issuer);
    let scope = default_of(&issuer);
    let set = |name, value| good.clone().set(name, value);
    let request = |code| (400, "invalid_request", code);
    let at = |tenant| good.clone().at(tenant);
    prove(
        &issuer,
        &good,
        vec![
            ("no such tenant", at(OTHER_TENANT), request(90002)),
            ("a domain", at("contoso.onmicrosoft.com"), request(90002)),
            ("common", at("common"), request(9001023)),
            ("consumers", at("consumers"), request(9001023)),
            ("organizations", at("organizations"), request(50194)),
            (
                "no grant",
                good.clone().without("grant_type"),
                request(900144),
            ),
            (
                "no client",
                good.clone().without("client_id"),
                request(900144),
            ),
            ("no scope", good.clone().without("scope"), request(900144)),
            ("an empty scope", set("scope", ""), request(900144)),
            ("a blank client", set("client_id", " "), request(900144)),
            (
                "an empty path",
                good.clone().and("fmi_path", ""),
                request(900144),
            ),
            (
                "empty claims",
                good.clone().and("claims", ""),
                request(900144),
            ),
            (
                "two scopes",
                good.clone().and("scope", &scope),
                request(9000411),
            ),
            (
                "two clients",
                good.clone().and("client_id", GUID),
                request(9000411),
            ),
            (
                "a resource",
                good.clone().and("resource", issuer.audience()),
                request(901002),
            ),
            (
                "claims that are no JSON",
                good.clone().and("claims", "{"),
                request(9002313),
            ),
            (
                "claims that are no object",
                good.clone().and("claims", "[]"),
                request(9002313),
            ),
            (
                "a grant of people",
                set("grant_type", "password"),
                (400, "unsupported_grant_type", 70003),
            ),
        ],
    );
}

#[test]
fn a_body_that_is_no_form_is_refused_in_json() {
    let issuer = Issuer::start_blocking();
    let path = path(issuer.tenant_id());
    let good = app(&issuer).body();
    for (content_type, body, code) in [
        ("application/json", good.as_str(), 900144),
        ("text/plain", &good, 900144),
        (FORM, "", 900144),
        (FORM, "{}", 900144),
        (FORM, &(good.clone() + "&x=%f"), 9002313),
        (FORM, &(good.clone() + "&x=%zz"), 9002313),
        (FORM, &(good.clone() + "&x=%ff"), 9002313),
    ] {
        let headers = format!("Content-Type: {content_type}\r\n");
        let (head, answer) = post_body(&issuer, &path, &headers, body);
        assert_eq!(
            (status_of(&head), &answer["error_codes"][0]),
            (400, &code.into()),
            "{body}"
        );
    }
    let (_, answer) = post_body(&issuer, &path, "", &good);
    assert_eq!(answer["error_codes"][0], 900144, "no content type");
    let (head, _) = post_body(
        &issuer,
        &(path.clone() + "?slice=first"),
        CONTENT_TYPE,
        &good,
    );
    assert_eq!(status_of(&head), 200, "the query does not matter");
}

const CONTENT_TYPE: &str = "content-type: Application/X-WWW-Form-URLEncoded; charset=utf-8\r\n";

#[test]
fn a_body_of_no_length_or_too_long_is_refused_in_json() {
    let issuer = Issuer::start_blocking();
    let path = path(issuer.tenant_id());
    let send = |headers: &str, body: &[u8]| {
        let head = format!("POST {path} HTTP/1.1\r\n{CONTENT_TYPE}{headers}\r\n");
        let (head, body) = send(&issuer, &[head.as_bytes(), body].concat());
        let body: Value = serde_json::from_slice(&body).unwrap();
        (status_of(&head), body["error_codes"][0].as_u64())
    };
    assert_eq!(
        send("Transfer-Encoding: chunked\r\n", b""),
        (411, Some(9002313))
    );
    let long = vec![b'a'; 200_000];
    assert_eq!(
        send("Content-Length: 200000\r\n", &long),
        (413, Some(9002313))
    );
    assert_eq!(send("Content-Length: -1\r\n", b""), (413, Some(9002313)));
}

#[test]
fn another_method_is_refused_in_json() {
    let issuer = Issuer::start_blocking();
    for method in ["GET", "PUT", "HEAD", "get"] {
        let target = path(issuer.tenant_id());
        let request = format!("{method} {target} HTTP/1.1\r\n\r\n");
        let (head, body) = send(&issuer, request.as_bytes());
        assert_eq!(status_of(&head), 405, "{method}");
        assert!(head.contains("\r\nAllow: POST\r\n"), "{head}");
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["error_codes"][0], 900561);
    }
    assert_eq!(issuer.token_requests(), 0);
}

#[test]
fn a_client_without_its_one_good_credential_is_refused() {
    let issuer = Issuer::start_blocking();
    let good = app(&issuer);
    let client = |code| (401, "invalid_client", code);
    let with_assertion = |value: &str| {
        let ask = good
            .clone()
            .without("client_secret")
            .and("client_assertion", value);
        ask.and("client_assertion_type", JWT_ASSERTION)
    };
    let t1 = t1(&issuer).token(&issuer);
    let t2 = t2(&issuer).token(&issuer);
    issuer
        .client()
        .add_secret("an-old-secret")
        .expire_secret("an-old-secret");
    issuer.client().add_secret("a-second-secret");
    good.clone()
        .set("client_secret", "a-second-secret")
        .granted(&issuer);
    let two = with_assertion(&t1).and("client_secret", &issuer.client().secret());
    let type_only = good.clone().and("client_assertion_type", JWT_ASSERTION);
    let disabled = issuer.add_client().add_secret("s");
    disabled.disable();
    let of_disabled = good.clone().set("client_id", disabled.client_id());
    let exchange = issuer.client_id();
    let malformed = ["x", "a.b", "a.b.c", "e30.e30", "e30.e30.!"]
        .map(|jwt| ("no JWT", with_assertion(jwt), client(50027)));
    prove(
        &issuer,
        &good,
        [
            (
                "unknown",
                good.clone().set("client_id", GUID),
                (400, "unauthorized_client", 700016),
            ),
            (
                "disabled",
                of_disabled.set("client_secret", "s"),
                (400, "unauthorized_client", 7000112),
            ),
            (
                "wrong",
                good.clone().set("client_secret", exchange),
                client(7000215),
            ),
            (
                "expired",
                good.clone().set("client_secret", "an-old-secret"),
                client(7000222),
            ),
            (
                "none",
                good.clone().without("client_secret"),
                client(7000216),
            ),
            (
                "none, on behalf of",
                good.clone()
                    .without("client_secret")
                    .set("grant_type", JWT_BEARER),
                client(7000218),
            ),
            ("two", two, (400, "invalid_request", 9002324)),
            (
                "a secret and a type",
                type_only,
                (400, "invalid_request", 9002324),
            ),
            (
                "no type",
                with_assertion(&t1).without("client_assertion_type"),
                (400, "invalid_request", 900144),
            ),
            (
                "another type",
                with_assertion(&t1).set("client_assertion_type", "urn:x"),
                (400, "invalid_request", 9002313),
            ),
            (
                "no assertion",
                with_assertion(&t1).without("client_assertion"),
                (400, "invalid_request", 900144),
            ),
            ("a T1", with_assertion(&t1), client(700231)),
            ("a T2", with_assertion(&t2), client(700231)),
            (
                "a token",
                with_assertion(&good.token(&issuer)),
                client(700222),
            ),
            (
                "a person's token",
                with_assertion(&issuer.user().mint()),
                client(700229),
            ),
        ]
        .into_iter()
        .chain(malformed)
        .collect(),
    );
}

#[test]
fn an_exchange_token_of_a_blueprint_is_only_for_its_agents() {
    let issuer = Issuer::start_blocking();
    let good = t1(&issuer);
    let blueprint = issuer.blueprint();
    let other = issuer.add_blueprint().add_secret("other");
    let of_other = good
        .clone()
        .set("client_id", other.client_id())
        .set("client_secret", "other");
    let foreign = other.add_agent();
    let (home, client) = (issuer.tenant_id().to_owned(), issuer.client());
    issuer.add_tenant(OTHER_TENANT);
    let abroad = blueprint.add_agent_in(OTHER_TENANT);
    let path = |path: &str| good.clone().set("fmi_path", path);
    let scope = |scope: &str| good.clone().set("scope", scope);
    let by_client = good
        .clone()
        .set("client_id", client.client_id())
        .set("client_secret", &client.secret());
    let none = (401, "invalid_client", 7000229);
    prove(
        &issuer,
        &good,
        vec![
            (
                "no path",
                good.clone().without("fmi_path"),
                (400, "invalid_request", 82008),
            ),
            ("an empty path", path(""), (400, "invalid_request", 900144)),
            ("an unknown agent", path(GUID), none),
            ("no GUID", path("SomeFmiPath/FmiCredentialPath"), none),
            ("the blueprint itself", path(issuer.blueprint_id()), none),
            ("an ordinary client", path(issuer.client_id()), none),
            ("another blueprint's agent", path(foreign.client_id()), none),
            ("this agent for another blueprint", of_other, none),
            ("an agent of another tenant", path(abroad.client_id()), none),
            (
                "this agent at another tenant",
                good.clone().at(OTHER_TENANT),
                none,
            ),
            (
                "an ordinary client's request",
                by_client,
                (400, "invalid_request", 9002313),
            ),
            (
                "an API with a path",
                scope(&default_of(&issuer)),
                (400, "unauthorized_client", 82001),
            ),
            (
                "an API",
                scope(&default_of(&issuer)).without("fmi_path"),
                (400, "unauthorized_client", 82001),
            ),
            (
                "no default",
                scope("api://AzureADTokenExchange"),
                (400, "invalid_scope", 1002012),
            ),
            (
                "a scope",
                scope("api://AzureADTokenExchange/x"),
                (400, "invalid_scope", 1002012),
            ),
            (
                "two resources",
                scope(&format!("{EXCHANGE} {}", default_of(&issuer))),
                (400, "invalid_scope", 700022),
            ),
            (
                "another cloud's",
                scope("api://AzureADTokenExchangeUSGov/.default"),
                (400, "invalid_resource", 500011),
            ),
        ],
    );
    path(abroad.client_id()).at(OTHER_TENANT).granted(&issuer);
    path(&issuer.agent_id().to_uppercase()).granted(&issuer);
    scope("api://AzureAdTokenExchange/.default").granted(&issuer);
    scope(&format!("{EXCHANGE} openid offline_access profile")).granted(&issuer);
    let graph = scope("https://graph.microsoft.com/.default").without("fmi_path");
    graph.at(&home).granted(&issuer);
}

#[test]
fn a_scope_of_a_client_for_itself_is_one_default() {
    let issuer = Issuer::start_blocking();
    issuer.add_api("api://billing").add_role("Bill");
    let (good, api) = (app(&issuer), issuer.audience().to_owned());
    let scope = |scope: &str| good.clone().set("scope", scope);
    let two = format!("{api}/.default api://billing/.default");
    prove(
        &issuer,
        &good,
        vec![
            (
                "a scope",
                scope(&format!("{api}/Orders.Read")),
                (400, "invalid_scope", 1002012),
            ),
            (
                "a bare name",
                scope("Orders.Read"),
                (400, "invalid_scope", 1002012),
            ),
            ("the resource", scope(&api), (400, "invalid_scope", 1002012)),
            (
                "both",
                scope(&format!("{api}/.default {api}/Orders.Read")),
                (400, "invalid_scope", 1002012),
            ),
            ("two resources", scope(&two), (400, "invalid_scope", 700022)),
            (
                "no resource",
                scope("openid profile"),
                (400, "invalid_scope", 700023),
            ),
            (
                "an unknown one",
                scope("api://nothing/.default"),
                (400, "invalid_resource", 500011),
            ),
            (
                "the exchange",
                scope(EXCHANGE),
                (400, "invalid_request", 9002313),
            ),
            (
                "a path",
                good.clone().and("fmi_path", issuer.agent_id()),
                (400, "invalid_request", 9002313),
            ),
        ],
    );
    scope(&format!("{}/.default", issuer.api().client_id())).granted(&issuer);
    scope("api://billing//.default").granted(&issuer);
    issuer.api().require_assignment();
    good.granted(&issuer);
    issuer.client().withdraw_roles(&issuer.api());
    assert_eq!(good.refused(&issuer).2, 501051);
}

#[test]
fn an_agent_presents_an_exchange_token_of_its_blueprint_for_itself() {
    let issuer = Issuer::start_blocking();
    let good = autonomous(&issuer);
    let second = issuer.blueprint().add_agent();
    let stranger = Issuer::start_blocking();
    issuer.add_tenant(OTHER_TENANT);
    let abroad = issuer.blueprint().add_agent_in(OTHER_TENANT);
    let t1 =
        |agent: &str, tenant: &str| t1(&issuer).set("fmi_path", agent).at(tenant).token(&issuer);
    let home = issuer.tenant_id();
    let with = |assertion: &str| good.clone().set("client_assertion", assertion);
    let client = |code| (401, "invalid_client", code);
    let mine = t1(issuer.agent_id(), home);
    let (signed, _) = mine.rsplit_once('.').unwrap();
    let t2 = t2(&issuer).token(&issuer);
    let user = issuer
        .user()
        .audience("fb60f99c-7a34-4190-8149-302f77469936")
        .mint();
    let for_api = issuer.autonomous_agent().mint();
    let fresh = |ask: Ask| ask.set("client_assertion", &t1(issuer.agent_id(), home));
    prove(
        &issuer,
        &good,
        vec![
            (
                "another agent's",
                with(&t1(second.client_id(), home)),
                client(700213),
            ),
            (
                "another tenant's",
                with(&t1(abroad.client_id(), OTHER_TENANT)),
                client(700211),
            ),
            (
                "another issuer's",
                with(&super::t1(&stranger).token(&stranger)),
                client(700211),
            ),
            ("no signature", with(&format!("{signed}.")), client(700027)),
            (
                "a foreign signature",
                with(&format!("{signed}.{}", "A".repeat(342))),
                client(700027),
            ),
            ("its own T2", with(&t2), client(700231)),
            ("a token of an API", with(&for_api), client(7002121)),
            ("a person's", with(&user), client(700229)),
            (
                "a secret",
                good.clone()
                    .without("client_assertion")
                    .without("client_assertion_type")
                    .and("client_secret", &issuer.blueprint().secret()),
                client(7000215),
            ),
            (
                "none",
                good.clone()
                    .without("client_assertion")
                    .without("client_assertion_type"),
                client(7000216),
            ),
            (
                "at another tenant",
                good.clone().at(OTHER_TENANT),
                (400, "unauthorized_client", 700016),
            ),
            (
                "a path",
                good.clone().and("fmi_path", issuer.agent_id()),
                (400, "invalid_request", 9002313),
            ),
            (
                "a path for T2",
                good.clone()
                    .set("scope", EXCHANGE)
                    .and("fmi_path", issuer.agent_id()),
                (400, "invalid_request", 9002313),
            ),
            (
                "a token exchange",
                good.clone().set(
                    "grant_type",
                    "urn:ietf:params:oauth:grant-type:token-exchange",
                ),
                (400, "unauthorized_client", 82001),
            ),
        ],
    );
    issuer.expire_tokens(Leg::T1);
    assert_eq!(good.refused(&issuer).2, 700024);
    let new = fresh(good);
    new.granted(&issuer);
    issuer.advance_clock(Duration::from_secs(3_590));
    new.granted(&issuer);
    issuer.advance_clock(Duration::from_secs(20));
    assert_eq!(new.refused(&issuer).2, 700024, "its hour is over");
    let new = fresh(new);
    issuer.blueprint().disable();
    assert_eq!(new.refused(&issuer).2, 7000112);
    issuer.blueprint().enable();
    issuer.blueprint().agent().remove();
    assert_eq!(new.refused(&issuer).2, 700016);
}

#[test]
fn an_assertion_of_a_person_is_for_the_blueprint_and_in_force() {
    let issuer = Issuer::start_blocking();
    let good = obo(&issuer);
    let person = || issuer.blueprint().user_token("alice");
    let with = |token: &str| good.clone().set("assertion", token);
    let grant = |code| (400, "invalid_grant", code);
    let request = |code| (400, "invalid_request", code);
    let uri = format!("api://{}", issuer.blueprint_id());
    let blueprint = issuer.blueprint();
    let as_blueprint = good
        .clone()
        .without("client_assertion")
        .without("client_assertion_type")
        .set("client_id", blueprint.client_id())
        .and("client_secret", &blueprint.secret());
    let scope = |scope: &str| good.clone().set("scope", scope);
    let api = issuer.audience();
    prove(
        &issuer,
        &good,
        vec![
            ("none", good.clone().without("assertion"), request(900144)),
            ("no JWT", with("x"), grant(50027)),
            (
                "a foreign signature",
                with(&person().signed_by_stranger().mint()),
                grant(50013),
            ),
            (
                "no signature",
                with(&person().unsigned().mint()),
                grant(50013),
            ),
            (
                "another tenant's",
                with(&person().tenant(OTHER_TENANT).mint()),
                grant(50013),
            ),
            ("version 1.0", with(&person().v1().mint()), grant(50013)),
            (
                "the App ID URI",
                with(&person().audience(&uri).mint()),
                grant(50013),
            ),
            ("another API's", with(&issuer.user().mint()), grant(500131)),
            (
                "the agent's",
                with(&person().audience(issuer.agent_id()).mint()),
                grant(500131),
            ),
            ("expired", with(&person().expired().mint()), grant(500133)),
            (
                "app-only",
                with(&blueprint.app_token().mint()),
                grant(7000114),
            ),
            (
                "app-only without idtyp",
                with(&blueprint.app_token().without_claim("idtyp").mint()),
                grant(7000114),
            ),
            (
                "an ID token",
                with(&person().without_claim("scp").mint()),
                grant(240002),
            ),
            (
                "no use",
                good.clone().without("requested_token_use"),
                request(900144),
            ),
            (
                "another use",
                good.clone().set("requested_token_use", "x"),
                request(9002313),
            ),
            (
                "a path",
                good.clone().and("fmi_path", issuer.agent_id()),
                request(9002313),
            ),
            ("as the blueprint", as_blueprint, grant(7000114)),
            ("no scope", good.clone().without("scope"), request(900144)),
            (
                "no resource",
                scope("openid offline_access"),
                (400, "invalid_scope", 700023),
            ),
            (
                "no such scope",
                scope(&format!("{api}/Orders.Eat")),
                (400, "invalid_scope", 650053),
            ),
            (
                "Graph's, without a prefix",
                scope("Orders.Read"),
                (400, "invalid_scope", 650053),
            ),
            (
                "default and more",
                scope(&format!("{api}/.default {api}/Orders.Read")),
                (400, "invalid_scope", 70011),
            ),
            (
                "no such API",
                scope("api://nothing/x"),
                (400, "invalid_resource", 500011),
            ),
            (
                "not consented",
                scope(&format!("{api}/Orders.Write")),
                grant(65001),
            ),
            (
                "one of two",
                scope(&format!("{api}/Orders.Read {api}/Orders.Write")),
                grant(65001),
            ),
        ],
    );
}

#[test]
fn the_user_account_of_an_agent_needs_its_own_exchange_token() {
    let issuer = Issuer::start_blocking();
    let good = user_fic(&issuer);
    let second = issuer.blueprint().add_agent();
    let other_user = second.add_user("reports-agent");
    let grant = |code| (400, "invalid_grant", code);
    let request = |code| (400, "invalid_request", code);
    let credential = |token: &str| {
        good.clone()
            .set("user_federated_identity_credential", token)
    };
    let user = |name: &str, value: &str| good.clone().without("user_id").and(name, value);
    let t1_of_second = t1(&issuer)
        .set("fmi_path", second.client_id())
        .token(&issuer);
    let as_second = |ask: &Ask| {
        ask.clone()
            .set("client_id", second.client_id())
            .set("client_assertion", &t1_of_second)
    };
    let t2_of_second = as_second(&t2(&issuer)).token(&issuer);
    let client = issuer.client();
    let as_client = good
        .clone()
        .without("client_assertion")
        .without("client_assertion_type")
        .set("client_id", client.client_id())
        .and("client_secret", &client.secret());
    let name = "orders-agent@example.com";
    prove(
        &issuer,
        &good,
        vec![
            (
                "no credential",
                good.clone().without("user_federated_identity_credential"),
                request(900144),
            ),
            ("no JWT", credential("x"), grant(50027)),
            (
                "a T1",
                credential(&t1(&issuer).token(&issuer)),
                grant(500131),
            ),
            ("another agent's", credential(&t2_of_second), grant(500131)),
            (
                "a token of an API",
                credential(&autonomous(&issuer).token(&issuer)),
                grant(7002206),
            ),
            (
                "a foreign signature",
                credential(&issuer.autonomous_agent().signed_by_stranger().mint()),
                grant(50013),
            ),
            ("no user", good.clone().without("user_id"), request(900144)),
            ("both", good.clone().and("username", name), request(9002313)),
            (
                "a name as an id",
                user("user_id", name),
                (400, "server_error", 50000),
            ),
            (
                "an id as a name",
                user("username", &issuer.agent_user_id()),
                grant(50034),
            ),
            ("an unknown user", user("user_id", GUID), grant(50034)),
            (
                "an unknown name",
                user("username", "nobody@example.com"),
                grant(50034),
            ),
            (
                "another agent's user",
                user("user_id", other_user.object_id()),
                grant(50020),
            ),
            (
                "an ordinary client",
                as_client,
                (400, "unauthorized_client", 82001),
            ),
            (
                "a path",
                good.clone().and("fmi_path", issuer.agent_id()),
                request(9002313),
            ),
        ],
    );
    user("username", &name.to_uppercase()).granted(&issuer);
    user("user_id", &issuer.agent_user_id().to_uppercase()).granted(&issuer);
    good.clone()
        .and("requested_token_use", "on_behalf_of")
        .granted(&issuer);

    issuer.expire_tokens(Leg::T2);
    assert_eq!(
        good.refused(&issuer),
        (400, "invalid_grant".to_owned(), 500133)
    );
    let good = user_fic(&issuer);
    let account = issuer.blueprint().agent().user();
    account.disable();
    assert_eq!(good.refused(&issuer).2, 50057);
    account.enable();
    good.granted(&issuer);
    account.remove();
    assert_eq!(good.refused(&issuer).2, 50034);
}

#[test]
fn consent_that_is_missing_is_said_with_claims() {
    let issuer = Issuer::start_blocking();
    let agent = issuer.blueprint().agent();
    for ask in [obo(&issuer), user_fic(&issuer)] {
        ask.granted(&issuer);
        agent.withdraw_consent(&issuer.api());
        let (status, body) = ask.post(&issuer);
        assert_eq!((status, &body["error_codes"][0]), (400, &65001.into()));
        assert_eq!(body["error"], "invalid_grant");
        assert_eq!(body["suberror"], "consent_required");
        let claims: Value = serde_json::from_str(body["claims"].as_str().unwrap()).unwrap();
        assert_eq!(claims["access_token"]["capolids"]["essential"], true);
        autonomous(&issuer).granted(&issuer);
        agent.grant_scope(&issuer.api(), "Orders.Read");
    }
    agent.withdraw_consent(&issuer.api());
    agent.grant_scope_as("alice", &issuer.api(), "Orders.Read");
    obo(&issuer).granted(&issuer);
    let bob = issuer.blueprint().user_token("bob").mint();
    assert_eq!(
        obo(&issuer).set("assertion", &bob).refused(&issuer).2,
        65001
    );
    issuer.blueprint().grant_scope(&issuer.api(), "Orders.Read");
    obo(&issuer).set("assertion", &bob).granted(&issuer);
}

#[test]
fn policies_block_or_ask_for_more() {
    let issuer = Issuer::start_blocking();
    let (agent, api) = (issuer.blueprint().agent(), issuer.api());
    let (by_person, by_user, by_agent) = (obo(&issuer), user_fic(&issuer), autonomous(&issuer));
    let set = |on_api: bool, policy| match on_api {
        true => api.set_policy(policy),
        false => agent.set_policy(policy),
    };
    let with_mfa = issuer
        .blueprint()
        .user_token("alice")
        .claim("amr", ["pwd", "mfa"])
        .mint();
    for on_api in [true, false] {
        set(on_api, Policy::Block);
        for ask in [&by_person, &by_user, &by_agent] {
            let (status, body) = ask.post(&issuer);
            assert_eq!((status, &body["error_codes"][0]), (400, &53003.into()));
            assert!(body.get("claims").is_none(), "{body:#}");
        }
        set(on_api, Policy::StepUp);
        for ask in [&by_person, &by_user] {
            let (status, body) = ask.post(&issuer);
            assert_eq!((status, &body["error_codes"][0]), (400, &50076.into()));
            assert_eq!(body["error"], "interaction_required");
            assert!(
                body["claims"]
                    .as_str()
                    .unwrap()
                    .starts_with("{\"access_token\"")
            );
        }
        by_agent.granted(&issuer);
        by_person
            .clone()
            .set("assertion", &with_mfa)
            .granted(&issuer);
        set(on_api, Policy::None);
    }
    by_person.granted(&issuer);
    issuer.disable_user("alice");
    assert_eq!(by_person.refused(&issuer).2, 50057);
    issuer.enable_user("alice");
    api.require_assignment();
    agent.withdraw_roles(&api);
    assert_eq!(by_person.refused(&issuer).2, 50105);
}

#[test]
fn a_refresh_token_is_redeemed_by_its_client_until_it_is_revoked() {
    let issuer = Issuer::start_blocking();
    let scope = format!("{}/Orders.Read offline_access", issuer.audience());
    let answer = obo(&issuer).set("scope", &scope).granted(&issuer);
    let token = answer["refresh_token"].as_str().unwrap();
    let good = as_agent(
        &issuer,
        &[("grant_type", "refresh_token"), ("refresh_token", token)],
    );
    let second = issuer.blueprint().add_agent();
    let t1_of_second = t1(&issuer)
        .set("fmi_path", second.client_id())
        .token(&issuer);
    let by_second = good
        .clone()
        .set("client_id", second.client_id())
        .set("client_assertion", &t1_of_second);
    let bare = good
        .clone()
        .without("client_assertion")
        .without("client_assertion_type");
    let grant = |code| (400, "invalid_grant", code);
    prove(
        &issuer,
        &good,
        vec![
            (
                "none",
                good.clone().without("refresh_token"),
                (400, "invalid_request", 900144),
            ),
            (
                "an unknown one",
                good.clone().set("refresh_token", "x"),
                grant(70000),
            ),
            ("another client's", by_second, grant(70000)),
            ("no credential", bare, (401, "invalid_client", 7000218)),
            (
                "more scopes",
                good.clone()
                    .and("scope", &format!("{}/Orders.Write", issuer.audience())),
                grant(65001),
            ),
        ],
    );
    let again = good.granted(&issuer);
    assert!(again["refresh_token"].is_string() && again["refresh_token"] != token);
    issuer.revoke_refresh_tokens("alice");
    assert_eq!(good.refused(&issuer).2, 50173);
}
