#![allow(clippy::unwrap_used)]

use std::{
    fs, io,
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::*;
use crate::acquire::{
    certificate::tests::{good_pem, good_pem_of, other_pem, thumbprint},
    guid::random_guid,
};

mod certificate_files;

const NOW: u64 = 1_700_000_000;

/// A directory that goes away with the test.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("tower-entra-{}", random_guid().unwrap()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("file")
    }

    /// Replaces the file, as `kubelet` does. Each has a date of its own.
    fn write(&self, contents: impl AsRef<[u8]>) {
        static WRITTEN: AtomicUsize = AtomicUsize::new(0);
        let next = self.0.join("next");
        fs::write(&next, contents).unwrap();
        let written = WRITTEN.fetch_add(1, Ordering::Relaxed);
        let date = Duration::from_secs(u64::try_from(written).unwrap());
        let file = fs::File::options().append(true).open(&next).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + date).unwrap();
        fs::rename(next, self.file()).unwrap();
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn request() -> AssertionRequest {
    AssertionRequest {
        client_id: "3aa6c2f7-1e0f-4caa-a55a-7c08f5f87a1a".parse().unwrap(),
        tenant_id: "7090e106-1ad3-4313-9b7a-75cc3e576d40".parse().unwrap(),
        token_endpoint: "https://login.example/token".to_owned(),
        exchange_audience: "api://AzureADTokenExchange".to_owned(),
        agent: None,
        correlation_id: "c".to_owned(),
    }
}

fn encoded(part: &str) -> String {
    URL_SAFE_NO_PAD.encode(part)
}

