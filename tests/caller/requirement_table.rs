//! Every requirement against every kind, status, version and grant of a caller. The answers were
//! written down by hand.

use std::{collections::HashSet, convert::Infallible, sync::OnceLock};

use http::{Request, Response, StatusCode};
use tower::{Layer, ServiceExt, service_fn};
use tower_entra::{
    AgentPrincipal, AgentStatus, Denial, PrincipalKind, RequireLayer, Requirement, TokenVersion,
    Validator, testing::TokenBuilder,
};

use crate::support::{OTHER_TENANT, block_on, issuer};

/// A requirement and its answers, which are the same in both versions: one line for each set of
/// [`GRANTS`], and in it one letter for each of the [`IDENTITIES`].
///
/// - `y`: satisfied
/// - `-`: 403 without a scope
/// - `s`: 403 with the scopes
/// - `c`: 401 with a claims challenge for the authentication context `c1`, `C`: for `c`
/// - `r`: 401 in the words of RFC 9470
struct Row {
    requirement: Requirement,
    /// The scopes of the challenge, where there are some.
    scopes: &'static str,
    answers: [&'static str; 4],
}

fn row(requirement: Requirement, scopes: &'static str, answers: [&'static str; 4]) -> Row {
    Row {
        requirement,
        scopes,
        answers,
    }
}

/// A row whose answers are the same with all grants.
fn by_identity(requirement: Requirement, answers: &'static str) -> Row {
    row(requirement, "", [answers; 4])
}

