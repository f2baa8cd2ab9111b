//! `AzureAd:ClientCredentials`: how the app authenticates.

use std::path::Path;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde::de::IgnoredAny;
use tower_entra::{AppId, acquire::ClientCredential};
use zeroize::Zeroizing;

use super::{
    files::{self, Unreadable},
    managed_identity,
    nearest::nearest,
    report::Report,
    shown::{plain, shown, shown_id},
    tree::{Origin, Section},
    types::Credential,
    values::{flag, guid},
};

/// The first that is not skipped and loads: a secret that is there, a file that can be used. Whether Entra takes
/// it is not tried.
///
/// What does not load is a warning if another one does, and a problem if none does. What can never load is a
/// problem wherever it is.
pub(super) fn credential(root: &Section<'_>, report: &mut Report) -> Option<Credential> {
    let azure_ad = root.at("AzureAd");
    let legacy = azure_ad.at("ClientSecret");
    let mut entries: Vec<_> = azure_ad.at("ClientCredentials").children().collect();
    let mut is_legacy = false;
    if entries.is_empty() {
        entries = azure_ad.at("ClientCertificates").children().collect();
        is_legacy = true;
    } else if legacy.text().is_some() {
        report.warn(
            &legacy,
            "is not used, because AzureAd:ClientCredentials is set. Remove one of them.",
        );
    }
    let sends_x5c = flag(&azure_ad.at("SendX5C"), false, report);
    let mut loading = Loading {
        root,
        sends_x5c,
        unloaded: Vec::new(),
        found: None,
    };
    let mut is_any_left = false;
    for entry in &entries {
        if !flag(&entry.at("Skip"), false, report) {
            is_any_left = true;
            loading.entry(entry, report);
        }
    }
    if is_legacy && legacy.text().is_some() {
        is_any_left = true;
        loading.take(&azure_ad, "ClientSecret", secret(&legacy), report);
    }
    if !entries.is_empty() && !is_any_left {
        let section = azure_ad.at("ClientCredentials");
        report.warn(
            &section,
            "has only entries with Skip, so that there is no credential. Remove it.",
        );
    }
    loading.finish(report)
}

