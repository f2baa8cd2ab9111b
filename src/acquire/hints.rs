//! What to change: one fixed, imperative sentence each. They hold nothing of a request, an answer or a
//! configuration.

use crate::{acquire::kind::AcquireErrorKind, http_client::NoAnswer};

/// What to change where Entra has refused with this code. `credential` is the kind of what proved who the
/// client is.
pub(super) fn of_code(code: u32, credential: &str) -> Option<&'static str> {
    Some(match (code, credential) {
        // T1 is made anew by the next try.
        (700_024 | 700_027 | 700_030 | 1_000_502 | 7_000_214 | 7_000_274 | 7_000_277, T1) => {
            T1_REFUSED
        }
        (7_000_215, _) => SECRET_WRONG,
        (7_000_222, _) => CREDENTIAL_EXPIRED,
        (700_027, _) => CERTIFICATE_UNKNOWN,
        (700_030, _) => SUBJECT_NAME,
        (7_000_214 | 7_000_277, _) => CERTIFICATE_REVOKED,
        (1_000_502, _) => CERTIFICATE_TIME,
        (7_000_274, _) => SIGNATURE_BAD,
        (70_002, _) => CREDENTIAL_WRONG,
        (900_144 | 7_000_216 | 7_000_218, _) => CREDENTIAL_MISSING,
        (9_002_324, _) => CREDENTIAL_TWICE,
        (700_025, _) => PUBLIC_CLIENT,
        (700_024, _) => ASSERTION_TIME,
        (50_013 | 50_027, _) => ASSERTION_INVALID,
        (500_131, _) => ASSERTION_AUDIENCE,
        (500_133, _) => ASSERTION_EXPIRED,
        (70_021, _) => FEDERATION_NONE,
        (700_211, _) => FEDERATION_ISSUER,
        (700_213, _) => FEDERATION_SUBJECT,
        (700_212 | 7_002_121, _) => FEDERATION_AUDIENCE,
        (7_002_131, _) => FEDERATION_EXPRESSION,
        (7_002_206, _) => FEDERATION_CLOUD,
        (700_222 | 700_227, _) => FEDERATION_ENTRA_TOKEN,
        (700_226, _) => FEDERATION_MANAGED_IDENTITY,
        (700_229, _) => FEDERATION_USER_TOKEN,
        (700_231, _) => FEDERATION_CHAIN,
        (700_236, _) => FEDERATION_TENANT,
        (700_016, _) => APP_UNKNOWN,
        (7_000_229, _) => NO_SERVICE_PRINCIPAL,
        (70_001 | 7_000_112, _) => APP_DISABLED,
        (90_002, _) => TENANT_UNKNOWN,
        (500_011 | 650_052, _) => RESOURCE_UNKNOWN,
        (82_001, _) => BLUEPRINT_ONLY_FOR_GRAPH,
        (82_008, _) => FMI_PATH_MISSING,
        (7_000_114, _) => CLIENT_MUST_BE_THE_AGENT,
        (82_000..=82_999, _) => AGENT_RULE,
        (65_001, _) => CONSENT,
        (90_094, _) => CONSENT_OF_ADMIN,
        (650_056 | 650_057, _) => PERMISSION_NOT_LISTED,
        (50_105 | 501_051, _) => NOT_ASSIGNED,
        (50_131 | 53_000..=53_999 | 530_000..=530_999, _) => POLICY,
        (50_072 | 50_074 | 50_076 | 50_079 | 50_158, _) => STEP_UP,
        (50_034 | 51_004, _) => USER_UNKNOWN,
        (50_020, _) => USER_OF_ANOTHER_TENANT,
        (50_057, _) => USER_DISABLED,
        (50_132 | 50_133 | 50_173 | 70_000 | 70_008 | 70_043 | 700_082, _) => GRANT_DEAD,
        (70_011 | 650_053, _) => SCOPE_INVALID,
        (700_022 | 700_023, _) => SCOPE_RESOURCES,
        (1_002_012, _) => SCOPE_DEFAULT,
        (901_002, _) => RESOURCE_PARAMETER,
        (900_382 | 900_432 | 9_001_023, _) => CLOUD,
        (90_038 | 50_194, _) => TENANT_FORM,
        (50_033 | 50_087 | 90_006 | 90_012 | 90_024 | 90_033 | 90_090, _) => ENTRA_FAILS,
        (90_055, _) => TENANT_THROTTLED,
        (50_196, _) => LOOP,
        (50_000, _) => SERVER_ERROR,
        _ => return None,
    })
}

