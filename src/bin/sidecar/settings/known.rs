//! Which keys there are, and warnings about others.

use super::{
    nearest::nearest,
    report::Report,
    shown::plain,
    tree::{Origin, Section, fold},
};

/// A key that this program or Microsoft's documentation knows.
struct Known(&'static str, Rule);

enum Rule {
    /// It is read, or makes no difference here.
    Value,
    /// So is all that is below.
    Any,
    /// Microsoft's documentation has it; what it would do is not done. What to do about it.
    NoEffect(&'static str),
    Section(&'static [Known]),
    /// A section whose parts have numbers or names of the user.
    Each(&'static [Known]),
}

use Rule::{Any, Each, NoEffect, Section as Within, Value};

/// Warns about keys of the sections of this program that are unknown, or have no effect.
pub(super) fn warn(root: &Section<'_>, report: &mut Report) {
    let mut warnings = Warnings {
        report,
        left: MAX_WARNINGS,
    };
    for section in root.children() {
        match ROOT.iter().find(|known| is(known.0, &section)) {
            Some(known) => warnings.about(&known.1, &section),
            None => warnings.about_root(&section),
        }
    }
}

fn is(name: &str, section: &Section<'_>) -> bool {
    fold(name) == fold(section.name())
}

struct Warnings<'r> {
    report: &'r mut Report,
    left: usize,
}

impl Warnings<'_> {
    fn about(&mut self, rule: &Rule, section: &Section<'_>) {
        match rule {
            Any => {}
            NoEffect(advice) => {
                if section.is_given() {
                    let place = first_given(section).unwrap_or_else(|| section.clone());
                    self.warn(&place, &format!("has no effect. {advice}"));
                }
            }
            Value => {
                for child in section.children() {
                    self.warn(
                        &child,
                        "is not read: what is above it is one value. Remove it.",
                    );
                }
            }
            Within(all) => self.about_section(all, section),
            Each(all) => {
                for child in section.children() {
                    self.about_section(all, &child);
                }
            }
        }
    }

    fn about_section(&mut self, all: &'static [Known], section: &Section<'_>) {
        if section.text().is_some() {
            self.warn(
                section,
                "is not read: it is a section and no value. Remove it.",
            );
        }
        for child in section.children() {
            match all.iter().find(|known| is(known.0, &child)) {
                Some(known) => self.about(&known.1, &child),
                None => {
                    let names = all.iter().map(|known| known.0);
                    let advice = match nearest(child.name(), names) {
                        Some(name) => {
                            format!("The nearest known one is {}:{name}.", plain(section.path()))
                        }
                        None => "Remove it.".to_owned(),
                    };
                    let place = first_given(&child).unwrap_or(child);
                    self.warn(
                        &place,
                        &format!("is not known, so it is not read. {advice}"),
                    );
                }
            }
        }
    }

    /// Other programs have keys and variables of their own, so a name at the top is doubtful only if it is near to
    /// one of this program, or is on its command line.
    fn about_root(&mut self, section: &Section<'_>) {
        if section.name().starts_with("DATA_PROTECTION_") {
            self.warn(section, "has no effect. Nothing is stored: remove it.");
            return;
        }
        let names = ROOT
            .iter()
            .map(|known| known.0)
            .filter(|name| *name != "Environment");
        let near = nearest(section.name(), names);
        let place = first_given(section).unwrap_or_else(|| section.clone());
        let is_argument = matches!(place.origin(), Some(Origin::Argument));
        let is_alone = section.children().next().is_none();
        let advice = match near {
            Some(name) if is_argument || !is_alone => format!("The nearest known one is {name}."),
            None if is_argument => "Run the program with --help.".to_owned(),
            _ => return,
        };
        self.warn(
            &place,
            &format!("is not known, so it is not read. {advice}"),
        );
    }

    fn warn(&mut self, section: &Section<'_>, text: &str) {
        if self.left > 0 {
            self.left -= 1;
            self.report.warn(section, text);
        }
    }
}

/// The first key of a section that has a value: it says where the section comes from.
fn first_given<'a>(section: &Section<'a>) -> Option<Section<'a>> {
    if section.origin().is_some() {
        return Some(section.clone());
    }
    section.children().find_map(|child| first_given(&child))
}

/// The most that are logged.
const MAX_WARNINGS: usize = 100;

const ROOT: &[Known] = &[
    Known("AllowedHosts", Value),
    Known(
        "ApplicationInsights",
        NoEffect("Read the metrics at Sidecar:MetricsUrl."),
    ),
    Known("ApplicationName", Value),
    Known("AzureAd", Within(AZURE_AD)),
    Known("AZURE_FEDERATED_TOKEN_FILE", Value),
    Known("ContentRoot", Value),
    Known("DownstreamApis", Each(API)),
    Known("Environment", Value),
    Known("ForwardedHeaders_Enabled", Value),
    Known("HTTP_PORTS", Value),
    Known("HTTPS_PORTS", Value),
    Known("Kestrel", Any),
    Known("Logging", Any),
    Known("Sidecar", Within(SIDECAR)),
    Known(
        "TokenCache",
        NoEffect("Tokens are held in memory: remove it."),
    ),
    Known("TokenDecryptionCredentialsDescription", Any),
    Known("Urls", Value),
];

