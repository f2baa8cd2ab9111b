//! Containers: which certificates the default HTTP client trusts. A program with an environment of its own
//! is this binary once more.

use std::{env, error::Error, fs, pin::Pin, process::Command};

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{Request, Response};
use tower_entra::{Authority, HttpClient, Tenants, Validator, ValidatorBuilder};

use crate::{
    keys::unreachable::{listen, present_a_certificate},
    support::{Log, block_on, eventually, issuer, stranger},
};

const CHILD: &str = "TOWER_ENTRA_CHILD";
const TENANT: &str = "7090e106-1ad3-4313-9b7a-75cc3e576d40";

#[test]
#[ignore = "the tests of certificates start it, each with its own environment"]
fn a_program_in_a_container() {
    let Ok(url) = env::var(CHILD) else { return };
    let log = Log::of_this_thread();
    let text = match builder(Authority::custom(url)).build() {
        Ok(validator) => block_on(async {
            let has_failed = || log.count("keys cannot be fetched") > 0;
            tokio::select! {
                () = eventually("a fetch fails", has_failed) => log.text(),
                () = validator.ready() => "the keys are there".to_owned(),
            }
        }),
        Err(error) => error.to_string(),
    };
    println!("{text}");
}

/// What a program logs whose authority presents the stranger's certificate, and that trusts this file.
fn log_of(trusted: &str) -> String {
    let address = listen(|stream| present_a_certificate(&stream));
    let name = concat!(module_path!(), "::a_program_in_a_container");
    let (_, name) = name.split_once("::").unwrap();
    let child = Command::new(env::current_exe().unwrap())
        .args([name, "--exact", "--ignored", "--nocapture"])
        .env("SSL_CERT_FILE", trusted)
        .env_remove("SSL_CERT_DIR")
        .env(CHILD, format!("https://{address}"))
        .output()
        .unwrap();
    let output = String::from_utf8(child.stdout).unwrap();
    assert!(child.status.success(), "{output}");
    output
}

fn pem(certificate: &[u8]) -> String {
    let base64 = STANDARD.encode(certificate);
    let lines: Vec<_> = base64.as_bytes().chunks(64).map(str::from_utf8).collect();
    let lines = lines.into_iter().collect::<Result<Vec<_>, _>>().unwrap();
    let text = lines.join("\n");
    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
}

fn builder(authority: Authority) -> ValidatorBuilder {
    Validator::builder(Tenants::single(TENANT), "api").authority(authority)
}

#[test]
fn a_pem_that_cannot_be_trusted_is_refused() {
    let good = pem(&stranger().own_certificate());
    let key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    for (pem, problem) in [
        (String::new(), "has no certificate in PEM"),
        ("certificate".to_owned(), "has no certificate in PEM"),
        (
            good.replace("CERTIFICATE", "PUBLIC KEY"),
            "has no certificate in PEM",
        ),
        (good.replace("-----END", "-----"), "cannot be read: "),
        (good.replacen("MII", "M!I", 1), "cannot be read: "),
        (pem(b"certificate"), "cannot be read: "),
        (format!("{good}{}", pem(b"certificate")), "cannot be read: "),
        (
            format!("{good}{key}"),
            "has a private key, which nothing here needs",
        ),
        (
            format!("{good}{}", "\n".repeat(1024 * 1024 + 1 - good.len())),
            "has 1048577 bytes, more than 1048576",
        ),
    ] {
        for authority in [Authority::public(), issuer().authority()] {
            let error = builder(authority)
                .root_certificates_pem(pem.clone())
                .build();
            let error = error.expect_err(problem).to_string();
            let words = format!("root_certificates_pem: {problem}");
            assert!(error.starts_with(&words), "{problem}: {error}");
        }
    }
    let full = format!("{good}{}", "\n".repeat(1024 * 1024 - good.len()));
    for pem in [good.repeat(2), full] {
        let validator = builder(Authority::public())
            .root_certificates_pem(pem)
            .build();
        assert!(validator.is_ok(), "{validator:?}");
    }
}

#[test]
fn a_pem_without_a_client_that_would_use_it_is_refused() {
    struct Client;

    impl HttpClient for Client {
        fn send(
            &self,
            _: Request<Vec<u8>>,
            _: usize,
        ) -> Pin<
            Box<
                dyn Future<Output = Result<Response<Vec<u8>>, Box<dyn Error + Send + Sync>>> + Send,
            >,
        > {
            Box::pin(async { Err("no answer".into()) })
        }
    }

    let first = builder(Authority::public()).build().unwrap();
    let builder = || {
        let pem = pem(&stranger().own_certificate());
        builder(Authority::public()).root_certificates_pem(pem)
    };
    assert!(builder().build().is_ok());
    for (builder, problem) in [
        (
            builder().http_client(Client),
            "is for the default client, and http_client sets another",
        ),
        (
            builder().share_keys_with(&first),
            "is for a client of its own, and share_keys_with has none",
        ),
    ] {
        let error = builder.build().expect_err(problem).to_string();
        assert_eq!(error, format!("root_certificates_pem: {problem}"));
    }
}

#[tokio::test]
async fn a_certificate_of_the_pem_is_trusted() {
    let address = listen(|stream| present_a_certificate(&stream));
    let authority = Authority::custom(format!("https://{address}"));
    for is_trusted in [false, true] {
        let log = Log::of_this_thread();
        let builder = builder(authority.clone());
        let builder = match is_trusted {
            true => builder.root_certificates_pem(pem(&stranger().own_certificate())),
            false => builder,
        };
        let validator = builder.build().unwrap();
        let has_failed = || log.count("keys cannot be fetched") > 0;
        tokio::select! {
            () = eventually("a fetch fails", has_failed) => {}
            () = validator.ready() => panic!("the keys are there"),
        }
        // The issuer is known then, and the certificate is for no address.
        let text = log.text();
        assert!(text.contains("invalid peer certificate: "), "{text}");
        assert_eq!(!text.contains("UnknownIssuer"), is_trusted, "{text}");
    }
}

#[test]
fn a_certificate_in_ssl_cert_file_is_trusted() {
    let file = env::temp_dir().join(format!("tower-entra-{}.pem", std::process::id()));
    fs::write(&file, pem(&stranger().own_certificate())).unwrap();
    let log = log_of(file.to_str().unwrap());
    fs::remove_file(&file).unwrap();
    // The issuer is known now, and the certificate is for no address.
    assert!(log.contains("invalid peer certificate: "), "{log}");
    assert!(!log.contains("UnknownIssuer"), "{log}");
}

#[test]
fn without_any_certificate_no_validator_is_built() {
    let text = "http_client: cannot be built: builder error: unexpected error: \
                No CA certificates were loaded from the system";
    let log = log_of("/nonexistent/certificates.pem");
    assert!(log.contains(text), "{log}");
}
