//! A certificate and its private key, and the assertions that it signs.

use std::fmt;

use aws_lc_rs::{
    digest::{SHA256, digest},
    error::Unspecified,
    rand::SystemRandom,
    signature::{KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair},
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::{
    acquire::{
        der::{CertificateFields, is_pfx, is_private_key_of_another_kind, is_sequence},
        guid::random_guid,
        pem::{self, PemFault, Section},
    },
    ids::AppId,
    secret::Secret,
};

/// A private key and the certificate of its public key, with the issuers that came along.
///
/// Its dates are not looked at: Entra says whether it has expired.
pub(super) struct Certificate {
    key: RsaKeyPair,
    /// `x5t#S256`: the SHA-256 of the certificate, in base64url.
    thumbprint: String,
    /// `x5c`: the certificate and its issuers, each signed by the next, in base64.
    chain: Vec<String>,
}

/// How an assertion is signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Signing {
    /// RS256 in place of PS256.
    pub(super) rs256: bool,
    /// With the certificates, and not only with the thumbprint.
    pub(super) x5c: bool,
}

/// Why there is no certificate in a text. Nothing of the text is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unusable {
    /// What was found: `the private key is encrypted`.
    pub(super) problem: String,
    /// What to do.
    pub(super) hint: &'static str,
    /// Whether it may be a file that is still being written.
    pub(super) is_incomplete: bool,
}

impl Certificate {
    /// Reads a private key and certificates, in any order.
    pub(super) fn from_pem(text: &[u8]) -> Result<Self, Unusable> {
        if text.len() > MAX_PEM {
            return Err(unusable("it is larger than 1 MiB", ONE_PEM));
        }
        if is_pfx(text) {
            return Err(unusable(PFX, CONVERT_PFX));
        }
        let sections = pem::sections(text).map_err(of_pem)?;
        if sections.is_empty() {
            return Err(no_section(text));
        }
        let key = private_key(&sections)?;
        let found: Vec<&Section<'_>> = sections
            .iter()
            .filter(|section| section.label == b"CERTIFICATE")
            .collect();
        if found.len() > MAX_CERTIFICATES {
            return Err(unusable("there are more than 10 certificates", ONE_PEM));
        }
        let mut certificates: Vec<Parsed<'_>> = Vec::new();
        for section in found {
            let der = section.der.as_slice();
            let fields = CertificateFields::read(der)
                .ok_or_else(|| unusable("a certificate is not DER of X.509", ONE_PEM))?;
            if certificates.iter().all(|known| known.der != der) {
                certificates.push(Parsed { der, fields });
            }
        }
        let leaf = leaf(&certificates, key.public_key().as_ref())?;
        let chain = chain(leaf, &certificates);
        Ok(Self {
            thumbprint: URL_SAFE_NO_PAD.encode(digest(&SHA256, leaf.der)),
            chain: chain.map(|one| STANDARD.encode(one.der)).collect(),
            key,
        })
    }

