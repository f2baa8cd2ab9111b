//! PEM: the sections of a text, and why they cannot be read.
//!
//! Written here because the reader of `rustls-pki-types` skips the labels that it does not know, an
//! encrypted key among them, and leaves copies of private keys in memory.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

/// The DER of one section, and its label.
#[derive(Debug)]
pub(super) struct Section<'a> {
    pub(super) label: &'a [u8],
    pub(super) der: Zeroizing<Vec<u8>>,
}

/// Why a text is not read. Nothing of the text is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PemFault {
    /// A section begins, and the text ends before it does.
    NotEnded,
    /// The key of this section is encrypted.
    Encrypted,
    /// A section holds something other than base64, or none.
    NotBase64,
    /// There are more than [`MAX_SECTIONS`].
    TooMany,
}

/// Reads all sections in their order. Text outside of them, such as the bag attributes that OpenSSL
/// writes, and white space around lines make no difference.
pub(super) fn sections(text: &[u8]) -> Result<Vec<Section<'_>>, PemFault> {
    let mut sections = Vec::new();
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    let mut lines = text
        .split(|byte| matches!(byte, b'\n' | b'\r'))
        .map(<[u8]>::trim_ascii);
    while let Some(line) = lines.next() {
        let Some(label) = label_of(line, BEGIN) else {
            continue;
        };
        if sections.len() == MAX_SECTIONS {
            return Err(PemFault::TooMany);
        }
        if label == ENCRYPTED_KEY {
            return Err(PemFault::Encrypted);
        }
        // As large as it can become, so that no copy is left behind.
        let mut base64 = Zeroizing::new(Vec::with_capacity(text.len()));
        loop {
            let line = lines.next().ok_or(PemFault::NotEnded)?;
            if let Some(ended) = label_of(line, END) {
                if ended != label {
                    return Err(PemFault::NotEnded);
                }
                break;
            }
            if label_of(line, BEGIN).is_some() {
                return Err(PemFault::NotEnded);
            }
            // The headers of RFC 1421, which an encrypted key of PKCS#1 has.
            if line.starts_with(b"Proc-Type:") {
                return Err(PemFault::Encrypted);
            }
            base64.extend_from_slice(line);
        }
        let der = decode(&base64).ok_or(PemFault::NotBase64)?;
        sections.push(Section { label, der });
    }
    Ok(sections)
}

/// Whether there is a marker anywhere, on a line of its own or not.
pub(super) fn has_a_marker(text: &[u8]) -> bool {
    text.windows(BEGIN.len()).any(|window| window == BEGIN)
}

/// The bytes of a base64 text, unless there are none.
pub(super) fn decode(base64: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut der = Zeroizing::new(Vec::with_capacity(base64.len()));
    STANDARD.decode_vec(base64, &mut der).ok()?;
    (!der.is_empty()).then_some(der)
}

/// The label of a line that is a marker, and nothing else.
fn label_of<'a>(line: &'a [u8], marker: &[u8]) -> Option<&'a [u8]> {
    let label = line.strip_prefix(marker)?.strip_suffix(b"-----")?;
    let is_label = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b' ';
    label.iter().all(is_label).then_some(label)
}

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();
const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
const ENCRYPTED_KEY: &[u8] = b"ENCRYPTED PRIVATE KEY";

/// A key, ten certificates, and parameters of keys.
pub(super) const MAX_SECTIONS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<(String, Vec<u8>)>, PemFault> {
        let sections = sections(text.as_bytes())?.into_iter();
        let shown = sections.map(|section| {
            let label = String::from_utf8_lossy(section.label).into_owned();
            (label, section.der.to_vec())
        });
        Ok(shown.collect())
    }

    #[test]
    fn a_section_that_is_cut_encrypted_or_not_base64_is_refused() {
        use PemFault::{Encrypted, NotBase64, NotEnded};

        for (text, fault) in [
            ("-----BEGIN A-----", NotEnded),
            ("-----BEGIN A-----\nAAEC", NotEnded),
            // A marker that lacks a hyphen is a line like any other.
            ("-----BEGIN A-----\nAAEC\n-----END A----", NotEnded),
            ("-----BEGIN A-----\nAAEC\n-----END B-----", NotEnded),
            (
                "-----BEGIN A-----\nAAEC\n-----BEGIN A-----\nAAEC\n-----END A-----",
                NotEnded,
            ),
            ("-----BEGIN A-----\n-----END A-----", NotBase64),
            ("-----BEGIN A-----\nAAE\n-----END A-----", NotBase64),
            ("-----BEGIN A-----\nAAE_\n-----END A-----", NotBase64),
            ("-----BEGIN A-----\nAA EC\n-----END A-----", NotBase64),
            (
                "-----BEGIN A-----\nAAECAA==AAEC\n-----END A-----",
                NotBase64,
            ),
            ("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAEC", Encrypted),
            (
                "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAEC\n-----END RSA PRIVATE KEY-----",
                Encrypted,
            ),
        ] {
            assert_eq!(read(text), Err(fault), "{text}");
        }
        let many = |count| "-----BEGIN A-----\nAAEC\n-----END A-----\n".repeat(count);
        assert_eq!(read(&many(16)).map(|sections| sections.len()), Ok(16));
        assert_eq!(read(&many(17)), Err(PemFault::TooMany));
    }

    #[test]
    fn sections_are_read_whatever_is_around_them() {
        let expected = [
            ("A".to_owned(), vec![0, 1, 2]),
            ("B C".to_owned(), vec![0, 1]),
        ];
        for text in [
            "-----BEGIN A-----\nAAEC\n-----END A-----\n-----BEGIN B C-----\nAAE=\n-----END B C-----\n",
            "-----BEGIN A-----\r\nAAEC\r\n-----END A-----\r\n-----BEGIN B C-----\r\nAAE=\r\n-----END B C-----",
            "\u{feff}-----BEGIN A-----\nAAEC\n-----END A-----\n-----BEGIN B C-----\nAAE=\n-----END B C-----",
            "Bag Attributes\n    friendlyName: é\n-----BEGIN A-----\nAA\nEC\n\n-----END A-----\nKey Attributes: <No Attributes>\n  -----BEGIN B C-----\n  AAE=\n  -----END B C-----",
        ] {
            assert_eq!(read(text).as_deref(), Ok(expected.as_slice()), "{text}");
        }
        assert_eq!(read("no marker"), Ok(vec![]));
    }
}
