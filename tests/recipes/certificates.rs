//! Containers: which certificates the default HTTP client trusts. Each program has an environment of its
//! own, so it is this binary once more.

use std::{env, fs, process::Command};

use base64::{Engine, engine::general_purpose::STANDARD};
use tower_entra::{Authority, Tenants, Validator};

use crate::{
    keys::unreachable::{listen, present_a_certificate},
    support::{Log, block_on, eventually, stranger},
};

const CHILD: &str = "TOWER_ENTRA_CHILD";

#[test]
#[ignore = "the tests of certificates start it, each with its own environment"]
fn a_program_in_a_container() {
    let Ok(url) = env::var(CHILD) else { return };
    let log = Log::of_this_thread();
    let tenants = Tenants::single("7090e106-1ad3-4313-9b7a-75cc3e576d40");
    let builder = Validator::builder(tenants, ["api"]).authority(Authority::custom(url));
    let text = match builder.build() {
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

#[test]
fn a_certificate_in_ssl_cert_file_is_trusted() {
    let file = env::temp_dir().join(format!("tower-entra-{}.pem", std::process::id()));
    let base64 = STANDARD.encode(stranger().own_certificate());
    let lines: Vec<_> = base64.as_bytes().chunks(64).map(str::from_utf8).collect();
    let lines = lines.into_iter().collect::<Result<Vec<_>, _>>().unwrap();
    let text = lines.join("\n");
    let pem = format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n");
    fs::write(&file, pem).unwrap();
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
