//! Assertions that a client signs itself, or has from elsewhere.

use aws_lc_rs::{
    digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest},
    rand::SystemRandom,
    signature::{RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair},
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::{Map, json};

use super::*;
use crate::testing::{FederatedCredential, TokenBuilder, token::now};

/// An assertion of a certificate, to be changed in one thing.
#[derive(Clone)]
struct Signed {
    key: Vec<u8>,
    encoding: &'static dyn RsaEncoding,
    header: Map<String, Value>,
    claims: Map<String, Value>,
}

impl Signed {
    /// As MSAL makes one: PS256, `x5t#S256`, ten minutes.
    fn new(issuer: &Issuer, pem: &str) -> Self {
        let object = |value: Value| value.as_object().unwrap().clone();
        let client = issuer.client_id();
        let thumbprint = digest(&SHA256, &block(pem, "CERTIFICATE"));
        Self {
            key: block(pem, "PRIVATE KEY"),
            encoding: &RSA_PSS_SHA256,
            header: object(json!({
                "typ": "JWT",
                "alg": "PS256",
                "x5t#S256": URL_SAFE_NO_PAD.encode(thumbprint),
            })),
            claims: object(json!({
                "aud": issuer.token_endpoint(),
                "iss": client,
                "sub": client,
                "jti": GUID,
                "nbf": now(),
                "iat": now(),
                "exp": now() + 600,
            })),
        }
    }

    fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(name.to_owned(), value.into());
        self
    }

    fn without_claim(mut self, name: &str) -> Self {
        self.claims.remove(name);
        self
    }

    fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header.insert(name.to_owned(), value.into());
        self
    }

    fn without_header(mut self, name: &str) -> Self {
        self.header.remove(name);
        self
    }

    fn rs256(mut self) -> Self {
        self.encoding = &RSA_PKCS1_SHA256;
        self.header("alg", "RS256")
    }

    fn sign(self) -> String {
        let encode =
            |part: Map<String, Value>| URL_SAFE_NO_PAD.encode(Value::Object(part).to_string());
        let input = format!("{}.{}", encode(self.header), encode(self.claims));
        let key = RsaKeyPair::from_pkcs8(&self.key).unwrap();
        let mut signature = vec![0; key.public_modulus_len()];
        let random = SystemRandom::new();
        key.sign(self.encoding, &random, input.as_bytes(), &mut signature)
            .unwrap();
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

fn block(pem: &str, kind: &str) -> Vec<u8> {
    let (_, rest) = pem.split_once(&format!("-----BEGIN {kind}-----")).unwrap();
    let (text, _) = rest.split_once("-----END").unwrap();
    STANDARD
        .decode(text.split_whitespace().collect::<String>())
        .unwrap()
}

/// The request of the ordinary client, or of the blueprint, with an assertion in place of its secret.
fn asserting(ask: &Ask, assertion: &str) -> Ask {
    let ask = ask.clone().without("client_secret");
    ask.and("client_assertion_type", JWT_ASSERTION)
        .and("client_assertion", assertion)
}

#[test]
fn an_assertion_of_a_certificate_is_refused_for_each_fault() {
    let issuer = Issuer::start_blocking();
    let pem = issuer.client().new_certificate_pem();
    let stranger = issuer.blueprint().new_certificate_pem();
    let good = || Signed::new(&issuer, &pem);
    let ask = |signed: Signed| asserting(&app(&issuer), &signed.sign());
    let at = |seconds: i64| now() + seconds;
    let endpoint = issuer.token_endpoint();
    let forged = Signed {
        key: block(&stranger, "PRIVATE KEY"),
        ..good()
    };
    let pkcs1 = Signed {
        encoding: &RSA_PKCS1_SHA256,
        ..good()
    };
    let other = endpoint.replace(issuer.tenant_id(), OTHER_TENANT);
    prove! { &issuer, ask(good());
        "an algorithm with a shared secret": ask(good().header("alg", "HS256")) => invalid_client 50027;
        "no algorithm": ask(good().header("alg", "none")) => invalid_client 50027;
        "another algorithm": ask(good().header("alg", "RS384")) => invalid_client 50027;
        "PS256 said, RS256 done": ask(pkcs1) => invalid_client 700027;
        "no thumbprint": ask(good().without_header("x5t#S256")) => invalid_client 700027;
        "a chain of no kind": ask(good().header("x5c", 1)) => invalid_client 50027;
        "an empty chain": ask(good().header("x5c", json!([]))) => invalid_client 50027;
        "a thumbprint that is none": ask(good().header("x5t#S256", "!")) => invalid_client 50027;
        "another certificate": ask(Signed::new(&issuer, &stranger)) => invalid_client 700027;
        "another key": ask(forged) => invalid_client 700027;
        "a wrong second thumbprint": ask(good().header("x5t", "AAAA")) => invalid_client 700027;
        "another issuer": ask(good().claim("iss", GUID)) => invalid_client 700021;
        "another subject": ask(good().claim("sub", GUID)) => invalid_client 700021;
        "no subject": ask(good().without_claim("sub")) => invalid_client 700021;
        "another tenant's endpoint": ask(good().claim("aud", other)) => invalid_client 700023;
        "the issuer": ask(good().claim("aud", issuer.url())) => invalid_client 700023;
        "another host": ask(good().claim("aud", "https://login.microsoftonline.com/x")) => invalid_client 700023;
        "no audience": ask(good().without_claim("aud")) => invalid_client 700023;
        "expired": ask(good().claim("exp", at(-301))) => invalid_client 700024;
        "not yet": ask(good().claim("nbf", at(400))) => invalid_client 700024;
        "no end": ask(good().without_claim("exp")) => invalid_client 50027;
        "an end that is no time": ask(good().claim("exp", "soon")) => invalid_client 50027;
        "an end in a list": ask(good().claim("exp", json!([1]))) => invalid_client 50027;
    }
    issuer.advance_clock(Duration::from_secs(3_700 * 24 * 3_600));
    assert_eq!(
        ask(good().claim("exp", at(9_999_999_999)))
            .refused(&issuer)
            .2,
        1_000_502
    );
    let of_none = ask(good());
    issuer.client().remove_credentials();
    assert_eq!(of_none.refused(&issuer).2, 700027);
}

#[test]
fn a_certificate_that_is_deleted_is_refused_and_its_successor_is_not() {
    let issuer = Issuer::start_blocking();
    let [old, new] = [(); 2].map(|()| issuer.client().new_certificate_pem());
    let ask = |pem: &str| asserting(&app(&issuer), &Signed::new(&issuer, pem).sign());
    ask(&old).granted(&issuer);
    issuer.client().remove_certificate_pem(&old);
    assert_eq!(ask(&old).refused(&issuer).2, 700027);
    ask(&new).granted(&issuer);
    issuer.client().remove_certificate_pem("no certificate");
    ask(&new).granted(&issuer);
}

#[test]
fn the_assertions_of_every_library_are_accepted() {
    let issuer = Issuer::start_blocking();
    let pem = issuer.client().new_certificate_pem();
    let good = || Signed::new(&issuer, &pem);
    let der = block(&pem, "CERTIFICATE");
    let (sha256, sha1) = (
        digest(&SHA256, &der),
        digest(&SHA1_FOR_LEGACY_USE_ONLY, &der),
    );
    let leaf = STANDARD.encode(&der);
    let texts = good()
        .claim("nbf", now().to_string())
        .claim("exp", (now() + 600).to_string());
    let floats = json!(now()).as_f64().unwrap() + 0.25;
    for (library, signed) in [
        (
            "MSAL .NET",
            texts.without_claim("iat").header("x5c", leaf.as_str()),
        ),
        (
            "MSAL Go",
            good()
                .header("x5t#S256", STANDARD.encode(sha256))
                .header("x5c", json!([leaf])),
        ),
        (
            "MSAL Python",
            good()
                .without_claim("nbf")
                .claim("iat", floats)
                .claim("exp", floats + 600.0),
        ),
        ("RS256", good().rs256()),
        (
            "azure_identity",
            good()
                .rs256()
                .without_header("x5t#S256")
                .header("x5t", STANDARD.encode(sha1)),
        ),
        ("a chain as PEM text", good().header("x5c", pem.as_str())),
        (
            "a clock that is ahead",
            good().claim("nbf", now() + 60).claim("iat", now() + 60),
        ),
        (
            "upper case",
            good().claim("iss", issuer.client_id().to_uppercase()),
        ),
        (
            "no typ, no jti",
            good().without_header("typ").without_claim("jti"),
        ),
    ] {
        let claims = asserting(&app(&issuer), &signed.sign()).claims(&issuer);
        assert_eq!(claims["azpacr"], "2", "{library}");
    }
}

#[test]
fn a_certificate_made_elsewhere_can_be_registered() {
    // openssl req -x509 -newkey rsa:2048 -nodes -days 36500 -subj /CN=orders -set_serial 7
    const PEM: &str = include_str!("certificate.pem");
    let issuer = Issuer::start_blocking();
    issuer.client().add_certificate_pem(PEM);
    asserting(&app(&issuer), &Signed::new(&issuer, PEM).sign()).granted(&issuer);
}

#[test]
#[should_panic(expected = "no certificate that can be read")]
fn a_text_without_a_certificate_is_a_panic() {
    let issuer = Issuer::start_blocking();
    issuer
        .client()
        .add_certificate_pem("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----");
}

const SUBJECT: &str = "repo:contoso/orders:ref:refs/heads/main";

#[test]
fn a_federated_assertion_is_refused_for_each_fault() {
    let issuer = Issuer::start_blocking();
    let github = Issuer::start_blocking();
    let stranger = Issuer::start_blocking();
    issuer
        .blueprint()
        .trust(FederatedCredential::of(&github, SUBJECT));
    let from = |other: &Issuer| {
        let audience = "api://AzureADTokenExchange";
        TokenBuilder::new(&other.shared)
            .claim("sub", SUBJECT)
            .audience(audience)
    };
    let ask = |token: TokenBuilder| asserting(&t1(&issuer), &token.mint());
    let good = || from(&github);
    prove! { &issuer, ask(good());
        "another issuer": ask(from(&stranger)) => invalid_client 700211;
        "another tenant of it": ask(good().tenant(OTHER_TENANT)) => invalid_client 700211;
        "no issuer": ask(good().without_claim("iss")) => invalid_client 700211;
        "another subject": ask(good().claim("sub", "repo:contoso/bills")) => invalid_client 700213;
        "another letter case": ask(good().claim("sub", SUBJECT.to_uppercase())) => invalid_client 700213;
        "another audience": ask(good().audience("api://x")) => invalid_client 7002121;
        "a foreign key": ask(good().signed_by_stranger()) => invalid_client 700027;
        "another algorithm": ask(good().algorithm("PS256")) => invalid_client 700027;
        "no signature": ask(good().unsigned()) => invalid_client 700027;
        "expired": ask(good().expired()) => invalid_client 700024;
        "not yet": ask(good().not_before(now() + 400)) => invalid_client 700024;
        "no end": ask(good().without_claim("exp")) => invalid_client 50027;
    }
    let subject = "system:serviceaccount:default:orders";
    let custom = FederatedCredential::of(&github, subject)
        .issuer("https://token.actions.example")
        .audience("orders");
    issuer.blueprint().trust(custom);
    let token = good()
        .claim("sub", subject)
        .claim("iss", "https://token.actions.example");
    ask(token.audience("orders")).granted(&issuer);
}

#[test]
fn the_key_of_an_issuer_can_be_given() {
    let issuer = Issuer::start_blocking();
    let pem = issuer.add_client().new_certificate_pem();
    let credential = FederatedCredential::with_key_pem("https://idp.example", SUBJECT, &pem);
    issuer.client().trust(credential);
    let assertion = Signed::new(&issuer, &pem)
        .rs256()
        .without_header("x5t#S256")
        .claim("iss", "https://idp.example")
        .claim("sub", SUBJECT)
        .claim("aud", "api://AzureADTokenExchange");
    asserting(&app(&issuer), &assertion.sign()).granted(&issuer);
}

#[test]
fn the_token_of_a_managed_identity_is_the_blueprints_credential() {
    let issuer = Issuer::start_blocking();
    let identity = issuer.application().audience("api://AzureADTokenExchange");
    let ask = asserting(&t1(&issuer), &identity.mint());
    assert_eq!(ask.refused(&issuer).2, 700222);
    let subject = parts(&identity_token(&issuer)).1["sub"]
        .as_str()
        .unwrap()
        .to_owned();
    issuer
        .blueprint()
        .trust(FederatedCredential::of(&issuer, subject));
    ask.granted(&issuer);
    asserting(&t1(&issuer), &identity_token(&issuer)).granted(&issuer);
}

fn identity_token(issuer: &Issuer) -> String {
    issuer
        .application()
        .audience("fb60f99c-7a34-4190-8149-302f77469936")
        .mint()
}
