//! Credentials in files, and those that do not load.

use tokio::{io::AsyncReadExt as _, net::TcpListener};
use tower_entra::{
    Authority,
    acquire::{ConfidentialClient, Scopes},
};

use super::*;

/// The beginning of a PFX.
const PFX: &[u8] = &[0x30, 0x82, 1, 0, 2, 1, 3, 0x30, 0x82, 0, 0];

#[test]
fn a_pfx_is_refused_wherever_it_is_with_the_command_that_converts_it() {
    let folder = Folder::new("pfx");
    let file = folder.write("app.pfx", PFX);
    let base64 = STANDARD.encode(PFX);
    let command = "it is a PFX (PKCS#12), not PEM. Convert it: openssl pkcs12 -in FILE.pfx -out FILE.pem -nodes";
    let secret = [("0:SourceType", "ClientSecret"), ("0:ClientSecret", SECRET)];
    for values in [
        [("1:SourceType", "Path"), ("1:CertificateDiskPath", &file)],
        [
            ("1:SourceType", "Base64Encoded"),
            ("1:Base64EncodedValue", &base64),
        ],
    ] {
        assert_refused(&values, "1:", command);
        assert_refused(
            &[&secret[..], &values, &[("1:CertificatePassword", SECRET)]].concat(),
            "1:",
            command,
        );
    }
}

#[test]
fn what_does_not_load_is_passed_over_with_a_warning() {
    let folder = Folder::new("passed-over");
    let text = folder.write("text.pem", "hunter2");
    let missing = folder.0.join("none").to_str().expect("UTF-8").to_owned();
    let base64 = STANDARD.encode("hunter2");
    for (values, key, found) in [
        (
            [
                ("0:SourceType", "Path"),
                ("0:CertificateDiskPath", &*missing),
            ],
            "0:CertificateDiskPath (command line): ",
            "does not exist. Check the path",
        ),
        (
            [
                ("0:SourceType", "Path"),
                ("0:CertificateDiskPath", folder.0.to_str().expect("UTF-8")),
            ],
            "0:CertificateDiskPath (command line): ",
            "is not a regular file. ",
        ),
        (
            [("0:SourceType", "Path"), ("0:CertificateDiskPath", &text)],
            "0:CertificateDiskPath (command line): ",
            "it is not PEM. ",
        ),
        (
            [
                ("0:SourceType", "Base64Encoded"),
                ("0:Base64EncodedValue", &base64),
            ],
            "0:Base64EncodedValue (command line): ",
            "in base64, it is not PEM. ",
        ),
        (
            [
                ("0:SourceType", "Base64Encoded"),
                ("0:Base64EncodedValue", "hunter2!"),
            ],
            "0:Base64EncodedValue (command line): ",
            "is not base64. ",
        ),
        (
            [
                ("0:SourceType", "SignedAssertionFilePath"),
                ("0:SignedAssertionFilePath", &missing),
            ],
            "0:SignedAssertionFilePath (command line): ",
            "does not exist. ",
        ),
        (
            [
                ("0:SourceType", "SignedAssertionFilePath"),
                ("0:SignedAssertionFileDiskPath", &text),
            ],
            "0:SignedAssertionFileDiskPath (command line): ",
            "has no signed JWT. ",
        ),
        (
            [
                ("0:SourceType", "SignedAssertionFilePath"),
                ("0:Skip", "false"),
            ],
            "0: ",
            "no file is named. ",
        ),
    ] {
        // Alone, it is what is wrong.
        assert_refused(&values, key, found);
        let secret = [("1:SourceType", "ClientSecret"), ("1:ClientSecret", SECRET)];
        let read = read(&[&values[..], &secret].concat());
        let (section, _) = read.found.expect("a credential");
        assert_eq!(section, "AzureAd:ClientCredentials:1");
        let [warning] = &*read.warnings else {
            panic!("{:?}", read.warnings);
        };
        assert!(
            warning.starts_with(&format!("AzureAd:ClientCredentials:{key}")),
            "{warning}"
        );
        assert!(warning.contains(found), "{warning}");
        assert!(
            warning.ends_with(" AzureAd:ClientCredentials:1 is used in its place."),
            "{warning}"
        );
    }
}

