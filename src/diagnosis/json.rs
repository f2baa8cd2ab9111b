//! What is wrong with a JSON object that was refused.

use std::{borrow::Cow, fmt};

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::{ids::AppId, shown::Shown, token::is_another_case_of};

/// Why an object was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    NotUtf8,
    NotJson,
    /// It is JSON of this type.
    Not(JsonType),
    TooDeep,
    /// So long that nobody has looked.
    TooLong,
    /// A member of this name stands twice in one object.
    Twice(Shown),
    /// A claim that decides has this name in another letter case.
    LetterCase(Shown),
    WrongType(WrongType),
}

/// A member is there, and not as it must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WrongType {
    pub(crate) name: &'static str,
    found: &'static str,
    expected: &'static str,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUtf8 => f.write_str("not UTF-8"),
            Self::NotJson => f.write_str("not JSON that can be read"),
            Self::Not(found) => write!(f, "{} instead of an object", found.as_str()),
            Self::TooLong => f.write_str("so long that it was not looked through for the reason"),
            Self::TooDeep => write!(f, "more than {MAX_DEPTH} levels deep"),
            Self::Twice(name) => write!(f, "the member {name} stands there twice"),
            Self::LetterCase(name) => write!(
                f,
                "the member {name} differs from a claim that decides in letter case alone"
            ),
            Self::WrongType(wrong) => wrong.fmt(f),
        }
    }
}

impl fmt::Display for WrongType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            found,
            expected,
        } = self;
        write!(f, "{name} is {found} instead of {expected}")
    }
}

/// What a JSON value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JsonType {
    Null,
    Boolean,
    Number,
    Text,
    List,
    Object,
}

impl JsonType {
    pub(super) fn of(value: &RawValue) -> Self {
        // serde_json has read the value once and cut the white space off.
        match value.get().as_bytes().first() {
            Some(b'"') => Self::Text,
            Some(b'{') => Self::Object,
            Some(b'[') => Self::List,
            Some(b't' | b'f') => Self::Boolean,
            Some(b'n') => Self::Null,
            _ => Self::Number,
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "a boolean",
            Self::Number => "a number",
            Self::Text => "a string",
            Self::List => "a list",
            Self::Object => "an object",
        }
    }
}

/// Why a header was not taken.
pub(crate) fn flaw_of_header(json: &[u8]) -> Flaw {
    // Anybody can send one, and to look costs its length once for each level.
    if json.len() > LONGEST_HEADER {
        return Flaw::TooLong;
    }
    match read(json) {
        Ok((object, _)) => flaw_within(object, 1).unwrap_or(Flaw::NotJson),
        Err(flaw) => flaw,
    }
}

/// Why a claim set was not taken.
pub(crate) fn flaw_of_claims(json: &[u8]) -> Flaw {
    let (object, members) = match read(json) {
        Ok(read) => read,
        Err(flaw) => return flaw,
    };
    let in_another_case = members.0.iter().find(|(name, _)| {
        DECIDING
            .iter()
            .any(|(deciding, _)| is_another_case_of(name, deciding))
    });
    if let Some((name, _)) = in_another_case {
        return Flaw::LetterCase(Shown::of(name));
    }
    flaw_within(object, 1)
        .or_else(|| members.wrong_types(DECIDING).next().map(Flaw::WrongType))
        .unwrap_or(Flaw::NotJson)
}

/// The claims of these names that only inform and are not in their form.
pub(super) fn malformed_informing(claims: &str, names: &[&str]) -> Vec<WrongType> {
    let Ok((_, members)) = read(claims.as_bytes()) else {
        return Vec::new();
    };
    let of_names = members.wrong_types(INFORMING);
    of_names
        .filter(|wrong| names.contains(&wrong.name))
        .collect()
}

fn read(json: &[u8]) -> Result<(&RawValue, Members<'_>), Flaw> {
    let text = std::str::from_utf8(json).map_err(|_| Flaw::NotUtf8)?;
    let object: &RawValue = serde_json::from_str(text).map_err(|_| Flaw::NotJson)?;
    match JsonType::of(object) {
        JsonType::Object => match serde_json::from_str(object.get()) {
            Ok(members) => Ok((object, members)),
            Err(_) => Err(Flaw::NotJson),
        },
        found => Err(Flaw::Not(found)),
    }
}

