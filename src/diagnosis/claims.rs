//! What was wrong with claims that a key has vouched for.

use std::fmt;

use super::{
    Brief, Diagnosis, Facts,
    audience::{audience_hint, well_known},
    date::Date,
    hints,
    issuer::issuer_hint,
};
use crate::{
    error::{Error, ErrorKind},
    findings::Dates,
    flaw::Flaw,
    ids::TenantId,
    issuers::Signer,
    policy::{Policy, date, foreign_provider, is_guest, is_id_token},
    principal::is_app_only,
    shown::{Few, Shown},
    tenants::{PERSONAL_ACCOUNTS, TenantPolicy},
    token::{Claims, VerifiedToken},
    values::TokenVersion,
};

/// What a check had before it besides the claims.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Circumstances<'v> {
    pub(crate) policy: &'v Policy,
    pub(crate) kid: &'v str,
    pub(crate) signer: Signer<'v>,
    pub(crate) now: u64,
}

/// `iss` is not what the authority issues for this tenant and version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WrongIssuer {
    issuer: Option<Shown>,
    version: &'static str,
    /// What it would have to be. None if tokens of this version have no issuer here.
    expected: Option<Shown>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WrongTenant {
    tenant: TenantId,
    allowed: AllowedTenants,
    is_guest: bool,
    /// Who knows the guest, as far as that names nobody.
    home: Option<Shown>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum AllowedTenants {
    Listed(Few),
    AnyOrganization,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WrongAudience {
    audience: Few,
    version: Option<&'static str>,
    accepted: Few,
}

/// A key that may not sign for the token's issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WrongKey {
    kid: Shown,
    issuer: Option<Shown>,
    /// The clouds of the key and of the discovery document, if they differ.
    clouds: Option<(Shown, Shown)>,
    token_issuer: Option<Shown>,
}

/// `tid` or `ver` is not one that a token has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WrongName {
    claim: &'static str,
    value: Option<Shown>,
    issuer: Option<Shown>,
}

/// A date of a token, and how it stands to the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WrongTime {
    claim: DateClaim,
    date: u64,
    /// How long ago it was, or how long it will be, in seconds.
    distance: u32,
    skew: u16,
}

