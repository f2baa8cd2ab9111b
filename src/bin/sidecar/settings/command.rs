//! The command line.

use std::{ffi::OsString, path::PathBuf};

use super::{report::Finding, shown::plain};

/// What the program is asked to do. `Help` and `Version` need no configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Command {
    #[default]
    Serve,
    /// `--check`: read the configuration, try it, and end.
    Check,
    /// `--help`.
    Help,
    /// `--version`.
    Version,
}

impl Command {
    /// Of these arguments, of which the first is not the program.
    pub(crate) fn of(arguments: &[OsString]) -> Self {
        Arguments::parse(arguments).command
    }
}

/// What the arguments say.
#[derive(Default)]
pub(super) struct Arguments {
    pub(super) command: Command,
    /// `--config FILE`.
    pub(super) config: Option<PathBuf>,
    /// Keys and values, in order.
    pub(super) values: Vec<(String, String)>,
    pub(super) problems: Vec<Finding>,
}

impl Arguments {
    /// Takes the forms of .NET's `CommandLineConfigurationProvider`: `--Key=value`, `--Key value`, `/Key=value`,
    /// `/Key value` and `Key=value`. What that skips is a problem here: an argument with one hyphen, one
    /// without `=`, a key at the end without a value.
    pub(super) fn parse(arguments: &[OsString]) -> Self {
        let mut parsed = Self::default();
        let mut rest = arguments.iter().enumerate();
        while let Some((at, argument)) = rest.next() {
            let Some(text) = argument.to_str() else {
                parsed.wrong(at, "is not UTF-8");
                continue;
            };
            let (key, value) = match text.split_once('=') {
                Some((key, value)) => (key, Some(value)),
                None => (text, None),
            };
            let name = key.strip_prefix("--").or_else(|| key.strip_prefix('/'));
            match (name, value) {
                (Some("check" | "help" | "version"), Some(_)) => {
                    parsed.wrong(at, format!("{} takes no value", plain(key)));
                }
                (Some("check"), None) => parsed.asks_for(Command::Check),
                (Some("help"), None) => parsed.asks_for(Command::Help),
                (Some("version"), None) => parsed.asks_for(Command::Version),
                (Some("config"), Some("")) => parsed.wrong(at, "--config has no value"),
                (Some("config"), Some(value)) => parsed.config = Some(value.into()),
                (Some("config"), None) => match rest.next() {
                    Some((_, value)) if !value.is_empty() => parsed.config = Some(value.into()),
                    _ => parsed.wrong(at, "--config has no value"),
                },
                (Some(""), _) => parsed.wrong(at, "has no key"),
                (Some(name), Some(value)) => parsed.set(name, value),
                (Some(name), None) => match rest.next() {
                    Some((next, value)) => match value.to_str() {
                        Some(value) => parsed.set(name, value),
                        None => parsed.wrong(next, "is not UTF-8"),
                    },
                    None => parsed.wrong(at, format!("{} has no value", plain(key))),
                },
                (None, Some(_)) if key.is_empty() => parsed.wrong(at, "has no key"),
                (None, Some(_)) if key.starts_with('-') => {
                    parsed.wrong(at, "begins with one hyphen");
                }
                (None, Some(value)) => parsed.set(key, value),
                (None, None) => parsed.wrong(at, "is neither a key nor a value"),
            }
        }
        parsed
    }

    fn set(&mut self, key: &str, value: &str) {
        self.values.push((key.to_owned(), value.to_owned()));
    }

    /// `--help` comes before `--version`, and that before `--check`.
    fn asks_for(&mut self, command: Command) {
        self.command = match (self.command, command) {
            (Command::Help, _) | (_, Command::Help) => Command::Help,
            (Command::Version, _) | (_, Command::Version) => Command::Version,
            _ => Command::Check,
        };
    }

    /// The argument is named by its place: it may be a secret.
    fn wrong(&mut self, at: usize, found: impl std::fmt::Display) {
        let text = format!("{found}. Accepted: {FORMS}. Run the program with --help.");
        let subject = format!("argument {}", at + 1);
        self.problems.push(Finding::of(&subject, text));
    }
}

const FORMS: &str = "--config FILE, --check, --help, --version, --Section:Key=value";

