//! Inputs that have the same outcome, and how that is found out.

use std::{
    iter, mem,
    time::{Duration, Instant},
};

use tower_entra::{
    AgentPrincipal, EntraAuthLayer, Error, ErrorKind, Validator, ValidatorBuilder, testing::Issuer,
};

use super::{
    LIMIT, Log, REALM,
    answer::{Answer, assert_reveals_nothing, send},
    assert_key_fetches, block_on,
    input::Input,
};

/// Inputs that have the same outcome.
pub(crate) struct Case {
    inputs: fn(&Issuer) -> Vec<Input>,
    outcome: Outcome,
    /// What the error of each input says of it.
    words: Option<&'static str>,
    /// What the error of each input advises.
    hint: &'static str,
    /// How many fetches each of them causes.
    fetches: u64,
    /// How long a verdict on any of them may take.
    limit: Duration,
    validator: fn(&Issuer) -> ValidatorBuilder,
    authorization_by_acl: bool,
    layer: fn(EntraAuthLayer) -> EntraAuthLayer,
}

enum Outcome {
    Refused(ErrorKind),
    Admitted(fn(&AgentPrincipal)),
    /// Admitted without a principal.
    Anonymous,
}

/// Every one of these is refused for this reason, and none causes a fetch.
pub(crate) fn refused(kind: ErrorKind, inputs: fn(&Issuer) -> Vec<Input>) -> Case {
    Case::new(Outcome::Refused(kind), inputs)
}

/// The same, and the error holds these words and, in its hint, this advice. Both are pieces of text.
pub(crate) fn refused_as(
    kind: ErrorKind,
    words: &'static str,
    hint: &'static str,
    inputs: fn(&Issuer) -> Vec<Input>,
) -> Case {
    Case {
        words: Some(words),
        hint,
        ..refused(kind, inputs)
    }
}

pub(crate) fn admitted(inputs: fn(&Issuer) -> Vec<Input>) -> Case {
    admitted_as(|_| {}, inputs)
}

/// Every one of these is admitted, as a caller of whom this can be said.
pub(crate) fn admitted_as(said: fn(&AgentPrincipal), inputs: fn(&Issuer) -> Vec<Input>) -> Case {
    Case::new(Outcome::Admitted(said), inputs)
}

pub(crate) fn anonymous(inputs: fn(&Issuer) -> Vec<Input>) -> Case {
    Case::new(Outcome::Anonymous, inputs)
}

impl Case {
    fn new(outcome: Outcome, inputs: fn(&Issuer) -> Vec<Input>) -> Self {
        Self {
            inputs,
            outcome,
            words: None,
            hint: "",
            fetches: 0,
            limit: LIMIT,
            validator: Issuer::validator_builder,
            authorization_by_acl: false,
            layer: |layer| layer,
        }
    }

    /// They cause one fetch, however many they are.
    pub(crate) fn one_fetch(self) -> Self {
        Self { fetches: 1, ..self }
    }

