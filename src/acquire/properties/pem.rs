//! A PEM, and the private key and the certificate in it.

use std::sync::LazyLock;

use aws_lc_rs::{
    digest::{SHA256, digest},
    encoding::AsDer as _,
    rsa::KeySize,
    signature::{KeyPair as _, RSA_PSS_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey},
};

use super::{answers::CLIENT, base64, replaced};
use crate::{
    acquire::{
        certificate::{Certificate, Signing},
        pem::{PemFault, sections},
    },
    admit::token::properties::Tree,
};

/// `%KEY%`, `%PKCS1%` and `%CERT%` are a private key in two forms and its certificate, and `%OTHER%` is a
/// certificate of another key: all in base64, on one line.
pub(crate) fn pem(data: &[u8]) {
    let mut text = data.to_owned();
    for (mark, der) in [
        ("%KEY%", &OWN.pkcs8),
        ("%PKCS1%", &OWN.pkcs1),
        ("%CERT%", &OWN.certificate),
        ("%OTHER%", &OWN.other),
    ] {
        text = replaced(&text, mark.as_bytes(), encoded(der).as_bytes());
    }
    let read = sections(&text).map(|sections| {
        let owned = sections.iter().map(|section| Section {
            label: section.label.to_owned(),
            der: section.der.to_vec(),
        });
        owned.collect::<Vec<_>>()
    });
    let expected = expected(&text);
    assert_eq!(read, expected);
    match Certificate::from_pem(&text) {
        Ok(certificate) => is_of(&certificate, &expected.expect("sections")),
        Err(unusable) => {
            let shown = format!("{unusable:?}");
            for line in text.split(|byte| b"\r\n".contains(byte)) {
                let line = String::from_utf8_lossy(line);
                assert!(
                    line.trim().len() < 24 || !shown.contains(line.trim()),
                    "{shown}"
                );
            }
        }
    }
}

/// What it signs is signed by the one private key of these sections, and names one of their certificates.
fn is_of(certificate: &Certificate, sections: &[Section]) {
    let labelled = |label: &[u8]| {
        let sections = sections
            .iter()
            .filter(move |section| section.label == label);
        sections.map(|section| &*section.der).collect::<Vec<_>>()
    };
    let keys = [labelled(b"PRIVATE KEY"), labelled(b"RSA PRIVATE KEY")].concat();
    assert_eq!(keys.len(), 1);
    let is_key = |section: &&Section| section.label.ends_with(b"PRIVATE KEY");
    assert_eq!(sections.iter().filter(is_key).count(), 1);

    let client = CLIENT.parse().expect("a GUID");
    let assertion = certificate.assertion(Signing::default(), client, "https://a/token", 1);
    let assertion = assertion.expect("an assertion");
    let (signed, signature) = assertion.expose().rsplit_once('.').expect("three parts");
    let signature = base64(signature.as_bytes(), b"-", b"_").expect("base64");
    let key = UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, &OWN.public);
    key.verify(signed.as_bytes(), &signature.bytes)
        .expect("a signature of the key");

    let header = signed
        .split('.')
        .next()
        .and_then(|header| base64(header.as_bytes(), b"-", b"_"));
    let header = header.and_then(|header| String::from_utf8(header.bytes).ok());
    let header = header
        .and_then(|header| Tree::of_object(&header))
        .expect("a header");
    let thumbprint = header
        .get("x5t#S256")
        .and_then(Tree::text)
        .expect("a thumbprint");
    let thumbprint = base64(thumbprint.as_bytes(), b"-", b"_")
        .expect("base64")
        .bytes;
    let certificates = labelled(b"CERTIFICATE");
    let named: Vec<_> = certificates
        .iter()
        .filter(|der| digest(&SHA256, der).as_ref() == thumbprint)
        .collect();
    // A certificate of the key has the key in it.
    let has_key = |der: &[u8]| der.windows(OWN.public.len()).any(|part| part == OWN.public);
    assert!(!named.is_empty() && named.iter().all(|der| has_key(der)));
}

#[derive(Debug, PartialEq)]
struct Section {
    label: Vec<u8>,
    der: Vec<u8>,
}

