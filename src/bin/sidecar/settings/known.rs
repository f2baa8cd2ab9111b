//! Which keys there are and whether each is one value, a list or a section, and warnings about others.

use super::{
    nearest::nearest,
    report::Report,
    shown::plain,
    tree::{Origin, Section, fold},
};

/// A key that this program or Microsoft's documentation knows.
struct Known(&'static str, Rule);

enum Rule {
    /// One value. It is read, or makes no difference here.
    Value,
    /// `true` or `false`. A blank one is wrong: its user wants to change a default.
    Switch,
    /// One text, or a list of texts.
    Words,
    /// A section whose parts have names of the user and one value each.
    Texts,
    /// Categories of the log, whose names may have separators.
    Levels,
    /// Another module refuses what is there, or nothing reads it.
    Any,
    /// Microsoft's documentation has it; what it would do is not done. What to do about it.
    NoEffect(&'static str),
    Section(&'static [Known]),
    /// A section in which a blank value is wrong too: it turns off nothing.
    SwitchSection(&'static [Known]),
    /// A section in which other keys belong to ASP.NET Core.
    Open(&'static [Known]),
    /// A section whose parts have numbers or names of the user.
    Each(&'static [Known]),
    /// The same. Other keys in each part belong to ASP.NET Core.
    EachOpen(&'static [Known]),
}

use Rule::{
    Any, Each, EachOpen, Levels, NoEffect, Open, Section as Within, Switch,
    SwitchSection as WithinSwitches, Texts, Value, Words,
};

/// Finds a section or a list in the place of a value and the reverse: ignored, a limit that its user has set would
/// not be there. Warns about keys of the sections of this program that are unknown, or have no effect.
pub(super) fn check(root: &Section<'_>, report: &mut Report) {
    let mut checks = Checks {
        report,
        left: MAX_WARNINGS,
    };
    for section in root.children() {
        match ROOT.iter().find(|known| is(known.0, &section)) {
            Some(known) => checks.about(&known.1, &section),
            None => checks.about_root(&section),
        }
    }
}

/// Whether the program reads keys of this first part of a path.
pub(super) fn is_root(name: &str) -> bool {
    let mut known = ROOT.iter();
    known.any(|known| fold(known.0) == fold(name) && !matches!(known.1, NoEffect(_)))
}

fn is(name: &str, section: &Section<'_>) -> bool {
    fold(name) == fold(section.name())
}

struct Checks<'r> {
    report: &'r mut Report,
    left: usize,
}

impl Checks<'_> {
    fn about(&mut self, rule: &Rule, section: &Section<'_>) {
        match rule {
            Any => {}
            NoEffect(advice) => {
                if section.is_given() {
                    let place = section.first_given().unwrap_or_else(|| section.clone());
                    self.warn(&place, &format!("has no effect. {advice}"));
                }
            }
            Value => self.is_one_value(section),
            Switch => {
                self.is_one_value(section);
                // A list or a section has its line, and no other.
                if section.text().is_none() {
                    self.report.misshapen(
                        section,
                        "is blank",
                        "true, false",
                        "Set it to one of them.",
                    );
                }
            }
            Words => self.is_words(section),
            Texts => self.is_texts(section),
            Levels => self.is_levels(section),
            Within(all) => self.about_section(all, section, true),
            WithinSwitches(all) => {
                if section.raw().is_some_and(|text| text.trim().is_empty()) {
                    self.report
                        .misshapen(section, "is blank", A_SECTION, SET_A_SECTION);
                }
                self.about_section(all, section, true);
            }
            Open(all) => self.about_section(all, section, false),
            Each(all) | EachOpen(all) => {
                self.is_no_value(section, A_SECTION_OR_LIST);
                for child in section.children() {
                    self.about_section(all, &child, matches!(rule, Each(_)));
                }
            }
        }
    }

    fn is_one_value(&mut self, section: &Section<'_>) {
        let Some(child) = section.children().next() else {
            return;
        };
        let found = match child.is_numbered() {
            true => "is a list",
            false => "is a section",
        };
        self.report
            .misshapen(section, found, "one value", "Set it to one value.");
    }

    fn is_no_value(&mut self, section: &Section<'_>, accepted: &str) {
        if section.text().is_some() {
            self.report
                .misshapen(section, "is one value", accepted, SET_A_SECTION);
        }
    }

    fn is_words(&mut self, section: &Section<'_>) {
        for child in section.children() {
            let wrong = if !child.is_numbered() {
                (section, "is a section")
            } else if child.children().next().is_some() {
                (&child, "is a section or a list")
            } else if child.raw().is_none() {
                (&child, "is null or empty")
            } else {
                continue;
            };
            let accepted = "one text, a list with a text for each element";
            let (place, found) = wrong;
            self.report
                .misshapen(place, found, accepted, "Set it to such texts.");
        }
    }

    fn is_texts(&mut self, section: &Section<'_>) {
        self.is_no_value(section, NAMED_TEXTS);
        if section.at("0").is_there() {
            self.report
                .misshapen(section, "is a list", NAMED_TEXTS, SET_A_SECTION);
            return;
        }
        for child in section.children() {
            self.is_one_value(&child);
        }
    }

    fn is_levels(&mut self, section: &Section<'_>) {
        self.is_no_value(section, NAMED_LEVELS);
        self.is_one_value(&section.at("Default"));
        self.has_no_list(section);
    }

    /// As deep as a tree is.
    fn has_no_list(&mut self, section: &Section<'_>) {
        for child in section.children() {
            if child.is_numbered() {
                self.report
                    .misshapen(section, "is a list", NAMED_LEVELS, SET_A_SECTION);
                return;
            }
            self.has_no_list(&child);
        }
    }

    fn about_section(
        &mut self,
        all: &'static [Known],
        section: &Section<'_>,
        warns_about_others: bool,
    ) {
        self.is_no_value(section, A_SECTION);
        if section.children().any(|child| child.is_numbered()) {
            self.report
                .misshapen(section, "is a list", A_SECTION, SET_A_SECTION);
            return;
        }
        for child in section.children() {
            match all.iter().find(|known| is(known.0, &child)) {
                Some(known) => self.about(&known.1, &child),
                None if !warns_about_others => {}
                None => {
                    let names = all.iter().map(|known| known.0);
                    let advice = match nearest(child.name(), names) {
                        Some(name) => {
                            format!("The nearest known one is {}:{name}.", plain(section.path()))
                        }
                        None => "Remove it.".to_owned(),
                    };
                    let place = child.first_given().unwrap_or(child);
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
        let place = section.first_given().unwrap_or_else(|| section.clone());
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

const A_SECTION: &str = "a section, whose keys have values of their own";
const A_SECTION_OR_LIST: &str = "a section or a list of sections";
const NAMED_TEXTS: &str = "a section with a name and one text for each";
const NAMED_LEVELS: &str = "a section with a level for each category";
const SET_A_SECTION: &str = "Set its keys in its place.";

/// The most that are logged.
const MAX_WARNINGS: usize = 100;

const ROOT: &[Known] = &[
    Known("AllowedHosts", Value),
    Known(
        "ApplicationInsights",
        NoEffect("Read the metrics at Sidecar:MetricsUrl."),
    ),
    Known("ApplicationName", Any),
    Known("AzureAd", Within(AZURE_AD)),
    Known("AZURE_FEDERATED_TOKEN_FILE", Value),
    Known("ContentRoot", Any),
    Known("DownstreamApis", Each(API)),
    Known("Environment", Any),
    Known("ForwardedHeaders_Enabled", Value),
    Known("HTTP_PORTS", Value),
    Known("HTTPS_PORTS", Value),
    Known(
        "Kestrel",
        Open(&[Known("Endpoints", EachOpen(&[Known("Url", Value)]))]),
    ),
    Known(
        "Logging",
        Open(&[
            Known(
                "Console",
                Open(&[Known("FormatterName", Value), Known("LogLevel", Levels)]),
            ),
            Known("LogLevel", Levels),
        ]),
    ),
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
    Known("Audience", Words),
    Known(
        "Audiences",
        NoEffect("Use AzureAd:TokenValidationParameters:ValidAudiences."),
    ),
    Known("Authority", Value),
    Known(
        "AzureRegion",
        NoEffect("Tokens come from the global endpoint: remove it."),
    ),
    Known("CallbackPath", Value),
    Known("ClientCapabilities", Words),
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
    Known("Scopes", Words),
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
    Known("ValidAudience", Words),
    Known("ValidAudiences", Words),
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
        WithinSwitches(&[
            Known("CallDownstreamApi", Switch),
            Known("CallDownstreamApiUnauthenticated", Switch),
            Known("GetAuthorizationHeader", Switch),
            Known("GetAuthorizationHeaderUnauthenticated", Switch),
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
    Known("ExtraHeaderParameters", Texts),
    Known("ExtraQueryParameters", Texts),
    Known("HttpMethod", Value),
    Known("ProtocolScheme", Value),
    Known("RelativePath", Value),
    Known("RequestAppToken", Value),
    Known("Scopes", Words),
];
