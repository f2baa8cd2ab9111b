//! Which audiences are accepted.

use crate::{characters::is_nqchar, config_error::ConfigError, ids::AppId};

/// The audiences that an API accepts: the values of `aud` in its tokens, compared exactly.
///
/// Entra writes the API's client id into tokens of version 2.0. In those of version 1.0 the audience is
/// the one that the client has asked for, usually the App ID URI `api://{client id}`. Which version an
/// API gets its registration says (`api.requestedAccessTokenVersion`), and never the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audiences(Choice);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Choice {
    ClientId(String),
    Listed(Vec<String>),
}

impl Audiences {
    /// Accepts tokens of either version for the API with this client id: `{client id}` and
    /// `api://{client id}`, in lower case.
    ///
    /// Microsoft.Identity.Web has the same default. An API with another App ID URI that gets tokens of
    /// version 1.0 needs [`list`](Self::list). A text that is no GUID is refused when the validator is
    /// built.
    #[must_use]
    pub fn client_id(client_id: impl AsRef<str>) -> Self {
        Self(Choice::ClientId(client_id.as_ref().to_owned()))
    }

    /// Accepts one audience.
    #[must_use]
    pub fn single(audience: impl Into<String>) -> Self {
        Self(Choice::Listed(vec![audience.into()]))
    }

    /// Accepts the listed audiences. An empty list is refused when the validator is built; a repeated
    /// audience counts once.
    #[must_use]
    pub fn list<I>(audiences: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        Self(Choice::Listed(
            audiences.into_iter().map(Into::into).collect(),
        ))
    }

    /// The audiences, without repeats.
    pub(crate) fn resolve(&self) -> Result<Vec<String>, ConfigError> {
        let listed = match &self.0 {
            Choice::ClientId(text) => {
                let client_id: AppId = text.parse().map_err(|_| {
                    ConfigError::new("audiences", format!("{text:?} is not a client id GUID"))
                })?;
                return Ok(vec![client_id.to_string(), format!("api://{client_id}")]);
            }
            Choice::Listed(listed) => listed,
        };
        if listed.is_empty() {
            return Err(ConfigError::new("audiences", "the list is empty"));
        }
        let mut audiences: Vec<String> = Vec::with_capacity(listed.len());
        for audience in listed {
            if !is_audience(audience) {
                let problem = format!("{audience:?} is not a client id or an App ID URI");
                return Err(ConfigError::new("audiences", problem));
            }
            if !audiences.contains(audience) {
                audiences.push(audience.clone());
            }
        }
        Ok(audiences)
    }
}

/// An audience is a GUID or a URI, and both are visible ASCII without quotes. Any other text would
/// match no token, and would not fit into a challenge.
pub(crate) fn is_audience(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_nqchar)
}

/// What [`Validator::builder`](crate::Validator::builder) takes for the audiences of an API:
/// [`Audiences`], one text, or a list of texts.
///
/// The parameter only lets the compiler tell these apart; it is never written.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not name the audiences of an API",
    label = "neither an audience nor a list of them",
    note = "write `\"api://...\"` for one audience, `[\"api://...\", \"...\"]` for several, or \
            `Audiences::client_id(\"...\")` for both forms of a client id"
)]
pub trait IntoAudiences<Form>: form::Sealed<Form> {
    /// Makes the audiences, which are checked when the validator is built.
    fn into_audiences(self) -> Audiences;
}

impl IntoAudiences<form::Whole> for Audiences {
    fn into_audiences(self) -> Self {
        self
    }
}

impl IntoAudiences<form::One> for &str {
    fn into_audiences(self) -> Audiences {
        Audiences::single(self)
    }
}

impl IntoAudiences<form::One> for &String {
    fn into_audiences(self) -> Audiences {
        Audiences::single(self)
    }
}

impl IntoAudiences<form::One> for String {
    fn into_audiences(self) -> Audiences {
        Audiences::single(self)
    }
}

impl<I> IntoAudiences<form::Many> for I
where
    I: IntoIterator,
    I::Item: Into<String>,
{
    fn into_audiences(self) -> Audiences {
        Audiences::list(self)
    }
}

/// The forms of [`IntoAudiences`]. No type outside of this file can have one.
#[expect(
    unnameable_types,
    reason = "a name would let other crates implement the trait"
)]
mod form {
    use super::Audiences;

    #[derive(Debug)]
    pub enum Whole {}

    #[derive(Debug)]
    pub enum One {}

    #[derive(Debug)]
    pub enum Many {}

    pub trait Sealed<Form> {}

    impl Sealed<Whole> for Audiences {}
    impl Sealed<One> for &str {}
    impl Sealed<One> for &String {}
    impl Sealed<One> for String {}
    impl<I> Sealed<Many> for I
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "3aa6c2f7-1e0f-4caa-a55a-7c08f5f87a1a";

    #[track_caller]
    fn refused(audiences: &Audiences, problem: &str) {
        let error = audiences.resolve().expect_err(problem);
        assert_eq!(error.to_string(), format!("audiences: {problem}"));
    }

    #[test]
    fn a_client_id_that_is_no_guid_is_refused() {
        for text in ["", "orders", "api://3aa6c2f7-1e0f-4caa-a55a-7c08f5f87a1a"] {
            let problem = format!("{text:?} is not a client id GUID");
            refused(&Audiences::client_id(text), &problem);
        }
    }

    #[test]
    fn a_text_that_is_in_no_token_is_refused() {
        for text in ["", " ", "api://orders ", "a\"b", "\u{e9}"] {
            let problem = format!("{text:?} is not a client id or an App ID URI");
            refused(&Audiences::single(text), &problem);
            refused(&Audiences::list(["api://orders", text]), &problem);
        }
        let none: [&str; 0] = [];
        refused(&Audiences::list(none), "the list is empty");
    }

    #[test]
    fn a_client_id_is_accepted_in_the_form_of_either_version() {
        for text in [ID, &ID.to_uppercase()] {
            let audiences = Audiences::client_id(text).resolve();
            assert_eq!(audiences, Ok(vec![ID.to_owned(), format!("api://{ID}")]));
        }
    }

    #[test]
    fn one_text_a_list_and_audiences_are_taken() {
        fn resolved<Form>(audiences: impl IntoAudiences<Form>) -> Vec<String> {
            let audiences = audiences.into_audiences().resolve();
            audiences.expect("good audiences")
        }

        let one = ["api://orders"];
        assert_eq!(resolved("api://orders"), one);
        let text = "api://orders".to_owned();
        assert_eq!(resolved(&text), one);
        let list = vec![text.clone()];
        assert_eq!(resolved(&list), one);
        assert_eq!(resolved(list), one);
        assert_eq!(resolved(text), one);
        assert_eq!(resolved(Audiences::single("api://orders")), one);
        assert_eq!(resolved(one), one);
        assert_eq!(resolved(one.as_slice().iter().copied()), one);
        assert_eq!(resolved(vec!["api://orders".to_owned(); 2]), one);
        assert_eq!(resolved(one.iter().map(ToString::to_string)), one);
        assert_eq!(resolved(Some("api://orders")), one);
    }
}
