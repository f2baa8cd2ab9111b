//! Tokens for the Azure SDK, and assertions from it.

use std::{pin::Pin, sync::Arc, time::UNIX_EPOCH};

use azure_core::{
    credentials::{AccessToken as AzureToken, TokenCredential, TokenRequestOptions},
    error::{Error, ErrorKind},
    time::OffsetDateTime,
};

use crate::acquire::{
    credential::{AssertionRequest, ClientCredential},
    error::AcquireError,
    scopes::Scopes,
    source::TokenSource,
    token::AccessToken,
};

impl ClientCredential {
    /// The token that a credential of the Azure SDK gives for the token exchange of the cloud
    /// (`api://AzureADTokenExchange/.default`), as the assertion for a federated credential: that of a
    /// managed identity, which must be of the tenant where the app is registered.
    ///
    /// It is asked for each request, as the function of [`assertion`](Self::assertion) is; the credentials
    /// of `azure_identity` remember their tokens. Only a token of a managed identity is taken: Entra refuses
    /// one that was got by a federated credential in turn (AADSTS700231), and one of another app.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use azure_core::credentials::TokenCredential;
    /// # use tower_entra::acquire::ClientCredential;
    /// # fn credential(managed_identity: Arc<dyn TokenCredential>) -> ClientCredential {
    /// // let managed_identity = azure_identity::ManagedIdentityCredential::new(None)?;
    /// ClientCredential::from_token_credential(managed_identity)
    /// # }
    /// ```
    #[must_use]
    pub fn from_token_credential(credential: Arc<dyn TokenCredential>) -> Self {
        Self::assertion(move |request: AssertionRequest| {
            let credential = Arc::clone(&credential);
            async move {
                let scope = format!("{}/.default", request.exchange_audience);
                let token = credential.get_token(&[&scope], None).await?;
                Ok::<_, Error>(token.token.secret().to_owned())
            }
        })
    }
}

/// Every client of the Azure SDK takes it as its credential, and acts as this identity.
///
/// The scopes are checked as [`Scopes::new`] does. The options are not read. An error has the kind
/// `Credential`, the text and the hint of the [`AcquireError`], and that as its source.
impl TokenCredential for TokenSource {
    // What `async_trait` makes of the trait's function.
    fn get_token<'s, 'a, 'b, 'o, 'f>(
        &'s self,
        scopes: &'a [&'b str],
        _options: Option<TokenRequestOptions<'o>>,
    ) -> Pin<Box<dyn Future<Output = azure_core::Result<AzureToken>> + Send + 'f>>
    where
        's: 'f,
        'a: 'f,
        'b: 'f,
        'o: 'f,
        Self: 'f,
    {
        Box::pin(async move {
            let scopes = Scopes::new(scopes).map_err(error_of)?;
            let token = self.token(&scopes).await.map_err(error_of)?;
            Ok(AzureToken::new(
                token.secret().to_owned(),
                expiry_of(&token),
            ))
        })
    }
}

fn error_of(error: AcquireError) -> Error {
    let text = match error.hint() {
        Some(hint) => format!("{error}. {hint}"),
        None => error.to_string(),
    };
    Error::with_error(ErrorKind::Credential, error, text)
}

fn expiry_of(token: &AccessToken) -> OffsetDateTime {
    let since_1970 = token.expires_at().duration_since(UNIX_EPOCH);
    let seconds = since_1970.map_or(0, |time| time.as_secs());
    // A date that cannot be written counts as past, so that the SDK asks again.
    i64::try_from(seconds)
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}
