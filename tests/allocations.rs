//! How often a validation asks for memory: a change that makes it worse fails here.
//!
//! Counted are the calls of the Rust allocator on the thread that validates. What the C library
//! behind the signature check takes for itself is not among them. To see the counts:
//!
//! ```text
//! cargo test --test allocations -- --nocapture --test-threads 1
//! ```

#[path = "../benches/common/poll.rs"]
mod poll;
#[path = "../benches/common/tokens.rs"]
mod tokens;

use std::{sync::OnceLock, time::Duration};

use tokio::runtime::Runtime;
use tower_entra::{ErrorKind, KeySettings, Requirement, Validator, testing::Issuer};

use self::poll::at_once;

#[test]
fn a_cold_validation_allocates_at_most_7_times() {
    let token = tokens::agent(issuer()).mint();
    assert_at_most(7, allocations(&cold(), &token, Ok(())));
}

#[test]
fn groups_make_it_no_more_than_9() {
    let token = tokens::agent_with_groups(issuer()).mint();
    assert_at_most(9, allocations(&cold(), &token, Ok(())));
}

#[test]
fn a_cached_validation_does_not_allocate() {
    for token in [tokens::agent(issuer()), tokens::agent_with_groups(issuer())] {
        assert_at_most(0, allocations(&cached(), &token.mint(), Ok(())));
    }
}

#[test]
fn a_malformed_token_allocates_at_most_once() {
    let good = tokens::agent(issuer()).mint();
    let (two_segments, _) = good.rsplit_once('.').expect("a token has dots");
    let (header, rest) = good.split_once('.').expect("a token has dots");
    for malformed in [
        two_segments,
        &format!("{good}.AQ"),
        &format!("{header}=.{rest}"),
        &format!("{header}.={rest}"),
        &format!("{good}="),
        &".".repeat(16_000),
    ] {
        for validator in [cold(), cached()] {
            let expected = Err(ErrorKind::MalformedToken);
            assert_at_most(1, allocations(&validator, malformed, expected));
        }
    }
}

#[test]
fn a_million_dots_allocate_at_most_once_whatever_the_limit() {
    let dots = ".".repeat(1_000_000);
    let roomy = issuer().validator_builder().max_token_size(1024 * 1024);
    let roomy = with_keys(roomy.build().expect("a good configuration"));
    for (validator, expected) in [
        (cold(), ErrorKind::TokenTooLarge),
        (cached(), ErrorKind::TokenTooLarge),
        (roomy, ErrorKind::MalformedToken),
    ] {
        assert_at_most(1, allocations(&validator, &dots, Err(expected)));
    }
}

#[test]
fn an_algorithm_that_is_not_allowed_allocates_at_most_once() {
    let token = tokens::agent(issuer()).algorithm("RS384").mint();
    let expected = Err(ErrorKind::AlgorithmNotAllowed);
    assert_at_most(1, allocations(&cold(), &token, expected));
}

#[test]
fn a_requirement_that_is_satisfied_allocates_nothing() -> Result<(), tower_entra::ConfigError> {
    let validator = cold();
    let _entered = runtime().enter();
    let caller = at_once(validator.validate(&issuer().user().mint())).expect("a good token");
    let listed = [(issuer().tenant_id(), issuer().client_id())];
    let requirement = Requirement::people()
        .and(Requirement::scope("Orders.Read")?)?
        .and(Requirement::agents().or(Requirement::clients(listed)?))?;
    let check = || assert!(requirement.check(&caller).is_ok());
    assert_at_most(0, allocation_counter::measure(check).count_total);
    Ok(())
}

#[test]
fn an_invented_key_id_allocates_at_most_7_times() {
    let invented = |kid| tokens::agent(issuer()).header("kid", kid).mint();
    let keys = KeySettings::default().with_cool_down(Duration::from_secs(600));
    let builder = issuer().validator_builder().key_settings(keys);
    let validator = with_keys(builder.build().expect("a good configuration"));
    let (looked_up, other) = (invented("invented"), invented("another"));
    // Causes the one fetch that there is in a cool-down.
    let waited = runtime().block_on(validator.validate(&looked_up));
    assert!(waited.is_err());
    for (token, refused, limit) in [
        (looked_up, ErrorKind::UnknownKey, 6),
        // Its claims are read.
        (other, ErrorKind::KeysUnavailable, 7),
    ] {
        assert_at_most(limit, allocations(&validator, &token, Err(refused)));
    }
}