/// A claim that is a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DateClaim {
    Expires,
    NotBefore,
    Issued,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DateFault {
    NoExpiry,
    NoDate(DateClaim),
    NotBeforeIsLater,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IdTokenMark {
    /// A claim that only ID tokens have, and no scope.
    Claim,
    /// Neither scope nor client.
    NoClient(Option<TokenVersion>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contradiction {
    Clients,
    AppWithScope,
    AppIsAgentUser,
    AgentIsNotItsSubject,
    AgentIsUser,
    AgentWithScope,
}

/// What a token that grants nothing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoGrant {
    AppOnly,
    Delegated,
}

/// What a check says no with.
pub(crate) enum Refused {
    Kind(ErrorKind),
    Claims(Flaw),
    Contradiction(Contradiction),
}

impl From<ErrorKind> for Refused {
    fn from(kind: ErrorKind) -> Self {
        Self::Kind(kind)
    }
}

/// Looks at a verified token that did not pass one of the checks 6 to 13.
#[cold]
pub(crate) fn refused_claims(
    refused: Refused,
    token: &VerifiedToken,
    circumstances: Circumstances<'_>,
) -> Error {
    let (kind, diagnosis) = match refused {
        Refused::Claims(flaw) => {
            return Error::new(ErrorKind::MalformedClaims, malformed(flaw));
        }
        Refused::Contradiction(found) => (
            ErrorKind::ContradictoryClaims,
            Some(Diagnosis::Brief(Brief::Contradiction(found))),
        ),
        Refused::Kind(kind) => (kind, None),
    };
    let Ok(claims) = token.claims() else {
        return kind.into();
    };
    let diagnosis = diagnosis
        .or_else(|| explain(kind, &claims, circumstances))
        .unwrap_or_default();
    // Whatever else is wrong with it.
    let diagnosis = match well_known(&claims.aud) {
        Some(hints::EXCHANGE) => diagnosis.with_hint(hints::EXCHANGE),
        _ => diagnosis,
    };
    Error::new(kind, diagnosis)
}

fn explain(
    kind: ErrorKind,
    claims: &Claims<'_>,
    circumstances: Circumstances<'_>,
) -> Option<Diagnosis> {
    let policy = circumstances.policy;
    Some(match kind {
        ErrorKind::UnsupportedVersion => wrong_version(claims),
        ErrorKind::InvalidTenant => wrong_tenant_form(claims),
        ErrorKind::IssuerMismatch => wrong_issuer(claims, policy)?,
        ErrorKind::TenantNotAllowed => foreign_tenant(claims, policy)?,
        ErrorKind::KeyNotForIssuer => wrong_key(claims, circumstances),
        ErrorKind::AudienceMismatch => wrong_audience(claims, policy),
        ErrorKind::InvalidDates => Diagnosis::Brief(Brief::DateFault(date_fault(claims))),
        ErrorKind::Expired | ErrorKind::NotYetValid => {
            let dates = Dates {
                expires: date(claims.exp).ok()??,
                not_before: date(claims.nbf).ok()?,
                issued: date(claims.iat).ok()?,
            };
            wrong_time(kind, &dates, policy.skew, circumstances.now)
        }
        ErrorKind::IdToken => Diagnosis::Brief(Brief::IdToken(if claims.has_id_token_mark {
            IdTokenMark::Claim
        } else {
            IdTokenMark::NoClient(version(claims))
        })),
        ErrorKind::NothingGranted => no_grant(is_app_only(claims)),
        _ => return None,
    })
}

/// A token whose dates do not hold now.
#[cold]
pub(crate) fn refused_dates(kind: ErrorKind, dates: &Dates, skew: u64, now: u64) -> Error {
    Error::new(kind, wrong_time(kind, dates, skew, now))
}

/// A token that grants nothing.
#[cold]
pub(crate) fn refused_grant(is_app_only: bool) -> Error {
    Error::new(ErrorKind::NothingGranted, no_grant(is_app_only))
}

fn malformed(flaw: Flaw) -> Diagnosis {
    let hint = match &flaw {
        Flaw::WrongType(wrong) if matches!(wrong.name, "scp" | "roles") => hints::SCP_AND_ROLES,
        _ => hints::BAD_CLAIMS,
    };
    Diagnosis::full(hint, Facts::Object(flaw))
}

fn wrong_version(claims: &Claims<'_>) -> Diagnosis {
    Diagnosis::full(
        hints::VERSION,
        Facts::WrongName(WrongName {
            claim: "ver",
            value: claims.ver.as_deref().map(Shown::of),
            issuer: claims.iss.as_deref().map(Shown::of),
        }),
    )
}

fn wrong_tenant_form(claims: &Claims<'_>) -> Diagnosis {
    let issuer = claims.iss.as_deref();
    // Its issuers are of this host unless it has a domain of its own; those have no `tid` either.
    let is_b2c =
        issuer.is_some_and(|issuer| issuer.to_ascii_lowercase().contains(".b2clogin.com/"));
    let hint = match claims.tid.as_deref() {
        _ if is_b2c => hints::B2C,
        None => hints::NO_TENANT,
        Some(tid) if tid.parse::<TenantId>().is_ok() => hints::TENANT_CASE,
        Some(_) => hints::TENANT_FORM,
    };
    Diagnosis::full(
        hint,
        Facts::WrongName(WrongName {
            claim: "tid",
            value: claims.tid.as_deref().map(Shown::of),
            issuer: issuer.map(Shown::of),
        }),
    )
}

fn wrong_issuer(claims: &Claims<'_>, policy: &Policy) -> Option<Diagnosis> {
    let version = version(claims)?;
    let template = match version {
        TokenVersion::V1 => policy.issuers.v1.as_ref(),
        TokenVersion::V2 => Some(&policy.issuers.v2),
    };
    let tid = claims.tid.as_deref()?;
    let facts = WrongIssuer {
        issuer: claims.iss.as_deref().map(Shown::of),
        version: version.as_str(),
        expected: template.map(|template| Shown::of(&template.fill(tid))),
    };
    let hint = issuer_hint(claims, &policy.issuers);
    Some(Diagnosis::full(hint, Facts::WrongIssuer(facts)))
}

fn foreign_tenant(claims: &Claims<'_>, policy: &Policy) -> Option<Diagnosis> {
    let tenant: TenantId = claims.tid.as_deref()?.parse().ok()?;
    let allowed = match &policy.tenants {
        TenantPolicy::Listed(tenants) => {
            AllowedTenants::Listed(Few::of(tenants.iter().map(TenantId::as_str)))
        }
        TenantPolicy::AnyOrganization | TenantPolicy::Any => AllowedTenants::AnyOrganization,
    };
    let is_guest = is_guest(claims, tenant, policy);
    let hint = match allowed {
        _ if tenant.as_str() != PERSONAL_ACCOUNTS && is_guest => hints::GUEST_ELSEWHERE,
        _ if tenant.as_str() != PERSONAL_ACCOUNTS => hints::OTHER_TENANT,
        // Whoever has listed tenants has not asked for everybody.
        AllowedTenants::Listed(_) => hints::PERSONAL_ACCOUNT,
        AllowedTenants::AnyOrganization => hints::PERSONAL_NOT_ORGANIZATION,
    };
    let facts = WrongTenant {
        tenant,
        allowed,
        is_guest,
        home: foreign_provider(claims, tenant, policy)
            .and_then(provider)
            .map(Shown::of),
    };
    Some(Diagnosis::full(hint, Facts::WrongTenant(facts)))
}

/// As much of an `idp` as names nobody: a tenant, an issuer that is a tenant's, the host of another URL,
/// or a provider that is known by its name. What has another form is not shown.
fn provider(idp: &str) -> Option<&str> {
    let is_tenant = |text: &str| text.parse::<TenantId>().is_ok();
    let schemes = ["https://", "http://"];
    let Some(rest) = schemes.iter().find_map(|scheme| idp.strip_prefix(scheme)) else {
        return (is_tenant(idp) || PROVIDERS.contains(&idp)).then_some(idp);
    };
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let is_label = |label: &str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    if !host.contains('.') || !host.split('.').all(is_label) {
        None
    } else if is_tenant(path.trim_end_matches("/v2.0").trim_end_matches('/')) {
        Some(idp)
    } else {
        idp.get(..idp.len() - rest.len() + host.len())
    }
}

/// What [Microsoft and social accounts](https://learn.microsoft.com/en-us/entra/external-id/identity-providers)
/// have for `idp`.
const PROVIDERS: [&str; 3] = ["live.com", "google.com", "facebook.com"];

fn wrong_key(claims: &Claims<'_>, circumstances: Circumstances<'_>) -> Diagnosis {
    let Circumstances { kid, signer, .. } = circumstances;
    let clouds = match (signer.cloud, signer.discovery_cloud) {
        (Some(key), Some(discovery)) if key != discovery => {
            Some((Shown::of(key), Shown::of(discovery)))
        }
        _ => None,
    };
    let tid = claims.tid.as_deref().unwrap_or_default();
    let hint = match signer.issuer {
        None if !signer.discovery_names_one_tenant => hints::KEY_WITHOUT_ISSUER,
        Some(issuer) if !issuer.agrees_with(&circumstances.policy.issuers.v2, tid) => {
            hints::KEY_OF_OTHER_ISSUER
        }
        _ => hints::KEY_OF_OTHER_CLOUD,
    };
    let facts = WrongKey {
        kid: Shown::of(kid),
        issuer: signer.issuer.map(|issuer| Shown::of(&issuer.to_string())),
        clouds,
        token_issuer: claims.iss.as_deref().map(Shown::of),
    };
    Diagnosis::full(hint, Facts::WrongKey(facts))
}

fn wrong_audience(claims: &Claims<'_>, policy: &Policy) -> Diagnosis {
    let facts = WrongAudience {
        audience: Few::of(claims.aud.iter().map(AsRef::as_ref)),
        version: version(claims).map(TokenVersion::as_str),
        accepted: Few::of(policy.audiences.iter().map(String::as_str)),
    };
    // An ID token is for the client, and so fails here before anybody asks what it is.
    let hint = match well_known(&claims.aud) {
        None if is_id_token(claims) => hints::ID_TOKEN,
        _ => audience_hint(&claims.aud, &policy.audiences),
    };
    Diagnosis::full(hint, Facts::WrongAudience(facts))
}

fn version(claims: &Claims<'_>) -> Option<TokenVersion> {
    [TokenVersion::V1, TokenVersion::V2]
        .into_iter()
        .find(|version| claims.ver.as_deref() == Some(version.as_str()))
}

fn date_fault(claims: &Claims<'_>) -> DateFault {
    let dates = [
        (DateClaim::Expires, claims.exp),
        (DateClaim::NotBefore, claims.nbf),
        (DateClaim::Issued, claims.iat),
    ];
    match dates.into_iter().find(|(_, number)| date(*number).is_err()) {
        _ if claims.exp.is_none() => DateFault::NoExpiry,
        Some((claim, _)) => DateFault::NoDate(claim),
        None => DateFault::NotBeforeIsLater,
    }
}

fn wrong_time(kind: ErrorKind, dates: &Dates, skew: u64, now: u64) -> Diagnosis {
    // What a clock before 1970 reads as.
    if now == u64::MAX {
        return Diagnosis::Brief(Brief::NoClock);
    }
    let (claim, date) = match (kind, dates.not_before, dates.issued) {
        (ErrorKind::NotYetValid, Some(not_before), issued)
            if issued.is_none_or(|issued| issued <= not_before) =>
        {
            (DateClaim::NotBefore, not_before)
        }
        (ErrorKind::NotYetValid, _, Some(issued)) => (DateClaim::Issued, issued),
        _ => (DateClaim::Expires, dates.expires),
    };
    Diagnosis::Brief(Brief::WrongTime(WrongTime {
        claim,
        date,
        distance: u32::try_from(now.abs_diff(date)).unwrap_or(u32::MAX),
        skew: u16::try_from(skew).unwrap_or(u16::MAX),
    }))
}

fn no_grant(is_app_only: bool) -> Diagnosis {
    Diagnosis::Brief(Brief::NoGrant(if is_app_only {
        NoGrant::AppOnly
    } else {
        NoGrant::Delegated
    }))
}

impl WrongTime {
    pub(super) fn hint(self, kind: ErrorKind) -> &'static str {
        match kind {
            ErrorKind::NotYetValid => hints::CLOCK,
            _ if self.distance <= NEARLY => hints::EXPIRED_BY_A_LITTLE,
            _ => hints::EXPIRED,
        }
    }
}

impl DateClaim {
    fn as_str(self) -> &'static str {
        match self {
            Self::Expires => "exp",
            Self::NotBefore => "nbf",
            Self::Issued => "iat",
        }
    }
}

