//! Callers of every combination of claims, minted, validated, and compared with what was minted.
//!
//! Whether a token is admitted, as which kind of caller and with which status is worked out here once
//! more, from the words of the contract and nothing else.

use std::{
    collections::BTreeSet,
    sync::OnceLock,
    time::{Duration, UNIX_EPOCH},
};

use proptest::{
    collection::{btree_set, vec},
    option::weighted,
    prelude::*,
    sample::select,
};
use serde_json::{Map, Value, json};
use tokio::runtime::{Builder, Runtime};
use tower_entra::{
    AgentPrincipal, AgentStatus, ClientAuthentication, ErrorKind, Facet, Facets, PrincipalKind,
    TokenVersion, Validator,
};

use super::edits;
use crate::support::{issuer, now};

const OID: &str = "7aa61b50-ba6e-4ac6-90ac-9aa2dbd9b9f5";
const AGENT: &str = "facbde84-d22b-4c07-a3e2-66f35c3f4a2e";
const APP: &str = "4d4c6958-d676-49f0-815f-608f5aacfd24";

/// A facet claim: odd values that mean something, even ones that do not, or not in its form.
#[derive(Clone, Debug)]
enum FacetClaim {
    Set(Vec<u32>),
    Malformed(&'static str),
}

impl FacetClaim {
    fn json(&self) -> Value {
        match self {
            Self::Set(values) => {
                let values: Vec<_> = values.iter().map(u32::to_string).collect();
                json!(values.join(" "))
            }
            Self::Malformed(text) => json!(text),
        }
    }

    fn odd(&self) -> Option<BTreeSet<u32>> {
        match self {
            Self::Set(values) => Some(values.iter().copied().filter(|v| v % 2 == 1).collect()),
            Self::Malformed(_) => None,
        }
    }
}

/// What is minted.
#[derive(Clone, Debug)]
struct Caller {
    is_v1: bool,
    idtyp: Option<&'static str>,
    scp: Option<&'static str>,
    roles: Option<Vec<&'static str>>,
    sub: Option<&'static str>,
    oid: Option<&'static str>,
    azp: Option<&'static str>,
    appid: Option<&'static str>,
    actor: Option<FacetClaim>,
    subject: Option<FacetClaim>,
    tenant: Option<FacetClaim>,
    relationships: Option<FacetClaim>,
    blueprint: Option<&'static str>,
    authentication: Option<&'static str>,
    acct: Option<i64>,
    capabilities: Option<Vec<&'static str>>,
    mark: Option<&'static str>,
    is_bound: bool,
}

impl Caller {
    fn claims(&self) -> Map<String, Value> {
        let issuer = issuer();
        let (ver, iss) = match self.is_v1 {
            true => ("1.0", issuer.v1_issuer()),
            false => ("2.0", issuer.v2_issuer()),
        };
        let mut claims = Map::new();
        let mut set = |name: &str, value: Option<Value>| {
            claims.extend(value.map(|value| (name.to_owned(), value)));
        };
        let text = |text: Option<&str>| text.map(Value::from);
        set("ver", text(Some(ver)));
        set("iss", Some(json!(iss)));
        set("tid", text(Some(issuer.tenant_id())));
        set("aud", text(Some(issuer.audience())));
        set("iat", Some(json!(now())));
        set("exp", Some(json!(now() + 600)));
        set("uti", text(Some("token-id")));
        set("idtyp", text(self.idtyp));
        set("scp", text(self.scp));
        set("roles", self.roles.as_ref().map(|roles| json!(roles)));
        set("sub", text(self.sub));
        set("oid", text(self.oid));
        set("azp", text(self.azp));
        set("appid", text(self.appid));
        set("xms_act_fct", self.actor.as_ref().map(FacetClaim::json));
        set("xms_sub_fct", self.subject.as_ref().map(FacetClaim::json));
        set("xms_tnt_fct", self.tenant.as_ref().map(FacetClaim::json));
        let relationships = self.relationships.as_ref();
        set("xms_idrel", relationships.map(FacetClaim::json));
        set("xms_par_app_azp", text(self.blueprint));
        set("azpacr", text(self.authentication));
        set("acct", self.acct.map(Value::from));
        set("xms_cc", self.capabilities.as_ref().map(|all| json!(all)));
        set("unknown", Some(json!({"nested": [1, "é", null]})));
        self.mark.inspect(|mark| set(mark, Some(json!("x"))));
        set("cnf", self.is_bound.then(|| json!({"kid": "x"})));
        claims
    }

