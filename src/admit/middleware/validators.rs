//! The validators of a layer, and which of them checks a token.

use std::sync::Arc;

use crate::admit::{
    error::Refusal, gate::Decision, token::read_unverified_issuer, validator::Validator,
};

/// One validator or several.
#[derive(Clone, Debug)]
pub(super) struct Validators {
    first: Validator,
    /// `None` costs a request nothing.
    others: Option<Arc<Others>>,
}

#[derive(Clone, Debug)]
struct Others {
    validators: Vec<Validator>,
    /// The longest token that any of all validators reads.
    max_token_size: usize,
}

/// The number of a validator in its layer. That of the first is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place(pub(super) usize);

impl Validators {
    pub(super) fn new(first: Validator) -> Self {
        Self {
            first,
            others: None,
        }
    }

    pub(super) fn push(&mut self, other: Validator) {
        let none = || {
            let max_token_size = self.first.max_token_size();
            let validators = Vec::new();
            Arc::new(Others {
                validators,
                max_token_size,
            })
        };
        let others = Arc::make_mut(self.others.get_or_insert_with(none));
        others.max_token_size = others.max_token_size.max(other.max_token_size());
        others.validators.push(other);
    }

    pub(super) fn first(&self) -> &Validator {
        &self.first
    }

    pub(super) fn at(&self, place: Place) -> &Validator {
        match (&self.others, place.0.checked_sub(1)) {
            (Some(others), Some(index)) => others.validators.get(index).unwrap_or(&self.first),
            _ => &self.first,
        }
    }

    /// Has one validator decide about the text that `read` makes a token of. No other is asked, but each
    /// has its keys fetched.
    pub(super) fn decide<'t>(
        &self,
        text: &'t [u8],
        read: impl Fn() -> Result<&'t str, Refusal>,
    ) -> (Decision, Place) {
        let place = match &self.others {
            None => Place::default(),
            // What is no token goes to the first, which refuses it.
            Some(others) => {
                self.ensure_running();
                read()
                    .map(|token| self.place_for(token, others))
                    .unwrap_or_default()
            }
        };
        (self.at(place).decide_unread(text, read), place)
    }

    /// The first whose issuers include the token's `iss`, or else the first of all. Nothing that the
    /// token says is believed: the validator makes every check, that of the issuer among them.
    fn place_for(&self, token: &str, others: &Others) -> Place {
        let place = read_unverified_issuer(token, others.max_token_size, |issuer| {
            let mut all = [&self.first].into_iter().chain(&others.validators);
            all.position(|validator| validator.has_issuer(issuer))
        });
        Place(place.flatten().unwrap_or_default())
    }

    pub(super) fn ensure_running(&self) {
        self.first.ensure_running();
        if let Some(others) = &self.others {
            others.validators.iter().for_each(Validator::ensure_running);
        }
    }
}

#[cfg(all(test, feature = "http-client"))]
mod tests {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

    use super::*;
    use crate::{Authority, Tenants};

    const FIRST: &str = "7090e106-1ad3-4313-9b7a-75cc3e576d40";
    const SECOND: &str = "dd0f374e-74a5-4996-af69-500cda64057a";
    const THIRD: &str = "cc84fdd7-fd07-41bc-8b37-1b7e5a8ad0f9";
    const PERSONAL: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";
    const CIAM: &str = "https://{tid}.ciamlogin.com";

    fn validator(authority: Authority, tenants: Tenants) -> Validator {
        let builder = Validator::builder(tenants, ["api"]).authority(authority);
        builder.build().expect("a good configuration")
    }

    /// One tenant, an external one, every organization of the US Government, and the first tenant again.
    fn four() -> Validators {
        let single = Tenants::single;
        let mut all = Validators::new(validator(Authority::public(), single(FIRST)));
        all.push(validator(Authority::custom(CIAM), single(SECOND)));
        all.push(validator(
            Authority::us_government(),
            Tenants::any_organization(),
        ));
        all.push(validator(
            Authority::public(),
            Tenants::list([FIRST, THIRD]),
        ));
        all
    }

    fn place_of(all: &Validators, token: &str) -> Place {
        let others = all.others.as_ref();
        others.map_or(Place(0), |others| all.place_for(token, others))
    }

