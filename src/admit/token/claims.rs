//! Reads the claims of a token into types. Makes check 6.
//!
//! A claim that decides is refused in the wrong type. A claim that only informs counts as absent then,
//! and is named in [`Claims::malformed`].

use std::{borrow::Cow, fmt, ops::Deref, str::FromStr};

use super::{
    UnverifiedToken, VerifiedToken,
    compact::decoded_payload,
    json::{Item, Value, first_string, read_object},
    members::{Deciding, Members},
    number::Number,
};
use crate::{
    admit::{
        error::{Flaw, Refusal, WrongType},
        facets::{Facet, FacetSet, Facets, IdentityRelationships},
    },
    ids::{AppId, ObjectId},
};

/// Claims whose signature has been verified.
#[derive(Debug)]
pub(crate) struct Verified<T>(T);

impl<T> Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl VerifiedToken {
    /// Check 6: no member twice, right types.
    pub(crate) fn check_claims(&self) -> Result<Verified<Claims<'_>>, Refusal> {
        read_claims(self.payload()).map(Verified).map_err(malformed)
    }
}

impl UnverifiedToken<'_> {
    /// The claims as the sender wrote them, without those that only inform: good for deciding whether a
    /// fetch is worth it, and for nothing else.
    pub(crate) fn unverified_claims(&self) -> Option<Claims<'_>> {
        let text = std::str::from_utf8(self.segments.payload()).ok()?;
        let mut members = Deciding::default();
        read_object(text, &mut members).ok()?;
        Claims::of(text, members.0).ok()
    }
}

/// Lets `read` see the `iss` that a text of at most this length claims. No key vouches for it: good for
/// deciding which validator checks the token, and for nothing else.
///
/// `None` if the text is no token, or if the first `iss` of its claims is no string or has no JSON before
/// it. What is behind is not read: the validator of that issuer makes all checks.
pub(crate) fn read_unverified_issuer<T>(
    token: &str,
    max_len: usize,
    read: impl FnOnce(&str) -> T,
) -> Option<T> {
    let payload = decoded_payload(token, max_len)?;
    let issuer = first_string(std::str::from_utf8(&payload).ok()?, "iss")?;
    Some(read(&issuer))
}

/// Reads a claim set as check 6 demands it.
///
/// `exp`, `scp` or `oid` of another type than the claim's own is refused and never converted: the
/// next reader of the same token may convert it to something else.
pub(super) fn read_claims(json: &[u8]) -> Result<Claims<'_>, Flaw> {
    let text = std::str::from_utf8(json).map_err(|_| Flaw::NotUtf8)?;
    let mut members = Members::default();
    read_object(text, &mut members)?;
    Claims::of(text, members).map_err(Flaw::WrongType)
}

#[cold]
fn malformed(flaw: Flaw) -> Refusal {
    Refusal::Claims(flaw.into())
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
    /// Blank roles are left out: they grant nothing.
    pub(crate) roles: Vec<Cow<'j, str>>,
    pub(crate) has_cnf: bool,
    /// `nonce`, `at_hash` or `c_hash`, which only ID tokens have.
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

    /// Malformed claims that only inform, and so count as absent.
    pub(crate) malformed: Vec<WrongType>,
}