// In a line, from the left:
//
//   yy   an autonomous agent: attested, declared
//   yy   an agent for alice: attested, declared
//   y    an agent's user account: attested
//   yyy  alice: not an agent, unattested, with an agent for an actor
//   yyy  an application: not an agent, unattested, with an agent for an actor
//   yyyy something unknown: not an agent, unattested, with an agent for an actor, declared
//
// The lines: everything granted; the role; the scope, without `cp1`; neither.
#[rustfmt::skip]
fn table() -> Vec<Row> {
    use PrincipalKind::*;

    let read = || scope("Orders.Read");
    let write = || scope("Orders.Write");
    let role = || Requirement::role("Orders.Read.All").unwrap();
    let either = || Requirement::scope_or_role("Orders.Read", "Orders.Read.All").unwrap();
    let kinds = |kinds: &[PrincipalKind]| Requirement::kinds(kinds.iter().copied()).unwrap();
    let c1 = || Requirement::authentication_context("c1").unwrap();
    let both = |one: Requirement, other| one.and(other).unwrap();
    let (agents, people) = (Requirement::agents, Requirement::people);

    vec![
        // What has been granted.
        row(read(), "Orders.Read", [
            "-- yy y yyy --- ----",
            "-- ss s sss --- ----",
            "-- yy y yyy --- ----",
            "-- ss s sss --- ----",
        ]),
        // The exact name, and no part of it.
        row(scope("Orders"), "Orders", ["-- ss s sss --- ----"; 4]),
        row(scope("orders.read"), "orders.read", ["-- ss s sss --- ----"; 4]),
        row(scope("Orders.Read.All"), "Orders.Read.All", ["-- ss s sss --- ----"; 4]),
        row(role(), "", [
            "yy yy y yyy yyy yyyy",
            "yy yy y yyy yyy yyyy",
            "-- -- - --- --- ----",
            "-- -- - --- --- ----",
        ]),
        row(Requirement::role("orders.read.all").unwrap(), "", ["-- -- - --- --- ----"; 4]),
        row(Requirement::role("Orders.Read").unwrap(), "", ["-- -- - --- --- ----"; 4]),
        row(either(), "Orders.Read", [
            "yy yy y yyy yyy ----",
            "yy ss s sss yyy ----",
            "-- yy y yyy --- ----",
            "-- ss s sss --- ----",
        ]),
        // The right names in the wrong places.
        row(Requirement::scope_or_role("Orders.Read.All", "Orders.Read").unwrap(), "Orders.Read.All", [
            "-- ss s sss --- ----",
            "-- ss s sss --- ----",
            "-- ss s sss --- ----",
            "-- ss s sss --- ----",
        ]),

        // Who is calling.
        by_identity(Requirement::delegated(),      "-- yy y yyy --- ----"),
        by_identity(Requirement::app_only(),       "yy -- - --- yyy ----"),
        by_identity(kinds(&[AutonomousAgent]),     "yy -- - --- --- ----"),
        by_identity(kinds(&[AgentOnBehalfOfUser]), "-- yy - --- --- ----"),
        by_identity(kinds(&[AgentUser]),           "-- -- y --- --- ----"),
        by_identity(kinds(&[User]),                "-- -- - yyy --- ----"),
        by_identity(kinds(&[Application]),         "-- -- - --- yyy ----"),
        by_identity(kinds(&[AgentUser, AutonomousAgent, AgentUser]), "yy -- y --- --- ----"),
        by_identity(
            kinds(&[AutonomousAgent, AgentOnBehalfOfUser, AgentUser, User, Application]),
            "yy yy y yyy yyy ----",
        ),
        by_identity(agents(),                            "yy yy y --y --y --yy"),
        by_identity(Requirement::no_agents(),            "-- -- - y-- y-- ----"),
        by_identity(people(),                            "-- -- - y-- --- ----"),
        by_identity(Requirement::people_or_unattested(), "-- -- - yy- --- ----"),
        by_identity(clients(issuer().tenant_id(), issuer().agent_id()),  "yy yy y --- --- ---y"),
        by_identity(clients(issuer().tenant_id(), issuer().client_id()), "-- -- - yyy yyy yyy-"),
        // The same client elsewhere, a person in the place of a client, and the blueprint.
        by_identity(clients(OTHER_TENANT, issuer().agent_id()), "-- -- - --- --- ----"),
        by_identity(clients(issuer().tenant_id(), &alice()), "-- -- - --- --- ----"),
        by_identity(clients(issuer().tenant_id(), issuer().blueprint_id()), "-- -- - --- --- ----"),
        by_identity(principals(issuer().tenant_id(), &alice()),           "-- yy - yyy --- yyyy"),
        by_identity(principals(issuer().tenant_id(), issuer().agent_id()), "yy -- - --- --- ----"),
        by_identity(principals(issuer().tenant_id(), &issuer().agent_user_id()), "-- -- y --- --- ----"),
        by_identity(principals(OTHER_TENANT, &alice()), "-- -- - --- --- ----"),
        by_identity(principals(issuer().tenant_id(), issuer().client_id()), "-- -- - --- --- ----"),

        // How they signed in.
        row(c1(), "", [
            "yy yy y yyy yyy yyyy",
            "cc cc c ccc ccc cccc",
            "-- -- - --- --- ----",
            "cc cc c ccc ccc cccc",
        ]),
        row(Requirement::authentication_context("c").unwrap(), "", [
            "CC CC C CCC CCC CCCC",
            "CC CC C CCC CCC CCCC",
            "-- -- - --- --- ----",
            "CC CC C CCC CCC CCCC",
        ]),
        row(Requirement::acr_value("c1").unwrap(), "", [
            "yy yy y yyy yyy yyyy",
            "rr rr r rrr rrr rrrr",
            "rr rr r rrr rrr rrrr",
            "rr rr r rrr rrr rrrr",
        ]),

        // And: all scopes in one challenge, and none that would not help.
        row(both(read(), write()), "Orders.Read Orders.Write", ["-- ss s sss --- ----"; 4]),
        row(both(both(write(), read()), write()), "Orders.Write Orders.Read", ["-- ss s sss --- ----"; 4]),
        row(both(read(), people()), "Orders.Read", [
            "-- -- - y-- --- ----",
            "-- -- - s-- --- ----",
            "-- -- - y-- --- ----",
            "-- -- - s-- --- ----",
        ]),
        row(both(read(), role()), "Orders.Read", [
            "-- yy y yyy --- ----",
            "-- ss s sss --- ----",
            "-- -- - --- --- ----",
            "-- -- - --- --- ----",
        ]),
        // A step-up comes last, and alone.
        row(both(c1(), read()), "Orders.Read", [
            "-- yy y yyy --- ----",
            "-- ss s sss --- ----",
            "-- -- - --- --- ----",
            "-- ss s sss --- ----",
        ]),
        row(both(people(), both(scope("Mail.Read"), c1())), "Mail.Read", [
            "-- -- - y-- --- ----",
            "-- -- - c-- --- ----",
            "-- -- - --- --- ----",
            "-- -- - c-- --- ----",
        ]),

        // Or: the nearest way.
        row(agents().or(read()), "Orders.Read", [
            "yy yy y yyy --y --yy",
            "yy yy y ssy --y --yy",
            "yy yy y yyy --y --yy",
            "yy yy y ssy --y --yy",
        ]),
        row(people().or(agents()), "", ["yy yy y y-y --y --yy"; 4]),
        row(read().or(write()), "Orders.Read", [
            "-- yy y yyy --- ----",
            "-- ss s sss --- ----",
            "-- yy y yyy --- ----",
            "-- ss s sss --- ----",
        ]),
        // A sign-in is nearer than a scope, if the client can be asked for it.
        row(write().or(c1()), "Orders.Write", [
            "yy yy y yyy yyy yyyy",
            "cc cc c ccc ccc cccc",
            "-- ss s sss --- ----",
            "cc cc c ccc ccc cccc",
        ]),
        row(both(people(), read()).or(both(agents(), role())), "Orders.Read", [
            "yy yy y y-y --y --yy",
            "yy yy y s-y --y --yy",
            "-- -- - y-- --- ----",
            "-- -- - s-- --- ----",
        ]),
    ]
}