struct Loading<'a, 'r> {
    root: &'r Section<'a>,
    sends_x5c: bool,
    /// Those that did not load, before one that did.
    unloaded: Vec<(Section<'a>, String)>,
    found: Option<Credential>,
}

/// Why there is no credential in an entry.
enum Fault<'a> {
    /// It may be one elsewhere, or later: the next entry is tried.
    NotLoaded(Section<'a>, String),
    /// It is none.
    Wrong(Section<'a>, String),
}

impl<'a> Loading<'a, '_> {
    fn entry(&mut self, entry: &Section<'a>, report: &mut Report) {
        let kind = entry.at("SourceType");
        let Some(text) = kind.text() else {
            report.wrong(&kind, "is not set", SOURCES, "Set it to one of them.");
            return;
        };
        let is = |name: &&str| name.eq_ignore_ascii_case(text);
        if let Some((_, why)) = NOT_OFFERED.iter().find(|(name, _)| is(name)) {
            let found = format!("{} is not supported", shown(text));
            report.wrong(&kind, found, SOURCES, why);
            return;
        }
        let Some(source) = OFFERED.iter().copied().find(is) else {
            let found = format!("{} is not known", shown_id(text, &[]));
            let advice = match nearest(text, OFFERED) {
                Some(name) => format!("Set it to {name}."),
                None => "Set it to one of them.".to_owned(),
            };
            report.wrong(&kind, found, SOURCES, &advice);
            return;
        };
        refuse_bound_credential(&entry.at("UseBoundCredential"), report);
        let loaded = match source {
            "Base64Encoded" => self.base64(&entry.at("Base64EncodedValue")),
            "ClientSecret" => secret(&entry.at("ClientSecret")),
            "Path" => self.path(&entry.at("CertificateDiskPath")),
            "SignedAssertionFilePath" => self.assertion_file(entry),
            _ => managed_identity(entry),
        };
        self.take(entry, source, loaded, report);
    }

    fn take(
        &mut self,
        section: &Section<'a>,
        source_type: &'static str,
        loaded: Result<ClientCredential, Fault<'a>>,
        report: &mut Report,
    ) {
        match loaded {
            Ok(credential) if self.found.is_none() => {
                self.found = Some(Credential {
                    section: section.path().to_owned(),
                    source_type,
                    credential,
                });
            }
            Ok(_) => {}
            Err(Fault::Wrong(section, text)) => report.refused(&section, text),
            Err(Fault::NotLoaded(section, text)) if self.found.is_none() => {
                self.unloaded.push((section, text));
            }
            // It is not needed.
            Err(Fault::NotLoaded(..)) => {}
        }
    }

    fn finish(self, report: &mut Report) -> Option<Credential> {
        for (section, text) in &self.unloaded {
            match &self.found {
                Some(found) => {
                    let used = plain(&found.section);
                    report.warn(section, format!("{text} {used} is used in its place."));
                }
                None => report.refused(section, text),
            }
        }
        self.found
    }

    fn base64(&self, section: &Section<'a>) -> Result<ClientCredential, Fault<'a>> {
        let Some(text) = section.text() else {
            return Err(not_set(section, "base64 of a PEM"));
        };
        let plain: Zeroizing<Vec<u8>> = Zeroizing::new(
            text.bytes()
                .filter(|byte| !byte.is_ascii_whitespace())
                .collect(),
        );
        let Ok(pem) = STANDARD.decode(&*plain).map(Zeroizing::new) else {
            let text =
                "is not base64. Accepted: base64 of a PEM. Encode the file: base64 -w0 FILE.pem";
            return Err(Fault::NotLoaded(section.clone(), text.to_owned()));
        };
        match ClientCredential::certificate_pem(&*pem) {
            Ok(credential) => Ok(self.certificate(credential)),
            Err(error) => Err(unusable(section, "in base64, ", error.problem())),
        }
    }

    fn path(&self, section: &Section<'a>) -> Result<ClientCredential, Fault<'a>> {
        let Some(text) = section.text() else {
            return Err(not_set(
                section,
                "the path of a PEM with the private key and the certificate",
            ));
        };
        let path = Path::new(text);
        let pem = files::bytes(path, MAX_PEM)
            .map(Zeroizing::new)
            .map_err(|why| unreadable(section, text, why))?;
        match ClientCredential::certificate_pem(&*pem) {
            // The file is followed from then on.
            Ok(_) => Ok(self.certificate(ClientCredential::certificate_file(path))),
            Err(error) => {
                let file = format!("the file {}: ", shown(text));
                Err(unusable(section, &file, error.problem()))
            }
        }
    }

    fn certificate(&self, credential: ClientCredential) -> ClientCredential {
        match self.sends_x5c {
            true => credential.with_x5c(),
            false => credential,
        }
    }

    /// The path of the file, also under the name that Microsoft's samples have for it; without one, that of
    /// the workload identity of Kubernetes.
    fn assertion_file(&self, entry: &Section<'a>) -> Result<ClientCredential, Fault<'a>> {
        let of_pod = self.root.at("AZURE_FEDERATED_TOKEN_FILE");
        let is_variable = matches!(of_pod.origin(), Some(Origin::Variable(_)));
        let configured = [
            entry.at("SignedAssertionFileDiskPath"),
            entry.at("SignedAssertionFilePath"),
        ];
        let mut places = configured.into_iter().chain(is_variable.then_some(of_pod));
        let Some(section) = places.find(|section| section.text().is_some()) else {
            let text = "no file is named. Accepted: SignedAssertionFileDiskPath, AZURE_FEDERATED_TOKEN_FILE in \
                the environment. Set one of them to the path of the file.";
            return Err(Fault::NotLoaded(entry.clone(), text.to_owned()));
        };
        let text = section.text().unwrap_or_default();
        let bytes = files::bytes(Path::new(text), MAX_ASSERTION)
            .map(Zeroizing::new)
            .map_err(|why| unreadable(&section, text, why))?;
        if !is_jwt(bytes.trim_ascii()) {
            let found = format!(
                "the file {} has no signed JWT. Accepted: the assertion of a federated credential. Name the file \
                 with the assertion.",
                shown(text)
            );
            return Err(Fault::NotLoaded(section, found));
        }
        Ok(ClientCredential::assertion_file(text))
    }
}

fn secret<'a>(section: &Section<'a>) -> Result<ClientCredential, Fault<'a>> {
    let Some(secret) = section.raw().filter(|secret| !secret.trim().is_empty()) else {
        return Err(not_set(section, "a client secret"));
    };
    let fault = if secret.trim() != secret {
        "begins or ends with white space"
    } else if secret.contains(char::is_control) {
        "has a control character"
    } else {
        return Ok(ClientCredential::secret(secret));
    };
    let text = format!("{fault}. Accepted: the value of a client secret, as it is. Set it again.");
    Err(Fault::Wrong(section.clone(), text))
}

fn managed_identity<'a>(entry: &Section<'a>) -> Result<ClientCredential, Fault<'a>> {
    let id = entry.at("ManagedIdentityClientId");
    let client_id: Option<AppId> = match id.text() {
        None => None,
        Some(text) => match guid(text) {
            Some(client_id) => Some(client_id),
            None => {
                let text = format!(
                    "{} is not a client id. Accepted: the GUID of a user-assigned managed identity; without one \
                     it is the system-assigned. Set it to such a GUID.",
                    shown_id(text, &[])
                );
                return Err(Fault::Wrong(id, text));
            }
        },
    };
    let exchange = entry.at("TokenExchangeUrl");
    let is_plain = |text: &&str| text.bytes().all(|byte| byte.is_ascii_graphic());
    if let Some(text) = exchange.text().filter(|text| !is_plain(text)) {
        let text = format!(
            "{} is not a URL. Accepted: the audience of the federated credential. Set it to such a URL.",
            shown(text)
        );
        return Err(Fault::Wrong(exchange, text));
    }
    managed_identity::credential(client_id, exchange.text()).map_err(|error| {
        let text = format!("{}. Use another source on this machine.", plain(&error));
        Fault::NotLoaded(entry.clone(), text)
    })
}