/// What to change where no code says more.
pub(super) fn of_kind(kind: AcquireErrorKind, credential: &str) -> &'static str {
    match (kind, credential) {
        (AcquireErrorKind::ConsentRequired, _) => CONSENT,
        (AcquireErrorKind::InteractionRequired, _) => STEP_UP,
        (AcquireErrorKind::AssertionRefused, _) => ASSERTION_INVALID,
        (AcquireErrorKind::NotAllowed, _) => POLICY,
        (AcquireErrorKind::CredentialRefused, T1) => T1_REFUSED,
        (AcquireErrorKind::CredentialRefused, _) => CREDENTIAL_WRONG,
        (AcquireErrorKind::Misconfigured, _) => REQUEST_REFUSED,
        (AcquireErrorKind::Throttled, _) => THROTTLED,
        (AcquireErrorKind::Busy, _) => BUSY,
        (AcquireErrorKind::Unavailable, _) => ENTRA_FAILS,
        (AcquireErrorKind::IdentityMismatch, _) => IDENTITY_MISMATCH,
    }
}

/// What to change where there was no answer.
pub(super) const fn of_no_answer(why: NoAnswer) -> &'static str {
    match why {
        NoAnswer::NameNotResolved => {
            "Check the authority's URL, and that this machine resolves its name."
        }
        NoAnswer::Refused => {
            "Check the authority's URL, and that no firewall or missing proxy setting keeps this machine \
             from it."
        }
        NoAnswer::ProxyCredentials => {
            "Give user and password of the proxy in the variable that names it (HTTPS_PROXY)."
        }
        NoAnswer::Proxy => "Let the proxy open tunnels to the authority's host, port 443.",
        NoAnswer::Certificate => {
            "Install the certificate authority of the proxy that inspects TLS on this machine, and check \
             its clock."
        }
        NoAnswer::TimedOut => "Check that this machine reaches the authority; a retry can help.",
        NoAnswer::Other => "Check that this machine reaches the authority over HTTPS.",
    }
}

/// The kind of credential of a leg that an agent's T1 proves.
pub(super) const T1: &str = "t1";

macro_rules! hints {
    ($($name:ident = $text:literal;)*) => {
        $(pub(super) const $name: &str = $text;)*

        #[cfg(test)]
        const ALL: &[&str] = &[$($name),*];
    };
}