    /// A fresh [assertion](https://learn.microsoft.com/en-us/entra/identity-platform/certificate-credentials)
    /// of this client, for 600 s from `now`, in seconds since 1970.
    pub(super) fn assertion(
        &self,
        signing: Signing,
        client_id: AppId,
        token_endpoint: &str,
        now: u64,
    ) -> Result<Secret, Unspecified> {
        let (alg, encoding): (_, &'static dyn RsaEncoding) = if signing.rs256 {
            ("RS256", &RSA_PKCS1_SHA256)
        } else {
            ("PS256", &RSA_PSS_SHA256)
        };
        let header = Header {
            alg,
            typ: "JWT",
            thumbprint: &self.thumbprint,
            x5c: signing.x5c.then_some(&self.chain),
        };
        let claims = Claims {
            aud: token_endpoint,
            iss: client_id,
            sub: client_id,
            jti: random_guid()?,
            nbf: now,
            iat: now,
            exp: now.saturating_add(LIFE),
        };
        let encode = |json: serde_json::Result<Vec<u8>>| {
            let json = json.map_err(|_| Unspecified)?;
            Ok::<_, Unspecified>(URL_SAFE_NO_PAD.encode(json))
        };
        let header = encode(serde_json::to_vec(&header))?;
        let claims = encode(serde_json::to_vec(&claims))?;
        let signed = format!("{header}.{claims}");
        let mut signature = vec![0; self.key.public_modulus_len()];
        let random = SystemRandom::new();
        self.key
            .sign(encoding, &random, signed.as_bytes(), &mut signature)?;
        let signature = URL_SAFE_NO_PAD.encode(signature);
        Ok(Secret::new(format!("{signed}.{signature}")))
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("thumbprint", &self.thumbprint)
            .finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct Header<'a> {
    alg: &'static str,
    typ: &'static str,
    #[serde(rename = "x5t#S256")]
    thumbprint: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    x5c: Option<&'a Vec<String>>,
}

#[derive(Serialize)]
struct Claims<'a> {
    aud: &'a str,
    iss: AppId,
    sub: AppId,
    jti: String,
    nbf: u64,
    iat: u64,
    exp: u64,
}

#[derive(Clone, Copy)]
struct Parsed<'a> {
    der: &'a [u8],
    fields: CertificateFields<'a>,
}

/// The one private key.
fn private_key(sections: &[Section<'_>]) -> Result<RsaKeyPair, Unusable> {
    let mut keys = sections
        .iter()
        .filter(|section| section.label.ends_with(b"PRIVATE KEY"));
    let Some(section) = keys.next() else {
        return Err(unusable("there is no private key", KEY_AND_CERTIFICATE));
    };
    if keys.next().is_some() {
        return Err(unusable("there is more than one private key", ONE_PEM));
    }
    let der: &Zeroizing<Vec<u8>> = &section.der;
    let key = match section.label {
        b"PRIVATE KEY" if is_private_key_of_another_kind(der) => return Err(no_rsa_key()),
        b"PRIVATE KEY" => RsaKeyPair::from_pkcs8(der),
        b"RSA PRIVATE KEY" => RsaKeyPair::from_der(der),
        _ => return Err(no_rsa_key()),
    };
    key.map_err(|rejected| match rejected.to_string().as_str() {
        "TooSmall" => unusable("the RSA key has less than 2048 bits", MAKE_RSA),
        "TooLarge" => unusable("the RSA key has more than 8192 bits", MAKE_RSA),
        _ => unusable("the private key is not a valid RSA key", ONE_PEM),
    })
}

/// The one certificate of this public key.
fn leaf<'a>(certificates: &[Parsed<'a>], key: &[u8]) -> Result<Parsed<'a>, Unusable> {
    if certificates.is_empty() {
        return Err(unusable("there is no certificate", KEY_AND_CERTIFICATE));
    }
    let mut of_key = certificates
        .iter()
        .filter(|certificate| certificate.fields.rsa_key == Some(key));
    match (of_key.next(), of_key.next()) {
        (Some(leaf), None) => Ok(*leaf),
        (Some(_), Some(_)) => Err(unusable(
            "more than one certificate has the public key of the private key",
            "Leave only the one that is registered.",
        )),
        (None, _) => {
            let problem = match certificates.len() {
                1 => "the certificate is of another key than the private key".to_owned(),
                count => format!("none of the {count} certificates is of the private key"),
            };
            Err(unusable(problem, KEY_AND_CERTIFICATE))
        }
    }
}