#[test]
fn what_does_not_load_behind_one_that_does_is_no_warning() {
    let read = read(&[
        ("0:SourceType", "ClientSecret"),
        ("0:ClientSecret", SECRET),
        ("1:SourceType", "Path"),
        ("1:CertificateDiskPath", "/nowhere/app.pem"),
    ]);
    assert_eq!(read.found.expect("a credential").0, FIRST);
    assert_eq!(read.warnings, Vec::<String>::new());
}

#[tokio::test]
async fn a_file_is_as_large_as_the_crate_takes_and_no_larger() {
    let issuer = Issuer::start().await;
    let folder = Folder::new("large");
    for (source, key, text, max) in [
        (
            "Path",
            "0:CertificateDiskPath",
            issuer.blueprint().new_certificate_pem(),
            1_048_576,
        ),
        (
            "SignedAssertionFilePath",
            "0:SignedAssertionFileDiskPath",
            "e30.e30.c2ln".to_owned(),
            65_536,
        ),
    ] {
        let file = folder.write("file", format!("{text}{}", " ".repeat(max - text.len())));
        let values = [("0:SourceType", source), (key, &*file)];
        assert_found(&values, FIRST, source);
        folder.write(
            "file",
            format!("{text}{}", " ".repeat(max + 1 - text.len())),
        );
        assert_refused(&values, key, &format!("has more than {max} bytes. "));
    }
}

/// The header of the assertion that is sent to Entra.
async fn header_of_assertion(credential: ClientCredential) -> serde_json::Value {
    let id = "3aa6c2f7-1e0f-4caa-a55a-7c08f5f87a1a";
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let client = ConfidentialClient::builder(id, id, credential)
        .authority(Authority::insecure_loopback(format!("http://{address}")))
        .build()
        .expect("a client");
    let asking = tokio::spawn(async move {
        let scopes = Scopes::default_of("https://graph.microsoft.com").expect("a scope");
        client.itself().token(&scopes).await
    });
    let (mut stream, _) = listener.accept().await.expect("a connection");
    let mut request = Vec::new();
    let header = loop {
        let read = stream.read_buf(&mut request).await.expect("a request");
        assert_ne!(read, 0, "no assertion");
        let text = String::from_utf8_lossy(&request);
        let assertion = text.split_once("client_assertion=");
        if let Some((header, _)) = assertion.and_then(|(_, text)| text.split_once('.')) {
            break header.to_owned();
        }
    };
    asking.abort();
    let header = URL_SAFE_NO_PAD.decode(header).expect("base64url");
    serde_json::from_slice(&header).expect("JSON")
}

#[tokio::test]
async fn a_certificate_is_sent_where_that_is_configured() {
    let issuer = Issuer::start().await;
    let pem = issuer.blueprint().new_certificate_pem();
    let folder = Folder::new("x5c");
    let file = folder.write("app.pem", &pem);
    let base64 = STANDARD.encode(&pem);
    for (source, key, value) in [
        ("Path", "CertificateDiskPath", &file),
        ("Base64Encoded", "Base64EncodedValue", &base64),
    ] {
        for sends_x5c in [false, true] {
            let mut tree = Tree::default();
            let key = format!("AzureAd:ClientCredentials:0:{key}");
            for (path, value) in [
                ("AzureAd:ClientCredentials:0:SourceType", source),
                (&key, value),
                ("AzureAd:SendX5C", &sends_x5c.to_string()),
            ] {
                tree.set(path, Some(value.to_owned()), &Origin::Argument);
            }
            let found = credential(&tree.root(), &mut Report::default());
            let header = header_of_assertion(found.expect("a credential").credential).await;
            assert_eq!(header.get("x5c").is_some(), sends_x5c, "{source}: {header}");
        }
    }
}

#[test]
fn only_the_environment_names_the_file_of_a_pod() {
    let folder = Folder::new("pod");
    let token = folder.write("token", "e30.e30.c2ln");
    let mut tree = Tree::default();
    for (path, value) in [
        (
            "AzureAd:ClientCredentials:0:SourceType",
            "SignedAssertionFilePath",
        ),
        ("AZURE_FEDERATED_TOKEN_FILE", &token),
    ] {
        tree.set(path, Some(value.to_owned()), &Origin::Argument);
    }
    let mut report = Report::default();
    assert!(credential(&tree.root(), &mut report).is_none());
    assert!(report.has_problems());
}
