//! Moving from Microsoft's sidecar: what is the same, every difference, and how to switch each back.
//!
//! Agents in Python, TypeScript, Java or Go do not link a Rust crate. For them the feature `sidecar` builds
//! the program `tower-entra-sidecar`: the HTTP interface of Microsoft's *Entra SDK for AgentID*
//! (`mcr.microsoft.com/entra-sdk/auth-sidecar`, version 1.1.2) in one static binary. Clients of that one run
//! unchanged, and it reads the same configuration.
//!
//! # What is the same
//!
//! - The routes `/Validate`, `/AuthorizationHeader/{api}`, `/AuthorizationHeaderUnauthenticated/{api}`,
//!   `/DownstreamApi/{api}`, `/DownstreamApiUnauthenticated/{api}` and `/healthz`, in any letter case; their
//!   parameters `AgentIdentity`, `AgentUsername`, `AgentUserId` and `optionsOverride.*`; the members of their
//!   answers; the statuses, but for the rows below.
//! - The keys of the configuration: `AzureAd`, `DownstreamApis`, `Sidecar`, `Logging`, `Kestrel`,
//!   `ASPNETCORE_URLS` and `ASPNETCORE_ENVIRONMENT`, from `appsettings.json`, the environment (`__` for `:`)
//!   and the command line (`--Section:Key=value`). The last one wins.
//! - Only callers on loopback, only `localhost`, `127.0.0.1` and `[::1]` as host, no forwarded headers.
//!   `ASPNETCORE_ENVIRONMENT=Development` turns off the rules on callers and hosts. Forwarded headers are never read.
//! - A caller names agents, and changes what is configured, only on the routes with authentication, unless
//!   `Sidecar:AllowOverrides:*` says otherwise.
//!
//! # To move
//!
//! 1. Run `tower-entra-sidecar --check` with the configuration that you have. It names each key that cannot be
//!    used, with what is accepted, and tries the keys of Entra, the credential and each API once.
//! 2. Change the image (none is published: `examples/sidecar/README.md` builds it), and the address if callers are
//!    not on loopback: the default is `http://127.0.0.1:8080`, where Microsoft's listens on all interfaces. In a pod
//!    whose probes come from the node, set `ASPNETCORE_URLS=http://0.0.0.0:8080`; the rule about loopback callers
//!    stays.
//! 3. Convert a PFX to PEM:
//!    `openssl pkcs12 -in app.pfx -nodes -out app.pem`.
//! 4. Look for 403 and 400 where Microsoft's sidecar gave a token: the first rows below.
//!
//! # Every difference
//!
//! | matter | Microsoft's | this one | back |
//! |---|---|---|---|
//! | an agent is named on a route where overrides are off | the name is dropped: the token is that of the **blueprint** | 403, which names the key | `Sidecar:IgnoreDeniedAgents=true` |
//! | `optionsOverride.*` there | dropped | dropped, with a warning in the log | |
//! | an agent's user without an agent; name and object id together | ignored; the name wins | 400 | `Sidecar:LenientAgentParameters=true` |
//! | one of the three is empty or there twice; `AgentIdentity` is no GUID or all zero | taken as missing, joined, sent on | 400 | |
//! | `RequestAppToken` beside a named user | a request that Entra refuses, 401 | 400 if the caller asks for it; the user wins over the configuration | |
//! | `AcquireTokenOptions` `PopPublicKey`, `LongRunningWebApiSessionKey`, `FmiPath`, `ManagedIdentity.*` | honoured | 400 that names it; in the configuration exit code 2 | |
//! | `AcquireTokenOptions.Tenant` where overrides are off; a tenant that is no GUID | dropped; sent on | 403; 400 | |
//! | `AzureAd:TenantId` `common`, `organizations` or a domain | taken | exit code 2 | |
//! | an override resets `HttpMethod` and `Accept` of the configuration | yes | no | |
//! | verbs of `/DownstreamApi*` | POST | POST, GET, PUT, PATCH, DELETE; the call itself has `HttpMethod` | |
//! | Entra throttles or is out of reach | 401 or 500 | 503 with `Retry-After` | |
//! | the inbound token cannot be exchanged: an app's own, another audience | Entra refuses it, 401 | 401 with a hint, without a request | |
//! | refused before a request: by the caller's parameters | 500, which clients repeat for 14 s | 400 with a hint | |
//! | refused before a request: by the configuration; Entra answers with another identity | 500 | 500 with a hint | |
//! | `AcquireTokenOptions.Claims` | each request goes to Entra | a token that was got for the same claims less than 5 s ago is used; the 17th different claims of one identity in 5 s, and the same claims again after others, are 503 with `Retry-After` | |
//! | a parameter whose name is nearly that of an agent's, such as `AgentIdentity[]`, `AgentId` or `optionsOverride.AgentIdentity` | ignored: the token is that of the **blueprint** | 400 | |
//! | a page of another site in a browser on the machine (`Origin`, `Sec-Fetch-Site: cross-site`) | has its calls made, though it cannot read the answers | 403 | `ASPNETCORE_ENVIRONMENT=Development` |
//! | members of a problem | `type`, `title`, `status`, `detail` | also `errorCode`, `correlationId`, `claims`, `hint` | |
//! | the downstream API is out of reach, or its answer has more than 28.6 MiB | 500 | 502 | |
//! | the bodies of all calls under way have more than 256 MiB | held in memory | 503 with `Retry-After` for a request, 502 for an answer | |
//! | `Sidecar:AllowOutboundRedirects` | all redirects are followed | those on the same origin | |
//! | `RelativePath` that leaves the path of `BaseUrl` | followed | 400 | |
//! | `BaseUrl` with `http` to another host | taken | exit code 2 | `Sidecar:AllowPlainHttp=true` |
//! | inbound tokens | .NET's checks | the checks and statuses of this crate, with 300 s of clock skew | |
//! | `AzureAd:Scopes`, `DownstreamApis:x:Scopes` | one text; a list | a text with spaces or a list, both | |
//! | headers of the downstream answer | those of its content | all but hop-by-hop headers and `Set-Cookie` | |
//! | a downstream body that is no text | damaged | base64, with `"contentEncoding":"base64"` | |
//! | wrong or missing configuration | 500 for the first request | a line for each wrong key on stderr, exit code 2 | |
//! | several `ClientCredentials` | the first that loads | the first that is not skipped and loads; a kind that is not offered is exit code 2 wherever it is | |
//! | `Path`, `Base64Encoded` | PFX | PEM | |
//! | default address | all interfaces, port 8080 | `http://127.0.0.1:8080`; also `http://unix:/path` | `ASPNETCORE_URLS=http://+:8080` |
//! | readiness, metrics | none | `/readyz`; Prometheus text at `Sidecar:MetricsUrl` | |
//! | log | exceptions | one line for each token request, target `tower_entra::audit`, never a token | |
//!
//! Not offered: certificates from Key Vault or a certificate store, PFX, proof of possession in either
//! direction, `TokenDecryptionCredentials`, Windows. A configuration that asks for one of them is refused at the start.
//!
//! A connection without a request ends after 10 s, where Kestrel keeps it for 130 s. Set the idle time of the client's pool
//! below that, or have it send a request once more whose connection was closed.
//!
//! # Who may ask for what
//!
//! Like Microsoft's, it authenticates no process: each one that reaches its port can ask for what the
//! configuration allows. With `Sidecar:AllowOverrides:GetAuthorizationHeaderUnauthenticated=true`, which
//! the Microsoft 365 Agents SDK needs, that is every agent of the blueprint. Give it a pod, or a Unix socket
//! with the permissions of its folder, that only the agent shares.