hints! {
    SECRET_WRONG = "Set the client secret to its value, which the portal shows once, not to its id, which \
        is a GUID; it must be a secret of this app registration.";
    CREDENTIAL_EXPIRED = "Make a new secret or certificate for the app registration: this one has expired.";
    CREDENTIAL_WRONG = "Compare the client's credential with those of its app registration, in the tenant \
        of the request.";
    CREDENTIAL_MISSING = "Check that nothing between this process and Entra changes the body of requests: \
        a parameter of the request was missing.";
    CREDENTIAL_TWICE = "Check that nothing between this process and Entra changes the body of requests: \
        two credentials were in it.";
    PUBLIC_CLIENT = "Turn off public client flows of the app registration: an app with a credential is a \
        confidential client.";
    CERTIFICATE_UNKNOWN = "Upload the certificate to the app registration whose client id is used, and sign \
        with its key; where the registration trusts a subject name and issuer, send the chain (with_x5c).";
    SUBJECT_NAME = "Add the certificate's subject name and issuer to those that the app registration \
        trusts and send the chain (with_x5c), or upload the certificate itself.";
    CERTIFICATE_REVOKED = "Replace the certificate, here and at the app registration: it is revoked.";
    CERTIFICATE_TIME = "Replace the certificate, here and at the app registration, or correct the clock of \
        this machine: it is outside of its time of validity.";
    SIGNATURE_BAD = "Check that the private key belongs to the certificate, and that the registration has \
        this certificate.";
    T1_REFUSED = "Check that the agent is one of this blueprint and in this tenant, and that the blueprint \
        is enabled; where it is a matter of time, correct the clock of this machine.";
    ASSERTION_TIME = "Correct the clock of this machine, and have the assertion made or read for each \
        request: it is outside of its time of validity.";
    ASSERTION_INVALID = "Let the caller get a new token for this app and send that; its audience is the \
        client id of the app that exchanges it, and its version 2.0.";
    ASSERTION_AUDIENCE = "Let the caller ask for a token whose audience is this app: only the app to which \
        a token was issued may exchange it.";
    ASSERTION_EXPIRED = "Let the caller get a new token and send that: the one to be exchanged has expired.";
    ASSERTION_NOT_FOR_AGENTS = "Have callers get a version 2.0 token for the blueprint: an agent exchanges \
        only one whose audience is the bare client id of its blueprint.";
    FEDERATION_NONE = "Add a federated credential with the assertion's issuer, subject and audience to the \
        app registration; a new one needs some minutes until all of Entra knows it.";
    FEDERATION_ISSUER = "Compare the issuer of the app's federated credential with iss of the assertion; \
        T1 must come from the tenant of the request.";
    FEDERATION_SUBJECT = "Compare the subject of the app's federated credential with sub of the assertion, \
        letter case included; GitHub's subjects hold numeric ids since July 2026.";
    FEDERATION_AUDIENCE = "Compare the audience of the app's federated credential with aud of the \
        assertion; the usual one is api://AzureADTokenExchange.";
    FEDERATION_EXPRESSION = "Compare the expression of the app's flexible federated credential with the \
        claims of the assertion.";
    FEDERATION_CLOUD = "Set the exchange audience of the cloud where tokens are exchanged, such as \
        api://AzureADTokenExchangeUSGov.";
    FEDERATION_ENTRA_TOKEN = "Use another first credential: a token that Entra issued to an app is no \
        federated credential, but one of a managed identity is.";
    FEDERATION_MANAGED_IDENTITY = "Use the token of a managed identity: this app takes no other token of \
        Entra as a federated credential.";
    FEDERATION_USER_TOKEN = "Use a token that an app or a managed identity got as itself: one of a user is \
        no federated credential.";
    FEDERATION_CHAIN = "Put the federated credential of the workload (its service account) on the \
        blueprint itself: a token that was got by a federated credential, such as that of a managed \
        identity by workload identity, cannot be one in turn.";
    FEDERATION_TENANT = "Use a managed identity of the tenant where the app is registered.";
    APP_UNKNOWN = "Check client id and tenant: this tenant has no such app, so consent to it there or ask \
        in its own tenant.";
    NO_SERVICE_PRINCIPAL = "Create the service principal of the app in this tenant; a blueprint needs its \
        own (agentIdentityBlueprintPrincipal).";
    APP_DISABLED = "Enable the app in the tenant, or ask an administrator why it is disabled.";
    TENANT_UNKNOWN = "Check the tenant id and the cloud of the authority.";
    RESOURCE_UNKNOWN = "Check the resource in the scope, and create its service principal in this tenant.";
    BLUEPRINT_ONLY_FOR_GRAPH = "Ask as an agent of the blueprint (ConfidentialClient::agent): the blueprint \
        itself gets tokens for Microsoft Graph only.";
    FMI_PATH_MISSING = "Ask for the exchange as an agent of the blueprint (ConfidentialClient::agent), \
        which names the agent (fmi_path).";
    CLIENT_MUST_BE_THE_AGENT = "Exchange the token as the agent (AgentIdentity::on_behalf_of): the client \
        must be the agent, neither its blueprint nor a managed identity, and the token one of a user.";
    AGENT_RULE = "Use the flow that Entra allows here: as the agent itself, on behalf of a user, or by the \
        agent's user account.";
    CONSENT = "Grant the scopes to the agent or app that is named, by its user or an administrator; of \
        permissions of the blueprint an agent has only those that are inheritable.";
    CONSENT_OF_ADMIN = "Let an administrator of the tenant consent to the scopes for the agent or app.";
    PERMISSION_NOT_LISTED = "Add the resource's permissions to the app registration and consent to them.";
    NOT_ASSIGNED = "Assign the user or the app to the enterprise application of the resource, or turn off \
        its demand for assignment.";
    POLICY = "Ask an administrator which Conditional Access policy, for users or for agents, has blocked \
        this: the sign-in log has it by the correlation id.";
    STEP_UP = "Let the user sign in again, with the claims that are asked for; for an agent's user account let \
        an administrator look at the policy, because no person can answer it.";
    USER_UNKNOWN = "Check the user's name or object id and the tenant: a user's object id is not that of \
        the agent.";
    USER_OF_ANOTHER_TENANT = "Invite the user to this tenant, or ask in the user's own.";
    USER_DISABLED = "Enable the user's account in the tenant.";
    GRANT_DEAD = "Let the caller sign in again and send a new token; an agent's user account needs only a \
        new try.";
    SCOPE_INVALID = "Correct the scope: each is written in full, such as api://{client id}/Orders.Read, and \
        .default is the only one of its request.";
    SCOPE_RESOURCES = "Ask for the scopes of exactly one resource.";
    SCOPE_DEFAULT = "Ask for {resource}/.default: an app or agent that acts as itself gets no other scope.";
    RESOURCE_PARAMETER = "Check that nothing between this process and Entra changes the body of requests: \
        it had a parameter resource.";
    CLOUD = "Set the authority of the cloud in which the tenant is.";
    TENANT_FORM = "Name the tenant by its id: common and organizations are refused here, and so is a \
        tenant that has moved to another cloud.";
    ENTRA_FAILS = "Try again later: Entra has an outage or a short fault; if it lasts, see Azure's status \
        page.";
    TENANT_THROTTLED = "Send fewer requests: Entra throttles the tenant.";
    THROTTLED = "Send fewer requests: Entra throttles this client; share one ConfidentialClient, so that \
        tokens are remembered.";
    LOOP = "Stop for some minutes: Entra has seen this very request too often; find out why its token is \
        not kept.";
    SERVER_ERROR = "Check that the user's object id is that of a user of this tenant; if it is, see \
        Azure's status page.";
    BUSY = "Raise AcquireSettings::with_max_flights, or find out why so many different tokens are asked for \
        at once.";
    CHALLENGED_AGAIN = "Find out why the API refuses the token that was acquired for its own claims: it asks \
        for them again at once.";
    FLIGHT_TIMED_OUT = "Check that the authority answers in time, or raise \
        AcquireSettings::with_total_timeout.";
    FLIGHT_STOPPED = "Look for a panic in the log, and keep the runtime until its last request is answered.";
    NO_RUNTIME = "Ask for the token within a tokio runtime that was built with enable_all or enable_time.";
    REQUEST_REFUSED = "Compare client id, tenant and scopes with the app registration.";
    IDENTITY_MISMATCH = "Check that the authority is Entra's: it answered with a token of another identity \
        than the one asked for, which was thrown away.";
    NOT_AN_ANSWER = "Check that the authority is Entra's and that no proxy or sign-in page answers in its \
        place.";
    AGENT_ID_FORM = "Name the agent by its application (client) id, a GUID.";
    CORRELATION_ID_FORM = "Give a GUID, or none: one is then made.";
    IN_TENANT = "Exchange the token with the client of its own tenant (ConfidentialClient::in_tenant).";
    CLAIMS_FORM = "Give claims as the JSON text of one object of at most 8 KiB, without a member twice; \
        decode the base64 of a challenge first.";
    USER_NAME_FORM = "Name the user by a user principal name, such as agent1@contoso.com, or by object id \
        with AgentUser::object_id.";
    USER_NAME_IS_AN_ID = "Name a user whose object id is known with AgentUser::object_id.";
    SCOPES_NAME_ONE = "Name at least one scope, such as api://{client id}/Orders.Read.";
    SCOPES_ASK_FOR_LESS = "Ask for fewer scopes, or for {resource}/.default.";
    SCOPES_CHARACTERS = "Give each scope as a text of its own, of printable ASCII without quotes and \
        backslashes; a text with several is parsed by FromStr.";
    SCOPES_ONE_RESOURCE = "Ask for the scopes of each resource on their own: a token is for one resource; \
        a scope without a slash is one of Microsoft Graph.";
    SCOPES_DEFAULT_ONLY = "Ask for .default, or for scopes by name, but not for both.";
    SCOPES_OF_SIGN_IN = "Leave out openid, profile, email and offline_access: tokens are renewed without a \
        refresh token.";
    SCOPES_NOT_A_SCOPE = "Name a scope of the resource, such as {resource}/Orders.Read, or all of them by \
        {resource}/.default.";
    SCOPES_NAME_THE_RESOURCE = "Name the resource before the last slash, such as \
        https://graph.microsoft.com/.default.";
    SCOPES_NOT_A_RESOURCE = "Leave out /.default: it is added to the resource.";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acquire::codes::Row;

    /// Every code of the classification.
    const CODES: [u32; 94] = [
        7_000_215, 7_000_222, 700_027, 700_030, 7_000_214, 1_000_502, 7_000_274, 7_000_277, 70_002,
        7_000_216, 7_000_218, 900_144, 9_002_324, 700_025, 700_024, 500_133, 50_027, 50_013,
        500_131, 70_021, 700_211, 700_212, 700_213, 7_002_121, 7_002_131, 7_002_206, 700_222,
        700_226, 700_227, 700_229, 700_231, 700_236, 700_016, 7_000_229, 7_000_112, 70_001, 90_002,
        500_011, 650_052, 82_001, 82_002, 82_008, 82_014, 7_000_114, 65_001, 90_094, 650_057,
        650_056, 50_105, 501_051, 53_003, 53_000, 53_001, 53_002, 530_032, 53_011, 50_131, 50_076,
        50_079, 50_072, 50_074, 50_158, 50_034, 50_057, 51_004, 50_020, 50_173, 70_008, 700_082,
        70_043, 50_132, 50_133, 70_000, 70_011, 650_053, 700_022, 700_023, 1_002_012, 901_002,
        90_038, 900_382, 900_432, 9_001_023, 50_194, 50_033, 50_087, 90_006, 90_012, 90_024,
        90_033, 90_090, 90_055, 50_196, 50_000,
    ];

    #[test]
    fn every_code_that_has_a_row_has_a_hint_and_the_reverse() {
        for code in CODES {
            assert!(Row::of(code).is_some(), "{code}");
            for credential in ["secret", "certificate", "assertion_file", T1] {
                assert!(of_code(code, credential).is_some(), "{code}");
            }
        }
        for code in 0..10_000_000 {
            let has_row = Row::of(code).is_some();
            assert_eq!(has_row, of_code(code, "secret").is_some(), "{code}");
        }
    }

    #[test]
    fn hints_name_what_people_trip_over() {
        for (code, words) in [
            (82_001, "ConfidentialClient::agent"),
            (7_000_114, "the client must be the agent"),
            (700_231, "workload identity"),
            (700_027, "with_x5c"),
            (700_030, "with_x5c"),
            (7_000_215, "not to its id"),
            (65_001, "inheritable"),
            (70_021, "some minutes"),
            (7_002_206, "USGov"),
        ] {
            let hint = of_code(code, "secret").expect("a hint");
            assert!(hint.contains(words), "{code}: {hint}");
        }
    }

    #[test]
    fn a_hint_is_one_sentence() {
        for hint in ALL {
            assert!(hint.starts_with(char::is_uppercase), "{hint}");
            assert!(hint.ends_with('.') && !hint.contains(". "), "{hint}");
            assert!(!hint.contains("  "), "{hint}");
            assert!(
                hint.bytes().all(|byte| matches!(byte, b' '..=b'~')),
                "{hint}"
            );
        }
    }
}
