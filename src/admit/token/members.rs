//! The names of the claims that are used.

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
                    && folded(name).is_some_and(|folded| PACKED.contains(&folded))
            }
        }
    };
}

/// The claims that decide alone. The others are checked as members that are not used: a list of 2,200
/// strings with escapes in `groups`, built for nothing, cost as much as three good tokens.
#[derive(Default)]
pub(super) struct Deciding<'j>(pub(super) Members<'j>);

impl<'j> Slots<'j> for Deciding<'j> {
    fn slot(&mut self, name: &str) -> Option<&mut Option<Value<'j>>> {
        let Self(members) = self;
        DECIDING.contains(&name).then(|| members.slot(name))?
    }

    fn is_refused(name: &str) -> bool {
        Members::is_refused(name)
    }
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

/// The name as a reader that folds case may see it, if that has letters that `DECIDING` has.
///
/// Some letters outside ASCII fold to one or two of ASCII, by Unicode or in Turkish. Other letters fold
/// too (the Kelvin sign to `k`), but to none that these names contain. A token of 16 KiB has room for
/// 1,200 such names: comparing letter by letter with each of `DECIDING` took eight good tokens.
fn folded(name: &str) -> Option<u64> {
    name.chars().try_fold(0, |folded, letter| {
        Some(match letter {
            'ſ' => push(folded, b's'),
            'ß' | 'ẞ' => push(push(folded, b's'), b's'),
            'ı' | 'İ' => push(folded, b'i'),
            // It would not show in the number.
            '\0' => return None,
            other => push(folded, u8::try_from(other).ok()?.to_ascii_lowercase()),
        })
    })
}

/// The letters of a name of at most eight bytes, in a number.
const fn packed(name: &str) -> u64 {
    let (bytes, mut packed, mut at) = (name.as_bytes(), 0, 0);
    while at < bytes.len() {
        packed = push(packed, bytes[at]);
        at += 1;
    }
    packed
}

const fn push(packed: u64, letter: u8) -> u64 {
    packed << 8 | u64::from_be_bytes([0, 0, 0, 0, 0, 0, 0, letter])
}

/// All of three to five characters, and of six bytes at most in any letter case, which `is_refused`
/// relies on.
pub(super) const DECIDING: [&str; 15] = [
    "iss", "aud", "tid", "ver", "exp", "nbf", "iat", "sub", "oid", "azp", "appid", "idtyp", "scp",
    "roles", "cnf",
];

const PACKED: [u64; DECIDING.len()] = {
    let (mut all, mut at) = ([0; DECIDING.len()], 0);
    while at < all.len() {
        all[at] = packed(DECIDING[at]);
        at += 1;
    }
    all
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deciding_name_in_another_letter_case_is_refused_and_no_other() {
        for deciding in DECIDING {
            assert!(!Members::is_refused(deciding), "it has a slot");
            let upper = deciding.to_uppercase();
            assert!(Members::is_refused(&upper), "{upper}");
            for letter in ["s", "ss", "i"] {
                let odd: &[&str] = match letter {
                    "s" => &["ſ", "S"],
                    "ss" => &["ß", "ẞ"],
                    _ => &["ı", "İ", "I"],
                };
                for odd in odd.iter().filter(|_| deciding.contains(letter)) {
                    let name = deciding.replace(letter, odd);
                    assert!(Members::is_refused(&name), "{name}");
                }
            }
            for other in [
                format!("{upper}x"),
                format!("X{upper}"),
                upper[1..].to_owned(),
            ] {
                let is_deciding = DECIDING.contains(&other.to_lowercase().as_str());
                assert!(is_deciding || !Members::is_refused(&other), "{other}");
            }
        }
        for name in [
            "Uti",
            "aU0",
            "ß00",
            "éss",
            "Ａｕｄ",
            "TIDE",
            "K",
            "\0IS",
            "\0SS",
        ] {
            assert!(!Members::is_refused(name), "{name}");
        }
    }
}
