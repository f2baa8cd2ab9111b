//! Whose token is it? Decodes a JWT without verification: the token comes over TLS from the authority
//! itself, and the API that it is for verifies it.

use base64::{
    Engine as _,
    alphabet::URL_SAFE,
    engine::{
        DecodePaddingMode,
        general_purpose::{GeneralPurpose, GeneralPurposeConfig, URL_SAFE_NO_PAD},
    },
};

use super::values::{Asked, Flow};
use crate::{
    acquire::json::{Object, text_of},
    ids::{AppId, ObjectId, TenantId},
};

/// Refuses a JWT of another client, tenant or user, or of another kind, and one whose claims cannot be
/// read. What is no JWT passes: some resources have opaque or encrypted tokens.
pub(super) fn check(token: &str, asked: &Asked<'_>) -> Result<(), String> {
    let Some(payload) = payload_of_jwt(token) else {
        return Ok(());
    };
    let claims = URL_SAFE_NO_PAD.decode(payload).ok();
    let claims = claims.and_then(|claims| String::from_utf8(claims).ok());
    let claims = claims.as_deref().and_then(Claims::parse);
    let claims = claims.ok_or("its claims cannot be read")?;
    claims.check_client(asked.client)?;
    claims.check_tenant(asked.tenant)?;
    match asked.flow {
        Flow::App => claims.check_app(),
        Flow::OnBehalfOf(assertion) => claims.check_user(assertion.object_id()),
        Flow::AgentUser(user) => claims.check_user(user),
    }
}

/// The second of three segments, where the first is an object in base64. Lenient about padding, alphabet
/// and the object's own form: what any API could take for a JWT is one here, and its claims must be good.
fn payload_of_jwt(token: &str) -> Option<&str> {
    let mut segments = token.split('.');
    let (header, payload) = (segments.next()?, segments.next()?);
    segments.next()?;
    // Five are an encrypted token.
    if segments.next().is_some() {
        return None;
    }
    let header = header.replace('+', "-").replace('/', "_");
    let header = LENIENT.decode(header).ok()?;
    let header = header.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&header);
    header
        .trim_ascii_start()
        .starts_with(b"{")
        .then_some(payload)
}

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

struct Claims<'j>(Object<'j>);

impl<'j> Claims<'j> {
    /// `None` if it is no object, or has a claim that decides twice, if only in another letter case: not
    /// every API reads the same one of the two.
    fn parse(text: &'j str) -> Option<Self> {
        let object = Object::parse(text)?;
        let is_disguised = |name: &str| {
            let of_other_case = |claim: &str| name.eq_ignore_ascii_case(claim) && name != claim;
            DECIDING.iter().any(|claim| of_other_case(claim))
        };
        let has_disguised = object.members().any(|(name, _)| is_disguised(name));
        (!has_disguised).then_some(Self(object))
    }

    /// A claim that is absent is no fault; one of another type is.
    fn text(&self, name: &str) -> Result<Option<String>, String> {
        let text = |value| text_of(value).ok_or_else(|| format!("its {name} is not a string"));
        self.0.get(name).map(text).transpose()
    }

    fn check_client(&self, client: AppId) -> Result<(), String> {
        let mut is_named = false;
        for name in ["appid", "azp"] {
            if let Some(text) = self.text(name)? {
                is_named = true;
                if text.parse::<AppId>().ok() != Some(client) {
                    return Err(format!("its {name} is {}, not {client}", shown(&text)));
                }
            }
        }
        match is_named {
            true => Ok(()),
            false => Err("it has neither azp nor appid".to_owned()),
        }
    }

    fn check_tenant(&self, tenant: TenantId) -> Result<(), String> {
        match self.text("tid")? {
            Some(text) if text.parse::<TenantId>().ok() == Some(tenant) => Ok(()),
            Some(text) => Err(format!("its tid is {}, not {tenant}", shown(&text))),
            None => Err("it has no tid".to_owned()),
        }
    }

    fn check_app(&self) -> Result<(), String> {
        if self.has_scope()? {
            return Err("it has a scope, so it is a user's, not the app's own".to_owned());
        }
        match self.text("idtyp")? {
            Some(text) if text.eq_ignore_ascii_case("user") => {
                Err("its idtyp is user, so it is not the app's own".to_owned())
            }
            _ => Ok(()),
        }
    }

    fn check_user(&self, user: Option<ObjectId>) -> Result<(), String> {
        match self.text("idtyp")? {
            Some(text) if text.eq_ignore_ascii_case("app") => {
                return Err("its idtyp is app, so it is not a user's".to_owned());
            }
            Some(text) if text.eq_ignore_ascii_case("user") => {}
            _ if !self.has_scope()? && self.is_subject_an_app()? => {
                return Err("it has no scope and its subject is the app itself".to_owned());
            }
            _ => {}
        }
        let (Some(user), Some(text)) = (user, self.text("oid")?) else {
            return Ok(());
        };
        match text.parse::<ObjectId>().ok() == Some(user) {
            true => Ok(()),
            false => Err(format!("its oid is {}, not {user}", shown(&text))),
        }
    }

    /// An empty, blank or `/` `scp` is no scope.
    fn has_scope(&self) -> Result<bool, String> {
        let scopes = self.text("scp")?.unwrap_or_default();
        Ok(scopes.split_whitespace().any(|scope| scope != "/"))
    }

    /// By the signs of an app's own token: `sub` equal to `oid`, or a path.
    fn is_subject_an_app(&self) -> Result<bool, String> {
        let Some(subject) = self.text("sub")? else {
            return Ok(false);
        };
        let object = self.text("oid")?;
        Ok(subject.starts_with('/')
            || object.is_some_and(|object| object.eq_ignore_ascii_case(&subject)))
    }
}

/// Only what has the form of an id: anything else could be a name or a credential.
fn shown(text: &str) -> &str {
    match text.parse::<ObjectId>() {
        Ok(_) => text,
        Err(_) => "no GUID",
    }
}

const DECIDING: [&str; 7] = ["appid", "azp", "tid", "oid", "sub", "idtyp", "scp"];
