//! Check 8: the key that verified may sign for the token's issuer.

use crate::{
    admit::{
        checks::Policy,
        error::{Refusal, SignerFault, WellKnownApi, WrongSigner},
        findings::Provenance,
        issuers::Signer,
        token::Claims,
    },
    shown::Shown,
};

impl Policy {
    /// Check 8: the key that verified may sign for this issuer, in this cloud.
    ///
    /// Entra publishes the keys of several clouds and of personal accounts in one document, so a good
    /// signature does not say by itself whose it is.
    pub(crate) fn check_signer(
        &self,
        signer: Signer<'_>,
        claims: &Claims<'_>,
        provenance: &Provenance,
    ) -> Result<(), Refusal> {
        let signs_for_issuer = match signer.issuer {
            Some(issuer) => issuer.agrees_with(&self.issuers.v2, provenance.tenant),
            None => signer.discovery_names_one_tenant,
        };
        let is_of_cloud = match (signer.cloud, signer.discovery_cloud) {
            (Some(key), Some(discovery)) => key == discovery || self.accepts_keys_of_other_clouds,
            _ => true,
        };
        match (signs_for_issuer, is_of_cloud, signer.issuer) {
            (true, true, _) => Ok(()),
            (false, _, Some(_)) => Err(wrong_signer(SignerFault::OtherIssuer, signer, claims)),
            (false, _, None) => Err(wrong_signer(SignerFault::NoIssuer, signer, claims)),
            (true, false, _) => Err(wrong_signer(SignerFault::OtherCloud, signer, claims)),
        }
    }
}

#[cold]
fn wrong_signer(fault: SignerFault, signer: Signer<'_>, claims: &Claims<'_>) -> Refusal {
    let clouds = match (signer.cloud, signer.discovery_cloud) {
        (Some(key), Some(discovery)) if key != discovery => {
            Some((Shown::of(key), Shown::of(discovery)))
        }
        _ => None,
    };
    Refusal::Signer(
        WrongSigner {
            kid: Shown::of(signer.kid),
            fault,
            issuer: signer.issuer.map(|issuer| Shown::of(&issuer.to_string())),
            clouds,
            token_issuer: claims.iss.as_deref().map(Shown::of),
            is_exchange_token: WellKnownApi::of(&claims.aud) == Some(WellKnownApi::TokenExchange),
        }
        .into(),
    )
}
