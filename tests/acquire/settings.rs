//! Each wrong setting, and the one line that it gives before anything is sent.

use std::time::Duration;

use tower_entra::{
    Authority,
    acquire::{AcquireSettings, ClientCredential, ConfidentialClient, ConfidentialClientBuilder},
};

use super::{leaks::Shown, wire::Wire, world::World};

const ID: &str = "3aa6c2f7-1e0f-4caa-a55a-7c08f5f87a1a";

fn secret() -> ClientCredential {
    ClientCredential::secret("hunter2")
}

#[track_caller]
fn refused(builder: ConfidentialClientBuilder, line: &str) {
    let error = builder.build().expect_err(line);
    assert_eq!(error.to_string(), line);
    assert!(!error.to_string().contains(['\n', '\r']), "{line}");
    assert!(!format!("{error:?}").contains("hunter2"), "{line}");
    let (setting, problem) = line.split_once(": ").unwrap();
    assert_eq!((error.setting(), error.problem()), (setting, problem));
}

#[test]
fn a_tenant_is_the_guid_of_one() {
    let many = "stands for many tenants. Set the id of one tenant.";
    let other = "is not a GUID. Set the id of one tenant.";
    for (tenant, line) in [
        ("common", format!("tenant: \"common\" {many}")),
        ("organizations", format!("tenant: \"organizations\" {many}")),
        ("Consumers", format!("tenant: \"Consumers\" {many}")),
        ("", format!("tenant: \"\" {other}")),
        ("contoso.com", format!("tenant: \"contoso.com\" {other}")),
        ("{tid}", format!("tenant: \"{{tid}}\" {other}")),
        (" common", format!("tenant: \" common\" {other}")),
        (
            "7090e106-1ad3-4313-9b7a-75cc3e576d40 ",
            format!("tenant: \"7090e106-1ad3-4313-9b7a-75cc3e576d40 \" {other}"),
        ),
        (
            "{7090e106-1ad3-4313-9b7a-75cc3e576d40}",
            format!("tenant: \"{{7090e106-1ad3-4313-9b7a-75cc3e576d40}}\" {other}"),
        ),
        (
            "7090e1061ad343139b7a75cc3e576d40",
            format!("tenant: \"7090e1061ad343139b7a75cc3e576d40\" {other}"),
        ),
        ("a\r\nb", format!("tenant: \"a\\r\\nb\" {other}")),
        ("../common", format!("tenant: \"../common\" {other}")),
        (
            "aB08Q~0123456789012345678901234567890123",
            format!("tenant: (40 characters that look like a credential) {other}"),
        ),
    ] {
        refused(ConfidentialClient::builder(tenant, ID, secret()), &line);
    }
}

#[test]
fn a_client_id_is_a_guid() {
    let hint = "is not a GUID. Set the application (client) id of the app.";
    for (id, shown) in [
        ("", "\"\""),
        ("orders", "\"orders\""),
        (
            "api://3aa6c2f7-1e0f-4caa-a55a-7c08f5f87a1a",
            "\"api://3aa6c2f7-1e0f-4caa-a55a-7c08f5f87a1a\"",
        ),
        (
            " 3aa6c2f7-1e0f-4caa-a55a-7c08f5f87a1a",
            "\" 3aa6c2f7-1e0f-4caa-a55a-7c08f5f87a1a\"",
        ),
        (
            "aB08Q~0123456789012345678901234567890123",
            "(40 characters that look like a credential)",
        ),
    ] {
        let line = format!("client_id: {shown} {hint}");
        refused(ConfidentialClient::builder(ID, id, secret()), &line);
    }
}

#[test]
fn a_credential_is_one_that_can_be_sent() {
    let of = |credential| ConfidentialClient::builder(ID, ID, credential);
    let certificates = "credential: with_rs256() and with_x5c() are for certificates";
    for (text, line) in [
        ("", "client secret: it is empty"),
        (" \t\n", "client secret: it is empty"),
        (
            "hunter2\n",
            "client secret: it begins or ends with white space",
        ),
        (
            "hunter2\u{a0}",
            "client secret: it begins or ends with white space",
        ),
        ("hun\0ter2", "client secret: it has a control character"),
        (
            "hunter2\rhunter2",
            "client secret: it has a control character",
        ),
    ] {
        refused(of(ClientCredential::secret(text)), line);
    }
    refused(of(secret().with_x5c()), certificates);
    refused(
        of(ClientCredential::assertion_file("/f").with_rs256()),
        certificates,
    );
    let function = ClientCredential::assertion(async |_| Err::<String, _>("none"));
    refused(of(function.with_x5c()), certificates);
}

#[test]
fn a_secret_with_the_form_of_its_id_is_a_warning() {
    let (shown, _guard) = Shown::of_this_thread();
    let id = "8d2b53c6-3e5a-4c77-9f4e-1a2b3c4d5e6f";
    let build = |secret: &str| {
        let builder = ConfidentialClient::builder(ID, ID, ClientCredential::secret(secret));
        builder.build().unwrap()
    };
    build("aB08Q~0123456789012345678901234567890123");
    assert!(!shown.text().contains("WARN"));
    build(id);
    let text = shown.text();
    assert!(
        text.contains("WARN tower_entra::acquire: the client secret has the form of a secret's id"),
        "{text}"
    );
    assert!(text.contains("Give the value of the secret"), "{text}");
    assert!(!text.contains(id), "{text}");
}

