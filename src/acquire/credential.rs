//! How a client proves who it is.

use std::{error::Error as StdError, fmt, path::PathBuf, pin::Pin, sync::Arc, time::Duration};

use tokio::time::timeout;

pub(super) use crate::acquire::no_proof::NoProof;
use crate::{
    acquire::{
        assertion::{AssertionFile, assertion},
        certificate::{Certificate, Signing, Unusable},
        certificate_file::CertificateFile,
        request::Proof,
    },
    config_error::ConfigError,
    http_client::with_causes,
    ids::{AppId, TenantId},
    secret::Secret,
    shown::Shown,
};

/// How a client authenticates at the token endpoint: exactly one of a secret, a certificate, a file with
/// an assertion, or a function that gets one. Cheap to clone; `Debug` shows the kind only.
///
/// | | what is sent | read again |
/// |---|---|---|
/// | [`secret`](Self::secret) | the secret | never |
/// | [`certificate_pem`](Self::certificate_pem) | a signed assertion | never |
/// | [`certificate_file`](Self::certificate_file) | a signed assertion | when the file has changed, or Entra refuses the certificate |
/// | [`assertion_file`](Self::assertion_file) | the assertion in the file | for each request |
/// | [`assertion`](Self::assertion) | the assertion that a function gets | for each request |
///
/// A request that needs a proof is one for a token that is not cached: for an agent it is that for the
/// assertion of the agent, about once an hour.
///
/// Secrets and assertions are zeroed when they are dropped, and so are the copies of a private key that are
/// made here. Texts that the program keeps are its own, and the body of a request is the HTTP client's.
#[derive(Clone)]
pub struct ClientCredential {
    kind: Arc<Kind>,
    signing: Signing,
}

enum Kind {
    Secret(Secret),
    Certificate(Certificate),
    CertificateFile(CertificateFile),
    AssertionFile(AssertionFile),
    Assertion(Box<Obtain>),
}

/// Gets an assertion.
type Obtain = dyn Fn(AssertionRequest) -> Obtaining + Send + Sync;

type Obtaining = Pin<Box<dyn Future<Output = Result<Secret, NoProof>> + Send>>;

/// What an assertion is for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AssertionRequest {
    /// The client that authenticates.
    pub client_id: AppId,
    /// The tenant of the request.
    pub tenant_id: TenantId,
    /// The URL of the token endpoint: the `aud` of a signed assertion.
    pub token_endpoint: String,
    /// The resource of the cloud's token exchange, `api://AzureADTokenExchange` in the public cloud: the
    /// `aud` that a federated credential expects unless it names another.
    pub exchange_audience: String,
    /// The agent for which a blueprint asks, on the leg that names one (`fmi_path`).
    pub agent: Option<AppId>,
    /// The `client-request-id` of the request.
    pub correlation_id: String,
}

impl ClientCredential {
    /// A client secret: its value, not its id.
    ///
    /// A secret that is empty, or has white space at an end, is refused when the client is built. One with
    /// the form of a GUID is likely to be the id: that is a warning in the log.
    #[must_use]
    pub fn secret(value: impl Into<String>) -> Self {
        Self::of(Kind::Secret(Secret::new(value)))
    }

    /// A private key and its certificate, in one PEM and in any order. The issuers of the certificate may be
    /// in it too.
    ///
    /// The key is RSA of 2048 to 8192 bits, in PKCS#8 (`PRIVATE KEY`) or PKCS#1 (`RSA PRIVATE KEY`). Each
    /// request gets an
    /// [assertion](https://learn.microsoft.com/en-us/entra/identity-platform/certificate-credentials) of its
    /// own: signed by PS256, with `x5t#S256`, good for 600 s. The dates of the certificate are not checked;
    /// Entra refuses one that has expired.
    ///
    /// # Errors
    ///
    /// Says what to do for each, with the `openssl` command where one helps:
    ///
    /// - a PFX (PKCS#12), as it is or in base64, and a key or certificate in DER
    /// - a key that is encrypted, is no RSA key, or has less than 2048 bits
    /// - no private key, or more than one; no certificate of its public key, or more than one
    /// - more than 1 MiB, or more than 10 certificates
    pub fn certificate_pem(pem: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        let certificate = Certificate::from_pem(pem.as_ref());
        let refused = |Unusable { problem, hint, .. }| {
            ConfigError::new("certificate", format!("{problem}. {hint}"))
        };
        certificate
            .map(|certificate| Self::of(Kind::Certificate(certificate)))
            .map_err(refused)
    }

