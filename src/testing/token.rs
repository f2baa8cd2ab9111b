//! The builder of a token, and its claims.

use std::{
    collections::BTreeMap,
    fmt,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::testing::{
    algorithm::Algorithm,
    documents::to_value,
    keys::{Signer, random_text},
    state::Shared,
};

/// The builder of a token of an [`Issuer`](super::Issuer).
///
/// The methods apply in the order in which they are called: a later one replaces what an earlier one
/// has set. Every value can be set, right or wrong; [`mint`](Self::mint) makes the token.
#[derive(Clone)]
#[must_use = "a token does nothing before it is minted"]
pub struct TokenBuilder {
    pub(super) shared: Arc<Shared>,
    pub(super) claims: Map<String, Value>,
    pub(super) payload: Option<Vec<u8>>,
    pub(super) header: BTreeMap<String, Option<Value>>,
    pub(super) header_text: Option<String>,
    pub(super) kid: Option<String>,
    pub(super) algorithm: Option<Algorithm>,
    pub(super) signer: Signer,
}

/// Claims.
impl TokenBuilder {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        let token = Self {
            shared: Arc::clone(shared),
            claims: Map::new(),
            payload: None,
            header: BTreeMap::new(),
            header_text: None,
            kid: None,
            algorithm: None,
            signer: Signer::Key,
        };
        token
            .claim("ver", "2.0")
            .tenant(&shared.settings.tenant_id)
            .audience(&shared.settings.audience)
            .issued_at(now())
            .valid_for(LIFETIME)
            .claim("uti", random_text(UTI_BYTES))
    }

    /// Makes it a version 1.0 token: another issuer, and `appid`, `appidacr` and `unique_name` for
    /// `azp`, `azpacr` and `preferred_username`.
    pub fn v1(mut self) -> Self {
        for (v2, v1) in RENAMED {
            self.rename(v2, v1);
        }
        self.claim("ver", "1.0").with_issuer_of_version()
    }

    /// Makes it a version 2.0 token again, which is the default.
    pub fn v2(mut self) -> Self {
        for (v2, v1) in RENAMED {
            self.rename(v1, v2);
        }
        self.claim("ver", "2.0").with_issuer_of_version()
    }

    /// Leaves out the facets, `xms_idrel`, `xms_par_app_azp` and `idtyp`, as in the tokens of an API
    /// whose registration requests none of them.
    pub fn without_facets(mut self) -> Self {
        for name in OPTIONAL_CLAIMS {
            self.claims.remove(name);
        }
        self
    }

    /// Sets a claim.
    ///
    /// # Panics
    ///
    /// If the value cannot be written as JSON.
    #[track_caller]
    pub fn claim(mut self, name: impl Into<String>, value: impl Serialize) -> Self {
        self.claims.insert(name.into(), to_value(value));
        self
    }

    /// Sets several claims.
    ///
    /// # Panics
    ///
    /// If a value cannot be written as JSON.
    #[track_caller]
    pub fn claims<N, V>(mut self, claims: impl IntoIterator<Item = (N, V)>) -> Self
    where
        N: Into<String>,
        V: Serialize,
    {
        for (name, value) in claims {
            self = self.claim(name, value);
        }
        self
    }

    /// Leaves a claim out.
    pub fn without_claim(mut self, name: &str) -> Self {
        self.claims.remove(name);
        self
    }

    /// Sets `scp`: scopes with spaces between them.
    pub fn scope(self, scope: &str) -> Self {
        self.claim("scp", scope)
    }

    /// Sets `roles` to this one role. [`roles`](Self::roles) sets several.
    pub fn role(self, role: &str) -> Self {
        self.roles([role])
    }

    /// Sets `roles`.
    pub fn roles<'a>(self, roles: impl IntoIterator<Item = &'a str>) -> Self {
        self.claim("roles", roles.into_iter().collect::<Vec<_>>())
    }

    /// Sets `aud`.
    pub fn audience(self, audience: &str) -> Self {
        self.claim("aud", audience)
    }

    /// Sets `tid`, and `iss` to this issuer's value for that tenant.
    pub fn tenant(self, tid: &str) -> Self {
        self.claim("tid", tid).with_issuer_of_version()
    }

    /// Sets only `exp`, in seconds since the Unix epoch.
    pub fn expires_at(self, seconds: i64) -> Self {
        self.claim("exp", seconds)
    }

    /// Sets only `exp`, to this many seconds from now. See [`expired`](Self::expired) for a token that
    /// was once valid.
    pub fn expires_in(self, seconds: i64) -> Self {
        self.expires_at(now().saturating_add(seconds))
    }

    /// Sets `iat` and `nbf`, in seconds since the Unix epoch. In Entra's tokens the two are equal.
    pub fn issued_at(self, seconds: i64) -> Self {
        self.claim("iat", seconds).not_before(seconds)
    }

    /// Sets only `nbf`, in seconds since the Unix epoch.
    pub fn not_before(self, seconds: i64) -> Self {
        self.claim("nbf", seconds)
    }

    /// Sets `exp` to this many seconds after `iat`, or from now if `iat` is no integer.
    pub fn valid_for(self, seconds: i64) -> Self {
        let issued = self
            .claims
            .get("iat")
            .and_then(Value::as_i64)
            .unwrap_or_else(now);
        self.expires_at(issued.saturating_add(seconds))
    }

    /// Makes it a token that was issued two hours ago and was valid for one.
    pub fn expired(self) -> Self {
        self.issued_at(now() - 2 * LIFETIME).valid_for(LIFETIME)
    }

    /// Makes this text the payload in place of the claims: JSON that no serializer would write.
    pub fn payload(self, text: impl Into<String>) -> Self {
        self.payload_bytes(text.into())
    }

    /// Makes these bytes the payload in place of the claims: UTF-8 or not.
    pub fn payload_bytes(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.payload = Some(bytes.into());
        self
    }

    fn rename(&mut self, from: &str, to: &str) {
        if let Some(value) = self.claims.remove(from) {
            self.claims.insert(to.to_owned(), value);
        }
    }

    fn with_issuer_of_version(self) -> Self {
        let tenant = self
            .claims
            .get("tid")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let issuer = match self.is_v1() {
            true => self.shared.v1_issuer(tenant),
            false => self.shared.v2_issuer(tenant),
        };
        self.claim("iss", issuer)
    }

    pub(super) fn is_v1(&self) -> bool {
        self.claims
            .get("ver")
            .is_some_and(|version| version == "1.0")
    }
}

/// Shows the names of the claims, not their values.
impl fmt::Debug for TokenBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.claims.keys().collect();
        f.debug_struct("TokenBuilder")
            .field("claims", &names)
            .finish_non_exhaustive()
    }
}

pub(super) fn now() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH);
    let seconds = elapsed.expect("the time is after 1970").as_secs();
    i64::try_from(seconds).expect("the time is before the year 292 billion")
}

const LIFETIME: i64 = 3_600;

/// 16 bytes are 22 characters, the length of Entra's token ids.
const UTI_BYTES: usize = 16;

/// Claims with another name in version 1.0: the name in 2.0, then the name in 1.0.
const RENAMED: [(&str, &str); 3] = [
    ("azp", "appid"),
    ("azpacr", "appidacr"),
    ("preferred_username", "unique_name"),
];

const OPTIONAL_CLAIMS: [&str; 6] = [
    "idtyp",
    "xms_act_fct",
    "xms_sub_fct",
    "xms_tnt_fct",
    "xms_idrel",
    "xms_par_app_azp",
];
