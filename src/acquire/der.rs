//! DER, as much of it as it takes to find the names and the public key in a certificate.
//!
//! A strict subset of [X.690](https://www.itu.int/rec/T-REC-X.690): tags of one byte, and lengths that
//! are definite and in their shortest form. It reads each byte once and allocates nothing.

/// What is left of a sequence of values.
#[derive(Clone, Copy, Debug)]
pub(super) struct Values<'a>(&'a [u8]);

/// A value: its tag, its contents, and both with the length between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Value<'a> {
    tag: u8,
    pub(super) contents: &'a [u8],
    pub(super) whole: &'a [u8],
}

impl<'a> Values<'a> {
    /// The contents of the one SEQUENCE that these bytes are, without a byte behind it.
    pub(super) fn of_sequence(der: &'a [u8]) -> Option<Self> {
        let mut values = Self(der);
        let sequence = values.take(SEQUENCE)?;
        values.0.is_empty().then_some(Self(sequence.contents))
    }

    /// The next value, which must have this tag.
    pub(super) fn take(&mut self, tag: u8) -> Option<Value<'a>> {
        let (value, rest) = split_first(self.0)?;
        if value.tag != tag {
            return None;
        }
        self.0 = rest;
        Some(value)
    }

    /// The next value if it has this tag.
    fn take_optional(&mut self, tag: u8) {
        let _ = self.take(tag);
    }
}

/// What a certificate says of its subject, its issuer and its key. Nothing vouches for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct CertificateFields<'a> {
    /// The name of the issuer, as it is written.
    pub(super) issuer: &'a [u8],
    /// The name of the subject, as it is written.
    pub(super) subject: &'a [u8],
    /// The `RSAPublicKey`, if it is an RSA key.
    pub(super) rsa_key: Option<&'a [u8]>,
}

impl<'a> CertificateFields<'a> {
    /// Reads a [certificate](https://www.rfc-editor.org/rfc/rfc5280#section-4.1) up to its public key. What
    /// comes behind, the extensions and the signature, is not read.
    pub(super) fn read(der: &'a [u8]) -> Option<Self> {
        let mut certificate = Values::of_sequence(der)?;
        let mut fields = Values(certificate.take(SEQUENCE)?.contents);
        certificate.take(SEQUENCE)?;
        certificate.take(BIT_STRING)?;
        if !certificate.0.is_empty() {
            return None;
        }
        fields.take_optional(VERSION);
        fields.take(INTEGER)?;
        fields.take(SEQUENCE)?;
        let issuer = fields.take(SEQUENCE)?.whole;
        fields.take(SEQUENCE)?;
        let subject = fields.take(SEQUENCE)?.whole;
        let mut key = Values(fields.take(SEQUENCE)?.contents);
        let algorithm = algorithm(&mut key)?;
        let [0, bits @ ..] = key.take(BIT_STRING)?.contents else {
            return None;
        };
        Some(Self {
            issuer,
            subject,
            rsa_key: (algorithm == RSA).then_some(bits),
        })
    }
}

/// Whether this is the [`PrivateKeyInfo`](https://www.rfc-editor.org/rfc/rfc5208#section-5) of a key that is
/// not an RSA key.
pub(super) fn is_private_key_of_another_kind(pkcs8: &[u8]) -> bool {
    let read = || {
        let mut key = Values::of_sequence(pkcs8)?;
        key.take(INTEGER)?;
        algorithm(&mut key)
    };
    read().is_some_and(|algorithm| algorithm != RSA)
}

/// Whether this begins like a [`PFX`](https://www.rfc-editor.org/rfc/rfc7292#section-4): version 3, and
/// content of PKCS#7. OpenSSL writes such files in DER, Windows in BER with indefinite lengths.
pub(super) fn is_pfx(bytes: &[u8]) -> bool {
    let [SEQUENCE, length, rest @ ..] = bytes else {
        return false;
    };
    let more = usize::from(length & 0x7f);
    let length = if *length < LONG_FORM { 0 } else { more };
    rest.get(length..)
        .is_some_and(|contents| contents.starts_with(&[INTEGER, 1, 3, SEQUENCE]))
}

/// Whether these bytes are one SEQUENCE: a key, a certificate or a bundle that is DER and not PEM.
pub(super) fn is_sequence(bytes: &[u8]) -> bool {
    Values::of_sequence(bytes).is_some()
}

/// The object identifier of an `AlgorithmIdentifier`. Its parameters are not read.
fn algorithm<'a>(values: &mut Values<'a>) -> Option<&'a [u8]> {
    let mut identifier = Values(values.take(SEQUENCE)?.contents);
    Some(identifier.take(OBJECT_IDENTIFIER)?.contents)
}

