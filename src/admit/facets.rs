//! Facets and relationships: sets of integers that say what an identity is.

use std::{fmt, iter};

use serde::{Serialize, Serializer};

/// One facet of an actor, a subject or a tenant: an odd number with a meaning.
///
/// Microsoft names few of them; the others are kept as they are, so that new ones need no new
/// release. See [agent token claims](https://learn.microsoft.com/en-us/entra/agent-id/agent-token-claims).
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq, PartialOrd, Ord)]
pub struct Facet(u32);

impl Facet {
    /// An agent identity.
    pub const AGENT_IDENTITY: Self = Self(11);
    /// The user account of an agent.
    pub const AGENT_USER: Self = Self(13);

    /// The facet of this number. Even numbers mean nothing and are in no set.
    #[must_use]
    pub const fn new(value: u32) -> Self {
        Self(value)
    }

    /// The number itself.
    #[must_use]
    pub const fn value(self) -> u32 {
        self.0
    }
}

/// A relationship of the subject to the resource's tenant: a value of `xms_idrel`.
///
/// See [agent token claims](https://learn.microsoft.com/en-us/entra/agent-id/agent-token-claims).
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq, PartialOrd, Ord)]
pub struct IdentityRelationship(u32);

impl IdentityRelationship {
    /// A member user.
    pub const MEMBER_USER: Self = Self(1);
    /// A member user with a personal Microsoft account.
    pub const PERSONAL_MEMBER_USER: Self = Self(3);
    /// A guest user.
    pub const GUEST_USER: Self = Self(5);
    /// A service principal.
    pub const SERVICE_PRINCIPAL: Self = Self(7);
    /// A device principal.
    pub const DEVICE_PRINCIPAL: Self = Self(9);
    /// A user with granular delegated admin privileges.
    pub const GDAP_USER: Self = Self(11);
    /// An application without a service principal.
    pub const APPLICATION_WITHOUT_SERVICE_PRINCIPAL: Self = Self(13);
    /// A native identity user with a profile.
    pub const NATIVE_USER_WITH_PROFILE: Self = Self(17);
    /// A native identity user.
    pub const NATIVE_USER: Self = Self(19);
    /// A fully synchronized member of a multitenant organization.
    pub const SYNCHRONIZED_MEMBER_USER: Self = Self(27);
    /// A user of a multitenant organization that is not fully synchronized.
    pub const WEAK_MULTITENANT_USER: Self = Self(29);
    /// A user with delegated admin privileges.
    pub const DAP_USER: Self = Self(31);
    /// A federated managed identity.
    pub const FEDERATED_MANAGED_IDENTITY: Self = Self(33);

    /// The relationship of this number. Even numbers mean nothing and are in no set.
    #[must_use]
    pub const fn new(value: u32) -> Self {
        Self(value)
    }

    /// The number itself.
    #[must_use]
    pub const fn value(self) -> u32 {
        self.0
    }
}

macro_rules! odd_set {
    ($(#[$doc:meta])* $name:ident of $item:ident) => {
        $(#[$doc])*
        ///
        /// A set: order, repeats and even numbers, which are noise, are gone.
        #[derive(Clone, Hash, PartialEq, Eq)]
        pub struct $name(pub(crate) FacetSet);

        impl $name {
            /// Whether this value is in the set.
            #[must_use]
            pub fn contains(&self, item: $item) -> bool {
                self.0.contains(item.value())
            }

            /// The values in ascending order.
            pub fn iter(&self) -> impl Iterator<Item = $item> + '_ {
                self.0.iter().map($item)
            }

            /// How many values there are.
            #[must_use]
            pub fn len(&self) -> usize {
                self.0.len()
            }

            /// Whether there are none: all that the claim had was noise.
            #[must_use]
            pub fn is_empty(&self) -> bool {
                self.len() == 0
            }
        }

        /// A list of integers in ascending order.
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_seq(self.0.iter())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_set().entries(self.0.iter()).finish()
            }
        }
    };
}

odd_set! {
    /// The facets of an actor (`xms_act_fct`), a subject (`xms_sub_fct`) or a tenant
    /// (`xms_tnt_fct`).
    Facets of Facet
}

odd_set! {
    /// The relationships of a subject to the resource's tenant (`xms_idrel`).
    IdentityRelationships of IdentityRelationship
}

/// A set of odd, positive integers. Small ones, which are all that Entra has been seen to send,
/// are bits and take no allocation.
#[derive(Clone, Default, Hash, PartialEq, Eq)]
pub(crate) struct FacetSet {
    /// Bit `n` is the integer `2n + 1`.
    small: u128,
    /// The others, sorted, without repeats.
    large: Vec<u32>,
}