/// The answer to `--help`.
pub(crate) const HELP: &str = "\
tower-entra-sidecar: tokens and checks of Microsoft Entra over HTTP

    tower-entra-sidecar [--config FILE] [--check] [--Section:Key=value ...]

    --config FILE          reads FILE; default: SIDECAR_CONFIG, else appsettings.json if it is there.
                           Beside it, appsettings.{ASPNETCORE_ENVIRONMENT}.json is read if it is there
    --check                reads the configuration, tries the keys of Entra, the credential and each API once,
                           says what is wrong, and ends
    --Section:Key=value    sets a key, such as --AzureAd:TenantId=GUID
    --help, --version

A key is taken from the files, then from the environment (AzureAd__TenantId), then from the command line:
the last one wins. It listens at http://127.0.0.1:8080 unless ASPNETCORE_URLS says otherwise.

    AzureAd:TenantId, AzureAd:ClientId            the tenant and the app registration: the blueprint
    AzureAd:ClientCredentials:0:SourceType        ClientSecret, Path, Base64Encoded, SignedAssertionFilePath
                                                  or SignedAssertionFromManagedIdentity
    DownstreamApis:NAME:BaseUrl, :Scopes          the APIs that are called
    Sidecar:AllowOverrides:*                      where callers may name agents and change what is configured

Exit codes: 0 ended by a signal, 1 could not listen, 2 the configuration is wrong. With --check: 0 all that was
tried is well, 1 something of it is wrong, 2 the configuration is wrong.
";

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Arguments {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        Arguments::parse(&arguments)
    }

    #[test]
    fn values_are_given_in_each_form_of_dotnet() {
        for arguments in [
            &["--A:B=c=d"][..],
            &["--A:B", "c=d"],
            &["/A:B=c=d"],
            &["/A:B", "c=d"],
            &["A:B=c=d"],
        ] {
            let parsed = parse(arguments);
            assert_eq!(parsed.values, [("A:B".to_owned(), "c=d".to_owned())]);
            assert!(parsed.problems.is_empty(), "{arguments:?}");
        }
        // The argument behind a key is its value, whatever it looks like.
        let parsed = parse(&["--A", "--help", "--B=", "--check"]);
        assert_eq!(parsed.command, Command::Check);
        let values = [("A", "--help"), ("B", "")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        assert_eq!(parsed.values, values);
    }

    #[test]
    fn the_command_is_found_anywhere() {
        for (arguments, command) in [
            (&[][..], Command::Serve),
            (&["--A=b"], Command::Serve),
            (&["--A=b", "--check"], Command::Check),
            (&["--check", "--version"], Command::Version),
            (&["--version", "--check"], Command::Version),
            (&["--version", "--help", "--check"], Command::Help),
        ] {
            let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
            assert_eq!(Command::of(&arguments), command, "{arguments:?}");
        }
        for form in [&["--config", "a.json"][..], &["--config=a.json"]] {
            assert_eq!(parse(form).config, Some("a.json".into()));
        }
    }

    #[test]
    fn an_argument_that_means_nothing_is_a_problem_and_is_not_shown() {
        for (arguments, problem) in [
            (
                &["hunter2"][..],
                "argument 1: is neither a key nor a value. ",
            ),
            (
                &["--A=b", "-A=hunter2"],
                "argument 2: begins with one hyphen. ",
            ),
            (&["-h"], "argument 1: is neither a key nor a value. "),
            (&["--A:B"], "argument 1: --A:B has no value. "),
            (&["--chek"], "argument 1: --chek has no value. "),
            (&["--=hunter2"], "argument 1: has no key. "),
            (&["=hunter2"], "argument 1: has no key. "),
            (&["--", "hunter2"], "argument 1: has no key. "),
            (&["--check=hunter2"], "argument 1: --check takes no value. "),
            (&["--config"], "argument 1: --config has no value. "),
            (&["--config="], "argument 1: --config has no value. "),
            (&["--config", ""], "argument 1: --config has no value. "),
        ] {
            let problems = parse(arguments).problems;
            let text = problems.first().expect("a problem").to_string();
            assert!(text.starts_with(problem), "{arguments:?}: {text}");
            assert!(!text.contains("hunter2"), "{text}");
        }
    }

    #[test]
    fn an_argument_that_is_not_utf8_is_a_problem() {
        use std::os::unix::ffi::OsStringExt;

        let odd = OsString::from_vec(b"--A=\xff".to_vec());
        let problems = Arguments::parse(&[odd.clone(), "--A".into(), odd]).problems;
        let places: Vec<_> = problems
            .iter()
            .map(|p| p.to_string()[..10].to_owned())
            .collect();
        assert_eq!(places, ["argument 1", "argument 3"]);
    }
}
