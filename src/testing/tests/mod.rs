//! The issuer seen from outside: its bytes, its signatures, its claims.

#![allow(clippy::unwrap_used)]

mod documents;

mod keys;

mod tokens;

mod principals;

mod faults;

mod life;

mod sts;

mod page;

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use aws_lc_rs::{
    error::Unspecified,
    signature::{RSA_PKCS1_2048_8192_SHA256, RsaParameters, RsaPublicKeyComponents},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;

use crate::testing::{Issuer, TokenBuilder};

/// Sends a GET for `target`. The answer is still to be read.
#[track_caller]
fn ask(issuer: &Issuer, target: &str) -> TcpStream {
    let address = issuer.url().strip_prefix("http://").unwrap().to_owned();
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    write!(stream, "GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    stream
}

/// The whole answer, until the issuer closes.
#[track_caller]
fn answer(issuer: &Issuer, target: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    ask(issuer, target).read_to_end(&mut bytes).unwrap();
    bytes
}

/// Head and body of the answer.
#[track_caller]
fn get(issuer: &Issuer, target: &str) -> (String, Vec<u8>) {
    let bytes = answer(issuer, target);
    let end = bytes.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
    (
        String::from_utf8(bytes[..end].to_vec()).unwrap(),
        bytes[end..].to_vec(),
    )
}

#[track_caller]
fn get_json(issuer: &Issuer, target: &str) -> Value {
    let (head, body) = get(issuer, target);
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    serde_json::from_slice(&body).unwrap()
}

#[track_caller]
fn status(issuer: &Issuer, target: &str) -> u16 {
    let (head, _) = get(issuer, target);
    head.split(' ').nth(1).unwrap().parse().unwrap()
}

fn discovery_target(tenant: &str) -> String {
    format!("/{tenant}/v2.0/.well-known/openid-configuration")
}

fn keys_target(issuer: &Issuer) -> String {
    format!("/{}/discovery/v2.0/keys", issuer.tenant_id())
}

#[track_caller]
fn discovery(issuer: &Issuer) -> Value {
    get_json(issuer, &discovery_target(issuer.tenant_id()))
}

#[track_caller]
fn jwks(issuer: &Issuer) -> Vec<Value> {
    let set = get_json(issuer, &keys_target(issuer));
    set["keys"].as_array().unwrap().clone()
}

#[track_caller]
fn served_kids(issuer: &Issuer) -> Vec<String> {
    jwks(issuer)
        .iter()
        .map(|key| key["kid"].as_str().unwrap().to_owned())
        .collect()
}

fn decode(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

/// Header and claims.
#[track_caller]
fn parts(token: &str) -> (Value, Value) {
    let mut segments = token.split('.').map(decode);
    let header = serde_json::from_slice(&segments.next().unwrap()).unwrap();
    (
        header,
        serde_json::from_slice(&segments.next().unwrap()).unwrap(),
    )
}

#[track_caller]
fn header(token: TokenBuilder) -> Value {
    parts(&token.mint()).0
}

#[track_caller]
fn claims(token: TokenBuilder) -> Value {
    parts(&token.mint()).1
}

/// Verifies the token with this JWK and does not read its header.
#[track_caller]
fn verify_with(jwk: &Value, token: &str, algorithm: &RsaParameters) -> Result<(), Unspecified> {
    let member = |name: &str| decode(jwk[name].as_str().unwrap());
    let (input, signature) = token.rsplit_once('.').unwrap();
    let key = RsaPublicKeyComponents {
        n: member("n"),
        e: member("e"),
    };
    key.verify(algorithm, input.as_bytes(), &decode(signature))
}

/// Verifies the token with the published JWK that its header names.
#[track_caller]
fn verify(issuer: &Issuer, token: &str) -> Result<(), Unspecified> {
    let (header, _) = parts(token);
    let keys = jwks(issuer);
    let jwk = keys
        .iter()
        .find(|key| key["kid"] == header["kid"])
        .ok_or(Unspecified)?;
    verify_with(jwk, token, &RSA_PKCS1_2048_8192_SHA256)
}

const OTHER_TENANT: &str = "dd0f374e-74a5-4996-af69-500cda64057a";