impl FacetSet {
    /// Reads texts of integers between white space, and integers as they are. `None` if a part is no
    /// integer of 32 bits, as in Microsoft.Identity.Web, or if there is no part at all.
    pub(crate) fn read<'a>(parts: impl IntoIterator<Item = Result<&'a str, i64>>) -> Option<Self> {
        let mut set = Self::default();
        let mut is_blank = true;
        for part in parts {
            match part {
                // A text of another form is read again from its start. Repeats do no harm in a set.
                Ok(text) if set.insert_short(text) => is_blank = false,
                Ok(text) => {
                    for part in text.split_whitespace() {
                        set.insert(part.parse().ok()?);
                        is_blank = false;
                    }
                }
                Err(integer) => {
                    set.insert(i32::try_from(integer).ok()?);
                    is_blank = false;
                }
            }
        }
        set.large.sort_unstable();
        set.large.dedup();
        (!is_blank).then_some(set)
    }

    /// Reads the form that Entra writes: short integers with one space between them. Returns whether
    /// the text has that form.
    fn insert_short(&mut self, text: &str) -> bool {
        let mut parts = text.as_bytes().split(|byte| *byte == b' ');
        parts.all(|part| match short_integer(part) {
            Some(integer) => {
                self.insert(integer);
                true
            }
            None => false,
        })
    }

    fn insert(&mut self, value: i32) {
        match u32::try_from(value) {
            Ok(value) if value % 2 == 1 => match 1_u128.checked_shl(value / 2) {
                Some(bit) => self.small |= bit,
                None => self.large.push(value),
            },
            _ => {}
        }
    }

    fn contains(&self, value: u32) -> bool {
        value % 2 == 1
            && match 1_u128.checked_shl(value / 2) {
                Some(bit) => self.small & bit != 0,
                None => self.large.binary_search(&value).is_ok(),
            }
    }

    fn len(&self) -> usize {
        usize::try_from(self.small.count_ones()).map_or(0, |small| small + self.large.len())
    }

    fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        let mut rest = self.small;
        let small = iter::from_fn(move || {
            let others = rest & rest.checked_sub(1)?;
            let lowest = (rest ^ others).trailing_zeros();
            rest = others;
            Some(2 * lowest + 1)
        });
        small.chain(self.large.iter().copied())
    }
}

/// One to four digits.
fn short_integer(digits: &[u8]) -> Option<i32> {
    if !(1..=4).contains(&digits.len()) {
        return None;
    }
    digits.iter().try_fold(0, |value, digit| {
        let is_digit = digit.is_ascii_digit();
        is_digit.then(|| 10 * value + i32::from(digit - b'0'))
    })
}

impl fmt::Debug for FacetSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Option<Vec<u32>> {
        FacetSet::read([Ok(text)]).map(|set| set.iter().collect())
    }

    #[test]
    fn odd_values_are_kept_and_even_ones_dropped() {
        assert_eq!(values("2 1 0 4"), Some(vec![1]));
        assert_eq!(
            values("255 257 2147483647 257 1"),
            Some(vec![1, 255, 257, 2_147_483_647])
        );
        assert_eq!(values("2 4"), Some(vec![]));
        let facets = |text| Facets(FacetSet::read([Ok(text)]).expect("integers"));
        assert_eq!(facets("11 3 257 11 2").len(), 3);
        assert!(facets("2 4").is_empty());
        let json = serde_json::to_string(&facets("257 11 3 2")).expect("JSON");
        assert_eq!(json, "[3,11,257]");
        assert_eq!(values("-11 -1"), Some(vec![]));
    }

    #[test]
    fn one_part_that_is_no_integer_voids_the_whole() {
        for text in [
            "12 a 13",
            "13x",
            "1,3",
            "2147483648",
            "1.5",
            "١١",
            "-",
            "0b11",
            "13\0",
        ] {
            assert_eq!(values(text), None, "{text:?}");
        }
    }

    #[test]
    fn nothing_is_no_set() {
        for text in ["", " ", "\t\n", "\u{3000}"] {
            assert_eq!(values(text), None, "{text:?}");
        }
    }

    #[test]
    fn thousands_of_parts_are_read_in_no_time() {
        // Descending and distinct: what an insertion into a sorted list would choke on.
        let parts = (0..1_000_000).rev().map(|half| Err(2 * half + 1));
        let start = std::time::Instant::now();
        let set = FacetSet::read(parts).expect("a set");
        assert_eq!(set.iter().count(), 1_000_000);
        // Minutes, if each were looked for among the others or put before them.
        assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
    }

    #[test]
    fn what_is_iterated_is_contained() {
        let set = FacetSet::read([Ok("9 3 11 1001")]).expect("a set");
        for value in set.iter() {
            assert!(set.contains(value), "{value}");
        }
        for value in [0, 1, 2, 10, 12, 13, 999, 1_000, u32::MAX] {
            assert!(!set.contains(value), "{value}");
        }
    }
}
