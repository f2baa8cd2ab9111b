//! What the program says about its configuration, and where it takes it from.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpListener,
    path::PathBuf,
    process::{Command, Output, Stdio},
    thread,
};

use tower_entra::testing::{FederatedCredential, Issuer};

use crate::world::{Sidecar, program, variables};

const TENANT: &str = "7090e106-1ad3-4313-9b7a-75cc3e576d40";
const CLIENT: &str = "3aa6c2f7-1e0f-4caa-a55a-7c08f5f87a1a";
/// An authority without a server.
const NOWHERE: &str = "http://127.0.0.1:9";

/// A folder of one test, in which the program starts.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("tower-entra-configuration-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).expect("a file");
        path
    }

    fn program(&self) -> Command {
        let mut command = program();
        command.current_dir(&self.0);
        command
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The lines on stderr of a program that ends with the code 2 and says nothing else.
#[track_caller]
fn refused(command: &mut Command) -> Vec<String> {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().expect("the program runs");
    let text = String::from_utf8(stderr).expect("UTF-8");
    assert_eq!(status.code(), Some(2), "{text}");
    assert!(stdout.is_empty(), "{stdout:?}");
    text.lines().map(str::to_owned).collect()
}

/// The lines on stderr until the program, which has begun to listen, has ended.
fn served(command: &mut Command) -> String {
    let mut child = command
        .env("ASPNETCORE_URLS", "http://127.0.0.1:0")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut line = String::new();
    let stdout = child.stdout.take().expect("a pipe");
    BufReader::new(stdout).read_line(&mut line).expect("a line");
    let _ = child.kill();
    let mut text = String::new();
    let mut stderr = child.stderr.take().expect("a pipe");
    stderr.read_to_string(&mut text).expect("UTF-8");
    let _ = child.wait();
    assert!(
        line.starts_with("listening on http://127.0.0.1:"),
        "{line}{text}"
    );
    text
}

#[test]
fn each_wrong_key_has_a_line_and_the_code_is_2() {
    let folder = Folder::new("wrong");
    let file = folder.write(
        "appsettings.json",
        r#"{
            // As Microsoft's own file begins.
            "AzureAd": { "Instance": "https://login.microsoftonline.com/", "TenantId": "", "ClientId": "" },
            "Sidecar": { "AllowPlainHttp": "yes" },
        }"#,
    );
    let lines = refused(
        folder
            .program()
            .env("AzureAd__TenantId", "common")
            .env("AzureAd__ClientCredentials__0__SourceType", "KeyVault")
            .arg("--DownstreamApis:orders:BaseUrl=http://orders.contoso.com"),
    );
    let beginnings = [
        "Sidecar:AllowPlainHttp (file appsettings.json): \"yes\" is neither true nor false. ",
        "AzureAd:TenantId (environment AzureAd__TenantId): \"common\" is not one tenant. ",
        "AzureAd:ClientId (file appsettings.json): is not set. ",
        "AzureAd:ClientCredentials:0:SourceType (environment AzureAd__ClientCredentials__0__SourceType): \
         \"KeyVault\" is not supported. ",
        "DownstreamApis:orders:BaseUrl (command line): \"http://orders.contoso.com\" ",
    ];
    assert_eq!(lines.len(), beginnings.len(), "{lines:#?}");
    for (line, beginning) in lines.iter().zip(beginnings) {
        assert!(line.starts_with(beginning), "{line}");
        assert!(line.contains(". Accepted: "), "{line}");
    }
    let named = refused(folder.program().arg("--config").arg(&file));
    let place = format!("Sidecar:AllowPlainHttp (file {}): ", file.display());
    assert!(named[0].starts_with(&place), "{named:?}");
}