#[test]
fn a_pem_that_cannot_be_used_is_no_credential() {
    let world = World::new();
    let good = world.blueprint.new_certificate_pem();
    let other = world.blueprint.new_certificate_pem();
    let (key, certificate) = good.split_at(good.find("-----BEGIN CERTIFICATE").unwrap());
    let of_other = &other[other.find("-----BEGIN CERTIFICATE").unwrap()..];
    ClientCredential::certificate_pem(&good).unwrap();
    for (pem, problem) in [
        ("", "it is empty"),
        ("hunter2", "it is not PEM. "),
        (key, "there is no certificate. "),
        (certificate, "there is no private key. "),
        (
            &format!("{key}{of_other}"),
            "the certificate is of another key than the private key. ",
        ),
        (
            &format!("{good}{key}"),
            "there is more than one private key. ",
        ),
        (&good[..good.len() - 30], ""),
        (
            &key.replace("PRIVATE", "ENCRYPTED PRIVATE"),
            "the private key is encrypted. ",
        ),
    ] {
        let error = ClientCredential::certificate_pem(pem).expect_err(problem);
        let line = error.to_string();
        assert!(
            line.starts_with(&format!("certificate: {problem}")),
            "{line}"
        );
        assert!(!line.contains('\n'), "{line}");
        for text in good.lines().filter(|line| !line.starts_with('-')) {
            assert!(!format!("{error:?}").contains(text), "{line}");
        }
    }
}

#[test]
fn an_authority_is_an_https_origin_or_a_loopback_address() {
    let path = "must be scheme and host only, without a path";
    let none = "is not an http or https URL with a host";
    let loopback = "is not a loopback address such as http://127.0.0.1:4000";
    for (url, problem) in [
        ("http://login.microsoftonline.com", "must be https"),
        ("http://127.0.0.1:4000", "must be https"),
        ("https://login.microsoftonline.com/common", path),
        ("https://login.microsoftonline.com/{tid}", path),
        ("https://login.microsoftonline.com//", path),
        ("https://login.microsoftonline.com?x", path),
        ("login.microsoftonline.com", none),
        ("", "is not a URL"),
        ("https://login microsoftonline.com", "is not a URL"),
    ] {
        let builder = ConfidentialClient::builder(ID, ID, secret());
        let builder = builder.authority(Authority::custom(url));
        refused(builder, &format!("authority: {url:?} {problem}"));
    }
    for url in [
        "http://localhost:4000",
        "http://10.0.0.1",
        "http://login.microsoftonline.com",
    ] {
        let builder = ConfidentialClient::builder(ID, ID, secret());
        let builder = builder.authority(Authority::insecure_loopback(url));
        refused(builder, &format!("authority: {url:?} {loopback}"));
    }
}

#[test]
fn a_number_is_in_its_range() {
    let with = AcquireSettings::default;
    let (zero, long) = (Duration::ZERO, Duration::from_secs(301));
    for (settings, line) in [
        (
            with().with_connect_timeout(zero),
            "connect_timeout: 0ns is not between 1ms and 60s",
        ),
        (
            with().with_connect_timeout(long),
            "connect_timeout: 301s is not between 1ms and 60s",
        ),
        (
            with().with_request_timeout(zero),
            "request_timeout: 0ns is not between 1ms and 60s",
        ),
        (
            with().with_request_timeout(long),
            "request_timeout: 301s is not between 1ms and 60s",
        ),
        (
            with().with_total_timeout(zero),
            "total_timeout: 0ns is not between 1ms and 300s",
        ),
        (
            with().with_total_timeout(long),
            "total_timeout: 301s is not between 1ms and 300s",
        ),
        (
            with().with_max_flights(0),
            "max_flights: 0 is not between 1 and 65536",
        ),
        (
            with().with_max_flights(65_537),
            "max_flights: 65537 is not between 1 and 65536",
        ),
        (
            with().with_max_entries(0),
            "max_entries: 0 is not between 1 and 1000000",
        ),
        (
            with().with_max_entries(1_000_001),
            "max_entries: 1000001 is not between 1 and 1000000",
        ),
        (
            with().with_exchange_audience(""),
            "exchange_audience: \"\" cannot be the resource of a scope",
        ),
        (
            with().with_exchange_audience("api://a b"),
            "exchange_audience: \"api://a b\" cannot be the resource of a scope",
        ),
        (
            with().with_exchange_audience("api://AzureADTokenExchange/.default"),
            "exchange_audience: \"api://AzureADTokenExchange/.default\" is a scope and no resource",
        ),
    ] {
        let builder = ConfidentialClient::builder(ID, ID, secret());
        refused(builder.settings(settings), line);
    }
}

#[test]
fn a_client_with_all_settings_at_their_ends_is_built_without_a_request() {
    let wire = Wire::default();
    let settings = AcquireSettings::default()
        .with_max_entries(1)
        .with_max_flights(65_536)
        .with_total_timeout(Duration::from_secs(300));
    let client = ConfidentialClient::builder(ID.to_uppercase(), ID.to_uppercase(), secret())
        .settings(settings)
        .http_client(wire.clone())
        .build()
        .unwrap();
    assert_eq!(client.client_id().as_str(), ID);
    assert_eq!(wire.count(), 0);
}