fn split_first(der: &[u8]) -> Option<(Value<'_>, &[u8])> {
    let [tag, first, rest @ ..] = der else {
        return None;
    };
    if tag & LONG_TAG == LONG_TAG {
        return None;
    }
    let (length, rest) = if *first < LONG_FORM {
        (usize::from(*first), rest)
    } else {
        let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        // The indefinite form has no bytes here. Four are enough for what fits into a PEM.
        if bytes.is_empty() || bytes.len() > 4 || bytes.first() == Some(&0) {
            return None;
        }
        let length = bytes
            .iter()
            .fold(0_u32, |length, byte| (length << 8) | u32::from(*byte));
        if length < u32::from(LONG_FORM) {
            return None;
        }
        (usize::try_from(length).ok()?, rest)
    };
    let (contents, rest) = rest.split_at_checked(length)?;
    let (whole, _) = der.split_at_checked(der.len() - rest.len())?;
    let value = Value {
        tag: *tag,
        contents,
        whole,
    };
    Some((value, rest))
}

pub(super) const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OBJECT_IDENTIFIER: u8 = 0x06;
/// `[0]`, explicit: the version of a certificate, which those of version 1 leave out.
const VERSION: u8 = 0xa0;
/// A tag with these bits goes on in the next byte.
const LONG_TAG: u8 = 0x1f;
/// A length from here on has its own bytes.
const LONG_FORM: u8 = 0x80;