    /// A file with such a [PEM](Self::certificate_pem). It is read for the first assertion, again when its
    /// date or its length has changed, and once more when Entra refuses the certificate.
    ///
    /// If a new file cannot be used, the certificate of the earlier one stays in use: the target
    /// `tower_entra::acquire` has a warning. A read takes at most 5 s. Without an earlier one there is no token,
    /// for [`CredentialRefused`](super::AcquireErrorKind::CredentialRefused) or
    /// [`Unavailable`](super::AcquireErrorKind::Unavailable).
    #[must_use]
    pub fn certificate_file(path: impl Into<PathBuf>) -> Self {
        Self::of(Kind::CertificateFile(CertificateFile::new(path.into())))
    }

    /// Signs assertions by RS256 in place of PS256. For a certificate only: with another credential the
    /// client is not built.
    #[must_use]
    pub fn with_rs256(mut self) -> Self {
        self.signing.rs256 = true;
        self
    }

    /// Sends the certificate itself (`x5c`), and its issuers if they are in the PEM, in addition to the
    /// thumbprint: for an app that is registered with subject name and issuer (SN+I). For a certificate
    /// only: with another credential the client is not built.
    ///
    /// The issuers follow the certificate in the order of RFC 7515, found by their names. A certificate
    /// that is not one of them is left out.
    #[must_use]
    pub fn with_x5c(mut self) -> Self {
        self.signing.x5c = true;
        self
    }

    /// A file with an assertion for a federated credential, such as the one that `AZURE_FEDERATED_TOKEN_FILE`
    /// names for a workload in Kubernetes. It is read for each request, within 5 s, and white space around
    /// the assertion is cut.
    ///
    /// There is no token if the file is missing, empty, not a signed JWT or not read in time
    /// ([`Unavailable`](super::AcquireErrorKind::Unavailable): another may take its place), or larger than
    /// 64 KiB or no regular file ([`CredentialRefused`](super::AcquireErrorKind::CredentialRefused)).
    #[must_use]
    pub fn assertion_file(path: impl Into<PathBuf>) -> Self {
        Self::of(Kind::AssertionFile(AssertionFile::new(path.into())))
    }

    /// A function that gets an assertion for a federated credential: from a managed identity, from SPIFFE,
    /// from GitHub.
    ///
    /// It is called for each request, and its result is not kept. It may take 20 s, and no longer than the
    /// whole acquisition, 30 s by default. What it returns must be a signed JWT of at most 64 KiB. The text of its
    /// error, and of what caused it, appears in that of the acquisition, cut, and not at all if it looks like
    /// a credential.
    ///
    /// ```
    /// # use tower_entra::acquire::ClientCredential;
    /// # #[derive(Clone)]
    /// # struct Spire;
    /// # impl Spire {
    /// #     async fn fetch(&self, audience: &str) -> Result<String, std::io::Error> {
    /// #         Ok(audience.to_owned())
    /// #     }
    /// # }
    /// # fn credential(spire: Spire) -> ClientCredential {
    /// ClientCredential::assertion(move |request| {
    ///     // The future may not borrow from the closure, so what it uses is cloned.
    ///     let spire = spire.clone();
    ///     async move { spire.fetch(&request.exchange_audience).await }
    /// })
    /// # }
    /// ```
    #[must_use]
    pub fn assertion<F, Fut, E>(obtain: F) -> Self
    where
        F: Fn(AssertionRequest) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<String, E>> + Send + 'static,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        let obtain = move |request| -> Obtaining {
            let obtaining = obtain(request);
            Box::pin(async move {
                match obtaining.await {
                    Ok(text) => of_the_function(Secret::new(text).expose()),
                    Err(error) => Err(not_obtained(&*error.into())),
                }
            })
        };
        Self::of(Kind::Assertion(Box::new(obtain)))
    }

    /// What is wrong with it, as far as that shows without a request: for the builder of a client.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let is_certificate = matches!(&*self.kind, Kind::Certificate(_) | Kind::CertificateFile(_));
        if self.signing != Signing::default() && !is_certificate {
            let problem = "with_rs256() and with_x5c() are for certificates";
            return Err(ConfigError::new("credential", problem));
        }
        if let Kind::Secret(secret) = &*self.kind {
            check_secret(secret.expose())?;
        }
        Ok(())
    }

    /// The proof for one request, at this time in seconds since 1970.
    pub(super) async fn proof(
        &self,
        request: &AssertionRequest,
        now: u64,
    ) -> Result<Proof, NoProof> {
        let assertion = match &*self.kind {
            Kind::Secret(secret) => return Ok(Proof::Secret(secret.clone())),
            Kind::Certificate(certificate) => self.signed(certificate, request, now)?,
            Kind::CertificateFile(file) => {
                let certificate = file.certificate().await?;
                self.signed(&certificate, request, now)?
            }
            Kind::AssertionFile(file) => file.assertion().await?,
            Kind::Assertion(obtain) => {
                let obtaining = timeout(FUNCTION_LIMIT, obtain(request.clone()));
                obtaining.await.unwrap_or_else(|_| Err(not_in_time()))?
            }
        };
        Ok(Proof::Assertion(assertion))
    }

    /// Has the next proof made of what is in the file now. Whether the next proof can be another than the
    /// last: a secret never is.
    pub(super) fn read_again(&self) -> bool {
        if let Kind::CertificateFile(file) = &*self.kind {
            file.read_again();
        }
        !matches!(&*self.kind, Kind::Secret(_))
    }

    /// `secret`, `certificate`, `assertion_file` or `assertion`.
    pub(super) fn kind(&self) -> &'static str {
        match &*self.kind {
            Kind::Secret(_) => "secret",
            Kind::Certificate(_) | Kind::CertificateFile(_) => "certificate",
            Kind::AssertionFile(_) => "assertion_file",
            Kind::Assertion(_) => "assertion",
        }
    }

    fn of(kind: Kind) -> Self {
        Self {
            kind: Arc::new(kind),
            signing: Signing::default(),
        }
    }

    fn signed(
        &self,
        certificate: &Certificate,
        request: &AssertionRequest,
        now: u64,
    ) -> Result<Secret, NoProof> {
        certificate
            .assertion(
                self.signing,
                request.client_id,
                &request.token_endpoint,
                now,
            )
            .map_err(|_| NoProof {
                problem: "the assertion could not be signed".to_owned(),
                hint: "The operating system gave no random bytes, or there is no memory.",
                is_transient: true,
            })
    }
}

