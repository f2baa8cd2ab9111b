//! The caller of a token, without HTTP.

use std::{error::Error as StdError, pin::Pin, sync::Arc, thread, time::Duration};

use http::{Request, Response, StatusCode};
use tokio::runtime;

use crate::{
    AgentPrincipal, ConfigError, Error, HttpClient, KeySettings, ValidatorBuilder,
    testing::{state::Shared, token::TokenBuilder},
};

/// The caller.
impl TokenBuilder {
    /// The caller of this token, as a handler would get it: for the test of a function that takes an
    /// [`AgentPrincipal`].
    ///
    /// It mints the token and validates it as [`Issuer::validator`](super::Issuer::validator) does, with
    /// every check. Nothing is sent and nothing counts as a fetch, and the faults of the endpoints do not
    /// apply. It can be called in async code and outside, whatever the runtime's clock says.
    ///
    /// ```
    /// use tower_entra::{PrincipalKind, testing::Issuer};
    ///
    /// let issuer = Issuer::start_blocking();
    /// let caller = issuer.agent_on_behalf_of("alice").scope("Orders.Read").principal();
    /// assert_eq!(caller.kind(), PrincipalKind::AgentOnBehalfOfUser);
    /// assert!(caller.require_scope("Orders.Write").is_err());
    /// ```
    ///
    /// # Panics
    ///
    /// If the validator refuses the token, with the reason: such a caller reaches no handler. For a
    /// validator with other settings, call its [`validate`](crate::Validator::validate) with the
    /// [minted](Self::mint) token. Also as [`mint`](Self::mint) does.
    #[must_use]
    #[track_caller]
    pub fn principal(self) -> AgentPrincipal {
        let shared = Arc::clone(&self.shared);
        let token = self.mint();
        // A runtime cannot be entered within another, so this one has a thread of its own.
        let thread = thread::spawn(move || {
            // A machine that runs many tests at once may be slow.
            let wait = Duration::from_secs(30);
            validate(&shared, shared.validator_builder(), wait, &token)
                .expect("the issuer's own names make a valid configuration")
        });
        match thread.join().expect("the validator does not panic") {
            Ok(principal) => principal,
            Err(error) => panic!("this token is refused: {error}. {}", error.hint()),
        }
    }
}

/// Validates a token in process, outside of any runtime.
pub(super) fn validate(
    shared: &Arc<Shared>,
    validator: ValidatorBuilder,
    wait: Duration,
    token: &str,
) -> Result<Result<AgentPrincipal, Error>, ConfigError> {
    let validator = validator
        .http_client(InProcess(Arc::clone(shared)))
        .key_settings(KeySettings::default().with_wait(wait))
        .build()?;
    let runtime = runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.expect("a runtime without I/O needs nothing of the system");
    Ok(runtime.block_on(validator.validate(token)))
}

/// Reads the issuer's documents without a connection.
struct InProcess(Arc<Shared>);

type Answer = Result<Response<Vec<u8>>, Box<dyn StdError + Send + Sync>>;

impl HttpClient for InProcess {
    fn send(
        &self,
        request: Request<Vec<u8>>,
        _: usize,
    ) -> Pin<Box<dyn Future<Output = Answer> + Send>> {
        let target = request.uri().path_and_query().map(|target| target.as_str());
        let document = target.and_then(|target| self.0.document(target));
        let mut response = Response::new(Vec::new());
        match document {
            Some(document) => *response.body_mut() = document,
            None => *response.status_mut() = StatusCode::NOT_FOUND,
        }
        Box::pin(async { Ok(response) })
    }
}