#[test]
fn a_file_or_an_argument_that_cannot_be_read_ends_the_program_with_2() {
    let folder = Folder::new("unreadable");
    folder.write(
        "broken.json",
        "{\n  \"AzureAd\": { \"ClientSecret\": hunter2 }\n}",
    );
    folder.write(
        "twice.json",
        r#"{"AzureAd": {"TenantId": "a", "tenantid": "b"}}"#,
    );
    for (arguments, beginning) in [
        (
            &["--config", "none.json"][..],
            "file none.json: does not exist. ",
        ),
        (&["--config", "."], "file .: is not a regular file. "),
        (
            &["--config=broken.json"],
            "file broken.json: line 2, column 32: ",
        ),
        (
            &["--config=twice.json"],
            "file twice.json: the key AzureAd:tenantid appears twice; ",
        ),
        (&["--config"], "argument 1: --config has no value. "),
        (&["hunter2"], "argument 1: is neither a key nor a value. "),
    ] {
        let lines = refused(folder.program().args(arguments));
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].starts_with(beginning), "{lines:?}");
        assert!(!lines[0].contains("hunter2"), "{lines:?}");
    }
    let by_variable = refused(folder.program().env("SIDECAR_CONFIG", "none.json"));
    assert!(
        by_variable[0].starts_with("file none.json: "),
        "{by_variable:?}"
    );
}

#[test]
fn a_limit_that_is_written_in_the_wrong_form_stops_the_start() {
    let folder = Folder::new("shapes");
    let start = |json: &str| {
        folder.write("appsettings.json", json);
        let mut command = folder.program();
        command.envs([
            ("AzureAd__Instance", NOWHERE),
            ("AzureAd__TenantId", TENANT),
            ("AzureAd__ClientId", CLIENT),
        ]);
        command
    };
    for (json, key) in [
        (
            r#"{"AzureAd": {"Scopes": [["Admin"]]}}"#,
            "AzureAd:Scopes:0",
        ),
        (
            r#"{"AzureAd": {"Scopes": [{"Name": "Admin"}]}}"#,
            "AzureAd:Scopes:0",
        ),
        (
            r#"{"AzureAd": {"Audience": [["x"]]}}"#,
            "AzureAd:Audience:0",
        ),
        (
            r#"{"Sidecar": {"AllowOverrides": false}}"#,
            "Sidecar:AllowOverrides",
        ),
        (
            r#"{"Sidecar": {"AllowOverrides": {"CallDownstreamApi": [false]}}}"#,
            "Sidecar:AllowOverrides:CallDownstreamApi",
        ),
        (
            r#"{"Sidecar": {"AllowOverrides": []}}"#,
            "Sidecar:AllowOverrides",
        ),
        (r#"{"Sidecar": false}"#, "Sidecar"),
        (r#"{"Logging": "Debug"}"#, "Logging"),
    ] {
        let lines = refused(&mut start(json));
        let beginning = format!("{key} (file appsettings.json): is ");
        assert!(
            matches!(&*lines, [line] if line.starts_with(&beginning)),
            "{json}: {lines:?}"
        );
    }
    for (argument, key) in [
        ("--Sidecar:AllowOverrides=false", "Sidecar:AllowOverrides"),
        (
            "--Sidecar:AllowOverrides:CallDownstreamApi=",
            "Sidecar:AllowOverrides:CallDownstreamApi",
        ),
    ] {
        let lines = refused(start("{}").arg(argument));
        let beginning = format!("{key} (command line): is ");
        assert!(
            matches!(&*lines, [line] if line.starts_with(&beginning)),
            "{argument}: {lines:?}"
        );
    }
    let text = served(&mut start(
        r#"{"Sidecar": {"AllowOverrides": {}}, "Other": [[]]}"#,
    ));
    assert!(!text.contains("WARN tower_entra_sidecar"), "{text}");
}

#[test]
fn variables_of_other_programs_do_not_stop_the_start() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _};

    let folder = Folder::new("others");
    let mut command = folder.program();
    command.envs([
        ("AzureAd__Instance", NOWHERE),
        ("AzureAd__TenantId", TENANT),
        ("AzureAd__ClientId", CLIENT),
        ("FOO__BAR", "1"),
        ("foo__bar", "2"),
    ]);
    command.env("OTHER__VALUE", OsStr::from_bytes(b"\xff"));
    let text = served(&mut command);
    assert!(!text.contains("WARN tower_entra_sidecar"), "{text}");
}

#[test]
fn forwarded_headers_stop_the_start() {
    let folder = Folder::new("forwarded");
    for name in [
        "ForwardedHeaders_Enabled",
        "ASPNETCORE_FORWARDEDHEADERS_ENABLED",
    ] {
        let lines = refused(
            folder
                .program()
                .env("AzureAd__TenantId", TENANT)
                .env("AzureAd__ClientId", CLIENT)
                .env(name, "TRUE"),
        );
        assert_eq!(
            lines,
            [format!(
                "ForwardedHeaders_Enabled (environment {name}): Forwarded headers cannot be enabled outside \
                 Development. Remove 'ForwardedHeaders_Enabled' or set it to 'false'."
            )]
        );
    }
}

