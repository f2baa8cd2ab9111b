//! The discovery document: checks that it is the authority's, and reads where the keys are.

use serde::Deserialize;

use super::error::{FetchError, ForeignIssuer};
use crate::{
    admit::{error::authority_hint, issuers::Issuers, token::is_json_object},
    shown::Shown,
};

/// The members of a discovery document that are used:
/// [OpenID Connect Discovery 1.0, section 3](https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderMetadata).
#[derive(Debug, Deserialize)]
pub(crate) struct Discovery {
    issuer: String,
    pub(crate) jwks_uri: String,
    pub(crate) cloud_instance_name: Option<String>,
}

impl Discovery {
    /// Refuses a document whose `issuer` is not what the authority promises, or whose `jwks_uri` is
    /// not of the authority's origin.
    pub(crate) fn parse(json: &[u8], issuers: &Issuers) -> Result<Self, FetchError> {
        let text = std::str::from_utf8(json).map_err(|_| FetchError::NotADiscoveryDocument)?;
        // A derived `Deserialize` accepts an array in place of an object.
        if !is_json_object(text) {
            return Err(FetchError::NotADiscoveryDocument);
        }
        let document: Self =
            serde_json::from_str(text).map_err(|_| FetchError::NotADiscoveryDocument)?;
        if !issuers.promises(&document.issuer) {
            return Err(foreign_issuer(&document.issuer, issuers));
        }
        if !issuers.owns(&document.jwks_uri) {
            return Err(FetchError::ForeignKeysUrl);
        }
        Ok(document)
    }
}