    fn scopes(&self) -> Vec<&'static str> {
        let scopes: Vec<_> = self.scp.unwrap_or_default().split(' ').collect();
        let scopes: Vec<_> = scopes
            .into_iter()
            .filter(|scope| !scope.is_empty())
            .collect();
        match scopes.iter().all(|scope| *scope == "/") {
            true => Vec::new(),
            false => scopes,
        }
    }

    fn has_scope(&self) -> bool {
        !self.scopes().is_empty()
    }

    fn granted_roles(&self) -> Vec<&'static str> {
        let mut roles = self.roles.clone().unwrap_or_default();
        roles.retain(|role| !role.trim().is_empty());
        roles
    }

    fn client(&self) -> Option<&'static str> {
        if self.is_v1 { self.appid } else { self.azp }
    }

    fn has(claim: Option<&FacetClaim>, facet: u32) -> bool {
        let odd = claim.and_then(FacetClaim::odd);
        odd.is_some_and(|odd| odd.contains(&facet))
    }

    fn subject_has(&self, facet: u32) -> bool {
        Self::has(self.subject.as_ref(), facet)
    }

    fn actor_has(&self, facet: u32) -> bool {
        Self::has(self.actor.as_ref(), facet)
    }

    fn is_well_formed(claim: Option<&FacetClaim>) -> bool {
        claim.and_then(FacetClaim::odd).is_some()
    }

    /// Checks 11 to 13.
    fn refusal(&self) -> Option<ErrorKind> {
        let names_a_client = self.azp.is_some() || self.appid.is_some();
        let is_id_token = !self.has_scope() && (!names_a_client || self.mark.is_some());
        if is_id_token {
            return Some(ErrorKind::IdToken);
        }
        let is_app = self.idtyp == Some("app");
        let contradictions = [
            self.azp.is_some() && self.appid.is_some() && self.azp != self.appid,
            is_app && self.has_scope(),
            is_app && self.subject_has(13),
            is_app
                && Self::is_well_formed(self.subject.as_ref())
                && self.actor_has(11)
                && !self.subject_has(11),
            self.subject_has(11) && !self.subject_has(13) && self.idtyp == Some("user"),
            self.subject_has(11) && !self.subject_has(13) && self.has_scope(),
        ];
        if contradictions.contains(&true) {
            return Some(ErrorKind::ContradictoryClaims);
        }
        if self.is_bound {
            return Some(ErrorKind::SenderConstrained);
        }
        let grants = self.has_scope() || !self.granted_roles().is_empty();
        (!grants).then_some(ErrorKind::NothingGranted)
    }

    fn has_relationship(&self, values: &[u32]) -> bool {
        let claim = self.relationships.as_ref();
        values.iter().any(|value| Self::has(claim, *value))
    }

    fn is_app_only(&self) -> bool {
        let is_application = self
            .sub
            .is_some_and(|sub| sub.starts_with('/') || self.oid.is_some_and(|oid| oid == sub))
            || self.subject_has(11)
            || self.has_relationship(&[7, 13, 33])
            || !self.granted_roles().is_empty();
        let says_nothing = self.idtyp.is_none() && !self.has_scope() && !self.subject_has(13);
        self.idtyp == Some("app") || (says_nothing && is_application)
    }

    fn is_delegated(&self) -> bool {
        self.idtyp == Some("user") || (self.idtyp.is_none() && self.has_scope())
    }

    fn is_guest(&self) -> bool {
        match self.acct {
            Some(1) => true,
            Some(0) => false,
            _ => self.has_relationship(&[5, 11, 29, 31]),
        }
    }

    /// Section 4, and the table of section 3.
    fn kind_and_status(&self, knows_agent: bool) -> (PrincipalKind, AgentStatus) {
        use {AgentStatus::*, PrincipalKind::*};

        let is_attested = [11, 13]
            .iter()
            .any(|facet| self.actor_has(*facet) || self.subject_has(*facet));
        let is_declared = knows_agent && self.client() == Some(AGENT);
        let by_delegation = |itself, delegated| match (self.is_app_only(), self.is_delegated()) {
            (true, false) => itself,
            (false, true) => delegated,
            (false, false) => Unknown,
            (true, true) => unreachable!("{self:?}"),
        };
        let kind = if self.subject_has(13) {
            AgentUser
        } else if self.subject_has(11) {
            AutonomousAgent
        } else if self.actor_has(11) || (is_declared && !is_attested) {
            by_delegation(AutonomousAgent, AgentOnBehalfOfUser)
        } else {
            by_delegation(Application, User)
        };
        let both = [self.actor.as_ref(), self.subject.as_ref()];
        let status = if is_attested {
            Attested
        } else if is_declared {
            Declared
        } else if both.into_iter().all(Self::is_well_formed) {
            NotAgent
        } else {
            Unattested
        };
        (kind, status)
    }

    fn assert_is(&self, principal: &AgentPrincipal) {
        let issuer = issuer();
        assert_eq!(principal.tenant_id().as_str(), issuer.tenant_id());
        let text = |guid: Option<&str>| guid.map(str::to_owned);
        let object = principal.object_id().map(|guid| guid.to_string());
        assert_eq!(object, text(self.oid));
        let client = principal.client_id().map(|guid| guid.to_string());
        assert_eq!(client, text(self.client()));
        let blueprint = principal.parent_agent_blueprint();
        assert_eq!(blueprint.map(|guid| guid.to_string()), text(self.blueprint));
        assert_eq!(principal.subject(), self.sub);
        assert_eq!(principal.is_app_only(), self.is_app_only());
        assert_eq!(principal.is_agent_user_identity(), self.subject_has(13));
        let identity_type = principal.identity_type();
        assert_eq!(identity_type.map(|idtyp| idtyp.as_str()), self.idtyp);
        assert!(principal.scopes().eq(self.scopes()));
        assert!(principal.roles().eq(self.granted_roles()));
        for (facets, claim) in [
            (principal.actor_facets(), &self.actor),
            (principal.subject_facets(), &self.subject),
            (principal.tenant_facets(), &self.tenant),
        ] {
            let values = |facets: &Facets| facets.iter().map(Facet::value).collect();
            assert_eq!(facets.map(values), claim.as_ref().and_then(FacetClaim::odd));
        }
        let relationships = principal.identity_relationships();
        let relationships = relationships.map(|set| set.iter().map(|value| value.value()));
        let expected = self.relationships.as_ref().and_then(FacetClaim::odd);
        assert_eq!(relationships.map(Iterator::collect), expected);
        assert_eq!(principal.is_guest(), self.is_guest());
        assert_eq!(principal.is_delegated(), self.is_delegated());
        let version = if self.is_v1 {
            TokenVersion::V1
        } else {
            TokenVersion::V2
        };
        assert_eq!(principal.token_version(), version);
        assert_eq!(principal.audience(), issuer.audience());
        assert_eq!(principal.token_id(), Some("token-id"));
        let authentication = match self.authentication.filter(|_| !self.is_v1) {
            Some("0") => Some(ClientAuthentication::Public),
            Some("1") => Some(ClientAuthentication::Secret),
            Some("2") => Some(ClientAuthentication::Assertion),
            _ => None,
        };
        assert_eq!(principal.client_authentication(), authentication);
        let mut capabilities = self.capabilities.iter().flatten();
        let has_cp1 = capabilities.any(|one| one.eq_ignore_ascii_case("cp1"));
        assert_eq!(principal.supports_claims_challenge(), has_cp1);
        let lifetime = principal.expires_at().duration_since(UNIX_EPOCH).unwrap();
        assert!(lifetime > Duration::from_secs(u64::try_from(now()).unwrap()));
    }
}

