//! This crate beside the others that validate such tokens, all in one process.
//!
//! ```text
//! cargo run --release --manifest-path benches/peers/Cargo.toml
//! ```
//!
//! Every one of them admits the very same RS256 token, by the same 2,048-bit key, for the same
//! issuer and audience, and reads its claims into the same struct where it reads them into one.

#[path = "../../common/bare.rs"]
mod bare;
#[path = "../../common/contest.rs"]
mod contest;
#[path = "../../common/poll.rs"]
mod poll;
#[path = "../../common/tokens.rs"]
mod tokens;

use std::{collections::HashMap, convert::Infallible, future};

use http::{HeaderValue, Request, Response, header::AUTHORIZATION};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, jwk::JwkSet};
use jwt_authorizer::JwtAuthorizer;
use oauth_resource_server::OAuthValidator;
use serde::{Deserialize, Serialize};
use tokio::runtime::Runtime;
use tower::{Layer as _, Service, service_fn};
use tower_entra::{EntraAuthLayer, Validator, testing::Issuer};
use tower_oauth2_resource_server::{
    server::OAuth2ResourceServer, tenant::TenantConfiguration, validation::ClaimsValidationSpec,
};

use self::{bare::Bare, contest::Contest, poll::at_once};

fn main() {
    let runtime = Runtime::new().expect("a runtime");
    let _entered = runtime.enter();
    let issuer = Issuer::start_blocking();
    let peers = runtime.block_on(Peers::new(&issuer));

    for token in [tokens::agent(&issuer), tokens::agent_with_groups(&issuer)] {
        let token = token.mint();
        println!("a token of {} bytes", token.len());
        measure(&peers, &issuer, &token);
    }
}

/// All validators, loaded with the issuer's keys.
struct Peers {
    ours: Validator,
    jsonwebtoken: HashMap<String, DecodingKey>,
    validation: Validation,
    oauth_resource_server: OAuthValidator,
    tower_oauth2: OAuth2ResourceServer<Claims>,
    jwt_authorizer: jwt_authorizer::Authorizer<Claims>,
}

impl Peers {
    async fn new(issuer: &Issuer) -> Self {
        let ours = issuer.validator();
        ours.ready().await;
        let keys = String::from_utf8(issuer.keys_document()).expect("JSON is UTF-8");
        Self {
            ours,
            jsonwebtoken: decoding_keys(&keys),
            validation: validation(issuer),
            oauth_resource_server: oauth_resource_server(issuer, &keys),
            tower_oauth2: tower_oauth2(issuer, &keys).await,
            jwt_authorizer: jwt_authorizer(issuer, &keys).await,
        }
    }
}

fn decoding_keys(keys: &str) -> HashMap<String, DecodingKey> {
    let set: JwkSet = serde_json::from_str(keys).expect("a key set");
    set.keys
        .iter()
        .map(|jwk| {
            let kid = jwk.common.key_id.clone().expect("a key has an id");
            (kid, DecodingKey::from_jwk(jwk).expect("a good key"))
        })
        .collect()
}

fn validation(issuer: &Issuer) -> Validation {
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_issuer(&[issuer.v1_issuer()]);
    validation.set_audience(&[issuer.audience()]);
    validation.set_required_spec_claims(&["exp", "iss", "aud"]);
    validation.validate_nbf = true;
    validation
}

fn oauth_resource_server(issuer: &Issuer, keys: &str) -> OAuthValidator {
    // No server listens there: the keys are given.
    let mut config = oauth_resource_server::testing::resolved_config("http://127.0.0.1:9/jwks");
    config.issuer = issuer.v1_issuer();
    config.audience = issuer.audience().to_owned();
    config.required_scopes = Vec::new();
    config.allow_unscoped_tokens = true;
    config.allow_insecure_http = true;
    OAuthValidator::builder(&config)
        .initial_jwks(keys)
        .build()
        .expect("a good configuration")
}

async fn tower_oauth2(issuer: &Issuer, keys: &str) -> OAuth2ResourceServer<Claims> {
    let claims = ClaimsValidationSpec::new()
        .exp(true)
        .nbf(true)
        .iss(&issuer.v1_issuer())
        .aud(&vec![issuer.audience().to_owned()]);
    let tenant = TenantConfiguration::static_builder(keys)
        .identifier("static")
        .claims_validation(claims)
        .allowed_algorithms(&[Algorithm::RS256])
        .build()
        .expect("a good configuration");
    OAuth2ResourceServer::<Claims>::builder()
        .add_tenant(tenant)
        .build()
        .await
        .expect("a good configuration")
}

