#![allow(clippy::unwrap_used)]

use std::sync::LazyLock;

use aws_lc_rs::{
    encoding::AsDer as _,
    rsa::KeySize,
    signature::{
        RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, UnparsedPublicKey,
        VerificationAlgorithm,
    },
};
use serde_json::{Value, json};

use super::*;
use crate::acquire::der::{
    SEQUENCE, Values,
    tests::{ELLIPTIC_CURVE, certificate, rsa_certificate, value},
};

mod keys;

/// A key as a PEM has it.
struct Key {
    pkcs8: Vec<u8>,
    public: Vec<u8>,
}

impl Key {
    fn generate() -> Self {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        Self {
            pkcs8: pair.as_der().unwrap().as_ref().to_vec(),
            public: pair.public_key().as_ref().to_vec(),
        }
    }

    /// The contents of PKCS#8's OCTET STRING.
    fn pkcs1(&self) -> Vec<u8> {
        let mut key = Values::of_sequence(&self.pkcs8).unwrap();
        key.take(0x02).unwrap();
        key.take(SEQUENCE).unwrap();
        key.take(0x04).unwrap().contents.to_vec()
    }

    fn pem(&self) -> String {
        pem("PRIVATE KEY", &self.pkcs8)
    }

    fn certificate(&self, issuer: &str, subject: &str) -> Vec<u8> {
        rsa_certificate(issuer, subject, &self.public)
    }
}

static OWN: LazyLock<Key> = LazyLock::new(Key::generate);
static OTHER: LazyLock<Key> = LazyLock::new(Key::generate);

fn pem(label: &str, der: &[u8]) -> String {
    let base64 = STANDARD.encode(der);
    let lines: Vec<&str> = base64
        .as_bytes()
        .chunks(64)
        .map(|line| str::from_utf8(line).unwrap())
        .collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}

fn certificate_pem(der: &[u8]) -> String {
    pem("CERTIFICATE", der)
}

/// A PEM of a key and its certificate.
pub(in crate::acquire) fn good_pem() -> String {
    OWN.pem() + &certificate_pem(&OWN.certificate("ca", "app"))
}

/// The same of another key.
pub(in crate::acquire) fn other_pem() -> String {
    OTHER.pem() + &certificate_pem(&OTHER.certificate("ca", "app"))
}

/// A good PEM of this many bytes.
pub(in crate::acquire) fn good_pem_of(length: usize) -> String {
    let pem = good_pem();
    let rest = " ".repeat(length - pem.len());
    pem + &rest
}

/// The `x5t#S256` of that PEM.
pub(in crate::acquire) fn thumbprint(text: &str) -> String {
    read(text).unwrap().thumbprint
}

fn read(text: impl AsRef<[u8]>) -> Result<Certificate, Unusable> {
    Certificate::from_pem(text.as_ref())
}

#[track_caller]
fn problem(text: impl AsRef<[u8]>) -> (String, &'static str) {
    let unusable = read(text).expect_err("it cannot be used");
    (unusable.problem, unusable.hint)
}

/// The certificates of `x5c`, as DER.
fn chain_of(certificate: &Certificate) -> Vec<Vec<u8>> {
    let chain = certificate.chain.iter();
    chain.map(|one| STANDARD.decode(one).unwrap()).collect()
}

#[test]
fn a_pem_that_lacks_a_part_or_has_it_twice_is_refused() {
    let key = OWN.pem();
    let leaf = certificate_pem(&OWN.certificate("ca", "app"));
    let renewed = certificate_pem(&OWN.certificate("ca", "app 2"));
    let of_other = certificate_pem(&OTHER.certificate("ca", "app"));
    let elliptic = certificate_pem(&certificate("ca", "app", ELLIPTIC_CURVE, &OWN.public));
    for (text, expected) in [
        (leaf.clone(), "there is no private key"),
        (key.clone(), "there is no certificate"),
        (
            format!("{key}{leaf}{}", OTHER.pem()),
            "there is more than one private key",
        ),
        (
            format!("{key}{key}{leaf}"),
            "there is more than one private key",
        ),
        (
            format!("{key}{of_other}"),
            "the certificate is of another key than the private key",
        ),
        (
            format!("{key}{elliptic}"),
            "the certificate is of another key than the private key",
        ),
        (
            format!("{key}{of_other}{elliptic}"),
            "none of the 2 certificates is of the private key",
        ),
        (
            format!("{key}{leaf}{renewed}"),
            "more than one certificate has the public key of the private key",
        ),
        (
            format!("{key}{}", certificate_pem(b"no DER")),
            "a certificate is not DER of X.509",
        ),
        (
            format!("{key}{}", leaf.repeat(11)),
            "there are more than 10 certificates",
        ),
        (
            format!("{key}{}", leaf.repeat(16)),
            "the PEM has too many sections",
        ),
        (good_pem_of(1024 * 1024 + 1), "it is larger than 1 MiB"),
    ] {
        let (found, hint) = problem(text);
        assert_eq!(found, expected);
        assert!(
            hint.contains("PEM") || hint.contains("registered"),
            "{hint}"
        );
    }
}

