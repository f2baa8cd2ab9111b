//! Which names of scopes and roles a token can contain.

use crate::{characters::is_scope_token, config_error::ConfigError};

pub(super) fn checked_scope<S: AsRef<str>>(scope: S) -> Result<S, ConfigError> {
    let text = scope.as_ref();
    match scope_problem(text) {
        None => Ok(scope),
        Some(problem) => Err(ConfigError::new("scope", format!("{text:?} {problem}"))),
    }
}

/// Why a text is no scope of a token. Entra's tokens name scopes without `://`, but clients ask for them
/// by their App ID URI.
pub(crate) fn scope_problem(scope: &str) -> Option<&'static str> {
    if !is_scope_token(scope) {
        Some("is not one scope")
    } else if scope.contains("://") {
        Some(ASKED_FOR)
    } else if ["/", ".default"].contains(&scope) {
        // In a token `/` is no scope, and `.default` appears only in a request for one.
        Some("is in no token")
    } else {
        None
    }
}

pub(super) fn checked_role<S: AsRef<str>>(role: S) -> Result<S, ConfigError> {
    let text = role.as_ref();
    if text.trim().is_empty() || text.contains(char::is_control) {
        let problem = format!("{text:?} is blank or has a control character");
        return Err(ConfigError::new("role", problem));
    }
    Ok(role)
}

/// Whether `checked_scope` would take it.
pub(super) const fn is_static_scope(scope: &str) -> bool {
    is_scope_token(scope)
        && !has_separator(scope.as_bytes())
        && !matches!(scope.as_bytes(), b"/" | b".default")
}

/// Whether it is printable ASCII with a graphic character, which `checked_role` takes.
pub(super) const fn is_static_role(role: &str) -> bool {
    let mut rest = role.as_bytes();
    let mut is_blank = true;
    while let [first, others @ ..] = rest {
        match first {
            0x21..=0x7e => is_blank = false,
            b' ' => {}
            _ => return false,
        }
        rest = others;
    }
    !is_blank
}

/// The end of a URI's scheme.
const fn has_separator(text: &[u8]) -> bool {
    let mut rest = text;
    while let [_, others @ ..] = rest {
        if matches!(rest, [b':', b'/', b'/', ..]) {
            return true;
        }
        rest = others;
    }
    false
}

/// The problem of a scope in the form in which clients ask for it.
pub(crate) const ASKED_FOR: &str = "is what a client asks for; tokens have only the last part";

#[cfg(test)]
mod tests {
    use super::*;

    const TEXTS: [&str; 16] = [
        "",
        " ",
        "/",
        ".default",
        "Orders.default",
        "Orders.Read",
        "Orders/Read",
        "Orders:Read",
        "Orders:/Read",
        "://",
        "api://x/Orders.Read",
        "Orders.Read Orders.Write",
        "Orders\"Read",
        "Orders\\Read",
        "Orders\tRead",
        "Orders.Read\n",
    ];

    #[test]
    fn a_scope_is_the_same_at_compile_time() {
        for text in TEXTS.into_iter().chain(["Orders.Réad", "Orders\u{a0}Read"]) {
            let checked = checked_scope(text);
            assert_eq!(is_static_scope(text), checked.is_ok(), "{text:?}");
        }
    }

    #[test]
    fn a_role_in_ascii_is_the_same_at_compile_time() {
        for text in TEXTS.into_iter().chain(["Domain Users", " A", "\u{7f}"]) {
            let checked = checked_role(text);
            assert_eq!(is_static_role(text), checked.is_ok(), "{text:?}");
        }
        assert!(!is_static_role("Führung") && !is_static_role("\u{85}"));
    }
}
