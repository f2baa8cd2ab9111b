//! Each credential before a token endpoint that checks it, and what is not a credential.

use std::{
    fs,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use serde_json::json;
use tower_entra::{
    acquire::{
        AcquireError, AcquireErrorKind, AssertionRequest, ClientCredential, ConfidentialClient,
    },
    testing::{FederatedCredential, Issuer},
};

use super::{default_scope, told};

/// A file that goes away with the test.
pub(crate) struct TestFile(pub(crate) PathBuf);

impl TestFile {
    pub(crate) fn new(contents: &str) -> Self {
        static FILES: AtomicUsize = AtomicUsize::new(0);
        let name = format!(
            "tower-entra-{}-{}",
            std::process::id(),
            FILES.fetch_add(1, Ordering::Relaxed)
        );
        let file = Self(std::env::temp_dir().join(name));
        file.write(contents);
        file
    }

    /// Replaces the file in one step.
    fn write(&self, contents: &str) {
        let next = self.0.with_extension("next");
        fs::write(&next, contents).unwrap();
        fs::rename(next, &self.0).unwrap();
    }
}

impl Drop for TestFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// The blueprint with this credential.
fn blueprint(issuer: &Issuer, credential: ClientCredential) -> ConfidentialClient {
    let client_id = issuer.blueprint().client_id().to_owned();
    ConfidentialClient::builder(issuer.tenant_id(), client_id, credential)
        .authority(issuer.authority())
        .build()
        .unwrap()
}

async fn token_of_agent(issuer: &Issuer, client: &ConfidentialClient) -> Result<(), AcquireError> {
    let agent = client.agent(issuer.agent_id()).itself();
    agent.token(&default_scope(issuer)).await.map(drop)
}

async fn granted(issuer: &Issuer, credential: ClientCredential) {
    let client = blueprint(issuer, credential);
    if let Err(error) = token_of_agent(issuer, &client).await {
        panic!("{}", told(&error));
    }
}

#[track_caller]
fn assert_kind(result: Result<(), AcquireError>, kind: AcquireErrorKind) -> AcquireError {
    let error = result.expect_err("no token");
    assert_eq!(error.kind(), kind, "{}", told(&error));
    error
}

/// The issuer of federated assertions, and one of its assertions for the workload `app`.
fn federated(subject: &str) -> (Issuer, String) {
    let provider = Issuer::start_blocking();
    let assertion = assertion_of(&provider, subject);
    (provider, assertion)
}

fn assertion_of(provider: &Issuer, subject: &str) -> String {
    provider
        .token()
        .claim("sub", subject)
        .audience("api://AzureADTokenExchange")
        .mint()
}

#[tokio::test]
async fn a_certificate_that_is_not_registered_is_refused() {
    let issuer = Issuer::start().await;
    let stranger = Issuer::start().await.blueprint().new_certificate_pem();
    let credential = ClientCredential::certificate_pem(stranger).unwrap();
    let client = blueprint(&issuer, credential);
    let result = token_of_agent(&issuer, &client).await;
    let error = assert_kind(result, AcquireErrorKind::CredentialRefused);
    assert_eq!(error.code(), Some(700_027));
}

#[tokio::test]
async fn a_certificate_proves_the_blueprint_in_each_form_of_the_assertion() {
    let issuer = Issuer::start().await;
    let pem = issuer.blueprint().new_certificate_pem();
    let plain = ClientCredential::certificate_pem(pem).unwrap();
    for credential in [
        plain.clone(),
        plain.clone().with_rs256(),
        plain.clone().with_x5c(),
        plain.with_rs256().with_x5c(),
    ] {
        granted(&issuer, credential).await;
    }
}

#[tokio::test]
async fn a_certificate_that_was_replaced_in_its_file_is_used_without_a_restart() {
    let issuer = Issuer::start().await;
    let app = issuer.blueprint();
    let file = TestFile::new(&app.new_certificate_pem());
    let client = blueprint(&issuer, ClientCredential::certificate_file(&file.0));
    token_of_agent(&issuer, &client).await.unwrap();

    app.remove_credentials();
    let second = app.add_agent();
    let agent = client.agent(second.client_id()).itself();
    let refused = agent.token(&default_scope(&issuer)).await.map(drop);
    assert_kind(refused, AcquireErrorKind::CredentialRefused);

    file.write(&app.new_certificate_pem());
    let third = app.add_agent().grant_role(&issuer.api(), "Orders.Read.All");
    let agent = client.agent(third.client_id()).itself();
    let got = agent.token(&default_scope(&issuer)).await;
    assert!(got.is_ok(), "{}", told(&got.unwrap_err()));
}

#[tokio::test]
async fn a_file_of_a_certificate_that_is_missing_makes_no_request() {
    let issuer = Issuer::start().await;
    let file = TestFile::new("");
    fs::remove_file(&file.0).unwrap();
    let client = blueprint(&issuer, ClientCredential::certificate_file(&file.0));
    let error = token_of_agent(&issuer, &client)
        .await
        .expect_err("no token");
    assert!(
        error.to_string().contains("does not exist"),
        "{}",
        told(&error)
    );
    assert!(error.hint().is_some());
    assert_eq!(issuer.token_requests(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assertion_in_a_file_is_read_for_each_request() {
    let issuer = Issuer::start().await;
    let (provider, assertion) = tokio::task::block_in_place(|| federated("app"));
    let app = issuer.blueprint();
    app.trust(FederatedCredential::of(&provider, "app"));
    let file = TestFile::new(&format!("{assertion}\n"));
    let client = blueprint(&issuer, ClientCredential::assertion_file(&file.0));
    token_of_agent(&issuer, &client).await.unwrap();

    // Another workload's, which the app does not trust.
    file.write(&assertion_of(&provider, "other"));
    let second = app.add_agent();
    let agent = client.agent(second.client_id()).itself();
    let refused = agent.token(&default_scope(&issuer)).await.map(drop);
    assert_kind(refused, AcquireErrorKind::CredentialRefused);

    file.write("");
    let third = app.add_agent();
    let before = issuer.token_requests();
    let agent = client.agent(third.client_id()).itself();
    let none = agent.token(&default_scope(&issuer)).await;
    let error = none.map(drop).expect_err("no token");
    assert!(error.to_string().contains("is empty"), "{}", told(&error));
    assert_eq!(issuer.token_requests(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_is_asked_for_an_assertion_with_all_that_it_is_for() {
    let issuer = Issuer::start().await;
    let (provider, _) = tokio::task::block_in_place(|| federated("app"));
    issuer
        .blueprint()
        .trust(FederatedCredential::of(&provider, "app"));
    let asked: Arc<std::sync::Mutex<Vec<AssertionRequest>>> = Arc::default();
    let provider = Arc::new(provider);
    let credential = ClientCredential::assertion({
        let asked = Arc::clone(&asked);
        move |request: AssertionRequest| {
            asked.lock().unwrap().push(request);
            let assertion = assertion_of(&provider, "app");
            async move { Ok::<_, std::io::Error>(assertion) }
        }
    });
    granted(&issuer, credential).await;
    let asked = asked.lock().unwrap();
    let [request] = asked.as_slice() else {
        panic!("{asked:?}");
    };
    let seen = issuer.token_requests_seen();
    let correlation = seen[0].header("client-request-id").unwrap();
    assert_eq!(
        json!({
            "client": request.client_id.as_str(),
            "tenant": request.tenant_id.as_str(),
            "endpoint": request.token_endpoint,
            "audience": request.exchange_audience,
            "agent": request.agent.map(|agent| agent.to_string()),
            "correlation": request.correlation_id,
        }),
        json!({
            "client": issuer.blueprint().client_id(),
            "tenant": issuer.tenant_id(),
            "endpoint": issuer.token_endpoint(),
            "audience": "api://AzureADTokenExchange",
            "agent": issuer.agent_id(),
            "correlation": correlation,
        })
    );
}

#[tokio::test]
async fn a_function_that_fails_makes_no_request_and_its_text_is_shown() {
    let issuer = Issuer::start().await;
    let credential = ClientCredential::assertion(async |_| -> Result<String, String> {
        Err("the identity endpoint refused".to_owned())
    });
    let client = blueprint(&issuer, credential);
    let error = token_of_agent(&issuer, &client)
        .await
        .expect_err("no token");
    let text = "the function for assertions failed: the identity endpoint refused";
    assert!(error.to_string().contains(text), "{}", told(&error));
    assert_eq!(issuer.token_requests(), 0);
}

#[tokio::test]
async fn a_function_that_panics_is_an_error_of_that_acquisition_only() {
    let issuer = Issuer::start().await;
    let secret = issuer.blueprint().secret();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let credential = ClientCredential::assertion(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        async { hopeless() }
    });
    let client = blueprint(&issuer, credential);
    let error = token_of_agent(&issuer, &client)
        .await
        .expect_err("no token");
    assert!(!error.to_string().contains(&secret));
    assert!(calls.load(Ordering::SeqCst) >= 1);
    granted(&issuer, ClientCredential::secret(secret)).await;
}

#[test]
fn a_client_with_a_credential_that_cannot_be_used_is_not_built() {
    let id = "3aa6c2f7-1e0f-4caa-a55a-7c08f5f87a1a";
    let build = |credential| ConfidentialClient::builder(id, id, credential).build();
    for (credential, expected) in [
        (ClientCredential::secret(""), "client secret: it is empty"),
        (
            ClientCredential::secret("hunter2").with_x5c(),
            "credential: with_rs256() and with_x5c() are for certificates",
        ),
    ] {
        assert_eq!(build(credential).unwrap_err().to_string(), expected);
    }
    let file = ClientCredential::certificate_file("/does/not/exist.pem");
    assert!(build(file).is_ok());
}

fn hopeless() -> Result<String, String> {
    panic!("a bug of the program")
}