impl<'j> Claims<'j> {
    fn of(text: &'j str, raw: Members<'j>) -> Result<Self, WrongType> {
        let mut informing = Informing::default();
        let has_id_token_mark =
            raw.nonce.is_some() || raw.at_hash.is_some() || raw.c_hash.is_some();
        Ok(Self {
            text,
            iss: string("iss", raw.iss)?,
            aud: strings_or_one("aud", raw.aud)?,
            tid: string("tid", raw.tid)?,
            ver: string("ver", raw.ver)?,
            exp: number("exp", raw.exp.as_ref())?,
            nbf: number("nbf", raw.nbf.as_ref())?,
            iat: number("iat", raw.iat.as_ref())?,
            sub: string("sub", raw.sub)?,
            oid: guid("oid", raw.oid)?,
            azp: guid("azp", raw.azp)?,
            appid: guid("appid", raw.appid)?,
            idtyp: string("idtyp", raw.idtyp)?,
            scp: string("scp", raw.scp)?
                .filter(|scopes| scopes.split_whitespace().any(|part| part != "/")),
            roles: roles("roles", raw.roles)?,
            has_cnf: confirmation("cnf", raw.cnf.as_ref())?,
            has_id_token_mark,
            actor_facets: informing
                .note(set("xms_act_fct", raw.xms_act_fct))
                .map(Facets),
            subject_facets: informing
                .note(set("xms_sub_fct", raw.xms_sub_fct))
                .map(Facets),
            tenant_facets: informing
                .note(set("xms_tnt_fct", raw.xms_tnt_fct))
                .map(Facets),
            relationships: informing
                .note(set("xms_idrel", raw.xms_idrel))
                .map(IdentityRelationships),
            blueprint: informing.note(guid("xms_par_app_azp", raw.xms_par_app_azp)),
            azpacr: informing.note(string("azpacr", raw.azpacr)),
            appidacr: informing.note(string("appidacr", raw.appidacr)),
            acct: informing.note(integer("acct", raw.acct)),
            idp: informing.note(string("idp", raw.idp)),
            uti: informing.note(string("uti", raw.uti)),
            acrs: informing.note(strings_or_one("acrs", raw.acrs)),
            xms_cc: informing.note(strings_or_one("xms_cc", raw.xms_cc)),
            groups: informing.note(strings_or_one("groups", raw.groups)),
            has_groups_overage: informing.note(names_groups("_claim_names", raw.claim_names))
                | informing.note(truth("hasgroups", raw.hasgroups)),
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

/// A claim has another type than it must have.
#[cold]
fn wrong(name: &'static str, found: &'static str, expected: &'static str) -> WrongType {
    WrongType {
        name,
        found,
        expected,
    }
}

fn string<'j>(
    name: &'static str,
    value: Option<Value<'j>>,
) -> Result<Option<Cow<'j, str>>, WrongType> {
    match value {
        None => Ok(None),
        Some(Value::Text(text)) => Ok(Some(text)),
        Some(other) => Err(wrong(name, other.json_type().as_str(), "a string")),
    }
}

fn number(name: &'static str, value: Option<&Value<'_>>) -> Result<Option<Number>, WrongType> {
    match value {
        None => Ok(None),
        Some(Value::Number(number)) => Ok(Some(*number)),
        Some(other) => Err(wrong(name, other.json_type().as_str(), "a number")),
    }
}

fn integer(name: &'static str, value: Option<Value<'_>>) -> Result<Option<i64>, WrongType> {
    match value {
        None => Ok(None),
        Some(Value::Number(Number::Integer(number))) => Ok(Some(number)),
        Some(Value::Number(_)) => Err(wrong(name, "a fraction", "an integer")),
        Some(other) => Err(wrong(name, other.json_type().as_str(), "an integer")),
    }
}

fn guid<T: FromStr>(name: &'static str, value: Option<Value<'_>>) -> Result<Option<T>, WrongType> {
    const EXPECTED: &str = "a GUID in a string";
    match value {
        None => Ok(None),
        Some(Value::Text(text)) => match text.parse() {
            Ok(guid) => Ok(Some(guid)),
            Err(_) => Err(wrong(name, "a string that is no GUID", EXPECTED)),
        },
        Some(other) => Err(wrong(name, other.json_type().as_str(), EXPECTED)),
    }
}

fn strings<'j>(
    name: &'static str,
    items: Vec<Item<'j>>,
    expected: &'static str,
) -> Result<Vec<Cow<'j, str>>, WrongType> {
    let text = |item| match item {
        Item::Text(text) => Some(text),
        Item::Integer(_) | Item::Other => None,
    };
    let texts: Option<Vec<_>> = items.into_iter().map(text).collect();
    texts.ok_or_else(|| wrong(name, "a list with something other than strings", expected))
}