/// Looks into objects and lists. Each level is read once more, down to the deepest that is allowed.
fn flaw_within(value: &RawValue, depth: usize) -> Option<Flaw> {
    let values: Vec<&RawValue> = match JsonType::of(value) {
        JsonType::Object | JsonType::List if depth > MAX_DEPTH => return Some(Flaw::TooDeep),
        JsonType::Object => {
            let members: Members<'_> = serde_json::from_str(value.get()).ok()?;
            if let Some(name) = members.name_that_stands_twice() {
                return Some(Flaw::Twice(Shown::of(name)));
            }
            members.0.into_iter().map(|(_, value)| value).collect()
        }
        JsonType::List => serde_json::from_str(value.get()).ok()?,
        JsonType::Null | JsonType::Boolean | JsonType::Number | JsonType::Text => return None,
    };
    values
        .into_iter()
        .find_map(|value| flaw_within(value, depth + 1))
}

/// The members of one object, repeats and all.
struct Members<'j>(Vec<(Cow<'j, str>, &'j RawValue)>);

impl Members<'_> {
    fn name_that_stands_twice(&self) -> Option<&str> {
        let mut names: Vec<&str> = self.0.iter().map(|(name, _)| name.as_ref()).collect();
        names.sort_unstable();
        let pair = names.windows(2).find(|pair| pair.first() == pair.last())?;
        pair.first().copied()
    }

    fn wrong_types<'m>(
        &'m self,
        forms: &'m [(&'static str, Form)],
    ) -> impl Iterator<Item = WrongType> + 'm {
        forms.iter().filter_map(|(name, form)| {
            let (_, value) = self.0.iter().find(|(member, _)| member == name)?;
            let found = form.what_instead(value)?;
            Some(WrongType {
                name,
                found,
                expected: form.as_str(),
            })
        })
    }
}

impl<'j> Deserialize<'j> for Members<'j> {
    fn deserialize<D: Deserializer<'j>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;

        impl<'j> Visitor<'j> for MembersVisitor {
            type Value = Members<'j>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'j>>(self, mut map: A) -> Result<Members<'j>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(MembersVisitor)
    }
}

/// The form that a claim must have.
#[derive(Clone, Copy)]
enum Form {
    Text,
    Texts,
    TextOrTexts,
    Guid,
    Number,
    Integer,
    Integers,
    Object,
    Truth,
}

impl Form {
    fn as_str(self) -> &'static str {
        match self {
            Self::Text => "a string",
            Self::Texts => "a list of strings",
            Self::TextOrTexts => "a string or a list of strings",
            Self::Guid => "a GUID in a string",
            Self::Number => "a number",
            Self::Integer => "an integer",
            Self::Integers => "integers with spaces between them in a string",
            Self::Object => "an object",
            Self::Truth => "true or false",
        }
    }

    /// What the value is if it does not have this form.
    fn what_instead(self, value: &RawValue) -> Option<&'static str> {
        const NOT_ALL_STRINGS: &str = "a list with something other than strings";
        let found = JsonType::of(value);
        let is_list_of_strings = || serde_json::from_str::<Vec<String>>(value.get()).is_ok();
        let is_guid = || {
            serde_json::from_str::<String>(value.get())
                .is_ok_and(|text| text.parse::<AppId>().is_ok())
        };
        match (self, found) {
            (Self::Text | Self::TextOrTexts, JsonType::Text)
            | (Self::Number, JsonType::Number)
            | (Self::Object, JsonType::Object) => None,
            (Self::Texts | Self::TextOrTexts, JsonType::List) => {
                (!is_list_of_strings()).then_some(NOT_ALL_STRINGS)
            }
            (Self::Guid, JsonType::Text) => (!is_guid()).then_some("a string that is no GUID"),
            // Their readers have said no, and have reasons that are not told again.
            (Self::Integer, JsonType::Number) => Some("a fraction"),
            (Self::Integers | Self::Truth, JsonType::Text) => Some("a string of something else"),
            (Self::Integers, JsonType::List) => Some("a list of something else"),
            (_, found) => Some(found.as_str()),
        }
    }
}

/// The claims that decide, in the order in which they are read.
const DECIDING: &[(&str, Form)] = &[
    ("iss", Form::Text),
    ("aud", Form::TextOrTexts),
    ("tid", Form::Text),
    ("ver", Form::Text),
    ("exp", Form::Number),
    ("nbf", Form::Number),
    ("iat", Form::Number),
    ("sub", Form::Text),
    ("oid", Form::Guid),
    ("azp", Form::Guid),
    ("appid", Form::Guid),
    ("idtyp", Form::Text),
    ("scp", Form::Text),
    ("roles", Form::Texts),
    ("cnf", Form::Object),
];

