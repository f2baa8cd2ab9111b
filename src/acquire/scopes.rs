//! What a token is asked for.

use std::{collections::BTreeSet, fmt, str::FromStr, sync::Arc};

use crate::{
    acquire::{error::AcquireError, hints, kind::AcquireErrorKind},
    characters::is_scope_token,
    shown::Shown,
};

/// The scopes of one resource, checked when they are made. Cheap to clone.
///
/// Order and repetition make no difference: `["a/B", "a/C"]` and `["a/C", "a/B", "a/C"]` are equal.
///
/// The resource of a scope is everything before its last slash: `api://{client id}` of
/// `api://{client id}/Orders.Read`, and `https://contoso.com/`, with the slash, of
/// `https://contoso.com//.default`. A scope without a slash, such as `User.Read`, is one of Microsoft
/// Graph, as it is to Entra. Two resources are one if they differ in ASCII letter case only.
///
/// ```
/// use tower_entra::acquire::Scopes;
///
/// let app = Scopes::default_of("https://graph.microsoft.com")?;
/// assert_eq!(app.as_str(), "https://graph.microsoft.com/.default");
/// let user: Scopes = "User.Read Mail.Read".parse()?;
/// assert_eq!(user.as_str(), "Mail.Read User.Read");
/// # Ok::<_, tower_entra::acquire::AcquireError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Scopes(Arc<str>);

impl Scopes {
    /// Scopes by their full names, such as `api://{client id}/Orders.Read`.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`](super::AcquireErrorKind::Misconfigured):
    ///
    /// - if there is none, or if there are more than 100 of them or more than 8 KiB
    /// - if one is empty, or has white space or another character that a scope cannot have
    ///   ([RFC 6749, section 3.3](https://www.rfc-editor.org/rfc/rfc6749#section-3.3))
    /// - if one names only a resource, or no resource before its slash
    /// - if they are of different resources, or `.default` is one of several
    /// - if one is `openid`, `profile`, `email` or `offline_access`: they bring ID tokens and refresh
    ///   tokens, which this crate does not use
    pub fn new<S: AsRef<str>>(scopes: impl IntoIterator<Item = S>) -> Result<Self, AcquireError> {
        let mut all = BTreeSet::new();
        let mut bytes = 0_usize;
        for (at, scope) in scopes.into_iter().enumerate() {
            let scope = scope.as_ref();
            bytes = bytes.saturating_add(scope.len() + 1);
            if at >= MAX_SCOPES || bytes > MAX_BYTES {
                return Err(misconfigured(
                    "there are more than 100 scopes or 8 KiB of them",
                    hints::SCOPES_ASK_FOR_LESS,
                ));
            }
            check(scope)?;
            all.insert(scope.to_owned());
        }
        let mut rest = all.iter();
        let Some(first) = rest.next() else {
            return Err(misconfigured("there is no scope", hints::SCOPES_NAME_ONE));
        };
        let resource = resource_of(first);
        if let Some(other) = rest.find(|scope| !resource_of(scope).eq_ignore_ascii_case(resource)) {
            let (one, other) = (Shown::of(first), Shown::of(other));
            return Err(misconfigured(
                &format!("the scopes are of different resources: {one} and {other}"),
                hints::SCOPES_ONE_RESOURCE,
            ));
        }
        if all.len() > 1 && all.iter().any(|scope| is_default(scope)) {
            return Err(misconfigured(
                "the scope .default is one of several",
                hints::SCOPES_DEFAULT_ONLY,
            ));
        }
        let all: Vec<String> = all.into_iter().collect();
        Ok(Self(all.join(" ").into()))
    }

    /// `{resource}/.default`: all permissions to the resource that the app has been granted, or, for a
    /// user, those consented to.
    ///
    /// ```
    /// # use tower_entra::acquire::Scopes;
    /// assert!(Scopes::default_of("https://contoso.com/.default").is_err());
    /// ```
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new), and if the text already ends with `/.default`.
    pub fn default_of(resource: &str) -> Result<Self, AcquireError> {
        if is_default(resource) {
            return Err(misconfigured(
                &format!("{} is a scope and no resource", Shown::of(resource)),
                hints::SCOPES_NOT_A_RESOURCE,
            ));
        }
        Self::new([format!("{resource}{DEFAULT}")])
    }

    /// The scopes, sorted, separated by single spaces: the form of the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Refuses what an app or an agent that acts as itself cannot ask for.
    pub(super) fn check_for_app(&self) -> Result<(), AcquireError> {
        if self.is_one_default() {
            return Ok(());
        }
        let problem = format!(
            "an app that acts as itself asks for one scope .default, not for {}",
            Shown::of(&self.0)
        );
        Err(misconfigured(&problem, hints::SCOPE_DEFAULT))
    }

    /// Whether it is exactly one scope, and that is `{resource}/.default`.
    pub(super) fn is_one_default(&self) -> bool {
        !self.0.contains(' ') && self.0.ends_with(DEFAULT)
    }
}