/// RFC 7519, section 4.1.3: one string, or a list of them.
fn strings_or_one<'j>(
    name: &'static str,
    value: Option<Value<'j>>,
) -> Result<Vec<Cow<'j, str>>, WrongType> {
    const EXPECTED: &str = "a string or a list of strings";
    match value {
        None => Ok(Vec::new()),
        Some(Value::Text(audience)) => Ok(vec![audience]),
        Some(Value::List(items)) => strings(name, items, EXPECTED),
        Some(other) => Err(wrong(name, other.json_type().as_str(), EXPECTED)),
    }
}

fn roles<'j>(name: &'static str, value: Option<Value<'j>>) -> Result<Vec<Cow<'j, str>>, WrongType> {
    const EXPECTED: &str = "a list of strings";
    match value {
        None => Ok(Vec::new()),
        Some(Value::List(items)) => {
            let mut roles = strings(name, items, EXPECTED)?;
            roles.retain(|role| role.chars().any(|char| !char.is_whitespace()));
            Ok(roles)
        }
        Some(other) => Err(wrong(name, other.json_type().as_str(), EXPECTED)),
    }
}

fn confirmation(name: &'static str, value: Option<&Value<'_>>) -> Result<bool, WrongType> {
    match value {
        None => Ok(false),
        Some(Value::Object(_)) => Ok(true),
        Some(other) => Err(wrong(name, other.json_type().as_str(), "an object")),
    }
}

/// Groups that did not fit are announced in `_claim_names` or by a true `hasgroups`:
/// [groups overage](https://learn.microsoft.com/en-us/entra/identity-platform/access-token-claims-reference#groups-overage-claim).
fn names_groups(name: &'static str, value: Option<Value<'_>>) -> Result<bool, WrongType> {
    match value {
        None => Ok(false),
        Some(Value::Object(names)) => Ok(names.iter().any(|name| name == "groups")),
        Some(other) => Err(wrong(name, other.json_type().as_str(), "an object")),
    }
}

fn truth(name: &'static str, value: Option<Value<'_>>) -> Result<bool, WrongType> {
    const EXPECTED: &str = "true or false";
    match value {
        None => Ok(false),
        Some(Value::Bool(said)) => Ok(said),
        Some(Value::Text(text)) => text
            .parse()
            .map_err(|_| wrong(name, "a string of something else", EXPECTED)),
        Some(other) => Err(wrong(name, other.json_type().as_str(), EXPECTED)),
    }
}

/// One integer, integers in a text, or a list of both.
fn set(name: &'static str, value: Option<Value<'_>>) -> Result<Option<FacetSet>, WrongType> {
    let Some(value) = value else {
        return Ok(None);
    };
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
    let found = match &value {
        Value::Text(_) => "a string of something else",
        Value::List(_) => "a list of something else",
        other => other.json_type().as_str(),
    };
    const EXPECTED: &str = "integers with spaces between them in a string";
    set.map(Some).ok_or_else(|| wrong(name, found, EXPECTED))
}

/// Collects what is wrong with claims that only inform.
#[derive(Default)]
struct Informing {
    malformed: Vec<WrongType>,
}

impl Informing {
    fn note<T: Default>(&mut self, read: Result<T, WrongType>) -> T {
        read.unwrap_or_else(|wrong| {
            self.malformed.push(wrong);
            T::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{super::members::DECIDING, *};

    #[track_caller]
    fn parse(json: &str) -> Claims<'_> {
        read_claims(json.as_bytes()).expect(json)
    }

    fn names(claims: &Claims<'_>) -> Vec<&'static str> {
        claims.malformed.iter().map(|wrong| wrong.name).collect()
    }

    #[track_caller]
    fn refused(json: &str) {
        assert!(read_claims(json.as_bytes()).is_err(), "{json}");
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
        assert!(read_claims(b"{\"x\":\"\xff\"}").is_err());
        assert!(read_claims(b"\xef\xbb\xbf{}").is_err());
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
            assert_eq!(names(&parse(&json)), [name], "{json}");
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
            assert_eq!(names(&claims), ["xms_act_fct"], "{json}");
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
