//! The keys of a document that are skipped, and why.

use std::fmt;

/// Why a JWK is skipped. A closed list, for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unusable {
    /// It is not a readable JWK: not an object, or a member is repeated, missing or of the wrong
    /// type.
    Malformed,
    /// `kid` is absent, empty or too long.
    NoKeyId,
    /// Its `use` or `key_ops` excludes verifying signatures.
    OtherUse,
    /// It is for an algorithm that is not listed, or of another key type.
    OtherAlgorithm,
    /// Its numbers are too short, too long, or not a public key.
    UnfitNumbers,
    /// Another key has the same `kid`.
    Conflict,
}

impl Unusable {
    pub(super) const ALL: [Self; 6] = [
        Self::Malformed,
        Self::NoKeyId,
        Self::OtherUse,
        Self::OtherAlgorithm,
        Self::UnfitNumbers,
        Self::Conflict,
    ];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::NoKeyId => "no_key_id",
            Self::OtherUse => "other_use",
            Self::OtherAlgorithm => "other_algorithm",
            Self::UnfitNumbers => "unfit_numbers",
            Self::Conflict => "conflict",
        }
    }

    /// Whether the key is faulty. A key for another purpose is not: it may appear in any key set.
    pub(super) fn is_fault(self) -> bool {
        !matches!(self, Self::OtherUse | Self::OtherAlgorithm)
    }
}

/// The number of skipped keys, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Skipped([u16; Unusable::ALL.len()]);

impl Skipped {
    pub(super) fn count(&mut self, why: Unusable) {
        for (reason, count) in Unusable::ALL.into_iter().zip(&mut self.0) {
            if reason == why {
                *count = count.saturating_add(1);
            }
        }
    }

    pub(super) fn is_empty(self) -> bool {
        self.by_reason().next().is_none()
    }

    /// Whether a skipped key is faulty, and not only for another purpose.
    pub(super) fn has_faults(self) -> bool {
        self.by_reason().any(|(why, _)| why.is_fault())
    }

    fn by_reason(self) -> impl Iterator<Item = (Unusable, u16)> {
        let counts = Unusable::ALL.into_iter().zip(self.0);
        counts.filter(|(_, count)| *count > 0)
    }
}

/// `2 malformed, 1 conflict`, or `none`.
impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("none");
        }
        for (at, (why, count)) in self.by_reason().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{count} {}", why.as_str())?;
        }
        Ok(())
    }
}
