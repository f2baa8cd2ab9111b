//! The callers that Entra issues tokens for, one method each.

use crate::testing::{
    issuer::Issuer,
    names::{AGENT_USER, PERSON, ROLE, SCOPE, guid_from, object_id_of, subject_of},
    people::{client_token, named, person, person_through_client},
    token::TokenBuilder,
};

/// Tokens, one method for each kind of caller. By default they are of version 2.0, valid for an hour
/// from now, and signed by the current key.
impl Issuer {
    /// An agent identity acting for itself, with the role `Orders.Read.All`.
    pub fn autonomous_agent(&self) -> TokenBuilder {
        self.agent_token()
            .claim("oid", self.agent_id())
            .claim("sub", self.agent_id())
            .claim("idtyp", "app")
            .claim("xms_sub_fct", "3 9 11")
            .claim("xms_idrel", "7")
            .roles([ROLE])
    }

    /// An agent identity acting for a person, with the scope `Orders.Read`.
    ///
    /// `user` is any name, such as `alice`, from which the person's object id follows: see
    /// [`object_id_of`](Self::object_id_of).
    pub fn agent_on_behalf_of(&self, user: &str) -> TokenBuilder {
        person(self.agent_token(), user).claim("xms_sub_fct", "3")
    }

    /// An agent identity acting through its own user account, with the scope `Orders.Read`.
    pub fn agent_user(&self) -> TokenBuilder {
        person(self.agent_token(), AGENT_USER).claim("xms_sub_fct", "3 13")
    }

    /// A person, `alice`, through the ordinary client, with the scope `Orders.Read`.
    pub fn user(&self) -> TokenBuilder {
        self.user_named(PERSON)
    }

    /// The person of this name through the ordinary client, with the scope `Orders.Read`: see
    /// [`agent_on_behalf_of`](Self::agent_on_behalf_of).
    pub fn user_named(&self, user: &str) -> TokenBuilder {
        person_through_client(&self.shared, user)
    }

    /// The ordinary client acting for itself, with the role `Orders.Read.All`.
    pub fn application(&self) -> TokenBuilder {
        // Unlike an agent identity, an application has an object id that is not its client id.
        let oid = guid_from(self.client_id());
        client_token(&self.shared)
            .claim("oid", &oid)
            .claim("sub", &oid)
            .claim("idtyp", "app")
            .claim("xms_sub_fct", "3 9")
            .claim("xms_idrel", "7")
            .roles([ROLE])
    }

    /// An ID token of [`user`](Self::user): it is for a client, and every API must refuse it.
    ///
    /// Its audience is nevertheless the API's, so that an API can refuse it only as an ID token.
    pub fn id_token(&self) -> TokenBuilder {
        named(TokenBuilder::new(&self.shared), PERSON)
            .claim("nonce", "741999f8-63d1-4c35-ad75-482e8c185155")
    }

    /// A token with the fewest claims that are admitted, to build on: a person through the ordinary
    /// client, with the scope `Orders.Read` and no facets.
    pub fn token(&self) -> TokenBuilder {
        let oid = self.object_id_of(PERSON);
        TokenBuilder::new(&self.shared)
            .claim("sub", subject_of(&oid, self.audience()))
            .claim("oid", oid)
            .claim("azp", self.client_id())
            .scope(SCOPE)
    }

    /// The object id of the person of this name, the same in every token. A GUID is its own object id.
    #[must_use]
    pub fn object_id_of(&self, user: &str) -> String {
        object_id_of(user)
    }

    /// The object id of the agent's own user account.
    #[must_use]
    pub fn agent_user_id(&self) -> String {
        self.object_id_of(AGENT_USER)
    }

    fn agent_token(&self) -> TokenBuilder {
        TokenBuilder::new(&self.shared)
            .claim("azp", self.agent_id())
            .claim("azpacr", "2")
            .claim("xms_act_fct", "3 9 11")
            .claim("xms_tnt_fct", "3")
            .claim("xms_par_app_azp", self.blueprint_id())
    }
}