const AZURE_AD: &[Known] = &[
    Known("AllowWebApiToBeAuthorizedByACL", Value),
    Known("AppHomeTenantId", Value),
    Known("Audience", Value),
    Known(
        "Audiences",
        NoEffect("Use AzureAd:TokenValidationParameters:ValidAudiences."),
    ),
    Known("Authority", Value),
    Known("AzureRegion", Value),
    Known("CallbackPath", Value),
    Known("ClientCapabilities", Any),
    Known("ClientCertificates", Each(CREDENTIAL)),
    Known("ClientCredentials", Each(CREDENTIAL)),
    Known("ClientId", Value),
    Known("ClientSecret", Value),
    Known("Domain", Value),
    Known(
        "EditProfilePolicyId",
        NoEffect("Azure AD B2C is not supported: remove it."),
    ),
    Known("EnablePiiLogging", Value),
    Known("ExtraQueryParameters", NoEffect("Remove it.")),
    Known("IncludeErrorDetails", Value),
    Known("Instance", Value),
    Known("IsExtendedTokenLifetimeEnabled", Value),
    Known("MapInboundClaims", Value),
    Known(
        "MetadataAddress",
        NoEffect("Set AzureAd:Instance and AzureAd:TenantId."),
    ),
    Known("RequireHttpsMetadata", NoEffect("Remove it.")),
    Known(
        "ResetPasswordPolicyId",
        NoEffect("Azure AD B2C is not supported: remove it."),
    ),
    Known("SaveToken", Value),
    Known("Scopes", Any),
    Known("SendX5C", Value),
    Known("SignedOutCallbackPath", Value),
    Known(
        "SignUpSignInPolicyId",
        NoEffect("Azure AD B2C is not supported: remove it."),
    ),
    Known("TenantId", Value),
    Known("TokenDecryptionCertificates", Any),
    Known("TokenDecryptionCredentials", Any),
    Known("TokenValidationParameters", Within(VALIDATION)),
];

/// Each token is checked in full, whatever they say.
const VALIDATION: &[Known] = &[
    Known("ClockSkew", NoEffect("It is 300 s: remove it.")),
    Known("NameClaimType", Value),
    Known("RequireExpirationTime", NoEffect(CHECKED)),
    Known("RequireSignedTokens", NoEffect(CHECKED)),
    Known("RoleClaimType", Value),
    Known("ValidAlgorithms", NoEffect(CHECKED)),
    Known("ValidAudience", Value),
    Known("ValidAudiences", Any),
    Known("ValidIssuer", NoEffect(CHECKED)),
    Known("ValidIssuers", NoEffect(CHECKED)),
    Known("ValidTypes", NoEffect(CHECKED)),
    Known("ValidateAudience", NoEffect(CHECKED)),
    Known("ValidateIssuer", NoEffect(CHECKED)),
    Known("ValidateIssuerSigningKey", NoEffect(CHECKED)),
    Known("ValidateLifetime", NoEffect(CHECKED)),
];

const CHECKED: &str = "Each token is checked in full: remove it.";

const CREDENTIAL: &[Known] = &[
    Known("Algorithm", Value),
    Known("Base64EncodedValue", Value),
    Known("CertificateDiskPath", Value),
    Known("CertificateDistinguishedName", Value),
    Known(
        "CertificatePassword",
        NoEffect("A PEM with a key that is not encrypted is read: remove it."),
    ),
    Known("CertificateStorePath", Value),
    Known("CertificateSubjectName", Value),
    Known("CertificateThumbprint", Value),
    Known("ClientSecret", Value),
    Known("CustomSignedAssertionProviderData", Any),
    Known("CustomSignedAssertionProviderName", Value),
    Known("DecryptKeysAuthenticationOptions", Any),
    Known("KeyVaultCertificateName", Value),
    Known("KeyVaultUrl", Value),
    Known("ManagedIdentityClientId", Value),
    Known("SignedAssertionFileDiskPath", Value),
    Known("SignedAssertionFilePath", Value),
    Known("Skip", Value),
    Known("SourceType", Value),
    Known(
        "TokenExchangeAuthority",
        NoEffect("AzureAd:Instance is used: remove it."),
    ),
    Known("TokenExchangeUrl", Value),
    Known("UseBoundCredential", Value),
];

const SIDECAR: &[Known] = &[
    Known("AllowOutboundRedirects", Value),
    Known(
        "AllowOverrides",
        Within(&[
            Known("CallDownstreamApi", Value),
            Known("CallDownstreamApiUnauthenticated", Value),
            Known("GetAuthorizationHeader", Value),
            Known("GetAuthorizationHeaderUnauthenticated", Value),
        ]),
    ),
    Known("AllowPlainHttp", Value),
    Known("IgnoreDeniedAgents", Value),
    Known("LenientAgentParameters", Value),
    Known("MetricsUrl", Value),
    Known("PopValidation", Any),
];

const API: &[Known] = &[
    Known("AcceptHeader", Value),
    Known(
        "AcquireTokenOptions",
        Within(&[
            Known("AuthenticationOptionsName", Value),
            Known("Claims", Value),
            Known("CorrelationId", Value),
            Known("ExtraHeadersParameters", NoEffect("Remove it.")),
            Known("ExtraParameters", NoEffect("Remove it.")),
            Known("ExtraQueryParameters", NoEffect("Remove it.")),
            Known("FmiPath", Value),
            Known("ForceRefresh", Value),
            Known("LongRunningWebApiSessionKey", Value),
            Known("ManagedIdentity", Any),
            Known("PopClaim", Value),
            Known("PopPublicKey", Value),
            Known("Tenant", Value),
            Known("UserFlow", Value),
        ]),
    ),
    Known("BaseUrl", Value),
    Known("ContentType", Value),
    Known("ExtraHeaderParameters", Any),
    Known("ExtraQueryParameters", Any),
    Known("HttpMethod", Value),
    Known("ProtocolScheme", Value),
    Known("RelativePath", Value),
    Known("RequestAppToken", Value),
    Known("Scopes", Any),
];