impl NoGrant {
    pub(super) fn hint(self) -> &'static str {
        match self {
            Self::AppOnly => hints::NO_ROLE,
            Self::Delegated => hints::NO_SCOPE,
        }
    }
}

impl fmt::Display for WrongIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = self.version;
        match &self.issuer {
            Some(issuer) => write!(f, "the token is from {issuer} (version {version}); ")?,
            None => f.write_str("the token has no iss; ")?,
        }
        match &self.expected {
            Some(expected) => {
                write!(f, "for its tenant and version this API accepts {expected}")
            }
            None => write!(f, "this API accepts no tokens of version {version}"),
        }
    }
}

impl fmt::Display for WrongTenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the token is of the tenant \"{}\"", self.tenant)?;
        if self.is_guest {
            f.write_str(", where its subject is a guest")?;
        }
        if let Some(home) = &self.home {
            write!(f, " (idp {home})")?;
        }
        match &self.allowed {
            AllowedTenants::Listed(tenants) => write!(f, "; this API accepts {tenants}"),
            AllowedTenants::AnyOrganization => f.write_str(
                ", that of personal Microsoft accounts; this API accepts any organization's",
            ),
        }
    }
}

impl fmt::Display for WrongAudience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.audience.is_empty() {
            f.write_str("the token has no aud")?;
        } else {
            write!(f, "the token is for {}", self.audience)?;
        }
        if let Some(version) = self.version {
            write!(f, " (version {version})")?;
        }
        write!(f, "; this API accepts {}", self.accepted)
    }
}

