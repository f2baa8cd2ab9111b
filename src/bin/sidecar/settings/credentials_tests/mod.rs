mod files;

use std::{fs, path::PathBuf};

use tower_entra::testing::Issuer;

use super::*;
use crate::settings::tree::Tree;

const SECRET: &str = "hunter2-is-secret";

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("tower-entra-credentials-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.0.join(name);
        fs::write(&path, bytes).expect("a file");
        path.to_str().expect("UTF-8").to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What there is: the section and the source, and then the warnings or the problems.
struct Read {
    found: Option<(String, &'static str)>,
    problems: Vec<String>,
    warnings: Vec<String>,
}

/// Of these values below `AzureAd`, in which `0:` and so on are entries of `ClientCredentials`.
fn read(values: &[(&str, &str)]) -> Read {
    let mut tree = Tree::default();
    for (path, value) in values {
        let path = match path.as_bytes().first() {
            Some(b'0'..=b'9') => format!("AzureAd:ClientCredentials:{path}"),
            _ => path.to_string(),
        };
        let origin = match &*path {
            "AZURE_FEDERATED_TOKEN_FILE" => Origin::Variable(path.clone()),
            _ => Origin::Argument,
        };
        tree.set(&path, Some((*value).to_owned()), &origin);
    }
    let mut report = Report::default();
    let found = credential(&tree.root(), &mut report);
    let found = found.map(|found| (found.section, found.source_type));
    // The warnings come only without problems.
    let (problems, warnings) = match report.finish(Some(())) {
        Ok(((), warnings)) => (
            Vec::new(),
            warnings.iter().map(ToString::to_string).collect(),
        ),
        Err(problems) => (
            problems.to_string().lines().map(str::to_owned).collect(),
            Vec::new(),
        ),
    };
    for line in problems.iter().chain(&warnings) {
        assert!(!line.contains("hunter2"), "{line}");
    }
    Read {
        found,
        problems,
        warnings,
    }
}

#[track_caller]
fn assert_found(values: &[(&str, &str)], section: &str, source_type: &str) {
    let read = read(values);
    assert_eq!(read.problems, Vec::<String>::new());
    let (found, source) = read.found.expect("a credential");
    assert_eq!((&*found, source), (section, source_type));
}

/// There is one line, about this key and with this text.
#[track_caller]
fn assert_refused(values: &[(&str, &str)], key: &str, text: &str) {
    let read = read(values);
    let [line] = &*read.problems else {
        panic!("{values:?}: {:?}", read.problems);
    };
    assert!(
        line.starts_with(&format!("AzureAd:ClientCredentials:{key}")),
        "{line}"
    );
    assert!(line.contains(text), "{line}");
}

const FIRST: &str = "AzureAd:ClientCredentials:0";

#[test]
fn without_credentials_there_is_none() {
    for values in [&[][..], &[("0:SourceType", ""), ("0:Skip", "true")]] {
        let read = read(values);
        assert!(read.found.is_none() && read.problems.is_empty());
        assert_eq!(read.warnings.len(), values.len() / 2);
    }
}

#[tokio::test]
async fn each_source_that_is_offered_loads() {
    let issuer = Issuer::start().await;
    let pem = issuer.blueprint().new_certificate_pem();
    let folder = Folder::new("offered");
    let file = folder.write("app.pem", &pem);
    let token = folder.write("token", "e30.e30.c2ln\n");
    let base64 = STANDARD.encode(&pem);
    let in_lines = format!("{}\n{}\n", &base64[..76], &base64[76..]);
    for (values, source) in [
        (&[("0:ClientSecret", SECRET)][..], "ClientSecret"),
        (&[("0:Base64EncodedValue", &base64)], "Base64Encoded"),
        (&[("0:Base64EncodedValue", &in_lines)], "Base64Encoded"),
        (&[("0:CertificateDiskPath", &file)], "Path"),
        (
            &[
                ("0:CertificateDiskPath", &file),
                ("AzureAd:SendX5C", "true"),
            ],
            "Path",
        ),
        (
            &[("0:SignedAssertionFileDiskPath", &token)],
            "SignedAssertionFilePath",
        ),
        (
            &[("0:SignedAssertionFilePath", &token)],
            "SignedAssertionFilePath",
        ),
        (
            &[("AZURE_FEDERATED_TOKEN_FILE", &token)],
            "SignedAssertionFilePath",
        ),
        (&[], "SignedAssertionFromManagedIdentity"),
        (
            &[
                (
                    "0:ManagedIdentityClientId",
                    "3aa6c2f7-1e0f-4caa-a55a-7c08f5f87a1a",
                ),
                ("0:TokenExchangeUrl", "api://AzureADTokenExchangeUSGov"),
            ],
            "SignedAssertionFromManagedIdentity",
        ),
    ] {
        for spelled in [source.to_owned(), source.to_lowercase()] {
            assert_found(
                &[&[("0:SourceType", &*spelled)], values].concat(),
                FIRST,
                source,
            );
        }
    }
}

#[test]
fn a_source_that_is_not_offered_is_refused_wherever_it_is() {
    for source in [
        "AutoDecryptKeys",
        "Certificate",
        "CustomSignedAssertion",
        "keyvault",
        "KeyVault",
        "ManagedCertificate",
        "SignedAssertionFromVault",
        "StoreWithDistinguishedName",
        "StoreWithSubjectName",
        "StoreWithThumbprint",
    ] {
        let text =
            format!("{source:?} is not supported. Accepted: Base64Encoded, ClientSecret, Path, ");
        assert_refused(
            &[("0:SourceType", source)],
            "0:SourceType (command line): ",
            &text,
        );
        let second = [
            ("0:SourceType", "ClientSecret"),
            ("0:ClientSecret", SECRET),
            ("1:SourceType", source),
        ];
        assert_refused(&second, "1:SourceType (command line): ", &text);
        assert_found(
            &[&second[..], &[("1:Skip", "true")]].concat(),
            FIRST,
            "ClientSecret",
        );
    }
}

#[test]
fn a_wrong_entry_is_refused() {
    for (values, key, text) in [
        (
            &[("0:ClientSecret", SECRET)][..],
            "0:SourceType: ",
            "is not set. Accepted: Base64Encoded, ",
        ),
        (
            &[("0:SourceType", "ClientSecrets")],
            "0:SourceType ",
            "a text of length 13 is not known. ",
        ),
        (
            &[("0:SourceType", "ClientSecrets")],
            "0:SourceType ",
            "Set it to ClientSecret.",
        ),
        (
            &[("0:SourceType", "1")],
            "0:SourceType ",
            "a text of length 1 is not known. ",
        ),
        (
            &[("0:SourceType", "ClientSecret")],
            "0:ClientSecret: ",
            "is not set. Accepted: a client secret. ",
        ),
        (
            &[("0:SourceType", "ClientSecret"), ("0:ClientSecret", " ")],
            "0:ClientSecret ",
            "is not set. Accepted: a client secret. ",
        ),
        (
            &[
                ("0:SourceType", "ClientSecret"),
                ("0:ClientSecret", "hunter2\n"),
            ],
            "0:ClientSecret ",
            "begins or ends with white space. ",
        ),
        (
            &[
                ("0:SourceType", "ClientSecret"),
                ("0:ClientSecret", "hunter2\u{7}x"),
            ],
            "0:ClientSecret ",
            "has a control character. ",
        ),
        (
            &[("0:SourceType", "Path")],
            "0:CertificateDiskPath: ",
            "is not set. Accepted: the path of a PEM",
        ),
        (
            &[("0:SourceType", "Base64Encoded")],
            "0:Base64EncodedValue: ",
            "is not set. Accepted: base64 of a PEM",
        ),
        (
            &[
                ("0:SourceType", "SignedAssertionFromManagedIdentity"),
                ("0:ManagedIdentityClientId", "my-identity"),
            ],
            "0:ManagedIdentityClientId ",
            "a text of length 11 is not a client id. ",
        ),
        (
            &[
                ("0:SourceType", "SignedAssertionFromManagedIdentity"),
                ("0:TokenExchangeUrl", "api://a b"),
            ],
            "0:TokenExchangeUrl ",
            "is not a URL. ",
        ),
        (
            &[
                ("0:SourceType", "ClientSecret"),
                ("0:ClientSecret", SECRET),
                ("0:UseBoundCredential", "true"),
            ],
            "0:UseBoundCredential ",
            "proof of possession is not supported",
        ),
        (
            &[
                ("0:SourceType", "ClientSecret"),
                ("0:ClientSecret", SECRET),
                ("0:Skip", "1"),
            ],
            "0:Skip ",
            "\"1\" is neither true nor false",
        ),
    ] {
        assert_refused(values, key, text);
    }
}

#[test]
fn if_none_loads_each_has_a_line() {
    let read = read(&[
        ("0:SourceType", "Path"),
        ("0:CertificateDiskPath", "/nowhere/app.pem"),
        ("1:SourceType", "SignedAssertionFilePath"),
        ("1:SignedAssertionFilePath", "/nowhere/token"),
    ]);
    assert!(read.found.is_none());
    assert_eq!(read.problems.len(), 2, "{:?}", read.problems);
}

#[test]
fn entries_are_tried_in_the_order_of_their_numbers() {
    let mut values = Vec::new();
    let keys: Vec<_> = (2..12)
        .map(|at| (format!("{at}:SourceType"), format!("{at}:ClientSecret")))
        .collect();
    for (kind, secret) in keys.iter().rev() {
        values.push((&**kind, "ClientSecret"));
        values.push((&**secret, SECRET));
    }
    assert_found(&values, "AzureAd:ClientCredentials:2", "ClientSecret");
    values.push(("2:Skip", "true"));
    assert_found(&values, "AzureAd:ClientCredentials:3", "ClientSecret");
}

#[test]
fn the_older_keys_are_read_where_there_are_no_entries() {
    assert_found(
        &[("AzureAd:ClientSecret", SECRET)],
        "AzureAd",
        "ClientSecret",
    );
    let certificate = [
        ("AzureAd:ClientCertificates:0:SourceType", "KeyVault"),
        ("AzureAd:ClientSecret", SECRET),
    ];
    let problems = read(&certificate).problems;
    assert!(
        problems[0].starts_with("AzureAd:ClientCertificates:0:SourceType "),
        "{problems:?}"
    );
    let skipped = [
        ("AzureAd:ClientCertificates:0:Skip", "true"),
        ("AzureAd:ClientSecret", SECRET),
    ];
    let skipped = read(&skipped);
    assert_eq!(skipped.found.expect("a credential").0, "AzureAd");
    assert_eq!(skipped.warnings, Vec::<String>::new());
    let both = read(&[
        ("AzureAd:ClientSecret", SECRET),
        ("0:SourceType", "ClientSecret"),
        ("0:ClientSecret", "another"),
    ]);
    assert_eq!(both.found.expect("a credential").0, FIRST);
    assert!(both.warnings[0].starts_with("AzureAd:ClientSecret (command line): is not used, "));
    let all_skipped = read(&[("AzureAd:ClientSecret", SECRET), ("0:Skip", "true")]);
    assert_eq!(all_skipped.found, None);
    assert_eq!(all_skipped.warnings.len(), 2, "{:?}", all_skipped.warnings);
}

#[test]
fn a_signed_jwt_has_three_parts() {
    for (text, is) in [
        ("e30.e30.c2ln", true),
        ("eyJhIjoxfQ.e30.-_A", true),
        ("e30.e30", false),
        ("e30.e30.", false),
        ("e30..c2ln", false),
        ("e30.e30.c2ln.c2ln", false),
        ("e30.e30.c2 n", false),
        ("e30.e30.c2ln=", false),
        ("W10.e30.c2ln", false),
        ("e30.InMi.c2ln", false),
        ("eyJh.e30.c2ln", false),
        ("", false),
    ] {
        assert_eq!(is_jwt(text.as_bytes()), is, "{text}");
    }
}