#[test]
fn a_pem_of_1_mib_and_one_with_10_certificates_are_read() {
    let leaf = certificate_pem(&OWN.certificate("ca", "app"));
    for text in [good_pem_of(1024 * 1024), OWN.pem() + &leaf.repeat(10)] {
        assert_eq!(chain_of(&read(text).unwrap()).len(), 1);
    }
}

#[test]
fn what_is_no_pem_is_refused_with_the_command_that_makes_one() {
    let pfx = value(
        SEQUENCE,
        &[value(0x02, &[3]), value(SEQUENCE, &[0; 300])].concat(),
    );
    let base64 = STANDARD.encode(&pfx);
    let in_lines = base64.replace("AAAAAAAA", "AAAA\r\nAAAA");
    let good = good_pem();
    for (text, expected, hint) in [
        (
            pfx,
            "it is a PFX (PKCS#12), not PEM",
            "openssl pkcs12 -in FILE.pfx",
        ),
        (
            base64.into_bytes(),
            "it is a PFX (PKCS#12) in base64",
            "openssl base64 -d",
        ),
        (
            in_lines.into_bytes(),
            "it is a PFX (PKCS#12) in base64",
            "openssl base64 -d",
        ),
        (
            OWN.pkcs8.clone(),
            "it is DER, not PEM",
            "openssl pkey -inform DER",
        ),
        (
            OWN.certificate("a", "b"),
            "it is DER, not PEM",
            "openssl x509 -inform DER",
        ),
        (b"hunter2".to_vec(), "it is not PEM", "cat KEY.pem"),
        (
            STANDARD.encode(b"hunter2").into_bytes(),
            "it is not PEM",
            "cat KEY.pem",
        ),
        (vec![0xff; 100], "it is not PEM", "cat KEY.pem"),
        (b" \n".to_vec(), "it is empty", "cat KEY.pem"),
        (
            good.replace('\n', "\\n").into_bytes(),
            "the lines that begin sections of the PEM are not lines of their own",
            "environment variable",
        ),
        (
            good.replace('\n', " ").into_bytes(),
            "the lines that begin sections of the PEM are not lines of their own",
            "environment variable",
        ),
    ] {
        let (found, told) = problem(&text);
        assert_eq!(found, expected);
        assert!(told.contains(hint), "{told}");
    }
}

#[test]
fn a_pem_that_is_cut_anywhere_is_refused() {
    let good = good_pem();
    assert!(read(good.trim_end()).is_ok());
    for end in 0..good.trim_end().len() {
        let unusable = read(&good[..end]).expect_err("it is cut");
        // Between the two sections it looks whole.
        let is_between = unusable.problem == "there is no certificate";
        let is_start = unusable.problem == "it is not PEM" || unusable.problem.contains("lines");
        assert!(
            unusable.is_incomplete || is_between || is_start,
            "{end}: {unusable:?}"
        );
    }
}

#[test]
fn no_text_of_a_pem_is_in_an_error_or_in_debug() {
    let good = good_pem();
    let shown = format!("{:?}", read(&good).unwrap());
    let begins = |line: &&str| line.len() == 64;
    for line in good.lines().filter(begins) {
        assert!(!shown.contains(line));
    }
    assert!(shown.starts_with("Certificate { thumbprint: "), "{shown}");
    let no_certificate = read(OWN.pem() + "hunter2").expect_err("no certificate");
    assert!(!format!("{no_certificate:?}").contains("hunter2"));
}

#[test]
fn the_leaf_is_the_certificate_of_the_key_and_its_issuers_follow_in_order() {
    let leaf = OWN.certificate("intermediate", "app");
    let intermediate = OTHER.certificate("root", "intermediate");
    let root = rsa_certificate("root", "root", b"root's key");
    let stranger = rsa_certificate("stranger", "stranger", b"stranger's key");
    let all = [&leaf, &intermediate, &root, &stranger];
    let expected = vec![leaf.clone(), intermediate.clone(), root.clone()];
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2], [2, 0, 3, 1]] {
        let certificates: String = order.iter().map(|at| certificate_pem(all[*at])).collect();
        for text in [
            certificates.clone() + &OWN.pem(),
            OWN.pem() + &certificates,
            certificates.clone() + &pem("RSA PRIVATE KEY", &OWN.pkcs1()),
            certificates.repeat(2) + &OWN.pem(),
        ] {
            let read = read(text).unwrap();
            assert_eq!(chain_of(&read), expected, "{order:?}");
            let sha256 = digest(&SHA256, &leaf);
            assert_eq!(read.thumbprint, URL_SAFE_NO_PAD.encode(sha256));
        }
    }
}