impl fmt::Display for WrongKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kid = &self.kid;
        match &self.issuer {
            Some(issuer) => write!(f, "the key of kid {kid} signs for {issuer}")?,
            None => write!(f, "the key of kid {kid} names no issuer")?,
        }
        if let Some(issuer) = &self.token_issuer {
            write!(f, ", the token is from {issuer}")?;
        }
        match &self.clouds {
            Some((key, discovery)) => write!(
                f,
                "; the key is of the cloud {key}, the discovery document of {discovery}"
            ),
            None => Ok(()),
        }
    }
}

impl fmt::Display for WrongName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let claim = self.claim;
        match &self.value {
            Some(value) => write!(f, "{claim} is {value}")?,
            None => write!(f, "there is no {claim}")?,
        }
        match &self.issuer {
            Some(issuer) => write!(f, "; the token is from {issuer}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for WrongTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            claim,
            distance,
            skew,
            ..
        } = self;
        let date = Date(self.date);
        match claim {
            DateClaim::Expires => write!(f, "expired {distance} s ago, at {date}")?,
            DateClaim::NotBefore | DateClaim::Issued => {
                let name = claim.as_str();
                write!(f, "not valid for another {distance} s ({name} is {date})")?;
            }
        }
        write!(f, "; the allowed clock skew is {skew} s")
    }
}