/// A secret with these faults is refused by Entra as a wrong one, which says nothing about why.
fn check_secret(secret: &str) -> Result<(), ConfigError> {
    let problem = if secret.trim().is_empty() {
        "it is empty"
    } else if secret.trim() != secret {
        "it begins or ends with white space"
    } else if secret.contains(char::is_control) {
        "it has a control character"
    } else {
        if secret.parse::<AppId>().is_ok() {
            let hint = "Give the value of the secret, which the portal shows once.";
            tracing::warn!(target: TARGET, hint, "the client secret has the form of a secret's id");
        }
        return Ok(());
    };
    Err(ConfigError::new("client secret", problem))
}

fn of_the_function(text: &str) -> Result<Secret, NoProof> {
    assertion(text.as_bytes()).map_err(|unfit| NoProof {
        problem: format!(
            "what the function for assertions returned {}",
            unfit.in_words()
        ),
        hint: "Return the JWT that the federated credential of the app trusts, and nothing else.",
        is_transient: false,
    })
}

fn not_in_time() -> NoProof {
    NoProof {
        problem: format!(
            "the function for assertions did not return within {} s",
            FUNCTION_LIMIT.as_secs()
        ),
        hint: LOOK_AT_THE_SOURCE,
        is_transient: true,
    }
}

fn not_obtained(error: &(dyn StdError + 'static)) -> NoProof {
    let cause = Shown::within(MAX_CAUSE, &with_causes(error));
    NoProof {
        problem: format!("the function for assertions failed: {}", cause.as_str()),
        hint: LOOK_AT_THE_SOURCE,
        is_transient: true,
    }
}

impl fmt::Debug for ClientCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ClientCredential")
            .field(&self.kind())
            .finish()
    }
}

const TARGET: &str = "tower_entra::acquire";

const LOOK_AT_THE_SOURCE: &str = "Look at where the function gets the assertion: an endpoint of managed \
    identities, a workload API, another issuer.";

/// How long a function may take. Less than an acquisition, whose error would blame the authority.
const FUNCTION_LIMIT: Duration = Duration::from_secs(20);

/// The longest text of a function's error that is shown, in characters.
const MAX_CAUSE: usize = 300;

#[cfg(test)]
#[path = "credential_tests/mod.rs"]
mod tests;