const INFORMING: &[(&str, Form)] = &[
    ("xms_act_fct", Form::Integers),
    ("xms_sub_fct", Form::Integers),
    ("xms_tnt_fct", Form::Integers),
    ("xms_idrel", Form::Integers),
    ("xms_par_app_azp", Form::Guid),
    ("azpacr", Form::Text),
    ("appidacr", Form::Text),
    ("acct", Form::Integer),
    ("idp", Form::Text),
    ("uti", Form::Text),
    ("acrs", Form::TextOrTexts),
    ("xms_cc", Form::TextOrTexts),
    ("groups", Form::TextOrTexts),
    ("_claim_names", Form::Object),
    ("hasgroups", Form::Truth),
];

/// The longest header that is looked at twice, in bytes. Those of Entra have a hundred.
const LONGEST_HEADER: usize = 1_024;

/// How deep the reader of tokens goes.
const MAX_DEPTH: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn flaw(json: &str) -> String {
        flaw_of_claims(json.as_bytes()).to_string()
    }

    #[test]
    fn what_is_no_object_is_named() {
        assert_eq!(flaw("[]"), "a list instead of an object");
        assert_eq!(flaw("null"), "null instead of an object");
        assert_eq!(flaw("{"), "not JSON that can be read");
        assert_eq!(flaw("{} {}"), "not JSON that can be read");
        assert_eq!(flaw(r#"{"x":1e400}"#), "not JSON that can be read");
        assert_eq!(flaw_of_claims(b"{\"x\":\"\xff\"}"), Flaw::NotUtf8);
        assert_eq!(
            flaw_of_header(b"1").to_string(),
            "a number instead of an object"
        );
    }

    #[test]
    fn a_member_that_stands_twice_is_named_wherever_it_is() {
        let twice = "the member \"a\" stands there twice";
        for json in [
            r#"{"a":1,"b":2,"a":3}"#,
            r#"{"a":1,"\u0061":3}"#,
            r#"{"b":{"a":1,"a":1}}"#,
            r#"{"b":[1,[{"a":1,"a":1}]]}"#,
        ] {
            assert_eq!(flaw(json), twice, "{json}");
            assert_eq!(flaw_of_header(json.as_bytes()).to_string(), twice);
        }
    }

    #[test]
    fn depth_counts_as_it_does_when_claims_are_read() {
        let nested = |depth: usize| {
            let (open, close) = ("[".repeat(depth - 1), "]".repeat(depth - 1));
            format!("{{\"x\":{open}1{close}}}")
        };
        assert_eq!(flaw(&nested(33)), "more than 32 levels deep");
        assert_eq!(flaw(&nested(10_000)), "more than 32 levels deep");
        assert_ne!(flaw(&nested(32)), "more than 32 levels deep");
    }

    #[test]
    fn a_claim_of_the_wrong_type_is_named_with_what_it_is() {
        for (json, expected) in [
            (r#"{"iss":1}"#, "iss is a number instead of a string"),
            (r#"{"tid":null}"#, "tid is null instead of a string"),
            (r#"{"exp":"1"}"#, "exp is a string instead of a number"),
            (r#"{"scp":["a"]}"#, "scp is a list instead of a string"),
            (r#"{"cnf":true}"#, "cnf is a boolean instead of an object"),
            (
                r#"{"roles":"Admin"}"#,
                "roles is a string instead of a list of strings",
            ),
            (
                r#"{"aud":["a",1]}"#,
                "aud is a list with something other than strings instead of a string or a list of strings",
            ),
            (
                r#"{"azp":"x"}"#,
                "azp is a string that is no GUID instead of a GUID in a string",
            ),
            (
                r#"{"TID":"x"}"#,
                "the member \"TID\" differs from a claim that decides in letter case alone",
            ),
        ] {
            assert_eq!(flaw(json), expected, "{json}");
        }
    }

    #[test]
    fn informing_claims_are_named_with_what_they_are() {
        let claims =
            r#"{"xms_act_fct":{"sub":"11"},"xms_sub_fct":"13 x","uti":1,"acct":1.5,"idp":1}"#;
        let names = ["xms_act_fct", "xms_sub_fct", "uti", "acct"];
        let found = malformed_informing(claims, &names);
        let found: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [
                "xms_act_fct is an object instead of integers with spaces between them in a string",
                "xms_sub_fct is a string of something else instead of integers with spaces between \
                 them in a string",
                "acct is a fraction instead of an integer",
                "uti is a number instead of a string",
            ]
        );
    }
}
