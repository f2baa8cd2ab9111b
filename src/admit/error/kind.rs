//! Which check refused a request: a stable code, and a text that a client may read.

use std::fmt;

/// The check that refused a request, in the order in which the checks are made.
///
/// [`as_str`](Self::as_str) is a stable code: it changes only with a major version. Its `Display` is
/// what a client may read.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// There is no `Authorization` header, or its scheme is not `Bearer`. This and the next two hold for the
    /// header of [`token_from_header`](crate::EntraAuthLayer::token_from_header) where one is set.
    MissingToken,
    /// There is more than one `Authorization` header.
    MultipleCredentials,
    /// The `Authorization` header is not `Bearer` and one token of the characters that
    /// [RFC 6750](https://www.rfc-editor.org/rfc/rfc6750#section-2.1) allows.
    MalformedAuthorization,
    /// The token is longer than the configured limit.
    TokenTooLarge,
    /// The token is not three segments of canonical, unpadded base64url.
    MalformedToken,
    /// The token has five segments: it is encrypted (JWE), and this API holds no key to open it.
    EncryptedToken,
    /// The token's header is not a JSON object, has a member twice in one object, or is more than 32
    /// deep.
    MalformedHeader,
    /// The header's `alg` is not in the allow-list.
    AlgorithmNotAllowed,
    /// The header's `kid` is absent, not a string, empty, or longer than 256 bytes.
    InvalidKeyId,
    /// The header's `typ` is not that of an access token.
    UnsupportedTokenType,
    /// The header asks for something this crate does not do: `crit`, `b64`, `zip`, `enc`, or a
    /// nested token.
    UnsupportedHeader,
    /// There is no usable key set: none was ever fetched, or the last good one is too old. Or the
    /// header's `kid` is not among the keys that there are, and it could not be looked up: the fetch
    /// failed or took too long, too many requests were waiting for it, the cool-down after another
    /// unknown key ([`KeySettings::with_cool_down`](crate::KeySettings::with_cool_down)) was not over,
    /// or the request went away while it waited.
    KeysUnavailable,
    /// The header's `kid` names no key of the authority: a fetch that began after the first request
    /// that waited for this `kid` lacked it, the authority has withdrawn it, or the claims were not worth a
    /// fetch.
    UnknownKey,
    /// The signature does not verify with the key that the header names.
    InvalidSignature,
    /// The signature does not verify and the header has a `nonce`: a token for Microsoft Graph,
    /// which only Graph can verify.
    GraphToken,
    /// The claims are not a JSON object, have a member twice in one object, or are more than 32 deep;
    /// or a claim that decides has the wrong type or is written in other letters (`TID`).
    ///
    /// `scp` is one string of scopes and `roles` a list of strings, as Entra sends them; the other
    /// way round they are refused. `oid`, `azp` and `appid` are GUIDs.
    MalformedClaims,
    /// `ver` is neither `1.0` nor `2.0`.
    UnsupportedVersion,
    /// `tid` is absent or not a lower-case GUID.
    InvalidTenant,
    /// `iss` is not what the authority issues for this `tid` and `ver`.
    IssuerMismatch,
    /// The tenant is not one of those allowed.
    TenantNotAllowed,
    /// The key that verified the signature may not sign for this issuer or this cloud.
    KeyNotForIssuer,
    /// `aud` names none of the configured audiences.
    AudienceMismatch,
    /// `exp` is absent, or not a date, or `nbf` lies after it, or another date is out of range.
    InvalidDates,
    /// `exp` has passed.
    Expired,
    /// `nbf` or `iat` lies in the future.
    NotYetValid,
    /// The token is an ID token, which is meant for a client and not for an API.
    IdToken,
    /// The claims contradict one another about who is calling.
    ContradictoryClaims,
    /// The token is bound to a key of its sender (`cnf`) but came as a plain bearer token.
    SenderConstrained,
    /// The token grants nothing: it has neither a scope nor a role.
    NothingGranted,
    /// The token was admitted, and a handler or a [`RequireLayer`](crate::RequireLayer) refused its
    /// bearer by a [`Denial`](crate::Denial).
    Denied,
}

