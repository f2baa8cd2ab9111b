//! Tokens for a service of your own that runs on this machine: an [`Issuer`] replaces Entra.
//!
//! ```text
//! cargo run --example issuer -- agent alice                      # a token of an agent for alice
//! cargo run --example issuer -- user bob scope=Orders.Approve    # a token of a person
//! cargo run --example issuer                                     # only the settings; then ask by lines
//! ```
//!
//! It shows the settings for the service on stderr, and each token on stdout, a line each: variables for
//! `whoami` and `explain`, and what a program with `EntraConfig` has instead of `AZURE_AUTHORITY_HOST`, since
//! that configuration refuses plain http. Then it serves its keys until Ctrl-C, and mints another token for
//! each line of its input, in the same words. The caller comes first, and then what changes its token:
//!
//! | word | token |
//! |---|---|
//! | `agent` | an agent that acts as itself |
//! | `agent NAME` | an agent on behalf of that person |
//! | `agent-user` | an agent through its own user account |
//! | `user`, `user NAME` | a person |
//! | `app` | an application that acts as itself |
//! | `scope=A,B`, `role=A,B` | with these scopes or roles, instead of `Orders.Read` or `Orders.Read.All` |
//! | `audience=...` | for this audience |
//! | `v1`, `no-facets`, `expired`, `forged` | of version 1.0, without optional claims, expired, signed by a stranger |
//!
//! `ISSUER_PORT` is the port of the issuer, 8090 by default, and `AUDIENCE` the audience of its tokens. With
//! `--once` it ends after the token. **Not for production**: each caller that it invents is admitted by
//! a service with these settings.

use std::{
    env,
    error::Error as StdError,
    io::{self, BufRead, Write},
    process::ExitCode,
};

use tower_entra::{
    AppId,
    testing::{Issuer, TokenBuilder},
};

fn main() -> Result<ExitCode, Box<dyn StdError>> {
    let mut words: Vec<String> = env::args().skip(1).collect();
    if words.iter().any(|word| word == "--help") {
        println!("{USAGE}");
        return Ok(ExitCode::SUCCESS);
    }
    let once = words.iter().any(|word| word == "--once");
    words.retain(|word| word != "--once");
    let port = match env::var("ISSUER_PORT") {
        Ok(port) => port.parse()?,
        Err(_) => 8090,
    };
    let builder = Issuer::builder().port(port);
    let issuer = match env::var("AUDIENCE") {
        Ok(audience) => builder.audience(audience),
        Err(_) => builder,
    }
    .start_blocking();

    // An unknown word is a mistake before anything is served.
    let first = match words.is_empty() {
        true => None,
        false => match token(&issuer, words.iter().map(String::as_str)) {
            Ok(token) => Some(token.mint()),
            Err(problem) => {
                eprintln!("{problem}\n{USAGE}");
                return Ok(ExitCode::from(2));
            }
        },
    };
    show_settings(&issuer);
    if let Some(token) = first {
        print(&token)?;
    }
    if once {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("Serving keys until Ctrl-C. A line such as `user bob` prints another token.");
    for line in io::stdin().lock().lines() {
        let line = match line {
            Ok(line) => line,
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                eprintln!("The line is not UTF-8.");
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        if line.trim().is_empty() {
            continue;
        }
        match token(&issuer, line.split_whitespace()) {
            Ok(token) => print(&token.mint())?,
            Err(problem) => eprintln!("{problem}\n{USAGE}"),
        }
    }
    // The input has ended, as that of a process in the background does.
    loop {
        std::thread::park();
    }
}

fn show_settings(issuer: &Issuer) {
    let (url, tenant, audience) = (issuer.url(), issuer.tenant_id(), issuer.audience());
    let authority =
        format!("Authority::insecure_loopback({url:?}).with_v1_issuer(\"{url}/{{tid}}/\")");
    let client_id = audience.strip_prefix("api://").unwrap_or(audience);
    let audience_of_config = match client_id.parse::<AppId>() {
        Ok(client_id) => format!("AZURE_CLIENT_ID={client_id}"),
        Err(_) => format!("AzureAd__Audience={audience}"),
    };
    eprintln!(
        "For `whoami` and `explain`, the examples of tower-entra:

    AZURE_AUTHORITY_HOST={url}
    AZURE_TENANT_ID={tenant}
    EXPECTED_AUDIENCE={audience}

For a program with `EntraConfig::from_env`. It refuses an authority over plain http, so leave
AZURE_AUTHORITY_HOST unset and name the authority in its code, for as long as you try it:

    AZURE_TENANT_ID={tenant}
    {audience_of_config}

    EntraConfig::from_env()?
        .builder()
        .authority({authority})
        .build()?

(Without `with_v1_issuer`, tokens of version 1.0 are refused.) For a program without a configuration:

    Validator::builder(Tenants::single({tenant:?}), [{audience:?}])
        .authority({authority})
        .build()?
"
    );
}

fn print(token: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{token}")?;
    stdout.flush()
}

/// The token of these words: who calls, and changes.
fn token<'w>(
    issuer: &Issuer,
    words: impl IntoIterator<Item = &'w str>,
) -> Result<TokenBuilder, String> {
    let mut words = words.into_iter().peekable();
    let who = words.next().unwrap_or_default();
    let takes_name = matches!(who, "agent" | "user");
    let name = words.next_if(|word| takes_name && !is_change(word));
    let mut token = match (who, name) {
        ("agent", None) => issuer.autonomous_agent(),
        ("agent", Some(person)) => issuer.agent_on_behalf_of(person),
        ("agent-user", _) => issuer.agent_user(),
        ("user", None) => issuer.user(),
        ("user", Some(person)) => issuer.user_named(person),
        ("app", _) => issuer.application(),
        _ => return Err(format!("{who:?} is no caller")),
    };
    for word in words {
        token = match word.split_once('=') {
            Some(("scope", scopes)) => token.scope(&scopes.replace(',', " ")),
            Some(("role", roles)) => token.roles(roles.split(',')),
            Some(("audience", audience)) => token.audience(audience),
            None if word == "v1" => token.v1(),
            None if word == "no-facets" => token.without_facets(),
            None if word == "expired" => token.expired(),
            None if word == "forged" => token.signed_by_stranger(),
            _ => return Err(format!("{word:?} is no change of a token")),
        };
    }
    Ok(token)
}

fn is_change(word: &str) -> bool {
    word.contains('=') || ["v1", "no-facets", "expired", "forged"].contains(&word)
}

const USAGE: &str = "usage: issuer [--once] [agent [NAME] | agent-user | user [NAME] | app] \
    [scope=A,B] [role=A,B] [audience=...] [v1] [no-facets] [expired] [forged]
`agent` without a name acts as itself. A token has Orders.Read or Orders.Read.All unless it is said otherwise.
The port is that of ISSUER_PORT, 8090 by default.";