fn jwt(claims: &str) -> String {
    [r#"{"alg":"RS256"}"#, claims, "signature"]
        .map(encoded)
        .join(".")
}

async fn proof(credential: &ClientCredential) -> Result<String, NoProof> {
    match credential.proof(&request(), NOW).await? {
        Proof::Secret(secret) => Ok(format!("secret {}", secret.expose())),
        Proof::Assertion(assertion) => Ok(assertion.expose().to_owned()),
    }
}

/// Which certificate an assertion names.
async fn thumbprint_of(credential: &ClientCredential) -> Result<String, NoProof> {
    let assertion = proof(credential).await?;
    let (header, _) = assertion.split_once('.').unwrap();
    let header: serde_json::Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
    Ok(header["x5t#S256"].as_str().unwrap().to_owned())
}

/// What is not one JWT, and what is said of it.
fn not_assertions() -> Vec<(Vec<u8>, &'static str)> {
    let good = jwt("{}");
    let of = |parts: &[&str]| parts.join(".").into_bytes();
    let [header, claims, signature] = [r#"{"alg":"RS256"}"#, "{}", "signature"].map(encoded);
    vec![
        (b"".to_vec(), "is empty"),
        (b" \r\n".to_vec(), "is empty"),
        (b"hunter2".to_vec(), "is not a signed JWT"),
        (b"\xff\xfe".to_vec(), "is not a signed JWT"),
        (format!("Bearer {good}").into_bytes(), "is not a signed JWT"),
        (format!("{good} {good}").into_bytes(), "is not a signed JWT"),
        (
            format!("{{\"access_token\":\"{good}\"}}").into_bytes(),
            "is not a signed JWT",
        ),
        (of(&[&header, &claims]), "is not a signed JWT"),
        (of(&[&header, &claims, ""]), "is not a signed JWT"),
        (
            of(&[&header, &claims, &signature, ""]),
            "is not a signed JWT",
        ),
        (
            of(&[&header, &claims, &signature, &signature, &signature]),
            "is not a signed JWT",
        ),
        (
            of(&[&header, &claims[..2], &signature]),
            "is not a signed JWT",
        ),
        (
            of(&[&header, &encoded("[]"), &signature]),
            "is not a signed JWT",
        ),
        (
            of(&[&header, &encoded("{\"a\":"), &signature]),
            "is not a signed JWT",
        ),
        (
            of(&[&encoded("\"\""), &claims, &signature]),
            "is not a signed JWT",
        ),
        (
            of(&[&header, &claims, &(signature.clone() + "==")]),
            "is not a signed JWT",
        ),
        (of(&[&header, &claims, "+/+/"]), "is not a signed JWT"),
    ]
}

/// An assertion of this many bytes.
fn jwt_of(length: usize) -> String {
    let unsigned = [r#"{"alg":"RS256"}"#, "{}"].map(encoded).join(".") + ".";
    let signature = "A".repeat(length - unsigned.len());
    unsigned + &signature
}

/// The longest assertion is 64 KiB.
fn longest() -> String {
    jwt_of(64 * 1024)
}

fn too_long() -> String {
    jwt_of(64 * 1024 + 1)
}

#[tokio::test]
async fn a_file_without_one_jwt_gives_no_assertion_and_none_of_it_is_shown() {
    let directory = Directory::new();
    let credential = ClientCredential::assertion_file(directory.file());
    for (contents, expected) in not_assertions() {
        directory.write(&contents);
        let none = proof(&credential).await.expect_err("no assertion");
        assert!(none.problem.starts_with("the file \""), "{none:?}");
        assert!(none.problem.ends_with(expected), "{none:?}");
        assert!(none.is_transient && !none.hint.is_empty(), "{none:?}");
        assert!(!format!("{none:?}").contains("hunter2"));
    }
}

#[tokio::test]
async fn a_file_that_is_missing_too_large_or_no_file_gives_no_assertion() {
    let directory = Directory::new();
    let credential = ClientCredential::assertion_file(directory.file());
    let problem = async |credential: &ClientCredential| {
        let none = proof(credential).await.expect_err("no assertion");
        let (_, problem) = none.problem.rsplit_once("\" ").unwrap();
        (problem.to_owned(), none.is_transient)
    };
    assert_eq!(
        problem(&credential).await,
        ("does not exist".to_owned(), true)
    );
    directory.write(too_long());
    assert_eq!(
        problem(&credential).await,
        ("is too large".to_owned(), false)
    );
    directory.write("a".repeat(1024 * 1024));
    assert_eq!(
        problem(&credential).await,
        ("is too large".to_owned(), false)
    );
    for path in [directory.0.as_path(), Path::new("/dev/zero")] {
        let credential = ClientCredential::assertion_file(path);
        let expected = ("is not a regular file".to_owned(), false);
        assert_eq!(problem(&credential).await, expected, "{path:?}");
    }
}

#[tokio::test]
async fn an_assertion_is_read_from_the_file_each_time_and_trimmed() {
    let directory = Directory::new();
    let credential = ClientCredential::assertion_file(directory.file());
    for (assertion, white_space) in [
        (jwt("{}"), ""),
        (jwt(r#"{"a":1}"#), "\n"),
        (jwt(r#"{"a":2}"#), " \r\n\t\n"),
        (longest(), ""),
    ] {
        directory.write(format!("{assertion}{white_space}"));
        assert_eq!(proof(&credential).await, Ok(assertion));
    }
    fs::remove_file(directory.file()).unwrap();
    assert!(proof(&credential).await.is_err());
}

#[tokio::test]
async fn what_a_function_returns_is_looked_at_as_a_file_is() {
    let mut all = not_assertions();
    all.push((too_long().into_bytes(), "is larger than 64 KiB"));
    for (text, expected) in all {
        let Ok(text) = String::from_utf8(text) else {
            continue;
        };
        let credential = ClientCredential::assertion(move |_| {
            let text = text.clone();
            async move { Ok::<_, io::Error>(text) }
        });
        let none = proof(&credential).await.expect_err("no assertion");
        let problem = format!("what the function for assertions returned {expected}");
        assert_eq!(none.problem, problem);
        assert!(!none.is_transient);
    }
    let credential = ClientCredential::assertion(async |_| Ok::<_, io::Error>(longest()));
    assert_eq!(proof(&credential).await, Ok(longest()));
}

#[tokio::test]
async fn the_error_of_a_function_is_shown_unless_it_looks_like_a_credential() {
    let failing = |text: String| {
        ClientCredential::assertion(move |_| {
            let error = io::Error::other(text.clone());
            async move { Err::<String, _>(error) }
        })
    };
    for (text, shown) in [
        ("no route to host".to_owned(), "no route to host".to_owned()),
        ("two\nlines".to_owned(), "two\\nlines".to_owned()),
        (
            jwt("{}"),
            "(withheld: it looks like a credential)".to_owned(),
        ),
        (
            "a b ".repeat(200),
            format!("{}...", "a b ".repeat(75).split_at(297).0),
        ),
    ] {
        let none = proof(&failing(text)).await.expect_err("no assertion");
        let problem = format!("the function for assertions failed: {shown}");
        assert_eq!(none.problem, problem);
        assert!(none.is_transient);
    }
}

#[tokio::test(start_paused = true)]
async fn a_function_that_does_not_return_is_given_up_after_20_s() {
    let hanging = ClientCredential::assertion(async |_| -> Result<String, String> {
        std::future::pending().await
    });
    let began = tokio::time::Instant::now();
    let none = proof(&hanging).await.expect_err("no assertion");
    assert_eq!(
        none.problem,
        "the function for assertions did not return within 20 s"
    );
    assert!(none.is_transient);
    assert_eq!(began.elapsed(), Duration::from_secs(20));

    let slow = ClientCredential::assertion(async |_| -> Result<String, String> {
        tokio::time::sleep(Duration::from_secs(19)).await;
        Ok(jwt("{}"))
    });
    assert!(proof(&slow).await.is_ok());
}

#[tokio::test]
async fn closures_of_both_forms_and_errors_of_each_kind_are_taken() {
    let good = jwt("{}");
    let asked = Arc::new(Mutex::new(Vec::new()));
    let credentials = [
        ClientCredential::assertion({
            let (asked, good) = (Arc::clone(&asked), good.clone());
            move |request: AssertionRequest| {
                asked.lock().unwrap().push(request.exchange_audience);
                let good = good.clone();
                async move { Ok::<_, io::Error>(format!("{good}\n")) }
            }
        }),
        ClientCredential::assertion(async |request: AssertionRequest| {
            tokio::task::yield_now().await;
            match request.agent {
                None => Ok(jwt("{}")),
                Some(_) => Err("an error that is a text"),
            }
        }),
        ClientCredential::assertion(
            async |_| -> Result<String, Box<dyn StdError + Send + Sync>> { Ok(jwt("{}")) },
        ),
        ClientCredential::assertion(by_function),
    ];
    for credential in credentials {
        assert_eq!(proof(&credential).await.as_ref(), Ok(&good));
        assert_eq!(credential.kind(), "assertion");
    }
    assert_eq!(*asked.lock().unwrap(), ["api://AzureADTokenExchange"]);
}

async fn by_function(request: AssertionRequest) -> Result<String, String> {
    Ok(jwt(if request.agent.is_none() { "{}" } else { "" }))
}

#[test]
fn a_secret_that_cannot_be_one_is_refused_and_not_shown() {
    for (secret, problem) in [
        ("", "client secret: it is empty"),
        (" \n", "client secret: it is empty"),
        (
            "hunter2\n",
            "client secret: it begins or ends with white space",
        ),
        (
            " hunter2",
            "client secret: it begins or ends with white space",
        ),
        ("hunt\0er2", "client secret: it has a control character"),
    ] {
        let error = ClientCredential::secret(secret).check().expect_err(secret);
        assert_eq!(error.to_string(), problem);
    }
    // The id of a secret. Entra may one day give out such secrets, so it is a warning only.
    let id = "3aa6c2f7-1e0f-4caa-a55a-7c08f5f87a1a";
    for good in ["aB08Q~0123456789012345678901234567890123", "two words", id] {
        assert_eq!(ClientCredential::secret(good).check(), Ok(()));
    }
}

#[test]
fn settings_of_signatures_are_refused_without_a_certificate() {
    let secret = ClientCredential::secret("hunter2");
    let file = ClientCredential::assertion_file("file");
    for credential in [
        secret.clone().with_rs256(),
        secret.with_x5c(),
        file.with_x5c(),
    ] {
        let error = credential.check().expect_err("no certificate");
        assert_eq!(
            error.to_string(),
            "credential: with_rs256() and with_x5c() are for certificates"
        );
    }
    let certificate = ClientCredential::certificate_pem(good_pem()).unwrap();
    let file = ClientCredential::certificate_file("file");
    for credential in [certificate, file] {
        assert_eq!(credential.with_rs256().with_x5c().check(), Ok(()));
    }
}

#[test]
fn a_pem_that_is_refused_is_an_error_of_the_configuration() {
    let error = ClientCredential::certificate_pem("hunter2").expect_err("no PEM");
    assert_eq!(error.setting(), "certificate");
    assert!(
        error
            .problem()
            .starts_with("it is not PEM. Give the private key"),
        "{error}"
    );
    assert!(!error.to_string().contains("hunter2"));
}

#[tokio::test]
async fn the_settings_of_a_signature_are_those_of_the_clone_they_were_made_on() {
    let plain = ClientCredential::certificate_pem(good_pem()).unwrap();
    let changed = plain.clone().with_rs256().with_x5c();
    let header = async |credential: &ClientCredential| {
        let assertion = proof(credential).await.unwrap();
        let (header, _) = assertion.split_once('.').unwrap();
        String::from_utf8(URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap()
    };
    let (plain, changed) = (header(&plain).await, header(&changed).await);
    assert!(
        plain.contains(r#""alg":"PS256""#) && !plain.contains("x5c"),
        "{plain}"
    );
    assert!(
        changed.contains(r#""alg":"RS256""#) && changed.contains("x5c"),
        "{changed}"
    );
}

#[tokio::test]
async fn a_secret_is_its_own_proof_and_debug_shows_kinds_only() {
    let secret = ClientCredential::secret("hunter2");
    assert_eq!(proof(&secret).await.as_deref(), Ok("secret hunter2"));
    let shown = |credential: ClientCredential| format!("{credential:?}");
    assert_eq!(shown(secret), r#"ClientCredential("secret")"#);
    for (credential, kind) in [
        (
            ClientCredential::certificate_pem(good_pem()).unwrap(),
            "certificate",
        ),
        (ClientCredential::certificate_file("file"), "certificate"),
        (ClientCredential::assertion_file("file"), "assertion_file"),
        (ClientCredential::assertion(by_function), "assertion"),
    ] {
        assert_eq!(shown(credential), format!("ClientCredential({kind:?})"));
    }
}