#[cfg(feature = "acquire")]
#[test]
fn a_token_that_is_in_the_cache_is_handed_out_without_an_allocation() {
    use tower_entra::acquire::{AgentUser, ClientCredential, ConfidentialClient, Scopes};

    let _entered = runtime().enter();
    let blueprint = issuer().blueprint();
    let credential = ClientCredential::secret(blueprint.secret());
    let client =
        ConfidentialClient::builder(issuer().tenant_id(), blueprint.client_id(), credential)
            .authority(issuer().authority())
            .build()
            .expect("a good configuration");
    let agent = client.agent(issuer().agent_id());
    let name = blueprint.agent().user().principal_name().to_owned();
    let default = Scopes::default_of(issuer().api().resource()).expect("a resource");
    for (source, scopes) in [
        (agent.itself(), &default),
        (agent.user(AgentUser::principal_name(name)), &default),
    ] {
        let first = runtime().block_on(source.token(scopes)).expect("a token");
        let ask = || {
            let token = at_once(source.token(scopes)).expect("a token");
            let authorization = token.authorization();
            assert_eq!(authorization, first.authorization());
        };
        ask();
        assert_at_most(0, allocation_counter::measure(ask).count_total);
    }
}

/// The outgoing layer: a call with a token at hand.
#[cfg(feature = "acquire")]
#[test]
fn a_call_with_a_cached_token_allocates_at_most_once_more_than_without_the_layer() {
    use std::{convert::Infallible, future::ready};

    use http::{Request, Response, header::ACCEPT};
    use tower::{Layer as _, Service, service_fn};
    use tower_entra::acquire::{ClientCredential, ConfidentialClient, EntraCallLayer, Scopes};

    let (issuer, client) = (issuer(), issuer().client());
    let credential = ClientCredential::secret(client.secret());
    let source = ConfidentialClient::builder(issuer.tenant_id(), client.client_id(), credential)
        .authority(issuer.authority())
        .build()
        .expect("a good configuration")
        .itself();
    let scopes = Scopes::default_of(issuer.api().resource()).expect("a scope");
    let token = runtime().block_on(source.token(&scopes));
    token.expect("a token");
    let api = "https://api.test";
    let layer = EntraCallLayer::new(api, scopes).expect("an origin");
    let mut bare =
        service_fn(|request: Request<()>| ready(Ok::<_, Infallible>(Response::new(request))));
    let mut layered = layer.acting_as(source).layer(bare);
    let request = || {
        let request = Request::get(api).header(ACCEPT, "*/*");
        request.body(()).expect("a request")
    };
    let measure = |call: &mut dyn FnMut(Request<()>)| {
        // The first clone of a header value allocates.
        call(request());
        let request = request();
        let mut request = Some(request);
        allocation_counter::measure(|| call(request.take().expect("one call"))).count_total
    };
    let without = measure(&mut |request| drop(at_once(bare.call(request))));
    let with = measure(&mut |request| drop(at_once(layered.call(request))));
    println!("{with} allocations, and {without} without the layer");
    assert_at_most(without + 1, with);
}

/// How often a validation of the token allocates that is not the first: the first ones fill what is
/// there to be filled.
#[track_caller]
fn allocations(validator: &Validator, token: &str, expected: Result<(), ErrorKind>) -> u64 {
    let _entered = runtime().enter();
    for _ in 0..2 {
        validate(validator, token, expected);
    }
    let count = allocation_counter::measure(|| validate(validator, token, expected)).count_total;
    println!("{count} allocations: {} bytes, {expected:?}", token.len());
    count
}

#[track_caller]
fn validate(validator: &Validator, token: &str, expected: Result<(), ErrorKind>) {
    let verdict = at_once(validator.validate(token));
    let verdict = verdict.map(drop).map_err(|error| error.kind());
    assert_eq!(verdict, expected);
}

#[track_caller]
fn assert_at_most(limit: u64, count: u64) {
    assert!(count <= limit, "{count} allocations are more than {limit}");
}

fn cold() -> Validator {
    with_keys(issuer().validator())
}

fn cached() -> Validator {
    let builder = issuer().validator_builder().token_cache(16);
    with_keys(builder.build().expect("a good configuration"))
}

fn with_keys(validator: Validator) -> Validator {
    runtime().block_on(validator.ready());
    validator
}

fn issuer() -> &'static Issuer {
    static ISSUER: OnceLock<Issuer> = OnceLock::new();
    ISSUER.get_or_init(Issuer::start_blocking)
}

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::new().expect("a runtime"))
}
