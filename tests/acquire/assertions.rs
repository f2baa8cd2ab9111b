//! Callers' tokens, admitted by the door, for calls on behalf of their users.

use std::{sync::OnceLock, thread};

use tokio::runtime::Runtime;
use tower_entra::{acquire::UserAssertion, testing::Issuer};

pub(crate) const TENANT: &str = "aaaaaaaa-1111-4111-8111-111111111111";
/// The audience of the callers' tokens.
pub(crate) const BLUEPRINT: &str = "bbbbbbbb-1111-4111-8111-111111111111";

/// Two tokens of Alice and one of Bob, as text and as assertions.
pub(crate) fn assertion(number: usize) -> &'static (String, UserAssertion) {
    static ASSERTIONS: OnceLock<Vec<(String, UserAssertion)>> = OnceLock::new();
    &ASSERTIONS.get_or_init(verified)[number]
}

/// On a thread of its own: the clock of the caller's runtime can be paused, and that of the issuer is not.
fn verified() -> Vec<(String, UserAssertion)> {
    let verify = || {
        let issuer = Issuer::builder()
            .tenant(TENANT)
            .blueprint_id(BLUEPRINT)
            .audience(BLUEPRINT)
            .start_blocking();
        let blueprint = issuer.blueprint();
        let minted = [("alice", "1"), ("alice", "2"), ("bob", "3")]
            .map(|(user, uti)| blueprint.user_token(user).claim("uti", uti).mint());
        Runtime::new().unwrap().block_on(async {
            let validator = issuer.validator();
            let mut all = Vec::new();
            for token in minted {
                let assertion = UserAssertion::verify(&validator, &token).await.unwrap();
                all.push((token, assertion));
            }
            all
        })
    };
    thread::spawn(verify).join().unwrap()
}
