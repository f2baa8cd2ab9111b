//! The names of the claims that are used.

use std::iter;

use super::json::{Slots, Value};

macro_rules! members {
    ($($field:ident: $name:literal,)*) => {
        #[derive(Default)]
        pub(super) struct Members<'j> {
            $(pub(super) $field: Option<Value<'j>>,)*
        }

        impl<'j> Slots<'j> for Members<'j> {
            fn slot(&mut self, name: &str) -> Option<&mut Option<Value<'j>>> {
                Some(match name {
                    $($name => &mut self.$field,)*
                    _ => return None,
                })
            }

            /// Refuses a claim that decides in another letter case. A reader that folds case would
            /// see it, and may take `TID` for `tid`: two readers would then see two callers. In the
            /// right case the claim has a slot, so that few names have to be compared.
            fn is_refused(name: &str) -> bool {
                (3..=6).contains(&name.len())
                    && name.bytes().any(|byte| byte.is_ascii_uppercase() || !byte.is_ascii())
                    && DECIDING.iter().any(|deciding| is_another_case_of(name, deciding))
            }
        }
    };
}

members! {
    iss: "iss",
    aud: "aud",
    tid: "tid",
    ver: "ver",
    exp: "exp",
    nbf: "nbf",
    iat: "iat",
    sub: "sub",
    oid: "oid",
    azp: "azp",
    appid: "appid",
    idtyp: "idtyp",
    scp: "scp",
    roles: "roles",
    cnf: "cnf",
    nonce: "nonce",
    at_hash: "at_hash",
    c_hash: "c_hash",
    xms_act_fct: "xms_act_fct",
    xms_sub_fct: "xms_sub_fct",
    xms_tnt_fct: "xms_tnt_fct",
    xms_idrel: "xms_idrel",
    xms_par_app_azp: "xms_par_app_azp",
    azpacr: "azpacr",
    appidacr: "appidacr",
    acct: "acct",
    idp: "idp",
    uti: "uti",
    acrs: "acrs",
    xms_cc: "xms_cc",
    groups: "groups",
    claim_names: "_claim_names",
    hasgroups: "hasgroups",
    // In nearly every token, and never used. A slot costs less than a name that is kept to be compared
    // with the others.
    _aio: "aio",
    _rh: "rh",
    _xms_ftd: "xms_ftd",
}

/// Whether a reader that folds case may take this name for that of a claim that decides, which it is
/// not. Some letters outside ASCII fold to one or two of ASCII, by Unicode or in Turkish. Other letters
/// fold too (the Kelvin sign to `k`), but to none that these names contain.
pub(crate) fn is_another_case_of(name: &str, deciding: &str) -> bool {
    let folded = name.chars().flat_map(|letter| {
        let (first, second) = match letter {
            'ſ' => ('s', None),
            'ß' | 'ẞ' => ('s', Some('s')),
            'ı' | 'İ' => ('i', None),
            other => (other.to_ascii_lowercase(), None),
        };
        iter::once(first).chain(second)
    });
    name != deciding && folded.eq(deciding.chars())
}

/// All of three to five characters, and of six bytes at most in any letter case, which `is_refused`
/// relies on.
pub(super) const DECIDING: [&str; 15] = [
    "iss", "aud", "tid", "ver", "exp", "nbf", "iat", "sub", "oid", "azp", "appid", "idtyp", "scp",
    "roles", "cnf",
];
