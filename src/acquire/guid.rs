//! GUIDs made at random.

use aws_lc_rs::{error::Unspecified, rand};

/// A GUID of version 4, in lower case with hyphens.
///
/// # Errors
///
/// Fails if the operating system gives no random bytes.
pub(super) fn random_guid() -> Result<String, Unspecified> {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes)?;
    let random = u128::from_be_bytes(bytes);
    let guid = (random & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{guid:032x}");
    let part = |from, to| hex.get(from..to).unwrap_or_default();
    Ok([
        part(0, 8),
        part(8, 12),
        part(12, 16),
        part(16, 20),
        part(20, 32),
    ]
    .join("-"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::ids::ObjectId;

    #[test]
    fn a_guid_is_of_version_4_and_new_each_time() {
        let guids: Vec<String> = (0..100).map(|_| random_guid().unwrap()).collect();
        for guid in &guids {
            assert!(guid.parse::<ObjectId>().is_ok(), "{guid}");
            assert_eq!(&guid[14..15], "4", "{guid}");
            assert!("89ab".contains(&guid[19..20]), "{guid}");
        }
        let distinct: std::collections::HashSet<_> = guids.iter().collect();
        assert_eq!(distinct.len(), 100);
    }
}
