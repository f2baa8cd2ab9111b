//! The sidecar as a process of the second blueprint in the first tenant, with its log read.

use std::{
    io::{BufRead, BufReader},
    process::{Child, ChildStdout, Command, Stdio},
    sync::Arc,
    thread,
};

use crate::{
    figures::resident_kib,
    log::Of,
    world::{Failed, SCOPE, World},
};

/// A running sidecar, until it is dropped.
pub(crate) struct Sidecar {
    process: Child,
    pub(crate) url: String,
    _output: BufReader<ChildStdout>,
}

impl Sidecar {
    /// One with the API `orders` for agents as themselves, and `person` for users.
    pub(crate) fn start(world: &Arc<World>, orders: &str) -> Result<Self, Failed> {
        let issuer = &world.issuer;
        let resource = issuer.api().resource().to_owned();
        let mut command = Command::new(env!("CARGO_BIN_EXE_tower-entra-sidecar"));
        command.env_clear().env("AzureAd__Instance", issuer.url());
        for (key, value) in [
            ("AzureAd__TenantId", &*world.tenants[0]),
            ("AzureAd__ClientId", world.blueprints[1].client_id()),
            ("AzureAd__ClientCredentials__0__SourceType", "Path"),
            ("DownstreamApis__orders__BaseUrl", orders),
            ("DownstreamApis__orders__RelativePath", "/orders"),
            ("DownstreamApis__orders__RequestAppToken", "true"),
            (
                "DownstreamApis__orders__Scopes__0",
                &format!("{resource}/.default"),
            ),
            ("DownstreamApis__person__BaseUrl", orders),
            ("DownstreamApis__person__RelativePath", "/orders"),
            (
                "DownstreamApis__person__Scopes__0",
                &format!("{resource}/{SCOPE}"),
            ),
            (
                "Sidecar__AllowOverrides__GetAuthorizationHeaderUnauthenticated",
                "true",
            ),
            (
                "Sidecar__AllowOverrides__CallDownstreamApiUnauthenticated",
                "true",
            ),
            ("Logging__LogLevel__Default", "Trace"),
            ("ASPNETCORE_URLS", "http://127.0.0.1:0"),
        ] {
            command.env(key, value);
        }
        let mut process = command
            .env(
                "AzureAd__ClientCredentials__0__CertificateDiskPath",
                &world.certificate,
            )
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let output = process.stdout.take().ok_or("no pipe")?;
        let lines = BufReader::new(process.stderr.take().ok_or("no pipe")?).lines();
        let log = Arc::clone(&world.log);
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                log.read(Of::Sidecar, &line);
            }
        });
        let mut output = BufReader::new(output);
        let mut line = String::new();
        output.read_line(&mut line)?;
        let url = line.trim().strip_prefix("listening on ");
        let url = url.ok_or("the sidecar does not say where it listens")?;
        Ok(Self {
            url: url.to_owned(),
            process,
            _output: output,
        })
    }

    pub(crate) fn resident_kib(&self) -> u64 {
        resident_kib(self.process.id())
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