#[test]
fn the_name_of_the_environment_names_no_file_of_another_folder() {
    let folder = Folder::new("environment");
    folder.write("appsettings.json", "{}");
    for name in ["../Staging", "/Staging", "..\\Staging"] {
        let lines = refused(folder.program().env("ASPNETCORE_ENVIRONMENT", name));
        let begins = |line: &String| line.starts_with("ASPNETCORE_ENVIRONMENT");
        let line = lines.iter().find(|line| begins(line));
        assert!(
            line.is_some_and(|line| line.contains("is no name")),
            "{lines:?}"
        );
    }
    let lines = refused(folder.program().env("ASPNETCORE_ENVIRONMENT", "Staging"));
    assert!(
        !lines.iter().any(|line| line.contains("is no name")),
        "{lines:?}"
    );
}

#[test]
fn sources_win_in_the_order_of_dotnet() {
    let folder = Folder::new("order");
    let json = |value: &str| format!("{{\"AzureAd\": {{\"TenantId\": \"{value}\"}}}}");
    let tenant = |command: &mut Command| {
        let lines = refused(command.env("ASPNETCORE_ENVIRONMENT", "Staging"));
        let line = lines
            .iter()
            .find(|line| line.starts_with("AzureAd:TenantId "));
        line.expect("a line").clone()
    };
    let low = |folder: &Folder| {
        let mut command = folder.program();
        command.env("ASPNETCORE_AzureAd__TenantId", "of-host.test");
        command
    };
    assert!(tenant(&mut low(&folder)).contains("\"of-host.test\""));
    folder.write("appsettings.json", &json("of-file.test"));
    assert!(tenant(&mut low(&folder)).contains("(file appsettings.json): \"of-file.test\""));
    folder.write("appsettings.Staging.json", &json("of-staging.test"));
    folder.write("appsettings.Production.json", &json("of-production.test"));
    assert!(
        tenant(&mut low(&folder)).contains("(file appsettings.Staging.json): \"of-staging.test\"")
    );
    let mut with_variable = low(&folder);
    with_variable.env("AZUREAD__TENANTID", "of-variable.test");
    assert!(
        tenant(&mut with_variable)
            .contains("(environment AZUREAD__TENANTID): \"of-variable.test\"")
    );
    with_variable.args(["--azuread:tenantid", "of-argument.test"]);
    assert!(tenant(&mut with_variable).contains("(command line): \"of-argument.test\""));
}

#[tokio::test]
async fn warnings_are_logged_and_secrets_are_not() {
    let issuer = Issuer::start().await;
    let folder = Folder::new("warnings");
    let mut command = folder.program();
    command.envs(variables(&issuer)).envs([
        ("Sidecar__AllowOverides__CallDownstreamApi", "true"),
        ("AzureAd__ClientSecret", "hunter2"),
        (
            "DownstreamApis__orders__ExtraHeaderParameters__Authorization",
            "Bearer hunter2",
        ),
        (
            "AzureAd__ClientCredentials__1__CertificatePassword",
            "hunter2",
        ),
        ("AzureAd__ClientCredentials__1__SourceType", "Path"),
        (
            "AzureAd__ClientCredentials__1__CertificateDiskPath",
            "none.pem",
        ),
    ]);
    let text = served(&mut command);
    for part in [
        "The nearest known one is Sidecar:AllowOverrides.",
        "AzureAd:ClientSecret (environment AzureAd__ClientSecret): is not used",
        "the header Authorization is reserved",
        "AzureAd:ClientCredentials:1:CertificatePassword (environment",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(
        !text.contains("hunter2") && !text.contains(&*issuer.blueprint().secret()),
        "{text}"
    );
}

#[tokio::test]
async fn a_file_configures_all_of_it() {
    let issuer = Issuer::start().await;
    let pem = issuer.blueprint().new_certificate_pem();
    let folder = Folder::new("file");
    folder.write("app.pem", &pem);
    let file = folder.write(
        "my.json",
        &format!(
            r#"{{
                "AzureAd": {{
                    "Instance": "{}/",
                    "TenantId": "{}",
                    "ClientId": "{}",
                    "ClientCredentials": [
                        {{ "SourceType": "Path", "CertificateDiskPath": "none.pem" }},
                        {{ "SourceType": "Path", "CertificateDiskPath": "app.pem" }},
                    ],
                }},
                "DownstreamApis": {{
                    "orders": {{ "Scopes": "{}/.default", "RequestAppToken": true }},
                }},
                "Sidecar": {{
                    "AllowOverrides": {{ "GetAuthorizationHeaderUnauthenticated": true }},
                }},
                "Urls": "http://127.0.0.1:0",
            }}"#,
            issuer.url(),
            issuer.tenant_id(),
            issuer.blueprint_id(),
            issuer.api().resource(),
        ),
    );
    let mut command = folder.program();
    command.arg(format!("--config={}", file.display()));
    let sidecar = Sidecar::of(command);
    assert_agent_gets_a_token(&sidecar, &issuer).await;
}