/// Splits at white space.
impl FromStr for Scopes {
    type Err = AcquireError;

    fn from_str(text: &str) -> Result<Self, AcquireError> {
        Self::new(text.split_whitespace())
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Scopes").field(&self.as_str()).finish()
    }
}

fn check(scope: &str) -> Result<(), AcquireError> {
    let shown = || Shown::of(scope);
    if scope.is_empty() {
        return Err(misconfigured("a scope is empty", hints::SCOPES_NAME_ONE));
    }
    if !is_scope_token(scope) {
        let problem = format!(
            "{} has white space or a character that a scope cannot have",
            shown()
        );
        return Err(misconfigured(&problem, hints::SCOPES_CHARACTERS));
    }
    if is_of_sign_in(scope) {
        let problem = format!("{} asks for an ID token or a refresh token", shown());
        return Err(misconfigured(&problem, hints::SCOPES_OF_SIGN_IN));
    }
    let (resource, name) = split(scope);
    let is_url_only = scope
        .split_once("://")
        .is_some_and(|(_, rest)| !rest.contains('/'));
    if is_url_only || name.is_empty() {
        let problem = format!("{} names a resource and no scope of it", shown());
        return Err(misconfigured(&problem, hints::SCOPES_NOT_A_SCOPE));
    }
    if resource.is_some_and(str::is_empty) || is_default_name(scope) {
        let problem = format!("{} names no resource", shown());
        return Err(misconfigured(&problem, hints::SCOPES_NAME_THE_RESOURCE));
    }
    Ok(())
}

/// The resource, if the scope names one, and what is asked of it.
fn split(scope: &str) -> (Option<&str>, &str) {
    match scope.rsplit_once('/') {
        Some((resource, name)) => (Some(resource), name),
        None => (None, scope),
    }
}

fn resource_of(scope: &str) -> &str {
    let [graph, ..] = GRAPH;
    split(scope).0.unwrap_or(graph)
}

fn is_default(scope: &str) -> bool {
    matches!(split(scope), (Some(_), name) if is_default_name(name))
}

fn is_default_name(name: &str) -> bool {
    name.eq_ignore_ascii_case(".default")
}

/// A scope of [OpenID Connect](https://learn.microsoft.com/en-us/entra/identity-platform/scopes-oidc#openid-connect-scopes),
/// by its bare name or as one of Microsoft Graph. An API can have a scope `profile` of its own.
fn is_of_sign_in(scope: &str) -> bool {
    let (resource, name) = split(scope);
    let is = |texts: &[&str], text: &str| texts.iter().any(|of| of.eq_ignore_ascii_case(text));
    resource.is_none_or(|resource| is(&GRAPH, resource)) && is(&OF_SIGN_IN, name)
}

fn misconfigured(problem: &str, hint: &'static str) -> AcquireError {
    AcquireError::before_the_wire(AcquireErrorKind::Misconfigured, problem, hint)
}

const DEFAULT: &str = "/.default";
const OF_SIGN_IN: [&str; 4] = ["openid", "profile", "email", "offline_access"];

/// Microsoft Graph of the public cloud, by its client id, and of the
/// [national clouds](https://learn.microsoft.com/en-us/graph/deployments).
const GRAPH: [&str; 5] = [
    "https://graph.microsoft.com",
    "00000003-0000-0000-c000-000000000000",
    "https://graph.microsoft.us",
    "https://dod-graph.microsoft.us",
    "https://microsoftgraph.chinacloudapi.cn",
];