fn facets() -> impl Strategy<Value = Option<FacetClaim>> {
    let values = vec(
        select([1, 2, 3, 5, 7, 9, 11, 11, 12, 13, 13, 27, 29, 33, 256, 1_001].as_slice()),
        1..5,
    );
    let claim = prop_oneof![
        9 => values.prop_map(FacetClaim::Set),
        1 => select(["11 x", "", "13,11", "1.0"].as_slice()).prop_map(FacetClaim::Malformed),
    ];
    weighted(0.7, claim)
}

fn one_of(values: &'static [&'static str]) -> impl Strategy<Value = Option<&'static str>> {
    weighted(0.6, select(values))
}

fn caller() -> impl Strategy<Value = Caller> {
    let who = (
        any::<bool>(),
        one_of(&["app", "user", "device", "APP"]),
        one_of(&["Orders.Read", "a b  c", "", " ", "/", "/ /", "/ x"]),
        weighted(
            0.5,
            vec(select(["Orders.Read.All", "r", "", " "].as_slice()), 0..3),
        ),
        one_of(&[OID, "/eid1/c/pub/t/x", "pseudonym", AGENT]),
        weighted(0.8, select([OID, AGENT].as_slice())),
        weighted(0.8, select([AGENT, APP].as_slice())),
        weighted(0.2, select([AGENT, APP].as_slice())),
    );
    let what = (
        [facets(), facets(), facets(), facets()],
        weighted(0.3, Just(APP)),
        one_of(&["0", "1", "2", "3"]),
        weighted(0.3, 0..3_i64),
        weighted(0.3, vec(select(["cp1", "CP1", "cp2"].as_slice()), 0..2)),
        weighted(0.1, select(["nonce", "at_hash", "c_hash"].as_slice())),
        prop::bool::weighted(0.05),
    );
    (who, what).prop_map(|(who, what)| {
        let (is_v1, idtyp, scp, roles, sub, oid, azp, appid) = who;
        let (facets, blueprint, authentication, acct, capabilities, mark, is_bound) = what;
        let [actor, subject, tenant, relationships] = facets;
        Caller {
            is_v1,
            idtyp,
            scp,
            roles,
            sub,
            oid,
            azp,
            appid,
            actor,
            subject,
            tenant,
            relationships,
            blueprint,
            authentication,
            acct,
            capabilities,
            mark,
            is_bound,
        }
    })
}