fn scope(scope: &str) -> Requirement {
    Requirement::scope(scope).unwrap()
}

fn clients(tenant: &str, client: &str) -> Requirement {
    Requirement::clients([(tenant, client)]).unwrap()
}

fn principals(tenant: &str, object: &str) -> Requirement {
    Requirement::principals([(tenant, object)]).unwrap()
}

fn alice() -> String {
    issuer().object_id_of("alice")
}

/// Every kind with every status that it can have.
const IDENTITIES: [(PrincipalKind, AgentStatus); 15] = {
    use {AgentStatus::*, PrincipalKind::*};
    [
        (AutonomousAgent, Attested),
        (AutonomousAgent, Declared),
        (AgentOnBehalfOfUser, Attested),
        (AgentOnBehalfOfUser, Declared),
        (AgentUser, Attested),
        (User, NotAgent),
        (User, Unattested),
        (User, Attested),
        (Application, NotAgent),
        (Application, Unattested),
        (Application, Attested),
        (Unknown, NotAgent),
        (Unknown, Unattested),
        (Unknown, Attested),
        (Unknown, Declared),
    ]
};

/// A token of each of the [`IDENTITIES`].
fn tokens() -> [TokenBuilder; 15] {
    let issuer = issuer();
    let by_agent = |token: TokenBuilder| token.claim("xms_act_fct", "3 13");
    let device = || issuer.user().claim("idtyp", "device");
    [
        issuer.autonomous_agent(),
        issuer.autonomous_agent().without_facets(),
        issuer.agent_on_behalf_of("alice"),
        issuer.agent_on_behalf_of("alice").without_facets(),
        issuer.agent_user(),
        issuer.user(),
        issuer.user().without_facets(),
        by_agent(issuer.user()),
        issuer.application(),
        issuer.application().without_facets(),
        by_agent(issuer.application()),
        device(),
        device().without_claim("xms_act_fct"),
        by_agent(device()),
        issuer
            .agent_on_behalf_of("alice")
            .without_facets()
            .claim("idtyp", "device"),
    ]
}

/// Scopes, roles, authentication contexts and client capabilities. An app-only token has no scopes.
type Grants = (
    &'static str,
    [&'static str; 1],
    &'static [&'static str],
    &'static [&'static str],
);