/// The sections, line by line.
fn expected(text: &[u8]) -> Result<Vec<Section>, PemFault> {
    let mut found: Vec<Section> = Vec::new();
    // The label of the section that is open, and its base64.
    let mut open: Option<(Vec<u8>, Vec<u8>)> = None;
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    for line in text.split(|byte| b"\r\n".contains(byte)) {
        let line = line.trim_ascii();
        open = match (marker(line), open) {
            (Some((true, _)), Some(_)) => return Err(PemFault::NotEnded),
            (Some((true, _)), None) if found.len() == 16 => return Err(PemFault::TooMany),
            (Some((true, b"ENCRYPTED PRIVATE KEY")), None) => return Err(PemFault::Encrypted),
            (Some((true, label)), None) => Some((label.to_owned(), Vec::new())),
            (Some((false, label)), Some((began, _))) if label != began => {
                return Err(PemFault::NotEnded);
            }
            (Some((false, _)), Some((label, base64))) => {
                let der = der(&base64).ok_or(PemFault::NotBase64)?;
                found.push(Section { label, der });
                None
            }
            (None, Some(_)) if line.starts_with(b"Proc-Type:") => return Err(PemFault::Encrypted),
            (None, Some((label, base64))) => Some((label, [&base64, line].concat())),
            (_, None) => None,
        };
    }
    match open {
        None => Ok(found),
        Some(_) => Err(PemFault::NotEnded),
    }
}

/// Whether it begins a section, and its label.
fn marker(line: &[u8]) -> Option<(bool, &[u8])> {
    let inner = line.strip_prefix(b"-----")?.strip_suffix(b"-----")?;
    let (is_begin, label) = match (inner.strip_prefix(b"BEGIN "), inner.strip_prefix(b"END ")) {
        (Some(label), _) => (true, label),
        (None, Some(label)) => (false, label),
        (None, None) => return None,
    };
    let is_plain = |byte: &u8| matches!(byte, b' ' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z');
    label.iter().all(is_plain).then_some((is_begin, label))
}

/// Whole groups of four characters, the last with its padding.
fn der(text: &[u8]) -> Option<Vec<u8>> {
    let padding = text.iter().rev().take_while(|byte| **byte == b'=').count();
    let letters = &text[..text.len() - padding];
    let is_whole = text.len().is_multiple_of(4) && padding <= 2;
    let decoded = base64(letters, b"+", b"/").filter(|decoded| is_whole && decoded.is_canonical)?;
    (!decoded.bytes.is_empty()).then_some(decoded.bytes)
}

/// A key, its certificate, and one of another key.
struct Own {
    pkcs8: Vec<u8>,
    pkcs1: Vec<u8>,
    public: Vec<u8>,
    certificate: Vec<u8>,
    other: Vec<u8>,
}

static OWN: LazyLock<Own> = LazyLock::new(|| {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).expect("a key");
    let pkcs8 = pair.as_der().expect("a key").as_ref().to_owned();
    let public = pair.public_key().as_ref().to_owned();
    let other: Vec<u8> = public.iter().map(|byte| byte ^ 1).collect();
    // Behind the version, the algorithm and the head of the OCTET STRING.
    let (head, pkcs1) = pkcs8.split_at(26);
    assert_eq!(head[22..24], [0x04, 0x82]);
    Own {
        pkcs1: pkcs1.to_owned(),
        certificate: certificate(&public),
        other: certificate(&other),
        pkcs8,
        public,
    }
});

/// A certificate of version 1, with a signature that is none.
fn certificate(key: &[u8]) -> Vec<u8> {
    let sequence = |parts: &[&[u8]]| value(0x30, &parts.concat());
    // rsaEncryption.
    let rsa = sequence(&[&value(0x06, b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01")]);
    let bits = |bits: &[u8]| value(0x03, &[&[0], bits].concat());
    let (issuer, subject) = (sequence(&[b"ca"]), sequence(&[b"app"]));
    let key = sequence(&[&rsa, &bits(key)]);
    let fields = sequence(&[
        &value(0x02, &[7]),
        &rsa,
        &issuer,
        &sequence(&[]),
        &subject,
        &key,
    ]);
    sequence(&[&fields, &rsa, &bits(b"none")])
}

fn value(tag: u8, contents: &[u8]) -> Vec<u8> {
    let length = u16::try_from(contents.len())
        .expect("a short value")
        .to_be_bytes();
    let head: &[u8] = match length {
        [0, short] if short < 0x80 => &[tag, short],
        [0, short] => &[tag, 0x81, short],
        [high, low] => &[tag, 0x82, high, low],
    };
    [head, contents].concat()
}

fn encoded(der: &[u8]) -> String {
    use ::base64::{Engine as _, engine::general_purpose::STANDARD};

    STANDARD.encode(der)
}