/// `rsaEncryption`, 1.2.840.113549.1.1.1.
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// One value, with a length in its shortest form.
    pub(in crate::acquire) fn value(tag: u8, contents: &[u8]) -> Vec<u8> {
        let length = u32::try_from(contents.len()).unwrap().to_be_bytes();
        let first = length.iter().position(|byte| *byte != 0).unwrap_or(3);
        let length = &length[first..];
        let mut der = vec![tag];
        match length {
            [short] if *short < LONG_FORM => der.push(*short),
            long => {
                der.push(LONG_FORM + u8::try_from(long.len()).unwrap());
                der.extend_from_slice(long);
            }
        }
        der.extend_from_slice(contents);
        der
    }

    /// A certificate of the form of version 1, whose signature is no signature.
    pub(in crate::acquire) fn certificate(
        issuer: &str,
        subject: &str,
        algorithm: &[u8],
        key: &[u8],
    ) -> Vec<u8> {
        let name = |name: &str| value(SEQUENCE, name.as_bytes());
        let identifier = |oid: &[u8]| value(SEQUENCE, &value(OBJECT_IDENTIFIER, oid));
        let bits = |bits: &[u8]| value(BIT_STRING, &[&[0], bits].concat());
        let fields = [
            value(INTEGER, &[7]),
            identifier(RSA),
            name(issuer),
            value(SEQUENCE, b""),
            name(subject),
            value(SEQUENCE, &[identifier(algorithm), bits(key)].concat()),
        ];
        let fields = value(SEQUENCE, &fields.concat());
        value(SEQUENCE, &[fields, identifier(RSA), bits(b"none")].concat())
    }

    pub(in crate::acquire) fn rsa_certificate(issuer: &str, subject: &str, key: &[u8]) -> Vec<u8> {
        certificate(issuer, subject, RSA, key)
    }

    pub(in crate::acquire) const ELLIPTIC_CURVE: &[u8] =
        &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];

    #[test]
    fn a_length_that_is_not_in_its_shortest_definite_form_is_refused() {
        let long = value(SEQUENCE, &[0; 200]);
        assert_eq!(long[..3], [SEQUENCE, 0x81, 200]);
        let longest = value(SEQUENCE, &vec![0; 1 << 24]);
        assert_eq!(longest[..6], [SEQUENCE, 0x84, 1, 0, 0, 0]);
        assert!(is_sequence(&longest));
        for (der, reads) in [
            (vec![], false),
            (vec![SEQUENCE], false),
            (vec![SEQUENCE, 0], true),
            (vec![SEQUENCE, 0, 0], false),
            (vec![SEQUENCE, 1], false),
            (vec![SEQUENCE, 2, 0, 0], true),
            (vec![SEQUENCE, 0x80, 0, 0], false),
            ([&[SEQUENCE, 0x80][..], &[0; 128]].concat(), false),
            (vec![SEQUENCE, 0x81, 2, 0, 0], false),
            (vec![SEQUENCE, 0x82, 0, 2, 0, 0], false),
            (vec![SEQUENCE, 0x85, 0, 0, 0, 0, 2, 0, 0], false),
            (vec![SEQUENCE, 0x85, 1, 0, 0, 0, 2, 0, 0], false),
            (vec![SEQUENCE, 0x84, 0xff, 0xff, 0xff, 0xff, 0], false),
            (vec![SEQUENCE, 0xff, 0, 0], false),
            (vec![0x31, 0], false),
            (vec![0x3f, 0x30, 0], false),
            (long.clone(), true),
            (long[..long.len() - 1].to_vec(), false),
        ] {
            assert_eq!(is_sequence(&der), reads, "{der:x?}");
        }
    }

    #[test]
    fn nothing_comes_behind_the_signature_of_a_certificate() {
        let good = rsa_certificate("issuer", "subject", &[1; 300]);
        let sequence = Values::of_sequence(&good).expect("a sequence");
        let with = |behind: &[u8]| value(SEQUENCE, &[sequence.0, behind].concat());
        assert_eq!(with(&[]), good);
        for behind in [&[0][..], &[0, 0], &value(SEQUENCE, &[])] {
            assert!(
                CertificateFields::read(&with(behind)).is_none(),
                "{behind:x?}"
            );
        }
    }

    #[test]
    fn a_certificate_that_is_cut_or_has_a_wrong_tag_is_not_read() {
        let good = rsa_certificate("issuer", "subject", &[1; 300]);
        let fields = CertificateFields::read(&good).expect("a certificate");
        assert_eq!(fields.rsa_key, Some([1; 300].as_slice()));
        assert_eq!(fields.issuer, value(SEQUENCE, b"issuer"));
        assert_eq!(fields.subject, value(SEQUENCE, b"subject"));
        for end in 0..good.len() {
            assert!(CertificateFields::read(&good[..end]).is_none(), "{end}");
        }
        let longer = [good.as_slice(), &[0]].concat();
        assert!(CertificateFields::read(&longer).is_none());
        // No byte makes it panic.
        for at in 0..good.len() {
            for flip in [1, 0x20, 0x80, 0xff] {
                let mut edited = good.clone();
                edited[at] ^= flip;
                let _ = CertificateFields::read(&edited);
            }
        }
    }

    #[test]
    fn a_key_of_another_kind_is_no_rsa_key() {
        let elliptic = certificate("a", "b", ELLIPTIC_CURVE, &[4; 65]);
        let fields = CertificateFields::read(&elliptic).expect("a certificate");
        assert_eq!(fields.rsa_key, None);
    }

    #[test]
    fn a_length_has_its_shortest_form_and_at_most_four_bytes() {
        let read = |length: &[u8]| {
            let first = LONG_FORM + u8::try_from(length.len()).unwrap();
            let der = [&[SEQUENCE, first][..], length, &[0; 300]].concat();
            split_first(&der).map(|(value, _)| value.contents.len())
        };
        assert_eq!(read(&[0x80]), Some(128));
        assert_eq!(read(&[1, 0]), Some(256));
        for length in [
            &[][..],
            &[0x7f],
            &[0, 0x80],
            &[0, 0, 1, 0],
            &[1, 0, 0, 0, 0x80],
        ] {
            assert_eq!(read(length), None, "{length:x?}");
        }
        // The tag goes on in the next byte.
        assert!(split_first(&[0x1f, 0]).is_none() && split_first(&[0x3f, 0]).is_none());
        assert!(split_first(&[0x1e, 0]).is_some());
    }

    #[test]
    fn a_pfx_is_known_by_its_first_bytes_in_der_and_in_ber() {
        let contents = [&[INTEGER, 1, 3][..], &value(SEQUENCE, &[0; 300])].concat();
        let der = value(SEQUENCE, &contents);
        let ber = [&[SEQUENCE, 0x80][..], &contents, &[0, 0]].concat();
        let short = value(SEQUENCE, &[INTEGER, 1, 3, SEQUENCE, 0]);
        assert!(is_pfx(&der) && is_pfx(&ber) && is_pfx(&short));
        let mut other = der.clone();
        other[6] = 2;
        // The longest of the lengths that have one byte.
        let contents = [&[INTEGER, 1, 3][..], &value(SEQUENCE, &[0; 122])].concat();
        let longest = value(SEQUENCE, &contents);
        assert!(longest[1] == 127 && is_pfx(&longest));
        for not in [&other[..], &der[..6], b"", b"0", b"-----BEGIN"] {
            assert!(!is_pfx(not), "{not:x?}");
        }
    }
}