const GRANTS: [Grants; 4] = [
    (
        "Orders.Read Mail.Read",
        ["Orders.Read.All"],
        &["c1"],
        &["cp1"],
    ),
    ("Mail.Read", ["Orders.Read.All"], &[], &["cp1"]),
    ("Orders.Read Mail.Read", ["Other"], &[], &[]),
    ("Mail.Read", ["Other"], &["c2"], &["CP1"]),
];

fn with_grants(token: TokenBuilder, kind: PrincipalKind, grants: &Grants) -> TokenBuilder {
    let (scopes, roles, contexts, capabilities) = grants;
    let token = token
        .roles(*roles)
        .claim("acrs", contexts)
        .claim("xms_cc", capabilities);
    match kind {
        PrincipalKind::AutonomousAgent | PrincipalKind::Application => token.without_claim("scp"),
        _ => token.scope(scopes),
    }
}

/// The callers of one line of the table, in each version.
struct Line {
    grants: usize,
    version: TokenVersion,
    callers: Vec<AgentPrincipal>,
}

/// All callers of the table.
fn lines() -> &'static [Line] {
    static LINES: OnceLock<Vec<Line>> = OnceLock::new();
    LINES.get_or_init(|| {
        let mut lines = Vec::new();
        for (grants, granted) in GRANTS.iter().enumerate() {
            for version in [TokenVersion::V1, TokenVersion::V2] {
                let tokens = tokens()
                    .into_iter()
                    .zip(IDENTITIES)
                    .map(|(token, (kind, _))| {
                        let token = with_grants(token, kind, granted);
                        match version {
                            TokenVersion::V1 => token.v1().mint(),
                            _ => token.mint(),
                        }
                    });
                let callers = principals_of(tokens).into_iter().map(Result::unwrap);
                lines.push(Line {
                    grants,
                    version,
                    callers: callers.collect(),
                });
            }
        }
        lines
    })
}

type Admission = Result<AgentPrincipal, tower_entra::Error>;

/// Who these tokens say is calling, if they are admitted where the issuer's agent is declared.
fn principals_of(tokens: impl IntoIterator<Item = String>) -> Vec<Admission> {
    let validator: Validator = issuer()
        .validator_builder()
        .known_agents([(issuer().tenant_id(), issuer().agent_id())])
        .build()
        .unwrap();
    block_on(async {
        validator.ready().await;
        let mut admissions = Vec::new();
        for token in tokens {
            admissions.push(validator.validate(&token).await);
        }
        admissions
    })
}

#[test]
fn the_callers_are_what_the_table_says() {
    for line in lines() {
        let identities: Vec<_> = line
            .callers
            .iter()
            .map(|caller| (caller.kind(), caller.agent_status()))
            .collect();
        assert_eq!(identities, IDENTITIES);
        assert!(
            line.callers
                .iter()
                .all(|caller| caller.token_version() == line.version)
        );
    }
    assert_eq!(
        lines().iter().map(|line| line.callers.len()).sum::<usize>(),
        IDENTITIES.len() * 2 * GRANTS.len()
    );
}

#[test]
pub(crate) fn every_requirement_answers_every_caller_as_the_table_says() {
    let (table, lines) = (table(), lines());
    block_on(async {
        for row in &table {
            for line in lines {
                let letters = row.answers[line.grants].replace(' ', "");
                assert_eq!(letters.len(), line.callers.len());
                for (caller, letter) in line.callers.iter().zip(letters.chars()) {
                    answers(row, caller, letter, line).await;
                }
            }
        }
    });
}

