//! Reads the claims of a token into types. Makes check 6.
//!
//! A claim that decides is refused in the wrong type. One that only informs then counts as absent
//! and is named in [`Claims::malformed`].

use std::{borrow::Cow, fmt, ops::Deref, str::FromStr};

use super::{
    UnverifiedToken, VerifiedToken,
    json::{Item, Value, read_object},
    members::Members,
    number::Number,
};
use crate::{
    error::ErrorKind,
    facets::{Facet, FacetSet, Facets, IdentityRelationships},
    ids::{AppId, ObjectId},
};

/// Claims that a key has vouched for.
#[derive(Debug)]
pub(crate) struct Verified<T>(T);

impl<T> Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl VerifiedToken {
    pub(crate) fn claims(&self) -> Result<Verified<Claims<'_>>, ErrorKind> {
        Claims::parse(self.payload()).map(Verified)
    }
}

impl UnverifiedToken<'_> {
    /// The claims as somebody wrote them: good for deciding whether a fetch is worth it, and for
    /// nothing else.
    pub(crate) fn unverified_claims(&self) -> Result<Claims<'_>, ErrorKind> {
        Claims::parse(self.payload())
    }
}

/// The claims of a token, each in the only type it may have.
pub(crate) struct Claims<'j> {
    /// The whole claim set as it was signed.
    pub(crate) text: &'j str,

    pub(crate) iss: Option<Cow<'j, str>>,
    /// One audience or several; empty when the claim is absent.
    pub(crate) aud: Vec<Cow<'j, str>>,
    pub(crate) tid: Option<Cow<'j, str>>,
    pub(crate) ver: Option<Cow<'j, str>>,
    pub(crate) exp: Option<Number>,
    pub(crate) nbf: Option<Number>,
    pub(crate) iat: Option<Number>,
    pub(crate) sub: Option<Cow<'j, str>>,
    pub(crate) oid: Option<ObjectId>,
    pub(crate) azp: Option<AppId>,
    pub(crate) appid: Option<AppId>,
    pub(crate) idtyp: Option<Cow<'j, str>>,
    /// `None` also for an empty, blank or `/` claim, which grant nothing.
    pub(crate) scp: Option<Cow<'j, str>>,
    /// Without blank ones.
    pub(crate) roles: Vec<Cow<'j, str>>,
    pub(crate) has_cnf: bool,
    /// `nonce`, `at_hash` or `c_hash`: what only an ID token has.
    pub(crate) has_id_token_mark: bool,

    pub(crate) actor_facets: Option<Facets>,
    pub(crate) subject_facets: Option<Facets>,
    pub(crate) tenant_facets: Option<Facets>,
    pub(crate) relationships: Option<IdentityRelationships>,
    pub(crate) blueprint: Option<AppId>,
    pub(crate) azpacr: Option<Cow<'j, str>>,
    pub(crate) appidacr: Option<Cow<'j, str>>,
    pub(crate) acct: Option<i64>,
    pub(crate) idp: Option<Cow<'j, str>>,
    pub(crate) uti: Option<Cow<'j, str>>,
    pub(crate) acrs: Vec<Cow<'j, str>>,
    pub(crate) xms_cc: Vec<Cow<'j, str>>,
    pub(crate) groups: Vec<Cow<'j, str>>,
    pub(crate) has_groups_overage: bool,

    /// Claims that only inform and were not in their form, and so count as absent.
    pub(crate) malformed: Vec<&'static str>,
}

impl<'j> Claims<'j> {
    pub(super) fn parse(json: &'j [u8]) -> Result<Self, ErrorKind> {
        let text = std::str::from_utf8(json).map_err(|_| ErrorKind::MalformedClaims)?;
        let mut raw = Members::default();
        read_object(text, &mut raw).map_err(|_| ErrorKind::MalformedClaims)?;
        Self::from_members(text, raw).map_err(|WrongType| ErrorKind::MalformedClaims)
    }