async fn jwt_authorizer(issuer: &Issuer, keys: &str) -> jwt_authorizer::Authorizer<Claims> {
    let validation = jwt_authorizer::Validation::new()
        .iss(&[issuer.v1_issuer()])
        .aud(&[issuer.audience()])
        .nbf(true);
    JwtAuthorizer::<Claims>::from_jwks_text(keys)
        .validation(validation)
        .build()
        .await
        .expect("a good configuration")
}

/// What an API with typed claims reads: 19 of them.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    iat: u64,
    nbf: u64,
    exp: u64,
    appid: String,
    appidacr: String,
    idtyp: Option<String>,
    oid: String,
    #[serde(default)]
    roles: Vec<String>,
    #[serde(default)]
    groups: Vec<String>,
    sub: String,
    tid: String,
    uti: String,
    ver: String,
    xms_act_fct: Option<String>,
    xms_sub_fct: Option<String>,
    xms_idrel: Option<String>,
    xms_par_app_azp: Option<String>,
}

fn measure(peers: &Peers, issuer: &Issuer, token: &str) {
    let mut contest = Contest::default();
    let bare = Bare::rs256(issuer, token);
    contest.enter("verify", move || bare.verify());
    contest.enter(OURS, || {
        at_once(peers.ours.validate(token)).expect("a good token is admitted")
    });
    contest.enter(DECODE, || {
        let header = jsonwebtoken::decode_header(token).expect("a good header");
        let kid = header.kid.expect("the header names a key");
        decode(&peers.jsonwebtoken[&kid], token, &peers.validation)
    });
    let key = peers.jsonwebtoken.values().next().expect("there is a key");
    contest.enter(DECODE_ONLY, || decode(key, token, &peers.validation));
    contest.enter(OAUTH_RESOURCE_SERVER, || {
        at_once(peers.oauth_resource_server.validate(token)).expect("a good token is admitted")
    });
    contest.enter(JWT_AUTHORIZER, || {
        at_once(peers.jwt_authorizer.check_auth(token)).expect("a good token is admitted")
    });

    let request = request(token);
    let mut layer = EntraAuthLayer::new(peers.ours.clone()).layer(service_fn(answer));
    contest.enter_with(OUR_LAYER, request.clone(), move |request| {
        serve(&mut layer, request)
    });
    let layer = peers.tower_oauth2.into_layer::<()>();
    let mut layer = layer.layer(service_fn(answer));
    contest.enter_with(TOWER_OAUTH2, request, move |request| {
        serve(&mut layer, request)
    });

    let results = contest.run(ROUNDS);
    results.print();
    results.ratio(OURS, DECODE_ONLY, Some(0.80));
    results.ratio(OURS, DECODE, Some(0.80));
    results.ratio(OURS, OAUTH_RESOURCE_SERVER, Some(0.75));
    results.ratio(OURS, JWT_AUTHORIZER, Some(0.75));
    results.ratio(OUR_LAYER, TOWER_OAUTH2, Some(0.75));
    println!();
}

fn decode(key: &DecodingKey, token: &str, validation: &Validation) -> Claims {
    let decoded = jsonwebtoken::decode(token, key, validation);
    decoded.expect("a good token is admitted").claims
}

fn request(token: &str) -> impl Fn() -> Request<()> + Clone {
    let value = HeaderValue::from_str(&format!("Bearer {token}")).expect("a token is visible");
    move || {
        let mut request = Request::new(());
        request.headers_mut().insert(AUTHORIZATION, value.clone());
        request
    }
}

fn answer(_request: Request<()>) -> future::Ready<Result<Response<()>, Infallible>> {
    future::ready(Ok(Response::new(())))
}

fn serve<S>(service: &mut S, request: Request<()>) -> Response<()>
where
    S: Service<Request<()>, Response = Response<()>, Error = Infallible>,
{
    let Ok(response) = at_once(service.call(request));
    assert!(response.status().is_success(), "a good token was refused");
    response
}

const OURS: &str = "tower-entra";
const OUR_LAYER: &str = "tower-entra, layer";
const DECODE_ONLY: &str = "jsonwebtoken decode (aws-lc-rs)";
const DECODE: &str = "jsonwebtoken decode_header, look-up, decode";
const OAUTH_RESOURCE_SERVER: &str = "oauth-resource-server (ring)";
const JWT_AUTHORIZER: &str = "jwt-authorizer (ring)";
const TOWER_OAUTH2: &str = "tower-oauth2-resource-server, layer (aws-lc-rs)";

const ROUNDS: usize = 1_000;
