//! Check 9: the token is for this API.

use std::borrow::Cow;

use crate::{
    admit::{
        checks::{Policy, nature::is_id_token},
        error::{Refusal, WrongAudience, audience_hint},
        findings::Provenance,
        token::Claims,
    },
    shown::Few,
};

impl Policy {
    /// Check 9: the token is for this API. Returns the configured audience that it names.
    ///
    /// Compared byte for byte:
    /// [RFC 7519, section 4.1.3](https://www.rfc-editor.org/rfc/rfc7519#section-4.1.3).
    pub(crate) fn check_audience<'c>(
        &self,
        claims: &'c Claims<'_>,
        provenance: &Provenance,
    ) -> Result<&'c str, Refusal> {
        self.audience(claims)
            .ok_or_else(|| self.wrong_audience(claims, provenance))
    }

    /// The rule without its facts.
    pub(super) fn audience<'c>(&self, claims: &'c Claims<'_>) -> Option<&'c str> {
        claims
            .aud
            .iter()
            .map(Cow::as_ref)
            .find(|audience| self.audiences.iter().any(|accepted| accepted == audience))
    }

    #[cold]
    fn wrong_audience(&self, claims: &Claims<'_>, provenance: &Provenance) -> Refusal {
        Refusal::Audience(
            WrongAudience {
                audience: Few::of(claims.aud.iter().map(Cow::as_ref)),
                version: provenance.version,
                accepted: Few::of(self.audiences.iter().map(String::as_str)),
                hint: audience_hint(&claims.aud, &self.audiences, is_id_token(claims)),
            }
            .into(),
        )
    }
}