    fn from_members(text: &'j str, raw: Members<'j>) -> Result<Self, WrongType> {
        let mut informing = Informing::default();
        let has_id_token_mark =
            raw.nonce.is_some() || raw.at_hash.is_some() || raw.c_hash.is_some();
        Ok(Self {
            text,
            iss: string(raw.iss)?,
            aud: audiences(raw.aud)?,
            tid: string(raw.tid)?,
            ver: string(raw.ver)?,
            exp: number(raw.exp.as_ref())?,
            nbf: number(raw.nbf.as_ref())?,
            iat: number(raw.iat.as_ref())?,
            sub: string(raw.sub)?,
            oid: guid(raw.oid)?,
            azp: guid(raw.azp)?,
            appid: guid(raw.appid)?,
            idtyp: string(raw.idtyp)?,
            scp: string(raw.scp)?
                .filter(|scopes| scopes.split_whitespace().any(|part| part != "/")),
            roles: roles(raw.roles)?,
            has_cnf: confirmation(raw.cnf.as_ref())?,
            has_id_token_mark,
            actor_facets: informing.set("xms_act_fct", raw.xms_act_fct).map(Facets),
            subject_facets: informing.set("xms_sub_fct", raw.xms_sub_fct).map(Facets),
            tenant_facets: informing.set("xms_tnt_fct", raw.xms_tnt_fct).map(Facets),
            relationships: informing
                .set("xms_idrel", raw.xms_idrel)
                .map(IdentityRelationships),
            blueprint: informing.read("xms_par_app_azp", raw.xms_par_app_azp, |value| {
                guid(Some(value))
            }),
            azpacr: informing.read("azpacr", raw.azpacr, |value| string(Some(value))),
            appidacr: informing.read("appidacr", raw.appidacr, |value| string(Some(value))),
            acct: informing.read("acct", raw.acct, |value| match value {
                Value::Number(Number::Integer(number)) => Ok(Some(number)),
                _ => Err(WrongType),
            }),
            idp: informing.read("idp", raw.idp, |value| string(Some(value))),
            uti: informing.read("uti", raw.uti, |value| string(Some(value))),
            acrs: informing.list("acrs", raw.acrs),
            xms_cc: informing.list("xms_cc", raw.xms_cc),
            groups: informing.list("groups", raw.groups),
            has_groups_overage: informing.overage(raw.claim_names, raw.hasgroups),
            malformed: informing.malformed,
        })
    }

    pub(crate) fn has_scope(&self) -> bool {
        self.scp.is_some()
    }

    /// Version 1.0 names the client in `appid`, version 2.0 in `azp`.
    pub(crate) fn client_id(&self) -> Option<AppId> {
        match self.ver.as_deref() {
            Some("1.0") => self.appid,
            _ => self.azp,
        }
    }

    pub(crate) fn subject_has(&self, facet: Facet) -> bool {
        self.subject_facets
            .as_ref()
            .is_some_and(|facets| facets.contains(facet))
    }

    pub(crate) fn actor_has(&self, facet: Facet) -> bool {
        self.actor_facets
            .as_ref()
            .is_some_and(|facets| facets.contains(facet))
    }
}

impl fmt::Debug for Claims<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims").finish_non_exhaustive()
    }
}

/// A claim is there but not in the type it must have.
struct WrongType;

fn string<'j>(value: Option<Value<'j>>) -> Result<Option<Cow<'j, str>>, WrongType> {
    match value {
        None => Ok(None),
        Some(Value::Text(text)) => Ok(Some(text)),
        Some(_) => Err(WrongType),
    }
}

fn number(value: Option<&Value<'_>>) -> Result<Option<Number>, WrongType> {
    match value {
        None => Ok(None),
        Some(Value::Number(number)) => Ok(Some(*number)),
        Some(_) => Err(WrongType),
    }
}

fn guid<T: FromStr>(value: Option<Value<'_>>) -> Result<Option<T>, WrongType> {
    match string(value)? {
        None => Ok(None),
        Some(text) => text.parse().map(Some).map_err(|_| WrongType),
    }
}