    /// No verdict takes longer. Generous: many times what one takes without optimization.
    pub(crate) fn within(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    pub(crate) fn with(self, validator: fn(&Issuer) -> ValidatorBuilder) -> Self {
        Self { validator, ..self }
    }

    /// By an API that keeps a list of its own.
    pub(crate) fn by_acl(self) -> Self {
        Self {
            authorization_by_acl: true,
            ..self
        }
    }

    pub(crate) fn through(self, layer: fn(EntraAuthLayer) -> EntraAuthLayer) -> Self {
        Self { layer, ..self }
    }

    /// Sends every input through a layer, and what is a token to the validator alone; all of it
    /// with a cache of verified tokens and without.
    pub(super) fn prove(&self, issuer: &Issuer) {
        let inputs = (self.inputs)(issuer);
        assert!(!inputs.is_empty());
        for caching in [false, true] {
            // What has a fetch has a validator of its own: the next one would find the budget spent.
            let together = match self.fetches {
                0 => inputs.len(),
                _ => 1,
            };
            for inputs in inputs.chunks(together) {
                let builder = (self.validator)(issuer);
                let validator = match caching {
                    true => builder.token_cache(64),
                    false => builder,
                };
                let mut validator = validator.build().unwrap();
                if self.authorization_by_acl {
                    validator = validator.with_authorization_by_acl();
                }
                block_on(self.prove_by(&validator, inputs, issuer));
            }
        }
    }

    async fn prove_by(&self, validator: &Validator, inputs: &[Input], issuer: &Issuer) {
        let log = Log::of_this_thread();
        validator.ready().await;
        let before = issuer.key_fetches();
        let layer = EntraAuthLayer::new(validator.clone());
        let layer = (self.layer)(layer.with_realm(REALM).unwrap());
        for input in inputs {
            println!("  {}", input.name);
            let mut is_first = true;
            // Twice: what a first sight leaves behind changes nothing.
            for _ in 0..2 {
                if let Some(request) = input.request() {
                    let start = Instant::now();
                    let answer = send(&layer, request).await;
                    assert!(start.elapsed() < self.limit, "{:?}", start.elapsed());
                    self.outcome.is_that_of(&answer);
                    if let Some(error) = answer.response.extensions().get() {
                        self.explains(input, error, mem::take(&mut is_first));
                    }
                    for secret in &input.secrets {
                        assert_reveals_nothing(&answer.response, secret);
                    }
                }
                if let Some(token) = &input.token {
                    let start = Instant::now();
                    let verdict = validator.validate(token).await;
                    assert!(start.elapsed() < self.limit, "{:?}", start.elapsed());
                    if let Err(error) = &verdict {
                        self.explains(input, error, mem::take(&mut is_first));
                    }
                    self.outcome.is_that_of_the_token(verdict);
                }
                for secret in &input.secrets {
                    log.reveals_nothing(secret);
                }
            }
        }
        assert_key_fetches(issuer, before + self.fetches).await;
    }

    /// The error says what its kind means, what was found in this input, and what to do about it.
    #[track_caller]
    fn explains(&self, input: &Input, error: &Error, is_first: bool) {
        let Outcome::Refused(kind) = self.outcome else {
            return;
        };
        let is_of_signature = matches!(kind, ErrorKind::InvalidSignature | ErrorKind::GraphToken);
        if is_of_signature && self.fetches > 0 && !is_first {
            // No claim is read any more: the first has spent the fetch.
            return;
        }
        let (line, hint) = (error.to_string(), error.hint());
        // A token alone that no header can carry is refused as another kind.
        if error.kind() != kind {
            return;
        }
        assert!(line.starts_with(&kind.to_string()), "{line}");
        let said = || self.words.into_iter().chain(input.words.as_deref());
        for words in said() {
            assert!(line.contains(words), "{words:?} is not in: {line}");
        }
        let is_said = self.words.is_none() || said().any(|words| !words.is_empty());
        assert!(is_said, "no words for: {line}");
        let advice = self.hint;
        assert!(hint.contains(advice), "{advice:?} is not in: {hint}");
    }
}

/// A row may have one case.
impl IntoIterator for Case {
    type Item = Self;
    type IntoIter = iter::Once<Self>;

    fn into_iter(self) -> Self::IntoIter {
        iter::once(self)
    }
}

impl Outcome {
    #[track_caller]
    fn is_that_of(&self, answer: &Answer) {
        match self {
            Self::Refused(kind) => answer.is_refusal(*kind),
            Self::Admitted(said) => {
                let caller = answer.is_admission();
                said(caller.expect("a principal"));
            }
            Self::Anonymous => assert!(answer.is_admission().is_none(), "a principal"),
        }
    }

    /// The same without a header around the token.
    #[track_caller]
    fn is_that_of_the_token(&self, verdict: Result<AgentPrincipal, Error>) {
        match (self, verdict) {
            (Self::Admitted(said), Ok(caller)) => said(&caller),
            (Self::Refused(kind), Err(error)) => {
                let expected = match kind {
                    // What no header can carry is no token either, nor is an empty text.
                    ErrorKind::MalformedAuthorization | ErrorKind::MissingToken => {
                        ErrorKind::MalformedToken
                    }
                    kind => *kind,
                };
                assert_eq!(error.kind(), expected);
            }
            (_, Ok(caller)) => panic!("admitted: {caller:?}"),
            (_, Err(error)) => panic!("refused: {error:?}"),
        }
    }
}
