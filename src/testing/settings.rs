//! What an issuer is started with.

#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) tenant_id: String,
    pub(super) audience: String,
    pub(super) client_id: String,
    pub(super) agent_id: String,
    pub(super) blueprint_id: String,
    pub(super) multi_tenant: bool,
    /// In the place of the URL on loopback, without a trailing slash.
    pub(super) public_url: Option<String>,
    pub(super) mints_over_http: bool,
    pub(super) serves_page: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            tenant_id: "7090e106-1ad3-4313-9b7a-75cc3e576d40".to_owned(),
            audience: "api://3aa6c2f7-1e0f-4caa-a55a-7c08f5f87a1a".to_owned(),
            client_id: "001458b4-6bef-4de5-acde-bf9b2edaf9fb".to_owned(),
            agent_id: "facbde84-d22b-4c07-a3e2-66f35c3f4a2e".to_owned(),
            blueprint_id: "4d4c6958-d676-49f0-815f-608f5aacfd24".to_owned(),
            multi_tenant: false,
            public_url: None,
            mints_over_http: false,
            serves_page: false,
        }
    }
}
