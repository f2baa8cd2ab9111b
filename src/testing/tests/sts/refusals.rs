//! Each rule of the token endpoint, broken in one thing.

use super::*;
#[test]
fn a_request_that_is_malformed_is_refused() {
    let issuer = Issuer::start_blocking();
    let good = app(&issuer);
    let scope = default_of(&issuer);
    let set = |name, value| good.clone().set(name, value);
    let at = |tenant| good.clone().at(tenant);
    prove! { &issuer, &good;
        "no such tenant": at(OTHER_TENANT) => invalid_request 90002;
        "a domain": at("contoso.onmicrosoft.com") => invalid_request 90002;
        "common": at("common") => invalid_request 9001023;
        "consumers": at("consumers") => invalid_request 9001023;
        "organizations": at("organizations") => invalid_request 50194;
        "no grant": good.clone().without("grant_type") => invalid_request 900144;
        "no client": good.clone().without("client_id") => invalid_request 900144;
        "no scope": good.clone().without("scope") => invalid_request 900144;
        "an empty scope": set("scope", "") => invalid_request 900144;
        "a blank client": set("client_id", " ") => invalid_request 900144;
        "an empty path": good.clone().and("fmi_path", "") => invalid_request 900144;
        "empty claims": good.clone().and("claims", "") => invalid_request 900144;
        "two scopes": good.clone().and("scope", &scope) => invalid_request 9000411;
        "two clients": good.clone().and("client_id", GUID) => invalid_request 9000411;
        "a resource": good.clone().and("resource", issuer.audience()) => invalid_request 901002;
        "claims that are no JSON": good.clone().and("claims", "{") => invalid_request 9002313;
        "claims that are no object": good.clone().and("claims", "[]") => invalid_request 9002313;
        "a grant of people": set("grant_type", "password") => unsupported_grant_type 70003;
    }
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
    for jwt in ["x", "a.b", "a.b.c", "e30.e30", "e30.e30.!"] {
        assert_eq!(with_assertion(jwt).refused(&issuer).2, 50027, "{jwt}");
    }
    prove! { &issuer, &good;
        "unknown": good.clone().set("client_id", GUID) => unauthorized_client 700016;
        "disabled": of_disabled.set("client_secret", "s") => unauthorized_client 7000112;
        "wrong": good.clone().set("client_secret", exchange) => invalid_client 7000215;
        "expired": good.clone().set("client_secret", "an-old-secret") => invalid_client 7000222;
        "none": good.clone().without("client_secret") => invalid_client 7000216;
        "none, on behalf of": good.clone().without("client_secret").set("grant_type", JWT_BEARER) => invalid_client 7000218;
        "two": two => invalid_request 9002324;
        "a secret and a type": type_only => invalid_request 9002324;
        "no type": with_assertion(&t1).without("client_assertion_type") => invalid_request 900144;
        "another type": with_assertion(&t1).set("client_assertion_type", "urn:x") => invalid_request 9002313;
        "no assertion": with_assertion(&t1).without("client_assertion") => invalid_request 900144;
        "a T1": with_assertion(&t1) => invalid_client 700231;
        "a T2": with_assertion(&t2) => invalid_client 700231;
        "a token": with_assertion(&good.token(&issuer)) => invalid_client 700222;
        "a person's token": with_assertion(&issuer.user().mint()) => invalid_client 700229;
    }
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
    prove! { &issuer, &good;
        "no path": good.clone().without("fmi_path") => invalid_request 82008;
        "an empty path": path("") => invalid_request 900144;
        "an unknown agent": path(GUID) => invalid_client 7000229;
        "no GUID": path("SomeFmiPath/FmiCredentialPath") => invalid_client 7000229;
        "the blueprint itself": path(issuer.blueprint_id()) => invalid_client 7000229;
        "an ordinary client": path(issuer.client_id()) => invalid_client 7000229;
        "another blueprint's agent": path(foreign.client_id()) => invalid_client 7000229;
        "this agent for another blueprint": of_other => invalid_client 7000229;
        "an agent of another tenant": path(abroad.client_id()) => invalid_client 7000229;
        "this agent at another tenant": good.clone().at(OTHER_TENANT) => invalid_client 7000229;
        "an ordinary client's request": by_client => invalid_request 9002313;
        "an API with a path": scope(&default_of(&issuer)) => unauthorized_client 82001;
        "an API": scope(&default_of(&issuer)).without("fmi_path") => unauthorized_client 82001;
        "no default": scope("api://AzureADTokenExchange") => invalid_scope 1002012;
        "a scope": scope("api://AzureADTokenExchange/x") => invalid_scope 1002012;
        "two resources": scope(&format!("{EXCHANGE} {}", default_of(&issuer))) => invalid_scope 700022;
        "another cloud's": scope("api://AzureADTokenExchangeUSGov/.default") => invalid_resource 500011;
    }
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
    prove! { &issuer, &good;
        "a scope": scope(&format!("{api}/Orders.Read")) => invalid_scope 1002012;
        "a bare name": scope("Orders.Read") => invalid_scope 1002012;
        "the resource": scope(&api) => invalid_scope 1002012;
        "both": scope(&format!("{api}/.default {api}/Orders.Read")) => invalid_scope 1002012;
        "two resources": scope(&two) => invalid_scope 700022;
        "no resource": scope("openid profile") => invalid_scope 700023;
        "an unknown one": scope("api://nothing/.default") => invalid_resource 500011;
        "the exchange": scope(EXCHANGE) => invalid_request 9002313;
        "a path": good.clone().and("fmi_path", issuer.agent_id()) => invalid_request 9002313;
    }
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
    let mine = t1(issuer.agent_id(), home);
    let (signed, _) = mine.rsplit_once('.').unwrap();
    let t2 = t2(&issuer).token(&issuer);
    let user = issuer
        .user()
        .audience("fb60f99c-7a34-4190-8149-302f77469936")
        .mint();
    let for_api = issuer.autonomous_agent().mint();
    let fresh = |ask: Ask| ask.set("client_assertion", &t1(issuer.agent_id(), home));
    prove! { &issuer, &good;
        "another agent's": with(&t1(second.client_id(), home)) => invalid_client 700213;
        "another tenant's": with(&t1(abroad.client_id(), OTHER_TENANT)) => invalid_client 700211;
        "another issuer's": with(&super::t1(&stranger).token(&stranger)) => invalid_client 700211;
        "no signature": with(&format!("{signed}.")) => invalid_client 700027;
        "a foreign signature": with(&format!("{signed}.{}", "A".repeat(342))) => invalid_client 700027;
        "its own T2": with(&t2) => invalid_client 700231;
        "a token of an API": with(&for_api) => invalid_client 7002121;
        "a person's": with(&user) => invalid_client 700229;
        "a secret": bare(&good).and("client_secret", &issuer.blueprint().secret()) => invalid_client 7000215;
        "none": bare(&good) => invalid_client 7000216;
        "at another tenant": good.clone().at(OTHER_TENANT) => unauthorized_client 700016;
        "a path": good.clone().and("fmi_path", issuer.agent_id()) => invalid_request 9002313;
        "a path for T2": good.clone().set("scope", EXCHANGE).and("fmi_path", issuer.agent_id()) => invalid_request 9002313;
        "a token exchange": good.clone().set("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange") => unauthorized_client 82001;
    }
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
fn the_client_id_of_an_app_that_was_removed_is_given_to_no_other() {
    let issuer = Issuer::start_blocking();
    let blueprint = issuer.add_blueprint();
    blueprint.remove();
    assert_ne!(issuer.add_blueprint().client_id(), blueprint.client_id());
    let client = issuer.add_client();
    client.remove();
    assert_ne!(issuer.add_client().client_id(), client.client_id());
    let agent = issuer.blueprint().add_agent();
    agent.remove();
    assert_ne!(
        issuer.blueprint().add_agent().client_id(),
        agent.client_id()
    );
}
