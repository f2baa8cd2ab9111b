//! Callers' tokens, admitted by the door, for calls on behalf of their users.

use std::{collections::BTreeMap, sync::OnceLock, thread};

use tokio::runtime::Runtime;
use tower_entra::{Tenants, Validator, acquire::UserAssertion, testing::Issuer};

pub(crate) const TENANT: &str = "aaaaaaaa-1111-4111-8111-111111111111";
pub(crate) const OTHER_TENANT: &str = "22222222-2222-4222-8222-222222222222";
/// The audience of the callers' tokens.
pub(crate) const BLUEPRINT: &str = "bbbbbbbb-1111-4111-8111-111111111111";
pub(crate) const OTHER_BLUEPRINT: &str = "bbbbbbbb-2222-4222-8222-222222222222";

/// The users of the tokens, by number: two of Alice and one of Bob.
const USERS: [(&str, &str); 3] = [("alice", "1"), ("alice", "2"), ("bob", "3")];

/// Two tokens of Alice and one of Bob, as text and as assertions.
pub(crate) fn assertion(number: usize) -> &'static (String, UserAssertion) {
    assertion_for(TENANT, BLUEPRINT, number)
}

/// The same of users in this tenant, for this client.
pub(crate) fn assertion_for(
    tenant: &str,
    client: &str,
    number: usize,
) -> &'static (String, UserAssertion) {
    static ASSERTIONS: OnceLock<Assertions> = OnceLock::new();
    &ASSERTIONS.get_or_init(verified)[&(tenant.to_owned(), client.to_owned(), number)]
}

/// By tenant, client and number.
type Assertions = BTreeMap<(String, String, usize), (String, UserAssertion)>;

/// On a thread of its own: the clock of the caller's runtime can be paused, and that of the issuer is not.
fn verified() -> Assertions {
    let verify = || {
        let mut all = Assertions::new();
        for tenant in [TENANT, OTHER_TENANT] {
            let issuer = Issuer::builder().tenant(tenant).start_blocking();
            let validator =
                Validator::builder(Tenants::single(tenant), [BLUEPRINT, OTHER_BLUEPRINT])
                    .authority(issuer.authority())
                    .build()
                    .unwrap();
            for client in [BLUEPRINT, OTHER_BLUEPRINT] {
                for (number, (user, uti)) in USERS.into_iter().enumerate() {
                    let token = issuer.user_named(user).audience(client).claim("uti", uti);
                    let token = token.mint();
                    let verifying = UserAssertion::verify(&validator, &token);
                    let assertion = Runtime::new().unwrap().block_on(verifying).unwrap();
                    let key = (tenant.to_owned(), client.to_owned(), number);
                    all.insert(key, (token, assertion));
                }
            }
        }
        all
    };
    thread::spawn(verify).join().unwrap()
}
