//! Certificates: what the token endpoint reads of one, and how a test gets one.

use aws_lc_rs::{
    digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest},
    encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der},
    rand::SystemRandom,
    rsa::KeySize,
    signature::{KeyPair, RSA_PKCS1_SHA256, RsaKeyPair},
};
use base64::{Engine, engine::general_purpose::STANDARD};

use crate::testing::{
    keys::PublicKey,
    sts::{jwt::either_base64, refusal::timestamp},
};

/// A certificate that is registered with an app.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Certificate {
    sha1: Vec<u8>,
    sha256: Vec<u8>,
    pub(super) key: PublicKey,
    pub(super) not_before: i64,
    pub(super) not_after: i64,
}

impl Certificate {
    /// The first certificate of a PEM text.
    pub(super) fn from_pem(pem: &str) -> Option<Self> {
        Self::from_der(&pem_block(pem, "CERTIFICATE")?)
    }

    fn from_der(der: &[u8]) -> Option<Self> {
        let (certificate, _) = Der::read(der)?;
        let (tbs, _) = Der::read(certificate.inside(SEQUENCE)?)?;
        let mut rest = tbs.inside(SEQUENCE)?;
        let mut next = || {
            let (value, after) = Der::read(rest)?;
            rest = after;
            Some(value)
        };
        let first = next()?;
        if first.tag == VERSION {
            next()?; // The serial number, which has no version before it in version 1.
        }
        let (_algorithm, _issuer) = (next()?, next()?);
        let (validity, _subject, key) = (next()?, next()?, next()?);
        let (not_before, after) = Der::read(validity.inside(SEQUENCE)?)?;
        let (not_after, _) = Der::read(after)?;
        Some(Self {
            sha1: digest(&SHA1_FOR_LEGACY_USE_ONLY, der).as_ref().to_vec(),
            sha256: digest(&SHA256, der).as_ref().to_vec(),
            key: PublicKey::Rsa(key.whole.to_vec()),
            not_before: not_before.time()?,
            not_after: not_after.time()?,
        })
    }

    /// Whether these thumbprints of a header, `x5t#S256` and `x5t`, are those of this certificate.
    pub(super) fn has_thumbprints(&self, sha256: Option<&str>, sha1: Option<&str>) -> bool {
        let fits = |given: Option<&str>, own: &[u8]| {
            given.is_none_or(|text| either_base64(text).is_some_and(|given| given == own))
        };
        fits(sha256, &self.sha256) && fits(sha1, &self.sha1)
    }
}

/// The contents of the first block of this kind in a PEM text.
pub(super) fn pem_block(pem: &str, kind: &str) -> Option<Vec<u8>> {
    let (_, rest) = pem.split_once(&format!("-----BEGIN {kind}-----"))?;
    let (text, _) = rest.split_once(&format!("-----END {kind}-----"))?;
    let text: String = text.split_ascii_whitespace().collect();
    STANDARD.decode(text).ok()
}

/// A value in DER (ITU-T X.690).
struct Der<'d> {
    tag: u8,
    contents: &'d [u8],
    whole: &'d [u8],
}

impl<'d> Der<'d> {
    /// The value that the bytes begin with, and what follows it.
    fn read(bytes: &'d [u8]) -> Option<(Self, &'d [u8])> {
        let [tag, length, rest @ ..] = bytes else {
            return None;
        };
        let (length, rest) = match length {
            0..=0x7f => (usize::from(*length), rest),
            0x81..=0x83 => {
                let (digits, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
                let add = |length, digit: &u8| (length << 8) | usize::from(*digit);
                (digits.iter().fold(0, add), rest)
            }
            _ => return None,
        };
        let (contents, after) = rest.split_at_checked(length)?;
        let value = Self {
            tag: *tag,
            contents,
            whole: &bytes[..bytes.len() - after.len()],
        };
        Some((value, after))
    }

    fn inside(&self, tag: u8) -> Option<&'d [u8]> {
        (self.tag == tag).then_some(self.contents)
    }

