//! What to change: one fixed, imperative sentence each. They hold nothing of a request, a token or a
//! configuration, so they are safe in every place, a challenge included.

use super::ErrorKind;

macro_rules! hints {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        $($(#[$doc])* pub(crate) const $name: &str = $text;)*

        #[cfg(test)]
        const ALL: &[&str] = &[$($name),*];
    };
}

hints! {
    SEND_A_TOKEN = "Send the access token in the header Authorization, after the word Bearer and a \
        space.";
    SEND_A_TOKEN_ELSEWHERE = "Send the access token in the header that this API reads tokens from \
        (token_from_header), after the word Bearer and a space: it does not read Authorization.";
    OTHER_SCHEME = "Send an access token with the scheme Bearer: this API reads no other credentials.";
    NO_WORD = "Put the word Bearer and a space before the token: the header Authorization has \
        nothing but the token.";
    NO_WORD_ELSEWHERE = "Put the word Bearer and a space before the token: the header that this API \
        reads tokens from (token_from_header) has nothing but the token.";
    PROOF_OF_POSSESSION = "Ask for a plain bearer token: this API checks no proofs of possession, so \
        the client must not turn on DPoP or PoP for it.";
    ONE_HEADER = "Send one Authorization header: often the client sets one and a gateway or an HTTP \
        library adds another.";
    ONE_HEADER_ELSEWHERE = "Send one header with a token, and let the proxy in front of this API take it \
        out of requests from outside before it adds its own.";
    ONE_SCHEME = "Send the token as the only credentials of the Authorization header: often an HTTP \
        library or a gateway adds Bearer to what the header already holds.";
    ONE_SCHEME_ELSEWHERE = "Send the token as the only credentials of the header that this API reads \
        tokens from (token_from_header): a proxy that adds Bearer must replace what the header holds.";
    ONE_TOKEN = "Send the word Bearer, one space and one token, without quotes, commas or a second \
        word.";
    TOO_LARGE = "Make the token smaller, for example by limiting its groups claim to groups assigned \
        to the application, or raise max_token_size.";
    UNSET_VARIABLE = "Correct the client: it sent the text of a variable that held no token.";
    NOT_A_JWT = "Send the access token as it came from the token endpoint: three parts of base64url \
        with dots between them, neither cut short nor encoded again, and no secret or API key.";
    ENCRYPTED = "Turn token encryption off in the API's registration (tokenEncryptionKeyId): this API \
        holds no key to open an encrypted token.";
    BAD_HEADER = "Send the token as it came from the token endpoint: Entra writes no such header.";
    ALGORITHM = "Send a token of Entra, which signs with RS256; list another algorithm with algorithms \
        only if the configured authority is known to sign with it.";
    FORGED = "Find out who sends this: it is forged, or not a token of Entra, which always signs, and \
        never with a shared secret.";
    KEY_ID = "Send a token of Entra, which names its signing key by kid in the header of every token.";
    TOKEN_TYPE = "Send the access token: this is another kind of token.";
    PROOF_AS_TOKEN = "Send a plain bearer access token: this is a proof of possession, which this API \
        does not check.";
    UNSUPPORTED = "Send a token of Entra, which uses none of crit, b64, zip, enc and nested tokens.";
    NO_KEYS_YET = "Check that this machine reaches the authority over HTTPS (DNS, proxy, firewall, \
        certificate store) and that authority and tenant are right; do \
        nothing else, since keys are fetched again without a restart.";
    KEYS_FAILING = "Check that this machine still reaches the authority: the unknown key could not be \
        looked up; tokens of known keys are still admitted.";
    KEYS_BUSY = "Try again: the key was not fetched within the wait; if this continues, raise \
        KeySettings::with_wait or with_max_waiters.";
    GONE_AWAY = "Let the client wait for longer than keys may take to come (KeySettings::with_wait): \
        it hung up before its key could be looked up; if many do, find out who sends these requests.";
    NOT_LOOKED_UP = "Try again after the time in Retry-After: keys are fetched for an unknown key once in \
        a cool-down (KeySettings::with_cool_down), and another unknown key has just had that fetch; if \
        this continues, find out who sends tokens with invented key ids.";
    UNKNOWN_KEY = "Check that the token comes from the configured authority: other clouds and Entra \
        External ID (ciamlogin.com) have keys of their own, and an API with its own signing key or a \
        claims-mapping policy needs app_id (?appid=); otherwise the token is forged or its key withdrawn.";
    OWN_KEYS = "If the API has its own signing key or a claims-mapping policy, set app_id so that keys \
        are asked for with ?appid=; otherwise the token is forged or its key was withdrawn.";
    CLAIMED_ISSUER = "No key vouches for this token: it claims an issuer that this API does not \
        accept, so let the client ask the configured authority, and find out who sends it if it continues.";
    CLAIMED_CLOUD = "No key vouches for this token: it claims to be of another cloud, so let the \
        client ask the configured authority, and check by the API's own registration, not by the token, \
        that the configured authority is right.";
    CLAIMED_EXTERNAL_ID = "No key vouches for this token: it claims to be of Entra External ID \
        (ciamlogin.com), so let the client ask the configured authority, and check by the API's own \
        registration, not by the token, that the configured authority is right.";
    CLAIMED_WORKFORCE = "No key vouches for this token: it claims not to be of Entra External ID, \
        which this API serves, so let the client ask the tenant at ciamlogin.com.";
    CLAIMED_B2C = "No key vouches for this token: it claims to be of Azure AD B2C, which is not \
        served, because its tokens name no tenant.";
    CLAIMED_V1 = "No key vouches for this token: it claims version 1.0, of which this API accepts \
        none, so check that api.requestedAccessTokenVersion of the API's own registration is 2.";
    CLAIMED_TENANT = "No key vouches for this token: it claims a tenant that this API does not \
        accept, so let the client ask for a token in one that it does.";
    CLAIMED_AUDIENCE = "No key vouches for this token: it claims to be for another API, so let the \
        client ask for a token with a scope of this one, such as api://<client id>/.default.";
    CLAIMED_DATES = "No key vouches for this token: by its own dates it is not valid now, so get a \
        new one, and check that clocks are synchronised (NTP).";
    CLAIMED_FORM = "No key vouches for this token: its claims do not have the form that Entra gives \
        them, so it is forged or of another issuer; send the access token that the configured authority \
        issued.";
    BAD_SIGNATURE = "Send the token unchanged, as it came from the token endpoint: it was altered or \
        cut, or another party signed it.";
    GRAPH = "Ask for a token for this API (scope api://<client id>/.default): only Microsoft Graph can \
        verify and accept a token for Microsoft Graph.";
    MANAGEMENT = "Ask for a token for this API (scope api://<client id>/.default): one for Azure \
        Resource Manager is valid nowhere else.";
    EXCHANGE = "Treat this as a leaked credential: a token for AzureADTokenExchange is how an agent or a \
        workload signs in and belongs only at the token endpoint; find out who sends it here, and revoke \
        or rotate the credential it was issued for.";
    EXCHANGE_CLAIMED = "No key vouches for this token: if it is genuine it is a leaked credential, \
        since one for AzureADTokenExchange belongs only at the token endpoint, so find out who sends it, \
        and revoke or rotate the credential it was issued for.";
    BAD_CLAIMS = "Look for a claims-mapping policy, or a custom claims provider, that writes this claim: \
        Entra itself does not.";
    SCP_AND_ROLES = "Send the token as Entra issues it: scp is one string with spaces, roles a list of \
        strings.";
    VERSION = "Set api.requestedAccessTokenVersion of the API's registration to 2: Entra's access tokens \
        are of version 1.0 or 2.0.";
    NO_TENANT = "Send an access token of a Microsoft Entra tenant, which always has tid; those of Azure AD \
        B2C have none and are not served.";
    B2C = "Use an Entra tenant or Entra External ID: Azure AD B2C is not served, because its tokens name \
        no tenant.";
    TENANT_FORM = "Send the token as Entra issues it: tid is the tenant's GUID, not a domain, not common \
        or organizations, and not a template.";
    TENANT_CASE = "Send the token as Entra issues it: tid is in lower case there, and so is the tenant in \
        iss.";
    NO_V1_ISSUER = "Set api.requestedAccessTokenVersion of the API's registration to 2 (null or 1 makes \
        Entra issue version 1.0, whatever endpoint the client calls), or name the version 1.0 issuer with \
        Authority::with_v1_issuer.";
    NO_ISSUER = "Send an access token of Entra, which always has iss.";
    TEMPLATE_ISSUER = "Send a token of Entra: iss holds the placeholder of the discovery document of common \
        and organizations, where a token has its tenant's GUID.";
    EXTERNAL_ID_TOKEN = "Let the client ask the authority that is configured here; only if the API itself \
        is registered in Entra External ID, set Authority::custom with https://<tenant id>.ciamlogin.com, \
        which has another issuer and other keys.";
    WORKFORCE_TOKEN = "Let the client ask the External ID tenant at ciamlogin.com, which has another issuer \
        and other keys; set the authority to another cloud only if the API itself is registered there.";
    V1_1_ISSUER = "Set api.requestedAccessTokenVersion of the API's registration to 2: an issuer that ends \
        in v1.1 is not accepted.";
    OTHER_CLOUD = "Let the client ask the authority that is configured here; set another \
        (Authority::public, us_government or china) only if the API itself is registered in the token's \
        cloud.";
    ISSUER_SLASH = "Send the token as Entra issues it: iss is compared exactly, and only the slash at the \
        end differs.";
    ISSUER_CASE = "Send the token as Entra issues it: iss is compared exactly, and only upper and lower \
        case differ.";
    VERSION_AND_ISSUER = "Send the token as Entra issues it: ver names one version and iss has the form of \
        the other.";
    TENANT_AND_ISSUER = "Send the token as Entra issues it: the tenant in iss is not the one in tid.";
    ISSUER_ALIAS = "Send a token of Entra: an alias of the authority's host may be configured somewhere \
        else, but never appears in iss.";
    FOREIGN_ISSUER = "Send a token of the authority that is configured; configure another authority only \
        if it is known to be the one of the API's own registration.";
    OTHER_TENANT = "Let the client ask for the token in one of the API's own tenants, by its GUID and not \
        by common or organizations; add the caller's tenant to Tenants only if that organization is meant \
        to use this API.";
    GUEST_ELSEWHERE = "Let the client ask for the token in the API's own tenant, where the person has to be \
        invited: the token is of a tenant in which the person is a guest.";
    PERSONAL_ACCOUNT = "Let the person sign in with a work or school account of a tenant that this API \
        accepts: the token is of a personal Microsoft account.";
    PERSONAL_NOT_ORGANIZATION = "Let the person sign in with a work or school account; Tenants::any would \
        let every personal Microsoft account in, so it is only for an API that is meant for all of them.";
    KEY_OF_OTHER_ISSUER = "Do not accept this token: a key that the authority publishes for another tenant \
        or issuer has signed it.";
    KEY_WITHOUT_ISSUER = "Configure one tenant with Tenants::single, whose discovery document vouches for \
        its keys: this key names no issuer.";
    KEY_OF_OTHER_CLOUD = "Do not accept this token unless it is known that the authority's documents name \
        the wrong cloud for its key: danger_accept_keys_of_other_clouds would let the keys of every cloud \
        in them sign for this API.";
    NO_AUDIENCE = "Ask for an access token with a scope of this API, such as api://<client id>/.default: \
        the token names no audience.";
    AUDIENCE_FORMS = "List both forms as audiences, or set api.requestedAccessTokenVersion of the API's \
        registration to 2 and list its client id: version 1.0 tokens carry what the client asked for \
        (api://...), version 2.0 tokens always the client id.";
    AUDIENCE_SLASH = "List the audience with the slash as well, or ask without it: a version 1.0 token \
        repeats the identifier as the client wrote it, and it is compared exactly.";
    AUDIENCE_CASE = "List the audience in the token's spelling as well, or ask for it in the configured one: \
        upper and lower case are compared exactly.";
    OTHER_AUDIENCE = "Ask for a token with a scope of this API, such as api://<client id>/.default, or add \
        the token's audience to this API's audiences if both are the same registration.";
    DATES = "Send an access token of Entra, which has exp, and nbf and iat before it, in seconds since 1970.";
    EXPIRED = "Get a new token: clients must ask for one before the old one expires.";
    EXPIRED_BY_A_LITTLE = "Get a new token before the old one expires, and check that the clocks of this \
        machine and of the client are synchronised (NTP).";
    CLOCK = "Check that the clock of this machine is right (NTP): it is behind that of Entra; only if that \
        cannot be corrected raise clock_skew (at most 300 s), by which every token is also accepted \
        longer after its end.";
    CLOCK_BEFORE_1970 = "Set the clock of this machine: while it is before 1970 every token has expired.";
    ID_TOKEN = "Send the access token instead of the ID token: ask for a scope of this API, such as \
        api://<client id>/.default, and use access_token of the answer.";
    CONTRADICTION = "Look for a claims-mapping policy, or a custom claims provider, that overwrites who is \
        calling: Entra itself issues no such token.";
    SENDER_CONSTRAINED = "Ask for a plain bearer token: the client must not turn on proof of possession (PoP, \
        mTLS) for this API, which checks no proofs.";
    NO_ROLE = "Assign an app role of this API to the calling application and get a new token; managed \
        identities cache tokens for up to 24 h, so a new role can take that long to show.";
    NO_SCOPE = "Let the client ask for a scope that this API exposes, and have the user or an administrator \
        consent to it.";
    NO_GRANT = "Give the caller a scope (for users) or an app role (for applications) of this API and get a \
        new token; managed identities cache tokens for up to 24 h.";
    DENIED = "Compare the caller with what the route asks for: the token was good, and the application's own \
        policy refused its bearer.";
    /// For a discovery document whose issuer the authority does not promise.
    AUTHORITY_EXTERNAL_ID = "Set Authority::custom with https://{tid}.ciamlogin.com, braces included, \
        and Tenants::single: the issuer of Entra External ID has the tenant's GUID in its host, under \
        whatever name or domain its documents are asked for.";
    AUTHORITY_PUBLIC = "Set Authority::public: the document is of the public cloud, whose issuer has the \
        host login.microsoftonline.com, under whatever alias its documents are asked for.";
    AUTHORITY_US_GOVERNMENT = "Set Authority::us_government if the API is registered in that cloud: the \
        document is of it.";
    AUTHORITY_CHINA = "Set Authority::china if the API is registered in that cloud: the document is of \
        it.";
    DOCUMENT_OF_OTHER_TENANT = "Check the configured tenants: the document \
        is of the right authority, but its issuer names another tenant, or one where a placeholder is \
        expected, or the placeholder where one is.";
    DOCUMENT_OF_OTHER_FORM = "Check what answers in place of the authority: the issuer of its document has \
        the right host, but not the form of Entra's, {authority}/{tid}/v2.0.";
    DOCUMENT_OF_OTHER_AUTHORITY = "Set Authority::custom with the scheme and host of the issuer that the \
        document names, but only if the API is known to be registered there; otherwise find out what \
        answers in place of the authority.";
    KEYS_ELSEWHERE = "Check what answers in place of the authority: Entra's discovery document names keys \
        on the authority's own host.";
    UNKNOWN_TO_THE_AUTHORITY = "Check tenant, app_id and authority: 400 and 404 are what an authority answers \
        for a tenant that it does not know.";
    AUTHORITY_BUSY = "Look at the status of Entra, and of a proxy or gateway on the way, if this continues; \
        do nothing else, since keys are fetched again without a restart.";
    NOT_ENTRAS_ANSWER = "Check what answers in place of the authority, such as a proxy, a firewall or a \
        sign-in page: this is no document of Entra.";
    NAME_NOT_RESOLVED = "Let this machine resolve the name of the authority, or of the proxy in HTTPS_PROXY \
        (DNS); if a proxy is the only way out, name it in HTTPS_PROXY.";
    CONNECTION_REFUSED = "Check address and port of the authority, and of a proxy in HTTPS_PROXY: nothing \
        listens there, or a firewall rejects the connection.";
    PROXY_CREDENTIALS = "Put user and password of the proxy into HTTPS_PROXY, percent-encoded, or let the proxy \
        pass the authority's host without: it answered 407.";
    PROXY_REFUSED = "Let the proxy in HTTPS_PROXY open tunnels (CONNECT) to the authority's host, or name that \
        host in NO_PROXY.";
    CERTIFICATE = "Add the CA of the proxy or firewall that inspects TLS to the certificate store of this \
        machine (on Linux also by SSL_CERT_FILE), and check the clock: the certificate that was presented \
        is not trusted.";
    NO_ANSWER_IN_TIME = "Check that no firewall drops connections to the authority (HTTPS) and that a proxy \
        in HTTPS_PROXY answers; only if the network is known to be slow raise \
        KeySettings::with_total_timeout and with_connect_timeout.";
    NO_USABLE_KEY = "Check that the authority is right; list another algorithm with algorithms only if it \
        is known to sign with it.";
    CLIENT_PANICKED = "Correct the HttpClient of this program, which panicked.";
    /// For an admitted caller of whom is unknown whether it is an agent.
    ASK_FOR_FACETS = "To tell agents from others, ask for xms_act_fct, xms_sub_fct, xms_par_app_azp, xms_idrel \
        and idtyp (with its additional property include_user_token) under optionalClaims.accessToken of the \
        API's registration.";
    /// For malformed claims that only inform.
    INFORMING_FORM = "The facets xms_act_fct, xms_sub_fct and xms_tnt_fct, and xms_idrel, are integers with \
        spaces between them in one string; look for a claims-mapping policy that writes these claims.";
    OTHER_FORM = "Look for a claims-mapping policy, or a custom claims provider, that writes these claims: \
        Entra itself gives them another form.";
}

/// What to change when nothing but the kind is known.
pub(crate) fn of_kind(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::MissingToken => SEND_A_TOKEN,
        ErrorKind::MultipleCredentials => ONE_HEADER,
        ErrorKind::MalformedAuthorization => ONE_TOKEN,
        ErrorKind::TokenTooLarge => TOO_LARGE,
        ErrorKind::MalformedToken => NOT_A_JWT,
        ErrorKind::EncryptedToken => ENCRYPTED,
        ErrorKind::MalformedHeader => BAD_HEADER,
        ErrorKind::AlgorithmNotAllowed => ALGORITHM,
        ErrorKind::InvalidKeyId => KEY_ID,
        ErrorKind::UnsupportedTokenType => TOKEN_TYPE,
        ErrorKind::UnsupportedHeader => UNSUPPORTED,
        ErrorKind::KeysUnavailable => NO_KEYS_YET,
        ErrorKind::UnknownKey => UNKNOWN_KEY,
        ErrorKind::InvalidSignature => BAD_SIGNATURE,
        ErrorKind::GraphToken => GRAPH,
        ErrorKind::MalformedClaims => BAD_CLAIMS,
        ErrorKind::UnsupportedVersion => VERSION,
        ErrorKind::InvalidTenant => NO_TENANT,
        ErrorKind::IssuerMismatch => FOREIGN_ISSUER,
        ErrorKind::TenantNotAllowed => OTHER_TENANT,
        ErrorKind::KeyNotForIssuer => KEY_OF_OTHER_ISSUER,
        ErrorKind::AudienceMismatch => OTHER_AUDIENCE,
        ErrorKind::InvalidDates => DATES,
        ErrorKind::Expired => EXPIRED,
        ErrorKind::NotYetValid => CLOCK,
        ErrorKind::IdToken => ID_TOKEN,
        ErrorKind::ContradictoryClaims => CONTRADICTION,
        ErrorKind::SenderConstrained => SENDER_CONSTRAINED,
        ErrorKind::NothingGranted => NO_GRANT,
        ErrorKind::Denied => DENIED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX_HINT: usize = 400;

    #[test]
    fn a_hint_is_one_sentence_of_characters_that_may_stand_anywhere() {
        for hint in ALL {
            let fits = |byte: u8| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e);
            assert!(hint.bytes().all(fits), "{hint}");
            assert!(hint.ends_with('.') && !hint.contains(". "), "{hint}");
            assert!(!hint.contains("  ") && hint.len() <= MAX_HINT, "{hint}");
        }
    }
}