impl fmt::Display for DateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoExpiry => f.write_str("there is no exp"),
            Self::NoDate(claim) => write!(f, "{} is no date from 1970 to 9999", claim.as_str()),
            Self::NotBeforeIsLater => f.write_str("nbf is later than exp"),
        }
    }
}

impl fmt::Display for IdTokenMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = match self {
            Self::Claim => {
                return f.write_str(
                    "it has nonce, at_hash or c_hash, as only ID tokens do, and no scope",
                );
            }
            Self::NoClient(version) => version,
        };
        f.write_str("it has no scope, and neither azp nor appid")?;
        match version {
            Some(version) => write!(
                f,
                ": an access token of version {version} names its client in {}",
                version.client_claim()
            ),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Contradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Clients => "azp and appid name different applications",
            Self::AppWithScope => "idtyp is app, and there is a scope, which only users delegate",
            Self::AppIsAgentUser => "idtyp is app, and xms_sub_fct says that the subject is a user",
            Self::AgentIsNotItsSubject => {
                "idtyp is app and xms_act_fct says that an agent acts, which xms_sub_fct does not"
            }
            Self::AgentIsUser => {
                "xms_sub_fct says that the subject is an agent, and idtyp says user"
            }
            Self::AgentWithScope => {
                "xms_sub_fct says that an agent acts for itself, and there is a scope"
            }
        })
    }
}

impl fmt::Display for NoGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AppOnly => "it is app-only and has no roles",
            Self::Delegated => "it is not app-only, and has neither a scope nor roles",
        })
    }
}

/// What bad clocks and slow clients come to, in seconds.
const NEARLY: u32 = 600;

#[cfg(test)]
mod tests {
    use super::*;

    const DATES: Dates = Dates {
        expires: 1_000,
        not_before: Some(500),
        issued: Some(400),
    };

    #[track_caller]
    fn line(kind: ErrorKind, now: u64) -> String {
        refused_dates(kind, &DATES, 60, now).to_string()
    }

    #[test]
    fn a_date_is_told_by_how_far_it_is_from_now() {
        assert_eq!(
            line(ErrorKind::Expired, 1_102),
            "the token has expired: expired 102 s ago, at 1970-01-01T00:16:40Z; the allowed clock \
             skew is 60 s"
        );
        assert_eq!(
            line(ErrorKind::NotYetValid, 398),
            "the token is not yet valid: not valid for another 102 s (nbf is 1970-01-01T00:08:20Z); \
             the allowed clock skew is 60 s"
        );
    }

    #[test]
    fn a_clock_that_tells_nothing_is_what_is_blamed() {
        let error = refused_dates(ErrorKind::Expired, &DATES, 60, u64::MAX);
        assert_eq!(
            error.to_string(),
            "the token has expired: the clock of this machine stands before 1970"
        );
        assert_eq!(error.hint(), hints::CLOCK_BEFORE_1970);
    }
}
