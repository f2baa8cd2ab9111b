//! The Azure SDK's credentials as the first credential, and a token source as a credential of the SDK.

use std::{
    error::Error as _,
    pin::Pin,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use azure_core::{
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    error::{Error, ErrorKind},
    time::OffsetDateTime,
};
use tower_entra::{
    PrincipalKind,
    acquire::{AcquireError, AcquireErrorKind, AcquireSettings, ClientCredential, TokenSource},
    testing::{FederatedCredential, Issuer},
};

use super::{agent, default_scope, told};

/// A credential of the SDK that answers so, and keeps what it was asked for.
#[derive(Debug)]
struct Fake {
    answer: Result<String, String>,
    asked: Mutex<Vec<Vec<String>>>,
}

impl Fake {
    fn new(answer: Result<String, String>) -> Arc<Self> {
        let asked = Mutex::default();
        Arc::new(Self { answer, asked })
    }

    fn asked(&self) -> Vec<Vec<String>> {
        self.asked.lock().unwrap().clone()
    }
}

impl TokenCredential for Fake {
    fn get_token<'s, 'a, 'b, 'o, 'f>(
        &'s self,
        scopes: &'a [&'b str],
        _: Option<TokenRequestOptions<'o>>,
    ) -> Pin<Box<dyn Future<Output = azure_core::Result<AccessToken>> + Send + 'f>>
    where
        's: 'f,
        'a: 'f,
        'b: 'f,
        'o: 'f,
        Self: 'f,
    {
        let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        self.asked.lock().unwrap().push(scopes);
        let token = self.answer.clone();
        Box::pin(async move {
            let token = token.map_err(|text| Error::with_message(ErrorKind::Credential, text))?;
            let expires = OffsetDateTime::from(SystemTime::now() + Duration::from_secs(3_600));
            Ok(AccessToken::new(token, expires))
        })
    }
}

fn source(issuer: &Issuer, credential: &Arc<Fake>, settings: AcquireSettings) -> TokenSource {
    let credential: Arc<dyn TokenCredential> = Arc::<Fake>::clone(credential);
    let credential = ClientCredential::from_token_credential(credential);
    let client_id = issuer.blueprint().client_id().to_owned();
    let client = tower_entra::acquire::ConfidentialClient::builder(
        issuer.tenant_id(),
        client_id,
        credential,
    )
    .authority(issuer.authority())
    .settings(settings)
    .build()
    .unwrap();
    client.agent(issuer.agent_id()).itself()
}

/// An assertion of a managed identity, as another issuer of the tests signs it.
fn managed_identity(provider: &Issuer) -> String {
    provider
        .token()
        .claim("sub", "managed identity")
        .audience("api://AzureADTokenExchange")
        .mint()
}

#[tokio::test]
async fn a_credential_of_the_sdk_without_an_assertion_makes_no_request() {
    let issuer = Issuer::start().await;
    let token = managed_identity(&issuer);
    let withheld = "failed: (withheld: it looks like a credential)";
    for (answer, expected) in [
        (
            Err("no managed identity here".to_owned()),
            "failed: no managed identity here",
        ),
        (Err(format!("bad token {token}")), withheld),
        (Ok("opaque".to_owned()), "returned is not a signed JWT"),
        (Ok(String::new()), "returned is empty"),
    ] {
        let fake = Fake::new(answer);
        let source = source(&issuer, &fake, AcquireSettings::default());
        let error = source.token(&default_scope(&issuer)).await.unwrap_err();
        assert!(error.to_string().ends_with(expected), "{}", told(&error));
        assert!(!format!("{error:?} {source:?}").contains(&token));
    }
    assert_eq!(issuer.token_requests(), 0);
}

#[tokio::test]
async fn a_managed_identity_that_the_app_does_not_trust_is_refused() {
    let issuer = Issuer::start().await;
    let provider = Issuer::start().await;
    let fake = Fake::new(Ok(managed_identity(&provider)));
    let source = source(&issuer, &fake, AcquireSettings::default());
    let error = source.token(&default_scope(&issuer)).await.unwrap_err();
    assert_eq!(
        error.kind(),
        AcquireErrorKind::CredentialRefused,
        "{}",
        told(&error)
    );
}

#[tokio::test]
async fn a_managed_identity_is_the_first_credential_of_an_agent() {
    let issuer = Issuer::start().await;
    let provider = Issuer::start().await;
    let trusted = FederatedCredential::of(&provider, "managed identity");
    issuer.blueprint().trust(trusted);
    let fake = Fake::new(Ok(managed_identity(&provider)));
    let source = source(&issuer, &fake, AcquireSettings::default());
    let token = source.token(&default_scope(&issuer)).await;
    let token = token.unwrap_or_else(|error| panic!("{}", told(&error)));
    let caller = issuer.validator().validate(token.secret()).await.unwrap();
    assert_eq!(caller.kind(), PrincipalKind::AutonomousAgent);
    assert_eq!(fake.asked(), [["api://AzureADTokenExchange/.default"]]);
}

#[tokio::test]
async fn the_resource_that_is_asked_for_is_that_of_the_cloud() {
    let issuer = Issuer::start().await;
    let fake = Fake::new(Err("none".to_owned()));
    let settings =
        AcquireSettings::default().with_exchange_audience("api://AzureADTokenExchangeUSGov");
    let source = source(&issuer, &fake, settings);
    source.token(&default_scope(&issuer)).await.unwrap_err();
    let asked = fake.asked();
    assert_eq!(
        asked.first().unwrap(),
        &["api://AzureADTokenExchangeUSGov/.default"]
    );
}

#[tokio::test]
async fn what_a_source_refuses_is_an_error_of_the_sdk_with_text_hint_and_source() {
    let issuer = Issuer::start().await;
    let credential: Arc<dyn TokenCredential> = Arc::new(agent(&issuer).itself());
    let two = ["https://a.example/.default", "https://b.example/.default"];
    let by_name = format!("{}/Orders.Read", issuer.api().resource());
    for scopes in [&[][..], &[""], &two, &["a b"], &[by_name.as_str()]] {
        let error = credential.get_token(scopes, None).await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Credential, "{scopes:?}");
        let source = error
            .source()
            .and_then(|source| source.downcast_ref::<AcquireError>());
        let source = source.unwrap();
        assert_eq!(source.kind(), AcquireErrorKind::Misconfigured, "{scopes:?}");
        let text = error.to_string();
        assert!(text.contains(&source.to_string()), "{text}");
        assert!(text.contains(source.hint().unwrap()), "{text}");
    }
    assert_eq!(issuer.token_requests(), 0);
}

#[tokio::test]
async fn a_source_gives_the_sdk_the_token_of_its_identity_from_the_cache() {
    let issuer = Issuer::start().await;
    let source = agent(&issuer).itself();
    let scopes = default_scope(&issuer);
    let token = source.token(&scopes).await.unwrap();
    let requests = issuer.token_requests();
    let credential: Arc<dyn TokenCredential> = Arc::new(source);
    let given = credential
        .get_token(&[scopes.as_str()], None)
        .await
        .unwrap();
    assert_eq!(given.token.secret(), token.secret());
    let expires = SystemTime::from(given.expires_on);
    let late = token.expires_at().duration_since(expires).unwrap();
    assert!(late < Duration::from_secs(1), "{late:?}");
    assert_eq!(issuer.token_requests(), requests);
    assert!(!format!("{credential:?} {given:?}").contains(token.secret()));
}