/// A validator that knows no agents, one that knows one, and what they run on.
fn validators() -> &'static (Runtime, [Validator; 2]) {
    static VALIDATORS: OnceLock<(Runtime, [Validator; 2])> = OnceLock::new();
    VALIDATORS.get_or_init(|| {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build();
        let runtime = runtime.unwrap();
        let plain = issuer().validator();
        let knowing = issuer()
            .validator_builder()
            .known_agents([(issuer().tenant_id(), AGENT)])
            .share_keys_with(&plain)
            .build()
            .unwrap();
        runtime.block_on(plain.ready());
        (runtime, [plain, knowing])
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn a_principal_says_what_was_minted(caller in caller()) {
        let (runtime, validators) = validators();
        let claims = caller.claims();
        let token = issuer().token().payload(json!(claims).to_string()).mint();
        for (validator, knows_agent) in validators.iter().zip([false, true]) {
            match runtime.block_on(validator.validate(&token)) {
                Err(error) => prop_assert_eq!(Some(error.kind()), caller.refusal()),
                Ok(principal) => {
                    prop_assert_eq!(None, caller.refusal());
                    let (kind, status) = caller.kind_and_status(knows_agent);
                    prop_assert_eq!((principal.kind(), principal.agent_status()), (kind, status));
                    let is_agent = matches!(status, AgentStatus::Attested | AgentStatus::Declared);
                    prop_assert_eq!(principal.is_agent(), is_agent);
                    caller.assert_is(&principal);
                    prop_assert_eq!(principal.claims::<Map<String, Value>>().unwrap(), claims.clone());
                }
            }
        }
    }

    /// Absence proves nothing, and neither does order: taking a claim away never makes an agent of
    /// what was none, and makes no unknown one known.
    #[test]
    fn leaving_out_a_facet_claim_never_makes_a_status_surer(
        caller in caller(),
        left_out in btree_set(select(["xms_act_fct", "xms_sub_fct"].as_slice()), 1..=2),
    ) {
        let (runtime, [validator, _]) = validators();
        let validate = |claims: &Map<String, Value>| {
            let token = issuer().token().payload(json!(claims).to_string()).mint();
            runtime.block_on(validator.validate(&token)).ok()
        };
        let mut claims = caller.claims();
        let before = validate(&claims);
        claims.retain(|name, _| !left_out.contains(name.as_str()));
        if let (Some(before), Some(after)) = (before, validate(&claims)) {
            prop_assert!(!after.is_agent() || before.is_agent());
            prop_assert_ne!(after.agent_status(), AgentStatus::NotAgent);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn an_edited_token_is_admitted_only_if_it_equals_a_signed_one(
        script in vec(any::<u8>(), 0..20),
    ) {
        edits::check(&script);
    }
}

#[test]
fn every_seed_of_edits_keeps_its_promise() {
    // A package from the registry has none.
    let seeds = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds/validate");
    if !seeds.exists() {
        return;
    }
    let mut replayed = 0;
    for seed in std::fs::read_dir(seeds).unwrap() {
        edits::check(&std::fs::read(seed.unwrap().path()).unwrap());
        replayed += 1;
    }
    assert!(replayed >= 10, "{replayed} seeds");
}
