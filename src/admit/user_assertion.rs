//! The token of a caller who was admitted, as the assertion of an on-behalf-of request.

use crate::{
    admit::{
        error::{Error, ErrorKind},
        principal::AgentPrincipal,
        requirement::Requirement,
        validator::Validator,
    },
    user_assertion::UserAssertion,
};

impl UserAssertion {
    /// Checks a token as [`Validator::validate`] does, and keeps it. For a program without tower; with it,
    /// [`EntraAuthLayer::with_user_assertion`](crate::EntraAuthLayer::with_user_assertion) does.
    ///
    /// ```
    /// # use tower_entra::{Error, Validator, acquire::UserAssertion};
    /// # async fn user(validator: &Validator, token: &str) -> Result<(), Error> {
    /// let user = UserAssertion::verify(validator, token).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`validate`](Validator::validate). A token that was admitted and is not delegated, such as that of
    /// an app or an agent that acts as itself, is [`Denied`](crate::ErrorKind::Denied).
    pub async fn verify(validator: &Validator, token: &str) -> Result<Self, Error> {
        let caller = validator.validate(token).await?;
        match assertion_of(&caller, token) {
            Some(assertion) => Ok(assertion),
            None => Err(not_delegated(&caller)),
        }
    }
}

/// The assertion of this caller, whose token this is, if the token is delegated.
pub(crate) fn assertion_of(caller: &AgentPrincipal, token: &str) -> Option<UserAssertion> {
    caller.is_delegated().then(|| {
        UserAssertion::new(
            token,
            caller.audience(),
            caller.tenant_id(),
            caller.object_id(),
            caller.supports_claims_challenge(),
        )
    })
}

#[cold]
fn not_delegated(caller: &AgentPrincipal) -> Error {
    match Requirement::delegated().check(caller) {
        Err(denial) => (&denial).into(),
        // Not reached: both ask whether the token is delegated.
        Ok(()) => ErrorKind::Denied.into(),
    }
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::testing::Issuer;

    #[tokio::test]
    async fn an_assertion_is_the_token_of_the_user_for_the_audience_that_it_names() {
        let issuer = Issuer::start().await;
        let validator = issuer.validator();
        let token = issuer.agent_on_behalf_of("alice").mint();
        let assertion = UserAssertion::verify(&validator, &token).await.unwrap();
        assert_eq!(assertion.token().expose(), token);
        assert_eq!(assertion.audience(), issuer.audience());
        assert_eq!(assertion.tenant_id().as_str(), issuer.tenant_id());
        let alice = assertion.object_id().unwrap();
        assert_eq!(alice.as_str(), issuer.object_id_of("alice"));

        let again = UserAssertion::verify(&validator, &token).await.unwrap();
        assert_eq!(again.digest(), assertion.digest());
        let other = issuer.agent_on_behalf_of("bob").mint();
        let other = UserAssertion::verify(&validator, &other).await.unwrap();
        assert_ne!(other.digest(), assertion.digest());
    }
}