fn strings<'j>(items: Vec<Item<'j>>) -> Result<Vec<Cow<'j, str>>, WrongType> {
    items
        .into_iter()
        .map(|item| match item {
            Item::Text(text) => Ok(text),
            Item::Integer(_) | Item::Other => Err(WrongType),
        })
        .collect()
}

/// RFC 7519, section 4.1.3: one string, or a list of them.
fn audiences<'j>(value: Option<Value<'j>>) -> Result<Vec<Cow<'j, str>>, WrongType> {
    match value {
        None => Ok(Vec::new()),
        Some(Value::Text(audience)) => Ok(vec![audience]),
        Some(Value::List(items)) => strings(items),
        Some(_) => Err(WrongType),
    }
}

fn roles<'j>(value: Option<Value<'j>>) -> Result<Vec<Cow<'j, str>>, WrongType> {
    match value {
        None => Ok(Vec::new()),
        Some(Value::List(items)) => {
            let mut roles = strings(items)?;
            roles.retain(|role| role.chars().any(|char| !char.is_whitespace()));
            Ok(roles)
        }
        Some(_) => Err(WrongType),
    }
}

fn confirmation(value: Option<&Value<'_>>) -> Result<bool, WrongType> {
    match value {
        None => Ok(false),
        Some(Value::Object(_)) => Ok(true),
        Some(_) => Err(WrongType),
    }
}

/// Reads claims that only inform, and keeps the names of those that are not in their form.
#[derive(Default)]
struct Informing {
    malformed: Vec<&'static str>,
}

impl Informing {
    fn read<'j, T>(
        &mut self,
        name: &'static str,
        value: Option<Value<'j>>,
        read: impl FnOnce(Value<'j>) -> Result<Option<T>, WrongType>,
    ) -> Option<T> {
        value.and_then(|value| {
            read(value).unwrap_or_else(|WrongType| {
                self.malformed.push(name);
                None
            })
        })
    }

    /// A list of strings; one string is a list of one.
    fn list<'j>(&mut self, name: &'static str, value: Option<Value<'j>>) -> Vec<Cow<'j, str>> {
        self.read(name, value, |value| audiences(Some(value)).map(Some))
            .unwrap_or_default()
    }

    /// Groups that did not fit are announced in `_claim_names` or by a true `hasgroups`:
    /// [groups overage](https://learn.microsoft.com/en-us/entra/identity-platform/access-token-claims-reference#groups-overage-claim).
    fn overage(&mut self, claim_names: Option<Value<'_>>, hasgroups: Option<Value<'_>>) -> bool {
        let named = self.read("_claim_names", claim_names, |value| match value {
            Value::Object(names) => Ok(Some(names.iter().any(|name| name == "groups"))),
            _ => Err(WrongType),
        });
        let said = self.read("hasgroups", hasgroups, |value| match value {
            Value::Bool(said) => Ok(Some(said)),
            Value::Text(text) => text.parse().map(Some).map_err(|_| WrongType),
            _ => Err(WrongType),
        });
        named == Some(true) || said == Some(true)
    }