#[test]
fn a_chain_ends_at_a_missing_issuer_and_does_not_go_round() {
    let leaf = OWN.certificate("b", "a");
    let next = rsa_certificate("c", "b", b"1");
    let back = rsa_certificate("b", "c", b"2");
    let far = rsa_certificate("e", "d", b"3");
    let chain = |certificates: &[&Vec<u8>]| {
        let certificates: String = certificates
            .iter()
            .map(|der| certificate_pem(der))
            .collect();
        chain_of(&read(OWN.pem() + &certificates).unwrap())
    };
    assert_eq!(chain(&[&leaf, &far]), std::slice::from_ref(&leaf));
    assert_eq!(chain(&[&back, &next, &leaf]), [leaf.clone(), next, back]);
    let to_leaf = rsa_certificate("a", "b", b"4");
    assert_eq!(chain(&[&to_leaf, &leaf]), [leaf.clone(), to_leaf]);
    let own_issuer = OWN.certificate("a", "a");
    let namesake = rsa_certificate("f", "a", b"5");
    assert_eq!(chain(&[&namesake, &own_issuer]), [own_issuer]);
}

const CLIENT: &str = "3aa6c2f7-1e0f-4caa-a55a-7c08f5f87a1a";
const ENDPOINT: &str =
    "https://login.microsoftonline.com/7090e106-1ad3-4313-9b7a-75cc3e576d40/oauth2/v2.0/token";

fn assertion_of(certificate: &Certificate, signing: Signing) -> String {
    let client = CLIENT.parse().unwrap();
    let secret = certificate.assertion(signing, client, ENDPOINT, 1_700_000_000);
    secret.unwrap().expose().to_owned()
}

/// Header and claims of an assertion with a good signature.
fn verified(assertion: &str, algorithm: &'static dyn VerificationAlgorithm) -> (Value, Value) {
    let (signed, signature) = assertion.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    UnparsedPublicKey::new(algorithm, &OWN.public)
        .verify(signed.as_bytes(), &signature)
        .expect("a good signature");
    let (header, claims) = signed.split_once('.').unwrap();
    let json = |part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
    (json(header), json(claims))
}

#[test]
fn an_assertion_is_signed_by_ps256_unless_rs256_is_asked_for() {
    let certificate = read(good_pem()).unwrap();
    let leaf = OWN.certificate("ca", "app");
    let thumbprint = URL_SAFE_NO_PAD.encode(digest(&SHA256, &leaf));
    let (rs256, x5c) = (true, true);
    for (signing, algorithm, expected) in [
        (
            Signing::default(),
            &RSA_PSS_2048_8192_SHA256,
            json!({"alg": "PS256", "typ": "JWT", "x5t#S256": thumbprint}),
        ),
        (
            Signing { rs256, x5c: false },
            &RSA_PKCS1_2048_8192_SHA256,
            json!({"alg": "RS256", "typ": "JWT", "x5t#S256": thumbprint}),
        ),
        (
            Signing { rs256: false, x5c },
            &RSA_PSS_2048_8192_SHA256,
            json!({"alg": "PS256", "typ": "JWT", "x5t#S256": thumbprint, "x5c": [STANDARD.encode(&leaf)]}),
        ),
    ] {
        let (header, claims) = verified(&assertion_of(&certificate, signing), algorithm);
        assert_eq!(header, expected);
        let jti = claims["jti"].as_str().unwrap();
        assert_eq!(
            claims,
            json!({
                "aud": ENDPOINT, "iss": CLIENT, "sub": CLIENT, "jti": jti,
                "nbf": 1_700_000_000_u64, "iat": 1_700_000_000_u64, "exp": 1_700_000_600_u64,
            })
        );
    }
}

#[test]
fn each_assertion_has_its_own_id() {
    let certificate = read(good_pem()).unwrap();
    let jti = || {
        let assertion = assertion_of(&certificate, Signing::default());
        let (_, claims) = verified(&assertion, &RSA_PSS_2048_8192_SHA256);
        claims["jti"].as_str().unwrap().to_owned()
    };
    let (one, two) = (jti(), jti());
    assert_ne!(one, two);
    assert!(one.parse::<AppId>().is_ok(), "{one}");
}

#[test]
fn a_clock_at_its_end_signs_without_overflow() {
    let certificate = read(good_pem()).unwrap();
    let client = CLIENT.parse().unwrap();
    let signed = certificate.assertion(Signing::default(), client, ENDPOINT, u64::MAX);
    assert!(signed.is_ok());
}
