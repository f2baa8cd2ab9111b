//! What can be switched off and on again while the issuer runs, whole.

use serde::Deserialize;

use crate::testing::{
    names::{PERSON, object_id_of},
    settings::Settings,
    sts::registrations::{Directory, Policy},
};

/// A change of the registrations that can be undone. Whether it is on follows from the registrations.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(in crate::testing) enum Switch {
    ConsentWithdrawn,
    Blocked,
    StepUp,
    SecretExpired,
    PersonDisabled,
}

impl Switch {
    pub(in crate::testing) const ALL: [Self; 5] = [
        Self::ConsentWithdrawn,
        Self::StepUp,
        Self::Blocked,
        Self::SecretExpired,
        Self::PersonDisabled,
    ];

    pub(in crate::testing) fn as_str(self) -> &'static str {
        match self {
            Self::ConsentWithdrawn => "consent_withdrawn",
            Self::Blocked => "blocked",
            Self::StepUp => "step_up",
            Self::SecretExpired => "secret_expired",
            Self::PersonDisabled => "person_disabled",
        }
    }

    /// What is switched, and what token requests are then answered with.
    pub(in crate::testing) fn in_words(self) -> [&'static str; 2] {
        match self {
            Self::ConsentWithdrawn => [
                "Consents are withdrawn",
                "Tokens with a person or a user account: AADSTS65001",
            ],
            Self::Blocked => [
                "A policy blocks the API",
                "Every token for the first API: AADSTS53003",
            ],
            Self::StepUp => [
                "A policy demands multifactor authentication",
                "Tokens with a person for the first API: AADSTS50076 with claims",
            ],
            Self::SecretExpired => [
                "The blueprint's secret has expired",
                "T1, and with it every token of an agent: AADSTS7000222",
            ],
            Self::PersonDisabled => [
                "The person's account is disabled",
                "Tokens with this person: AADSTS50057",
            ],
        }
    }

    pub(in crate::testing) fn is_on(self, directory: &Directory, settings: &Settings) -> bool {
        let policy = || directory.api(&settings.audience).map(|api| api.policy);
        match self {
            Self::ConsentWithdrawn => directory.apps.values().any(|app| !app.withheld.is_empty()),
            Self::Blocked => policy() == Some(Policy::Block),
            Self::StepUp => policy() == Some(Policy::StepUp),
            Self::SecretExpired => directory.app(&settings.blueprint_id).is_some_and(|app| {
                !app.secrets.is_empty() && app.secrets.iter().all(|secret| secret.expired)
            }),
            Self::PersonDisabled => {
                let user = directory.users.get(&object_id_of(PERSON));
                user.is_some_and(|user| user.disabled)
            }
        }
    }

    /// Without an effect if it is already so.
    pub(in crate::testing) fn set(self, directory: &mut Directory, settings: &Settings, on: bool) {
        if self.is_on(directory, settings) == on {
            return;
        }
        match self {
            Self::ConsentWithdrawn => {
                for app in directory.apps.values_mut() {
                    let (from, to) = match on {
                        true => (&mut app.consents, &mut app.withheld),
                        false => (&mut app.withheld, &mut app.consents),
                    };
                    to.append(from);
                }
            }
            Self::Blocked => set_policy(directory, settings, Policy::Block, on),
            Self::StepUp => set_policy(directory, settings, Policy::StepUp, on),
            Self::SecretExpired => {
                let blueprint = directory.app_mut(&settings.blueprint_id);
                let secrets = blueprint.into_iter().flat_map(|app| &mut app.secrets);
                secrets.for_each(|secret| secret.expired = on);
            }
            Self::PersonDisabled => directory.disable_user(PERSON, on),
        }
    }
}

fn set_policy(directory: &mut Directory, settings: &Settings, policy: Policy, on: bool) {
    let client_id = directory.api(&settings.audience);
    let client_id = client_id.map(|api| api.client_id.clone());
    if let Some(api) = client_id.and_then(|id| directory.api_mut(&id)) {
        api.policy = if on { policy } else { Policy::None };
    }
}
