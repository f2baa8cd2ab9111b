//! The proof: from the characters of a token to claims with a verified signature.
//!
//! Nothing in here does I/O, waits, or reads a clock. A token is an [`UnverifiedToken`] until
//! [`VerificationKey::check_signature`] has turned it into a [`VerifiedToken`], which nothing else can
//! build; claims parsed from one are [`Verified`].

mod compact;

mod header;

mod signature;

mod claims;

mod members;

mod json;

mod scan;

mod number;

#[cfg(any(test, fuzzing))]
pub(crate) mod properties;

pub(crate) use self::{
    claims::{Claims, Verified, read_unverified_issuer},
    compact::{TokenRules, UnverifiedToken},
    header::MAX_KID,
    json::is_json_object,
    number::Number,
    signature::{VerificationKey, VerifiedToken},
};
