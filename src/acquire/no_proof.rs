//! Why a client cannot prove who it is.

/// Why there is no proof. Nothing in it is a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NoProof {
    /// One line.
    pub(super) problem: String,
    pub(super) hint: &'static str,
    /// Whether it can pass by itself.
    pub(super) is_transient: bool,
}
