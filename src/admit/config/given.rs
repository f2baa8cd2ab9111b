//! The settings as they are given: which there are, and what was written where.

use crate::{config_error::ConfigError, shown::Shown};

/// A setting of [`EntraConfig`](super::EntraConfig).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Setting {
    TenantId,
    ClientId,
    Audience,
    Audiences,
    Instance,
    Scopes,
    AuthorizationByAcl,
}

impl Setting {
    /// Whether it may have several values.
    pub(super) fn is_list(self) -> bool {
        matches!(self, Self::TenantId | Self::Audiences | Self::Scopes)
    }
}

/// What a name of a configuration means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    Setting(Setting),
    /// It is for something else than the checks of tokens, so it is not read.
    NotRead,
    /// It would change what is checked.
    Refused(&'static str),
}

/// What a name means, whatever its letter case, `_` and `-`.
pub(super) fn meaning(name: &str) -> Meaning {
    let mut name = name.to_ascii_lowercase();
    name.retain(|c| !matches!(c, '_' | '-'));
    match name.as_str() {
        "tenantid" => Meaning::Setting(Setting::TenantId),
        "clientid" => Meaning::Setting(Setting::ClientId),
        "audience" => Meaning::Setting(Setting::Audience),
        "audiences" => Meaning::Setting(Setting::Audiences),
        "instance" => Meaning::Setting(Setting::Instance),
        "scopes" => Meaning::Setting(Setting::Scopes),
        "allowwebapitobeauthorizedbyacl" => Meaning::Setting(Setting::AuthorizationByAcl),
        "domain"
        | "callbackpath"
        | "signedoutcallbackpath"
        | "clientsecret"
        | "clientcertificates"
        | "clientcredentials"
        | "clientcapabilities"
        | "sendx5c"
        | "azureregion"
        | "enablepiilogging"
        | "extraqueryparameters" => Meaning::NotRead,
        "authority" => Meaning::Refused("is not read; set Instance and TenantId instead"),
        "tokenvalidationparameters" => Meaning::Refused(
            "is not read; Audience and Audiences are the only parameters of checks",
        ),
        "tokendecryptioncertificates" | "tokendecryptioncredentials" => {
            Meaning::Refused("is not read: encrypted tokens are refused")
        }
        "signupsigninpolicyid" => {
            Meaning::Refused("is for Azure AD B2C, whose tokens name no tenant")
        }
        _ => Meaning::Refused(
            "is not a setting; there are TenantId, ClientId, Audience, Audiences, Instance and Scopes",
        ),
    }
}

/// Where a configuration comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Document,
    Environment,
}

/// One value, and the name under which its user wrote it.
#[derive(Debug)]
pub(super) struct Given {
    pub(super) setting: Setting,
    pub(super) name: Name,
    /// Its place in a list that has a name or an element for each value.
    pub(super) index: Option<usize>,
    pub(super) value: Value,
    pub(super) is_from_file: bool,
}

impl Given {
    /// What is compared with the same setting under another name: letter case and a slash at the end make
    /// no difference to a GUID or an instance.
    pub(super) fn canonical(&self) -> String {
        let text = self.text();
        match self.setting {
            Setting::TenantId | Setting::ClientId => text.to_ascii_lowercase(),
            Setting::Instance => text.strip_suffix('/').unwrap_or(text).to_ascii_lowercase(),
            _ => text.to_owned(),
        }
    }

    /// The text, if it is one.
    pub(super) fn text(&self) -> &str {
        match &self.value {
            Value::Text(text) => text,
            Value::Flag(_) | Value::Bad => "",
        }
    }
}

#[derive(Debug)]
pub(super) enum Value {
    /// Without white space around it; perhaps empty.
    Text(String),
    Flag(bool),
    /// What is wrong with it has been reported.
    Bad,
}

impl Value {
    /// A text, if it is no longer than a value may be.
    pub(super) fn text(text: &str) -> Result<Self, String> {
        if text.len() > MAX_BYTES {
            return Err(format!("has {} bytes, more than {MAX_BYTES}", text.len()));
        }
        Ok(Self::Text(text.trim().to_owned()))
    }

    pub(super) fn is_blank(&self) -> bool {
        matches!(self, Self::Text(text) if text.is_empty())
    }
}

/// A name as its user wrote it, in one line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name(String);

impl Name {
    pub(super) fn of(written: &str) -> Self {
        Self(Shown::of(written).as_str().to_owned())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn problem(&self, problem: impl Into<String>) -> ConfigError {
        ConfigError::new(self.0.clone(), problem)
    }
}

/// The most bytes of one value, whether it is in a file or not.
pub(super) const MAX_BYTES: usize = 64 * 1024;

/// The most values of one list.
pub(super) const MAX_VALUES: usize = 100;