/// A credential that is bound to a connection gives tokens with a proof of possession.
fn refuse_bound_credential(section: &Section<'_>, report: &mut Report) {
    if flag(section, false, report) {
        let found = "proof of possession is not supported";
        report.wrong(section, found, "false", "Remove it.");
    }
}

fn not_set<'a>(section: &Section<'a>, accepted: &str) -> Fault<'a> {
    let text = format!("is not set. Accepted: {accepted}. Set it, or remove the credential.");
    Fault::Wrong(section.clone(), text)
}

fn unreadable<'a>(section: &Section<'a>, path: &str, why: Unreadable) -> Fault<'a> {
    let text = format!("the file {} {}. {}", shown(path), why.found(), why.advice());
    Fault::NotLoaded(section.clone(), text)
}

/// A PFX never becomes a PEM by itself; another file may be written again.
fn unusable<'a>(section: &Section<'a>, what: &str, problem: &str) -> Fault<'a> {
    let text = format!("{what}{problem}");
    match problem.contains("PFX (PKCS#12)") {
        true => Fault::Wrong(section.clone(), text),
        false => Fault::NotLoaded(section.clone(), text),
    }
}

/// Whether it has the form of a signed JWT, as the crate asks for before it sends one.
fn is_jwt(text: &[u8]) -> bool {
    let mut parts = text.split(|byte| *byte == b'.');
    let mut decoded = || {
        URL_SAFE_NO_PAD
            .decode(parts.next()?)
            .ok()
            .map(Zeroizing::new)
    };
    let (header, claims, signature) = (decoded(), decoded(), decoded());
    let is_object = |json: Option<Zeroizing<Vec<u8>>>| {
        json.is_some_and(|json| {
            json.trim_ascii_start().starts_with(b"{")
                && serde_json::from_slice::<IgnoredAny>(&json).is_ok()
        })
    };
    is_object(header)
        && is_object(claims)
        && signature.is_some_and(|signature| !signature.is_empty())
        && parts.next().is_none()
}

/// In the spelling of Microsoft.
const OFFERED: [&str; 5] = [
    "Base64Encoded",
    "ClientSecret",
    "Path",
    "SignedAssertionFilePath",
    "SignedAssertionFromManagedIdentity",
];

const SOURCES: &str = "Base64Encoded, ClientSecret, Path, SignedAssertionFilePath, \
    SignedAssertionFromManagedIdentity";

/// The sources of Microsoft.Identity.Web that are not there, and what to do in place of each.
const NOT_OFFERED: [(&str, &str); 9] = [
    ("AutoDecryptKeys", USE_ANOTHER),
    ("Certificate", USE_ANOTHER),
    ("CustomSignedAssertion", USE_ANOTHER),
    ("KeyVault", FROM_A_VAULT),
    ("ManagedCertificate", USE_ANOTHER),
    ("SignedAssertionFromVault", FROM_A_VAULT),
    ("StoreWithDistinguishedName", FROM_A_STORE),
    ("StoreWithSubjectName", FROM_A_STORE),
    ("StoreWithThumbprint", FROM_A_STORE),
];

const USE_ANOTHER: &str = "Use one of them.";

const FROM_A_VAULT: &str = "Use SignedAssertionFromManagedIdentity, which needs no certificate, or have the \
    certificate mounted as a file and use Path.";

const FROM_A_STORE: &str = "Export the certificate with its key as PEM and use Path: openssl pkcs12 -in FILE.pfx -out FILE.pem -nodes";

/// What the crate takes.
const MAX_PEM: usize = 1024 * 1024;
const MAX_ASSERTION: usize = 64 * 1024;

#[cfg(test)]
#[path = "credentials_tests/mod.rs"]
mod tests;