async fn answers(row: &Row, caller: &AgentPrincipal, letter: char, line: &Line) {
    let requirement = &row.requirement;
    let denial = requirement.check(caller).err();
    let what = || {
        format!(
            "{requirement}, {caller:?}, line {}: {denial:?}",
            line.grants
        )
    };

    let (status, challenge) = expected(letter, row.scopes);
    let answered = denial.as_ref().map_or(StatusCode::OK, Denial::status);
    assert_eq!(answered, status, "{}", what());
    let header = denial.as_ref().and_then(Denial::challenge);
    let header = header.as_ref().map(|value| value.to_str().unwrap());
    assert_eq!(header, challenge.as_deref(), "{}", what());

    // A layer answers the same.
    let mut request = Request::new(());
    request.extensions_mut().insert(caller.clone());
    let inner = service_fn(|_: Request<()>| async { Ok::<_, Infallible>(Response::new(())) });
    let service = RequireLayer::new(requirement.clone()).layer(inner);
    let response = service.oneshot(request).await.unwrap();
    assert_eq!(response.status(), status, "{}", what());
    assert_eq!(response.extensions().get(), denial.as_ref(), "{}", what());
}

fn expected(letter: char, scopes: &str) -> (StatusCode, Option<String>) {
    let (status, challenge) = match letter {
        'y' => return (StatusCode::OK, None),
        '-' => (StatusCode::FORBIDDEN, FORBIDDEN.to_owned()),
        's' => (
            StatusCode::FORBIDDEN,
            format!("{FORBIDDEN}, scope=\"{scopes}\""),
        ),
        'c' => (StatusCode::UNAUTHORIZED, STEP_UP_TO_C1.to_owned()),
        'C' => (StatusCode::UNAUTHORIZED, STEP_UP_TO_C.to_owned()),
        'r' => (StatusCode::UNAUTHORIZED, STEP_UP_BY_RFC_9470.to_owned()),
        other => panic!("no such answer: {other}"),
    };
    (status, Some(challenge))
}

const FORBIDDEN: &str = "Bearer error=\"insufficient_scope\"";
// base64 of {"access_token":{"acrs":{"essential":true,"value":"c1"}}}
const STEP_UP_TO_C1: &str = "Bearer realm=\"\", error=\"insufficient_claims\", \
    claims=\"eyJhY2Nlc3NfdG9rZW4iOnsiYWNycyI6eyJlc3NlbnRpYWwiOnRydWUsInZhbHVlIjoiYzEifX19\"";
const STEP_UP_TO_C: &str = "Bearer realm=\"\", error=\"insufficient_claims\", \
    claims=\"eyJhY2Nlc3NfdG9rZW4iOnsiYWNycyI6eyJlc3NlbnRpYWwiOnRydWUsInZhbHVlIjoiYyJ9fX0=\"";
const STEP_UP_BY_RFC_9470: &str = "Bearer error=\"insufficient_user_authentication\", \
    error_description=\"a stronger sign-in is needed\", acr_values=\"c1\"";

/// The table is complete: a token with any of these claims has a caller of the table.
#[test]
fn no_caller_is_of_another_kind_or_status_than_those_in_the_table() {
    let values = |claim: &'static str, values: &'static [&'static str]| {
        let values = values.iter().map(move |value| Some((claim, *value)));
        std::iter::once(None).chain(values).collect::<Vec<_>>()
    };
    let mut tokens = Vec::new();
    for base in [
        issuer().application(),
        issuer().user(),
        issuer().autonomous_agent(),
    ] {
        for idtyp in values("idtyp", &["app", "user", "device"]) {
            for actor in values("xms_act_fct", &["3", "3 11", "3 13"]) {
                for subject in values("xms_sub_fct", &["3", "3 11", "3 13"]) {
                    for scope in values("scp", &["Mail.Read"]) {
                        let token = base
                            .clone()
                            .without_facets()
                            .without_claim("scp")
                            .roles(["Other"]);
                        let claims = [idtyp, actor, subject, scope].into_iter().flatten();
                        let token = token.claims(claims);
                        tokens.extend([token.clone().v1().mint(), token.mint()]);
                    }
                }
            }
        }
    }
    let admitted: Vec<_> = principals_of(tokens).into_iter().flatten().collect();
    for version in [TokenVersion::V1, TokenVersion::V2] {
        let callers = admitted
            .iter()
            .filter(|caller| caller.token_version() == version);
        let found: HashSet<_> = callers
            .map(|caller| (caller.kind(), caller.agent_status()))
            .collect();
        assert_eq!(found, HashSet::from(IDENTITIES));
    }
}