impl ErrorKind {
    /// The stable code of this kind, in snake case: for logs, metrics and alerts. Not for the client,
    /// because it tells an unknown key from a bad signature; the `Display` of the kind does not.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MissingToken => "missing_token",
            Self::MultipleCredentials => "multiple_credentials",
            Self::MalformedAuthorization => "malformed_authorization",
            Self::TokenTooLarge => "token_too_large",
            Self::MalformedToken => "malformed_token",
            Self::EncryptedToken => "encrypted_token",
            Self::MalformedHeader => "malformed_header",
            Self::AlgorithmNotAllowed => "algorithm_not_allowed",
            Self::InvalidKeyId => "invalid_key_id",
            Self::UnsupportedTokenType => "unsupported_token_type",
            Self::UnsupportedHeader => "unsupported_header",
            Self::KeysUnavailable => "keys_unavailable",
            Self::UnknownKey => "unknown_key",
            Self::InvalidSignature => "invalid_signature",
            Self::GraphToken => "graph_token",
            Self::MalformedClaims => "malformed_claims",
            Self::UnsupportedVersion => "unsupported_version",
            Self::InvalidTenant => "invalid_tenant",
            Self::IssuerMismatch => "issuer_mismatch",
            Self::TenantNotAllowed => "tenant_not_allowed",
            Self::KeyNotForIssuer => "key_not_for_issuer",
            Self::AudienceMismatch => "audience_mismatch",
            Self::InvalidDates => "invalid_dates",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::IdToken => "id_token",
            Self::ContradictoryClaims => "contradictory_claims",
            Self::SenderConstrained => "sender_constrained",
            Self::NothingGranted => "nothing_granted",
            Self::Denied => "denied",
        }
    }

    /// One sentence fragment for people; also what the client reads as `error_description`.
    ///
    /// Characters are those that RFC 6750 allows there. An unknown key and a bad signature read
    /// alike, so that no client can probe which keys are in force.
    pub(crate) fn description(self) -> &'static str {
        match self {
            Self::MissingToken => "no bearer token was presented",
            Self::MultipleCredentials => "more than one Authorization header",
            Self::MalformedAuthorization => "the Authorization header is malformed",
            Self::TokenTooLarge => "the token is too large",
            Self::MalformedToken => "the token is malformed",
            Self::EncryptedToken => "the token is encrypted",
            Self::MalformedHeader => "the token header is malformed",
            Self::AlgorithmNotAllowed => "the token algorithm is not allowed",
            Self::InvalidKeyId => "the token key id is absent or malformed",
            Self::UnsupportedTokenType => "the token type is not supported",
            Self::UnsupportedHeader => "the token header has an unsupported parameter",
            Self::KeysUnavailable => "the signing keys are unavailable",
            Self::UnknownKey | Self::InvalidSignature | Self::GraphToken => {
                "the token signature could not be verified"
            }
            Self::MalformedClaims => "the token claims are malformed",
            Self::UnsupportedVersion => "the token version is not supported",
            Self::InvalidTenant => "the token tenant is absent or malformed",
            Self::IssuerMismatch => "the token issuer is not accepted",
            Self::TenantNotAllowed => "the token tenant is not allowed",
            Self::KeyNotForIssuer => "the signing key does not belong to the token issuer",
            Self::AudienceMismatch => "the token audience is not accepted",
            Self::InvalidDates => "the token dates are absent or malformed",
            Self::Expired => "the token has expired",
            Self::NotYetValid => "the token is not yet valid",
            Self::IdToken => "an ID token is not an access token",
            Self::ContradictoryClaims => "the token claims contradict one another",
            Self::SenderConstrained => "the token is sender-constrained",
            Self::NothingGranted => "the token grants neither a scope nor a role",
            Self::Denied => "the caller is not allowed to do this",
        }
    }
}

impl ErrorKind {
    /// Every kind, in the order of the checks.
    #[cfg(any(test, feature = "metrics"))]
    pub(crate) const ALL: [Self; 30] = [
        Self::MissingToken,
        Self::MultipleCredentials,
        Self::MalformedAuthorization,
        Self::TokenTooLarge,
        Self::MalformedToken,
        Self::EncryptedToken,
        Self::MalformedHeader,
        Self::AlgorithmNotAllowed,
        Self::InvalidKeyId,
        Self::UnsupportedTokenType,
        Self::UnsupportedHeader,
        Self::KeysUnavailable,
        Self::UnknownKey,
        Self::InvalidSignature,
        Self::GraphToken,
        Self::MalformedClaims,
        Self::UnsupportedVersion,
        Self::InvalidTenant,
        Self::IssuerMismatch,
        Self::TenantNotAllowed,
        Self::KeyNotForIssuer,
        Self::AudienceMismatch,
        Self::InvalidDates,
        Self::Expired,
        Self::NotYetValid,
        Self::IdToken,
        Self::ContradictoryClaims,
        Self::SenderConstrained,
        Self::NothingGranted,
        Self::Denied,
    ];
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.description())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_has_only_the_characters_a_challenge_may_carry() {
        for kind in ErrorKind::ALL {
            let text = kind.description();
            let fits = |byte: u8| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e);
            assert!(text.bytes().all(fits), "{kind:?}: {text}");
        }
    }

    #[test]
    fn every_kind_has_a_code_of_its_own_in_snake_case() {
        let mut codes: Vec<_> = ErrorKind::ALL.iter().map(|kind| kind.as_str()).collect();
        assert!(
            codes
                .iter()
                .all(|c| c.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
        );
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), ErrorKind::ALL.len());
    }
}