fn foreign_issuer(issuer: &str, issuers: &Issuers) -> FetchError {
    let foreign = ForeignIssuer {
        found: Shown::of(issuer),
        promised: Shown::of(&issuers.promised()),
        hint: authority_hint(issuer, issuers),
    };
    FetchError::ForeignIssuer(foreign.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{admit::tenants::Tenants, authority::Authority};

    const TID: &str = "7090e106-1ad3-4313-9b7a-75cc3e576d40";
    const ISSUER: &str =
        "https://login.microsoftonline.com/7090e106-1ad3-4313-9b7a-75cc3e576d40/v2.0";
    const KEYS: &str = "https://login.microsoftonline.com/7090e106-1ad3-4313-9b7a-75cc3e576d40/discovery/v2.0/keys";

    #[track_caller]
    fn parse(json: &str) -> Result<Discovery, FetchError> {
        let tenants = Tenants::single(TID).resolve().expect("good tenants");
        let issuers = Issuers::of(&Authority::public(), &tenants).expect("a good authority");
        Discovery::parse(json.as_bytes(), &issuers)
    }

    #[test]
    fn the_authoritys_own_document_is_accepted() {
        let json = format!(
            r#"{{"issuer":"{ISSUER}","jwks_uri":"{KEYS}?appid=1","cloud_instance_name":"c","x":[]}}"#
        );
        let document = parse(&json).expect("a good document");
        assert_eq!(document.jwks_uri, format!("{KEYS}?appid=1"));
        assert_eq!(document.cloud_instance_name.as_deref(), Some("c"));
    }

    #[test]
    fn another_issuer_is_refused() {
        for issuer in [
            "",
            "https://login.microsoftonline.com/{tenantid}/v2.0",
            "https://login.microsoftonline.us/7090e106-1ad3-4313-9b7a-75cc3e576d40/v2.0",
            &format!("{ISSUER}/"),
        ] {
            let json = format!(r#"{{"issuer":"{issuer}","jwks_uri":"{KEYS}"}}"#);
            let error = parse(&json).expect_err(&json);
            assert_eq!(
                error.to_string(),
                format!(
                    "the discovery document is of another issuer: it names \"{issuer}\"; the \
                     authority promises \"{ISSUER}\""
                )
            );
        }
    }

    #[test]
    fn a_hint_says_which_authority_to_set() {
        let single = Tenants::single(TID);
        let contoso = Authority::custom("https://contoso.ciamlogin.com");
        let external = Authority::custom("https://{tid}.ciamlogin.com");
        let custom = Authority::custom("https://login.contoso.example");
        let alias = Authority::custom("https://login.windows.net");
        let external_issuer = format!("https://{TID}.ciamlogin.com/{TID}/v2.0");
        for (authority, tenants, issuer, hint) in [
            (
                &contoso,
                &single,
                external_issuer.as_str(),
                "https://{tid}.ciamlogin.com",
            ),
            (
                &custom,
                &single,
                &external_issuer,
                "https://{tid}.ciamlogin.com",
            ),
            (
                &Authority::public(),
                &single,
                &external_issuer,
                "https://{tid}.ciamlogin.com",
            ),
            (&contoso, &single, ISSUER, "Authority::public"),
            (&external, &single, ISSUER, "Authority::public"),
            (&alias, &single, ISSUER, "Authority::public"),
            (
                &Authority::public(),
                &single,
                &ISSUER.replace(".com", ".us"),
                "Authority::us_government",
            ),
            (
                &Authority::public(),
                &single,
                &ISSUER.replace("microsoftonline.com", "partner.microsoftonline.cn"),
                "Authority::china",
            ),
            (
                &Authority::public(),
                &single,
                &ISSUER.replace("7090e106", "00000000"),
                "configured tenants",
            ),
            (
                &Authority::public(),
                &single,
                "https://login.microsoftonline.com/{tenantid}/v2.0",
                "configured tenants",
            ),
            (
                &Authority::public(),
                &Tenants::any_organization(),
                ISSUER,
                "configured tenants",
            ),
            (
                &Authority::public(),
                &single,
                &format!("{ISSUER}/"),
                "not the form",
            ),
            (
                &Authority::public(),
                &single,
                "https://adfs.example/adfs",
                "Authority::custom",
            ),
            (&Authority::public(), &single, "", "Authority::custom"),
            (
                &custom,
                &single,
                "https://contoso.b2clogin.com/x/v2.0/",
                "Azure AD B2C",
            ),
        ] {
            let tenants = tenants.clone().resolve().expect("good tenants");
            let issuers = Issuers::of(authority, &tenants).expect("a good authority");
            let json = format!(r#"{{"issuer":"{issuer}","jwks_uri":"{KEYS}"}}"#);
            let error = Discovery::parse(json.as_bytes(), &issuers).expect_err(&json);
            assert_eq!(error.as_str(), "foreign_issuer");
            assert!(error.hint().contains(hint), "{issuer}: {}", error.hint());
            assert!(error.to_string().contains(&issuers.promised()), "{error}");
        }
    }

    #[test]
    fn a_foreign_issuer_is_shown_escaped_and_cut() {
        for issuer in [
            r"x\u0022 hint=\u0022 forged",
            r"a\r\nb\u001b[31m",
            &"x ".repeat(10_000),
            &"eyJ0".repeat(100),
        ] {
            let json = format!(r#"{{"issuer":"{issuer}","jwks_uri":"{KEYS}"}}"#);
            let text = parse(&json).expect_err(&json).to_string();
            assert!(text.len() < 400, "{text}");
            assert!(
                text.bytes().all(|byte| matches!(byte, b' '..=b'~')),
                "{text}"
            );
            assert!(!text.contains("eyJ0"), "{text}");
        }
    }

    #[test]
    fn keys_of_another_origin_are_refused() {
        for keys in [
            "",
            "/keys",
            "https://evil.example/keys",
            "http://login.microsoftonline.com/keys",
            "https://login.microsoftonline.com:8443/keys",
            "https://169.254.169.254/keys",
        ] {
            let json = format!(r#"{{"issuer":"{ISSUER}","jwks_uri":"{keys}"}}"#);
            assert_eq!(
                parse(&json).err(),
                Some(FetchError::ForeignKeysUrl),
                "{json}"
            );
        }
    }

    #[test]
    fn what_is_no_discovery_document_is_refused() {
        for json in [
            "",
            "{}",
            "[]",
            "[\"\",\"\",null]",
            "<html>",
            "{\"issuer\":1,\"jwks_uri\":\"\"}",
            "{\"issuer\":\"\",\"issuer\":\"\",\"jwks_uri\":\"\"}",
        ] {
            assert_eq!(
                parse(json).err(),
                Some(FetchError::NotADiscoveryDocument),
                "{json}"
            );
        }
    }
}
