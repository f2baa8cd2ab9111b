//! Reading a JWT that a client presents.

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde_json::{Map, Value};

use crate::testing::algorithm::Algorithm;

/// A JWT whose signature is not yet verified.
pub(super) struct Jwt<'t> {
    pub(super) header: Map<String, Value>,
    pub(super) claims: Map<String, Value>,
    pub(super) input: &'t [u8],
    pub(super) signature: Vec<u8>,
}

impl<'t> Jwt<'t> {
    /// `None` if the text is no JWS in compact form, or header or payload is no JSON object.
    pub(super) fn parse(token: &'t str) -> Option<Self> {
        let (input, signature) = token.rsplit_once('.')?;
        let (header, payload) = input.split_once('.')?;
        let object = |text: &str| serde_json::from_slice(&URL_SAFE.decode(text).ok()?).ok();
        Some(Self {
            header: object(header)?,
            claims: object(payload)?,
            input: input.as_bytes(),
            signature: URL_SAFE.decode(signature).ok()?,
        })
    }

    pub(super) fn algorithm(&self) -> Option<Algorithm> {
        Algorithm::parse(self.header.get("alg")?.as_str()?)
    }

    pub(super) fn claim(&self, name: &str) -> &str {
        self.claims
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// Whether the audience is this one: a text, or a list that has it.
    pub(super) fn is_for(&self, accepts: impl Fn(&str) -> bool) -> bool {
        match self.claims.get("aud") {
            Some(Value::String(audience)) => accepts(audience),
            Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).any(accepts),
            _ => false,
        }
    }

    /// A time in seconds since the Unix epoch: an integer, a float or a text. MSAL .NET sends texts, MSAL
    /// Python floats. `Err` if the claim is there and no time.
    pub(super) fn time(&self, name: &str) -> Result<Option<i64>, ()> {
        let text = match self.claims.get(name) {
            None => return Ok(None),
            Some(Value::Number(number)) => number.to_string(),
            Some(Value::String(text)) => text.clone(),
            Some(_) => return Err(()),
        };
        let seconds: f64 = text.trim().parse().map_err(|_| ())?;
        format!("{seconds:.0}").parse().map(Some).map_err(|_| ())
    }

    /// A token of an application for itself, which no person has delegated anything to.
    pub(super) fn is_app_only(&self) -> bool {
        match self.claim("idtyp") {
            "app" => true,
            "" => self.claim("scp").is_empty() && self.claim("oid") == self.claim("sub"),
            _ => false,
        }
    }
}

/// Bytes as standard base64 or base64url, padded or not.
pub(super) fn either_base64(text: &str) -> Option<Vec<u8>> {
    let text = text.replace('-', "+").replace('_', "/");
    STANDARD.decode(text).ok()
}

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