const MAX_SCOPES: usize = 100;
const MAX_BYTES: usize = 8 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    const API: &str = "api://3aa6c2f7-1e0f-4caa-a55a-7c08f5f87a1a";

    #[track_caller]
    fn taken(scopes: &[&str]) -> String {
        let scopes = Scopes::new(scopes).expect("good scopes");
        scopes.as_str().to_owned()
    }

    #[track_caller]
    fn refused(scopes: &[&str], words: &str) {
        let error = Scopes::new(scopes).expect_err("bad scopes");
        assert_eq!(error.kind(), AcquireErrorKind::Misconfigured, "{scopes:?}");
        assert!(error.to_string().contains(words), "{scopes:?}: {error}");
        assert!(error.hint().is_some(), "{scopes:?}");
        assert_eq!(error.code(), None);
    }

    #[test]
    fn scopes_of_one_resource_are_taken() {
        let of_api = |name: &str| format!("{API}/{name}");
        let (read, write) = (of_api("Orders.Read"), of_api("Orders.Write"));
        let (profile, email) = (of_api("profile"), of_api("email"));
        taken(&[&read, &write]);
        taken(&[&profile, &email]);
        taken(&["User.Read", "https://graph.microsoft.com/Mail.Read"]);
        taken(&["HTTPS://Graph.Microsoft.Com/User.Read", "Mail.Read"]);
        for scope in [
            "3aa6c2f7-1e0f-4caa-a55a-7c08f5f87a1a/.default",
            "https://contoso.com//.default",
            "https://contoso.com/api/v1/Orders.Read",
            "a/!#$%&'()*+,-.:;<=>?@[]^_`{|}~",
        ] {
            assert_eq!(taken(&[scope]), scope);
        }
    }

    #[test]
    fn order_and_repetition_make_no_difference() {
        assert_eq!(taken(&["a/C", "a/B", "a/C"]), "a/B a/C");
        assert_eq!(
            Scopes::new(["a/B", "a/C"]).ok(),
            " a/C\ta/B\r\na/C ".parse().ok()
        );
        assert_ne!(Scopes::new(["a/B"]).ok(), Scopes::new(["a/b"]).ok());
    }

    #[test]
    fn what_is_no_set_of_scopes_is_refused() {
        refused(&[], "there is no scope");
        refused(&[""], "a scope is empty");
        refused(&["a/B", ""], "a scope is empty");
        for scope in ["a/B a/C", " a/B", "a/B\n", "a/é", "a/\"B\"", "a/\\", "a/\0"] {
            refused(&[scope], "cannot have");
        }
        for scope in [
            "https://contoso.com",
            "api://x",
            "https://contoso.com/",
            "a/",
        ] {
            refused(&[scope], "no scope of it");
        }
        for scope in ["/.default", "/Orders.Read", ".default", ".Default"] {
            refused(&[scope], "no resource");
        }
        assert!("".parse::<Scopes>().is_err() && " \t".parse::<Scopes>().is_err());
    }

    #[test]
    fn scopes_of_two_resources_are_refused() {
        for scopes in [
            ["a/B", "b/B"],
            ["a/B", "User.Read"],
            [
                "https://contoso.com/.default",
                "https://contoso.com//.default",
            ],
            ["https://contoso.com/A", "https://contoso.com/api/A"],
            [
                "api://3aa6c2f7-1e0f-4caa-a55a-7c08f5f87a1a/A",
                "3aa6c2f7-1e0f-4caa-a55a-7c08f5f87a1a/A",
            ],
        ] {
            refused(&scopes, "different resources");
        }
    }

    #[test]
    fn default_beside_another_scope_is_refused() {
        refused(&["a/.default", "a/B"], ".default is one of several");
        refused(&["a/.default", "A/.default"], ".default is one of several");
        refused(&["a/.DEFAULT", "a/B"], ".default is one of several");
        assert_eq!(taken(&["a/.default", "a/.default"]), "a/.default");
    }

    #[test]
    fn scopes_of_a_sign_in_are_refused() {
        for scope in [
            "openid",
            "profile",
            "email",
            "offline_access",
            "Offline_Access",
            "https://graph.microsoft.com/offline_access",
            "https://graph.microsoft.us/openid",
            "00000003-0000-0000-C000-000000000000/profile",
        ] {
            refused(&[scope], "ID token or a refresh token");
            refused(&["User.Read", scope], "ID token or a refresh token");
        }
    }

    #[test]
    fn the_number_and_the_length_of_scopes_are_bounded() {
        let many: Vec<String> = (0..=100).map(|at| format!("a/{at}")).collect();
        assert!(Scopes::new(&many[..100]).is_ok());
        assert!(Scopes::new(&many).is_err());
        assert!(Scopes::new(std::iter::repeat("a/B")).is_err());
        let of = |length: usize| format!("a/{}", "b".repeat(length - 2));
        assert!(Scopes::new([of(MAX_BYTES - 1)]).is_ok());
        assert!(Scopes::new([of(MAX_BYTES)]).is_err());
    }

    #[test]
    fn the_default_of_a_resource_is_one_default() {
        for (resource, scope) in [
            (API, format!("{API}/.default")),
            (
                "https://contoso.com",
                "https://contoso.com/.default".to_owned(),
            ),
            (
                "https://contoso.com/",
                "https://contoso.com//.default".to_owned(),
            ),
        ] {
            let scopes = Scopes::default_of(resource).expect("a resource");
            assert_eq!(scopes.as_str(), scope);
            assert!(scopes.is_one_default() && scopes.check_for_app().is_ok());
        }
        for resource in ["", "a b", "a/.default", "https://contoso.com/.Default"] {
            assert!(Scopes::default_of(resource).is_err(), "{resource}");
        }
        for scopes in ["a/B", "a/B a/C", "a/.Default"] {
            let scopes: Scopes = scopes.parse().expect("good scopes");
            assert!(!scopes.is_one_default() && scopes.check_for_app().is_err());
        }
    }

    #[test]
    fn a_scope_that_looks_like_a_credential_is_not_shown() {
        let error = Scopes::new(["eyJhbGciOiJSUzI1NiJ9.e30.x y"]).expect_err("a space");
        assert!(!error.to_string().contains("eyJ"), "{error}");
    }
}