    /// UTCTime, `YYMMDDHHMMSSZ`, or GeneralizedTime, `YYYYMMDDHHMMSSZ`, in seconds since the Unix epoch.
    fn time(&self) -> Option<i64> {
        let text = std::str::from_utf8(self.contents).ok()?.strip_suffix('Z')?;
        let text = match self.tag {
            // RFC 5280, section 4.1.2.5.1: from 50 on it is the twentieth century.
            UTC_TIME if text < "50" => format!("20{text}"),
            UTC_TIME => format!("19{text}"),
            GENERALIZED_TIME => text.to_owned(),
            _ => return None,
        };
        if text.len() != 14 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let part = |from, to| text[from..to].parse::<i64>().ok();
        let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
        let seconds = part(8, 10)? * 3_600 + part(10, 12)? * 60 + part(12, 14)?;
        // The year begins with March, so that the day of a leap year is its last.
        let year = if month <= 2 { year - 1 } else { year };
        let month = (month + 9) % 12;
        let days =
            365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
        Some((days - 719_468) * 86_400 + seconds)
    }
}

/// A new key of 2048 bits in PKCS#8 and its certificate, signed by itself and valid from a day before
/// `now` for ten years, in one PEM text.
pub(super) fn new_pem(now: i64) -> String {
    let key = RsaKeyPair::generate(KeySize::Rsa2048).expect("the system has randomness for a key");
    let pkcs8: Pkcs8V1Der<'_> = key.as_der().expect("a generated key can be written");
    let public: PublicKeyX509Der<'_> = key
        .public_key()
        .as_der()
        .expect("a generated key can be written");

    let algorithm = der(SEQUENCE, &[&SHA256_WITH_RSA, &[0x05, 0x00]]);
    let common_name = der(
        SEQUENCE,
        &[&COMMON_NAME, &der(UTF8_STRING, &[b"testing-issuer"])],
    );
    let name = der(SEQUENCE, &[&der(SET, &[&common_name])]);
    let validity = [now - DAY, now + 3_650 * DAY].map(|seconds| {
        let digits: String = timestamp(seconds)
            .chars()
            .filter(char::is_ascii_digit)
            .collect();
        der(GENERALIZED_TIME, &[digits.as_bytes(), b"Z"])
    });
    let tbs = der(
        SEQUENCE,
        &[
            &der(VERSION, &[&[0x02, 0x01, 0x02]]),
            &[0x02, 0x01, 0x01],
            &algorithm,
            &name,
            &der(SEQUENCE, &[&validity[0], &validity[1]]),
            &name,
            public.as_ref(),
        ],
    );
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(
        &RSA_PKCS1_SHA256,
        &SystemRandom::new(),
        &tbs,
        &mut signature,
    )
    .expect("a key of 2048 bits has room for the digest");
    let certificate = der(
        SEQUENCE,
        &[&tbs, &algorithm, &der(BIT_STRING, &[&[0], &signature])],
    );
    pem("PRIVATE KEY", pkcs8.as_ref()) + &pem("CERTIFICATE", &certificate)
}

fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let contents = parts.concat();
    let length = contents.len().to_be_bytes();
    let length = match contents.len() {
        0..=0x7f => &length[7..],
        _ => {
            let zeros = length.iter().take_while(|byte| **byte == 0).count();
            &length[zeros..]
        }
    };
    let mut value = vec![tag];
    if contents.len() >= 0x80 {
        value.push(0x80 | u8::try_from(length.len()).expect("a length has at most 8 bytes"));
    }
    value.extend_from_slice(length);
    value.extend_from_slice(&contents);
    value
}

fn pem(kind: &str, contents: &[u8]) -> String {
    let text = STANDARD.encode(contents);
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(64)
        .filter_map(|line| std::str::from_utf8(line).ok())
        .collect();
    format!(
        "-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n",
        lines.join("\n")
    )
}

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const UTF8_STRING: u8 = 0x0c;
const BIT_STRING: u8 = 0x03;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const VERSION: u8 = 0xa0;

/// The object identifiers 1.2.840.113549.1.1.11 and 2.5.4.3.
const SHA256_WITH_RSA: [u8; 11] = [
    0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b,
];
const COMMON_NAME: [u8; 5] = [0x06, 0x03, 0x55, 0x04, 0x03];

const DAY: i64 = 86_400;