/// The managed identity is that of App Service, whose endpoint is here.
#[tokio::test]
async fn an_assertion_of_a_managed_identity_authenticates_the_blueprint() {
    let issuer = Issuer::start().await;
    let provider = Issuer::start().await;
    issuer
        .blueprint()
        .trust(FederatedCredential::of(&provider, "managed identity"));
    let assertion = provider
        .token()
        .claim("sub", "managed identity")
        .audience("api://AzureADTokenExchange")
        .mint();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let requests = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n == 1) {
            head.push(byte[0]);
        }
        let body = format!(
            r#"{{"access_token":"{assertion}","expires_on":"4102444800","resource":"r","token_type":"Bearer"}}"#
        );
        let length = body.len();
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}");
        stream.write_all(answer.as_bytes()).expect("sent");
        String::from_utf8(head).expect("UTF-8")
    });
    let first = "AzureAd__ClientCredentials__0__";
    let source = format!("{first}SourceType");
    let identity = format!("{first}ManagedIdentityClientId");
    let exchange = format!("{first}TokenExchangeUrl");
    let sidecar = Sidecar::start(
        &issuer,
        &[
            (&source, "SignedAssertionFromManagedIdentity"),
            (&identity, CLIENT),
            (&exchange, "api://AzureADTokenExchange"),
            ("DownstreamApis__orders__RequestAppToken", "true"),
            (
                "Sidecar__AllowOverrides__GetAuthorizationHeaderUnauthenticated",
                "true",
            ),
            ("IDENTITY_ENDPOINT", &format!("http://{address}/msi/token")),
            ("IDENTITY_HEADER", "hunter2"),
        ],
    );
    assert_agent_gets_a_token(&sidecar, &issuer).await;
    let head = requests.join().expect("a request").to_lowercase();
    assert!(head.starts_with("get /msi/token?"), "{head}");
    assert!(
        head.contains("resource=api%3a%2f%2fazureadtokenexchange&"),
        "{head}"
    );
    assert!(head.contains(&format!("client_id={CLIENT}")), "{head}");
    assert!(
        head.contains("\r\nx-identity-header: hunter2\r\n"),
        "{head}"
    );
}

async fn assert_agent_gets_a_token(sidecar: &Sidecar, issuer: &Issuer) {
    let (url, agent) = (&sidecar.url, issuer.agent_id());
    let route = "AuthorizationHeaderUnauthenticated/orders";
    let answer = get(&format!("{url}/{route}?AgentIdentity={agent}")).await;
    let expected = "\"authorizationHeader\":\"Bearer eyJ";
    assert!(answer.contains(expected), "{answer}");
}

async fn get(url: &str) -> String {
    use http_body_util::BodyExt as _;
    use hyper_util::{client::legacy::Client, rt::TokioExecutor};

    let client = Client::builder(TokioExecutor::new()).build_http::<http_body_util::Empty<&[u8]>>();
    let answer = client
        .get(url.parse().expect("a URL"))
        .await
        .expect("an answer");
    let body = answer
        .into_body()
        .collect()
        .await
        .expect("a body")
        .to_bytes();
    String::from_utf8(body.to_vec()).expect("UTF-8")
}