    /// Integers in a text, in a list of texts and integers, or alone.
    fn set(&mut self, name: &'static str, value: Option<Value<'_>>) -> Option<FacetSet> {
        self.read(name, value, |value| {
            let set = match &value {
                Value::Text(text) => FacetSet::read([Ok(text.as_ref())]),
                Value::Number(Number::Integer(number)) => FacetSet::read([Err(*number)]),
                Value::List(items) => items
                    .iter()
                    .map(|item| match item {
                        Item::Text(text) => Some(Ok(text.as_ref())),
                        Item::Integer(number) => Some(Err(*number)),
                        Item::Other => None,
                    })
                    .collect::<Option<Vec<_>>>()
                    .and_then(FacetSet::read),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
            };
            set.map(Some).ok_or(WrongType)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{super::members::DECIDING, *};

    #[track_caller]
    fn parse(json: &str) -> Claims<'_> {
        Claims::parse(json.as_bytes()).expect(json)
    }

    #[track_caller]
    fn refused(json: &str) {
        assert_eq!(
            Claims::parse(json.as_bytes()).err(),
            Some(ErrorKind::MalformedClaims),
            "{json}"
        );
    }

    const GUID: &str = "7090e106-1ad3-4313-9b7a-75cc3e576d40";

    #[test]
    fn what_is_no_object_or_no_text_is_refused() {
        for json in [
            "",
            "[]",
            "null",
            "1",
            "\"x\"",
            "{\"aud\":\"a\",\"aud\":\"a\"}",
            "{} {}",
        ] {
            refused(json);
        }
        assert!(Claims::parse(b"{\"x\":\"\xff\"}").is_err());
        assert!(Claims::parse(b"\xef\xbb\xbf{}").is_err());
    }

    #[test]
    fn a_deciding_claim_of_the_wrong_type_is_refused() {
        for name in [
            "iss", "tid", "ver", "sub", "oid", "azp", "appid", "idtyp", "scp",
        ] {
            for value in ["null", "1", "true", "[]", "[\"x\"]", "{}"] {
                refused(&format!("{{\"{name}\":{value}}}"));
            }
        }
        for name in ["exp", "nbf", "iat"] {
            for value in ["null", "\"1\"", "true", "[]", "[1]", "{}", "1e400"] {
                refused(&format!("{{\"{name}\":{value}}}"));
            }
        }
        for value in [
            "null",
            "1",
            "true",
            "{}",
            "[1]",
            "[\"a\",1]",
            "[null]",
            "[[\"a\"]]",
        ] {
            refused(&format!("{{\"aud\":{value}}}"));
            refused(&format!("{{\"roles\":{value}}}"));
        }
        refused("{\"roles\":\"Admin\"}");
        for value in ["null", "1", "true", "[]", "\"x\""] {
            refused(&format!("{{\"cnf\":{value}}}"));
        }
    }

    #[test]
    fn an_identity_that_is_no_guid_is_refused() {
        for name in ["oid", "azp", "appid"] {
            for value in ["", "admin", "7090e1061ad343139b7a75cc3e576d40"] {
                refused(&format!("{{\"{name}\":\"{value}\"}}"));
            }
            let upper = format!("{{\"{name}\":\"{}\"}}", GUID.to_uppercase());
            parse(&upper);
        }
    }

    #[test]
    fn a_deciding_claim_in_another_letter_case_is_refused() {
        for name in DECIDING {
            let upper = name.to_uppercase();
            refused(&format!("{{\"{upper}\":1}}"));
            let mut title = name.to_owned();
            title[..1].make_ascii_uppercase();
            refused(&format!("{{\"{title}\":\"x\"}}"));
        }
        for name in [
            "iſs", "ISſ", "ſub", "ſCP", "roleſ", "ıat", "tıd", "İdtyp", "APPıD", "iß", "Iẞ", "ıß",
        ] {
            refused(&format!("{{\"{name}\":1}}"));
        }
        for name in ["ıſ", "tid ", "ßub", "tíd", "rolesſ", "xſcp"] {
            parse(&format!("{{\"{name}\":1}}"));
        }
        refused(&format!("{{\"tid\":\"{GUID}\",\"TID\":\"{GUID}\"}}"));
        refused(&format!("{{\"TID\":\"{GUID}\",\"tid\":\"{GUID}\"}}"));
        refused(&format!("{{\"tid\":\"{GUID}\",\"T\\u0069d\":\"{GUID}\"}}"));
    }

    #[test]
    fn names_that_other_languages_trip_over_are_harmless() {
        parse(r#"{"__proto__":{"tid":1},"constructor":1,"toString":null,"":0}"#);
    }

    #[test]
    fn a_blank_scope_is_none_and_blank_roles_are_none() {
        for scp in ["", " ", "\\t", "/", " / "] {
            assert!(
                parse(&format!("{{\"scp\":\"{scp}\"}}")).scp.is_none(),
                "{scp:?}"
            );
        }
        assert!(parse(r#"{"scp":"a"}"#).has_scope());
        assert!(parse(r#"{"roles":[""," ","\t"]}"#).roles.is_empty());
        assert_eq!(parse(r#"{"roles":[""," a"]}"#).roles, [" a"]);
    }

    #[test]
    fn an_audience_is_one_string_or_a_list() {
        assert_eq!(parse(r#"{"aud":"a"}"#).aud, ["a"]);
        assert_eq!(parse(r#"{"aud":["a","b"]}"#).aud, ["a", "b"]);
        assert!(parse(r#"{"aud":[]}"#).aud.is_empty());
        assert!(parse("{}").aud.is_empty());
    }

    #[test]
    fn an_informing_claim_of_the_wrong_type_is_absent_and_flagged() {
        for (name, value) in [
            ("xms_act_fct", "{\"sub\":\"11\"}"),
            ("xms_sub_fct", "12.5"),
            ("xms_tnt_fct", "null"),
            ("xms_idrel", "\"7 x\""),
            ("xms_par_app_azp", "\"blueprint\""),
            ("azpacr", "2"),
            ("appidacr", "[]"),
            ("acct", "\"1\""),
            ("idp", "1"),
            ("uti", "{}"),
            ("acrs", "1"),
            ("xms_cc", "{}"),
            ("groups", "[1]"),
        ] {
            let json = format!("{{\"{name}\":{value}}}");
            assert_eq!(parse(&json).malformed, [name], "{json}");
        }
        assert!(parse("{}").malformed.is_empty());
    }

    #[test]
    fn facets_read_from_every_form_they_come_in() {
        for value in [
            "\"3 11 9\"",
            "\"11 9 3\"",
            "\"  3\\t9\\n11 11 \"",
            "[\"3\",\"9\",\"11\"]",
            "[3,9,11]",
            "[\"3 9\",11]",
            "\"2 3 9 10 11 12\"",
        ] {
            let json = format!("{{\"xms_act_fct\":{value}}}");
            let claims = parse(&json);
            let facets = claims.actor_facets.as_ref().expect("facets");
            let values: Vec<u32> = facets.iter().map(Facet::value).collect();
            assert_eq!(values, [3, 9, 11], "{json}");
        }
        assert!(parse("{\"xms_sub_fct\":13}").subject_has(Facet::AGENT_USER));
    }

    #[test]
    fn a_blank_or_broken_facet_claim_counts_as_absent() {
        for value in [
            "\"\"",
            "\" \"",
            "[]",
            "[\"\"]",
            "\"12 a 13\"",
            "\"11,13\"",
            "\"1.0\"",
            "\"0x11\"",
            "\"11 99999999999999999999\"",
            "[\"11\",null]",
            "[[11]]",
            "true",
        ] {
            let json = format!("{{\"xms_act_fct\":{value}}}");
            let claims = parse(&json);
            assert!(claims.actor_facets.is_none(), "{json}");
            assert_eq!(claims.malformed, ["xms_act_fct"], "{json}");
        }
    }

    #[test]
    fn an_overage_of_groups_is_seen() {
        assert!(parse(r#"{"_claim_names":{"groups":"src1"}}"#).has_groups_overage);
        assert!(parse(r#"{"hasgroups":true}"#).has_groups_overage);
        assert!(parse(r#"{"hasgroups":"true"}"#).has_groups_overage);
        for no in [r#"{"hasgroups":false}"#, r#"{"hasgroups":"false"}"#, "{}"] {
            assert!(!parse(no).has_groups_overage);
            assert!(parse(no).malformed.is_empty());
        }
        assert!(!parse(r#"{"_claim_names":{"roles":"src1"},"groups":["a"]}"#).has_groups_overage);
    }

    #[test]
    fn ten_thousand_unknown_claims_are_read() {
        let members: Vec<String> = (0..10_000).map(|at| format!("\"c{at}\":{at}")).collect();
        parse(&format!("{{{}}}", members.join(",")));
    }
}