    fn token(claims: impl AsRef<[u8]>) -> String {
        format!("x.{}.x", URL_SAFE_NO_PAD.encode(claims))
    }

    fn place(claims: impl AsRef<[u8]>) -> usize {
        place_of(&four(), &token(claims)).0
    }

    fn of_issuer(issuer: &str) -> usize {
        place(format!(r#"{{"iss":"{issuer}"}}"#))
    }

    #[test]
    fn what_names_no_issuer_of_any_goes_to_the_first() {
        let second = format!("https://{SECOND}.ciamlogin.com/{SECOND}/v2.0");
        assert_eq!(of_issuer(&second), 1);
        for issuer in [
            String::new(),
            "https://idp.example".to_owned(),
            second.to_uppercase(),
            second.replace("https", "http"),
            format!("{second}/"),
            format!(" {second}"),
            second.replace(".ciamlogin.com/", ".ciamlogin.com//"),
            // The host names the tenant, and so does the path.
            format!("https://{SECOND}.ciamlogin.com/{FIRST}/v2.0"),
            format!("https://{FIRST}.ciamlogin.com/{FIRST}/v2.0"),
            format!("https://{SECOND}.ciamlogin.com/{SECOND}/"),
            format!("https://sts.windows.net/{THIRD}"),
            format!("https://login.microsoftonline.com/{SECOND}/v2.0"),
            format!("https://login.microsoftonline.us/{PERSONAL}/v2.0"),
            "https://login.microsoftonline.us/{tenantid}/v2.0".to_owned(),
            "https://login.microsoftonline.us/common/v2.0".to_owned(),
            "https://login.microsoftonline.us//v2.0".to_owned(),
            "https://login.microsoftonline.us/v2.0".to_owned(),
            format!(
                "https://login.microsoftonline.us/{}/v2.0",
                SECOND.to_uppercase()
            ),
            format!("https://login.microsoftonline.us/{SECOND}/{SECOND}/v2.0"),
            format!("https://login.microsoftonline.us@idp.example/{SECOND}/v2.0"),
        ] {
            assert_eq!(of_issuer(&issuer), 0, "{issuer}");
        }
    }

    #[test]
    fn what_has_no_string_for_its_first_issuer_goes_to_the_first() {
        let second = format!("https://{SECOND}.ciamlogin.com/{SECOND}/v2.0");
        let first = format!("https://login.microsoftonline.com/{FIRST}/v2.0");
        for claims in [
            format!(r#"{{"iss":"{first}","iss":"{second}"}}"#),
            format!(r#"{{"iss":7,"iss":"{second}"}}"#),
            format!(r#"{{"ISS":"{second}"}}"#),
            format!(r#"{{"iss":["{second}"]}}"#),
            format!(r#"{{"iss":{{"iss":"{second}"}}}}"#),
            format!(r#"{{"a":{{"iss":"{second}"}}}}"#),
            format!(r#"{{"a":x,"iss":"{second}"}}"#),
            format!(r#"{{"iss":"{second}"#),
            format!(r#"[{{"iss":"{second}"}}]"#),
            format!("\u{feff}{{\"iss\":\"{second}\"}}"),
            format!(
                r#"{{"a":{}{},"iss":"{second}"}}"#,
                "[".repeat(32),
                "]".repeat(32)
            ),
            r#"{"iss":null}"#.to_owned(),
            "{}".to_owned(),
            "[]".to_owned(),
            "[".repeat(5_000),
        ] {
            assert_eq!(place(&claims), 0, "{claims}");
        }
        let mut bytes = format!(r#"{{"iss":"{second}","a":"x"}}"#).into_bytes();
        assert_eq!(place(&bytes), 1);
        let last = bytes.len() - 3;
        bytes[last] = 0xff;
        assert_eq!(place(&bytes), 0, "not UTF-8");
    }

    /// It makes all checks, and refuses what check 6 does not read.
    #[test]
    fn what_stands_behind_the_first_issuer_picks_no_other() {
        let second = format!("https://{SECOND}.ciamlogin.com/{SECOND}/v2.0");
        let first = format!("https://login.microsoftonline.com/{FIRST}/v2.0");
        for claims in [
            format!(r#"{{"iss":"{second}","iss":"{first}"}}"#),
            format!(r#"{{"iss":"{second}","\u0069ss":"{first}"}}"#),
            format!(r#"{{"\u0069ss":"{second}","iss":"{first}"}}"#),
            format!(r#"{{"ISS":"{first}","iss":"{second}"}}"#),
            format!(r#"{{"a":{{"b":1,"b":1}},"iss":"{second}"}}"#),
            format!(r#"{{"iss":"{second}""#),
            format!(r#"{{"iss":"{second}"}} x"#),
        ] {
            assert_eq!(place(&claims), 1, "{claims}");
        }
    }

    #[test]
    fn what_is_no_token_or_too_long_a_one_goes_to_the_first() {
        let second = format!("https://{SECOND}.ciamlogin.com/{SECOND}/v2.0");
        let claims = format!(r#"{{"iss":"{second}"}}"#);
        let good = token(&claims);
        let payload = URL_SAFE_NO_PAD.encode(&claims);
        let all = four();
        assert_eq!(place_of(&all, &good), Place(1));
        for text in [
            String::new(),
            ".".to_owned(),
            "..".to_owned(),
            payload.clone(),
            format!("x.{payload}"),
            format!("x.{payload}."),
            format!(".{payload}.x"),
            format!("{good}.x"),
            format!("{good}.x.x"),
            format!("x.{payload}=.x"),
            format!("x.{payload}+.x"),
            ".".repeat(16_000),
        ] {
            assert_eq!(place_of(&all, &text), Place(0), "{text}");
        }
        let padded = |length: usize| {
            let pad = " ".repeat(length);
            token(format!(r#"{{"iss":"{second}"{pad}}}"#))
        };
        assert!(padded(12_000).len() < 16 * 1024 && padded(12_300).len() > 16 * 1024);
        assert_eq!(place_of(&all, &padded(12_000)), Place(1));
        assert_eq!(place_of(&all, &padded(12_300)), Place(0));

        // Until one of them takes such a token.
        let mut all = four();
        let roomy = Validator::builder(Tenants::single(THIRD), ["api"]).max_token_size(32 * 1024);
        all.push(roomy.build().expect("a good configuration"));
        assert_eq!(place_of(&all, &padded(12_300)), Place(1));
    }

    #[test]
    fn the_first_whose_issuer_and_tenant_it_is_checks_a_token() {
        for (issuer, expected) in [
            (format!("https://login.microsoftonline.com/{FIRST}/v2.0"), 0),
            (format!("https://sts.windows.net/{FIRST}/"), 0),
            (format!("https://{SECOND}.ciamlogin.com/{SECOND}/v2.0"), 1),
            (format!("https://login.microsoftonline.us/{SECOND}/v2.0"), 2),
            // Version 1.0 has one issuer in both clouds: the validator for the tenant comes first.
            (format!("https://sts.windows.net/{SECOND}/"), 2),
            (format!("https://sts.windows.net/{THIRD}/"), 2),
            (format!("https://login.microsoftonline.com/{THIRD}/v2.0"), 3),
        ] {
            assert_eq!(of_issuer(&issuer), expected, "{issuer}");
            let escaped = issuer.replace('/', "\\/");
            assert_eq!(of_issuer(&escaped), expected, "{escaped}");
            // A claim of the wrong type is for the validator to refuse.
            let claims = format!(r#"{{"exp":"x","iss":"{issuer}","tid":7,"aud":{{}}}}"#);
            assert_eq!(place(claims), expected);
        }
    }

    #[test]
    fn one_validator_reads_nothing() {
        let one = Validators::new(validator(Authority::public(), Tenants::single(FIRST)));
        let second = format!(r#"{{"iss":"https://{SECOND}.ciamlogin.com/{SECOND}/v2.0"}}"#);
        assert_eq!(place_of(&one, &token(second)), Place(0));
        // A place of another layer is that of the first, which makes every check all the same.
        let first = |validator: &Validator| std::ptr::eq(validator, one.first());
        assert!(first(one.at(Place(0))) && first(one.at(Place(7))));
    }
}