/// The leaf, its issuer, and so on up to one that is its own issuer or whose issuer is not there. Which is
/// which is said by the names; signatures are for Entra to check.
fn chain<'a>(leaf: Parsed<'a>, certificates: &[Parsed<'a>]) -> impl Iterator<Item = Parsed<'a>> {
    let mut left: Vec<Parsed<'a>> = certificates
        .iter()
        .filter(|certificate| certificate.der != leaf.der)
        .copied()
        .collect();
    let issuer_of = move |last: &Parsed<'a>| {
        if last.fields.issuer == last.fields.subject {
            return None;
        }
        let at = left
            .iter()
            .position(|certificate| certificate.fields.subject == last.fields.issuer)?;
        Some(left.remove(at))
    };
    std::iter::successors(Some(leaf), issuer_of)
}

fn of_pem(fault: PemFault) -> Unusable {
    match fault {
        PemFault::NotEnded => Unusable {
            is_incomplete: true,
            ..unusable("a section of the PEM has no end", ONE_PEM)
        },
        PemFault::Encrypted => unusable("the private key is encrypted", DECRYPT),
        PemFault::NotBase64 => unusable("a section of the PEM is not base64", ONE_PEM),
        PemFault::TooMany => unusable("the PEM has too many sections", ONE_PEM),
    }
}

/// What a text is that has no section of PEM.
fn no_section(text: &[u8]) -> Unusable {
    if text.trim_ascii().is_empty() {
        return Unusable {
            is_incomplete: true,
            ..unusable("it is empty", KEY_AND_CERTIFICATE)
        };
    }
    if is_sequence(text) {
        return unusable("it is DER, not PEM", CONVERT_DER);
    }
    if pem::has_a_marker(text) {
        return unusable(
            "the lines that begin sections of the PEM are not lines of their own",
            "Keep the line ends: an environment variable may have lost them, or may have \\n in their place.",
        );
    }
    let mut base64 = Zeroizing::new(Vec::with_capacity(text.len()));
    base64.extend(text.iter().filter(|byte| !byte.is_ascii_whitespace()));
    match pem::decode(&base64) {
        Some(der) if is_pfx(&der) => {
            unusable("it is a PFX (PKCS#12) in base64", CONVERT_BASE64_PFX)
        }
        _ => unusable("it is not PEM", KEY_AND_CERTIFICATE),
    }
}

fn no_rsa_key() -> Unusable {
    unusable("the private key is not an RSA key", MAKE_RSA)
}

fn unusable(problem: impl Into<String>, hint: &'static str) -> Unusable {
    Unusable {
        problem: problem.into(),
        hint,
        is_incomplete: false,
    }
}

/// The largest text that is read, in bytes.
pub(super) const MAX_PEM: usize = 1024 * 1024;
const MAX_CERTIFICATES: usize = 10;

/// How long an assertion is good, in seconds: Entra asks for five to ten minutes.
const LIFE: u64 = 600;

const PFX: &str = "it is a PFX (PKCS#12), not PEM";
const CONVERT_PFX: &str = "Convert it: openssl pkcs12 -in FILE.pfx -out FILE.pem -nodes (with -legacy if it is an old one).";
const CONVERT_BASE64_PFX: &str = "Convert it: openssl base64 -d -A -in FILE -out FILE.pfx && openssl pkcs12 -in FILE.pfx -out FILE.pem -nodes";
const CONVERT_DER: &str = "Convert it: openssl pkey -inform DER -in FILE for a key, openssl x509 -inform DER -in FILE for a certificate.";
const DECRYPT: &str = "Decrypt it: openssl pkey -in FILE.pem -out KEY.pem, and put the certificates into the same file.";
const MAKE_RSA: &str = "Entra takes RSA keys of at least 2048 bits: \
    openssl req -x509 -newkey rsa:2048 -nodes -keyout KEY.pem -out CERTIFICATE.pem -subj /CN=NAME";
const KEY_AND_CERTIFICATE: &str = "Give the private key and the certificate that is registered in one PEM: cat KEY.pem CERTIFICATE.pem";
const ONE_PEM: &str = "Give one PEM with one private key, its certificate, and the issuers of that if they are wanted.";

#[cfg(test)]
#[path = "certificate_tests/mod.rs"]
pub(super) mod tests;
