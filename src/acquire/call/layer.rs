//! The layer, which a user configures.

use std::{fmt, sync::Arc};

use tower::Layer;

use super::{
    actor::{Actor, ActsOnBehalf},
    api::Api,
    replay::NoReplay,
    service::EntraCall,
};
use crate::{
    acquire::{Scopes, TokenSource},
    config_error::ConfigError,
};

/// A [`Layer`] that sends requests to one API with an access token for it: the way out, as
/// [`EntraAuthLayer`](crate::EntraAuthLayer) is the way in.
///
/// It goes around any client that is a tower [`Service`](tower::Service) of [`http::Request`]: hyper-util's,
/// tonic's `Channel`, a stack of tower layers. With feature `http-client` it also goes around a
/// `reqwest::Client`. The guide [calling as an agent](crate::guide::calling_as_an_agent#over-tower) has an
/// example of each.
///
/// ```
/// use http::Request;
/// use tower::{Layer, Service, ServiceExt};
/// use tower_entra::acquire::{AgentIdentity, EntraCallLayer, Scopes};
///
/// # async fn call<S>(client: S, agent: AgentIdentity) -> Result<(), Box<dyn std::error::Error>>
/// # where S: Service<Request<String>, Response = http::Response<String>, Error = std::convert::Infallible> + Clone {
/// let scopes = Scopes::default_of("api://orders")?;
/// let layer = EntraCallLayer::new("https://orders.contoso.com", scopes)?.acting_as(agent.itself());
/// let mut orders = layer.layer(client);
///
/// let request = Request::get("https://orders.contoso.com/today").body(String::new())?;
/// let response = orders.ready().await?.call(request).await?;
/// # drop(response);
/// # Ok(())
/// # }
/// ```
///
/// # Who acts
///
/// | order | what says so | who acts |
/// |---|---|---|
/// | 1 | a [`TokenSource`] in the request's extensions | that one |
/// | 2 | [`on_behalf_of_caller`](Self::on_behalf_of_caller) | the agent, on behalf of the caller whose [`UserAssertion`](crate::acquire::UserAssertion) is in the request's extensions |
/// | 2 | [`acting_as`](Self::acting_as) | that one |
/// | | nothing | [`CallError::NobodyToActAs`](super::CallError::NobodyToActAs) |
///
/// Of the two settings the last one replaces the other. With `on_behalf_of_caller`, a request without an
/// assertion is such an error: it is never sent as another identity. Both extensions are taken out of every
/// request, so a service inside, such as another layer of this kind, sees neither.
///
/// A layer outside that makes a request anew can lose its extensions: tower-http 0.6 does when it follows a
/// redirect, and so does a retry that copies method, URI and headers only. With `acting_as`, the second
/// request then goes out as that source, not as the one that the extensions named. Give a layer whose requests
/// name their own source no `acting_as`: without it such a request is not sent.
///
/// Extensions of a `reqwest::Request` are out of reach. There the choice for a request is a clone of the
/// service: [`EntraCall::acting_as`].
///
/// # Where a token goes
///
/// Only to the scheme, host and port of the API. Anything else is
/// [`CallError::OtherOrigin`](super::CallError::OtherOrigin), and nothing is sent: another host, however alike
/// its name, a user before the host, a trailing dot, and a request without scheme and host, which the service
/// inside would send wherever it likes. Letter case and the scheme's own port make no difference.
///
/// - `Authorization` and `Proxy-Authorization` that came along are removed. So a reverse proxy does not
///   forward the token of its caller.
/// - A `Host` header that came along is replaced by that of the API, as
///   [RFC 9112, section 3.2](https://www.rfc-editor.org/rfc/rfc9112#section-3.2) demands: servers behind one
///   address choose by it.
/// - The service inside opens the connection. One that has an address of its own (tonic's `Channel`, a Unix
///   socket) must have that of the API.
/// - A service inside that follows redirects decides by itself what goes with them. `reqwest` follows ten, and
///   drops `Authorization` when scheme, host or port change: build its client with
///   `redirect::Policy::none()`, so that a redirect is seen. hyper-util and tonic follow none.
///
/// # Without a token at hand
///
/// With a remembered token the service inside is called at once. Otherwise the request waits, at most as long
/// as the [settings](crate::acquire::AcquireSettings) of the client say, and holds none of the capacity of the
/// service inside: that is readied again once the token is there.
///
/// # Claims challenges
///
/// A 401 with a
/// [claims challenge](https://learn.microsoft.com/en-us/entra/identity-platform/claims-challenge)
/// (`WWW-Authenticate: Bearer`, `error="insufficient_claims"`, `claims` in base64 of either alphabet, at most
/// 8 KiB) has a token for these claims acquired, once for all requests that were refused with them. Then:
///
/// - with [`replay`](Self::replay), the request is sent once more, never twice. If there is no such token, the
///   answer is [`CallError::NoToken`](super::CallError::NoToken): for a call on behalf of a person its
///   [denial](crate::acquire::AcquireError::denial) is the challenge for that person;
/// - without it, or where the request cannot be copied, the 401 goes back unchanged once the token is there or
///   could not be had, and the next request has the new token.
///
/// Every other response goes back as it is. An API that answers 429 or 503 with `Retry-After` is not asked
/// again: that is for a retry layer outside of this one, which knows what may be repeated.
#[derive(Clone)]
pub struct EntraCallLayer<R = NoReplay> {
    api: Arc<Api>,
    actor: Actor,
    replay: R,
}

impl EntraCallLayer {
    /// A layer for the API with this origin, such as `https://graph.microsoft.com`, and tokens with these
    /// scopes. `http` is taken only for a loopback address, such as `http://127.0.0.1:8080`.
    ///
    /// # Errors
    ///
    /// Fails if `api` is no such origin: it has a path, a query, a user or no host.
    pub fn new(api: impl AsRef<str>, scopes: Scopes) -> Result<Self, ConfigError> {
        Ok(Self {
            api: Arc::new(Api::new(api.as_ref(), scopes)?),
            actor: Actor::Unknown,
            replay: NoReplay,
        })
    }
}

impl<R> EntraCallLayer<R> {
    /// Who acts in requests that do not say. Replaces [`on_behalf_of_caller`](Self::on_behalf_of_caller).
    #[must_use]
    pub fn acting_as(self, source: TokenSource) -> Self {
        Self {
            actor: Actor::Source(source),
            ..self
        }
    }

    /// An agent, or an app, that acts on behalf of the caller whose request this one serves: the
    /// [`UserAssertion`](crate::acquire::UserAssertion) in the extensions, which
    /// [`EntraAuthLayer::with_user_assertion`](crate::EntraAuthLayer::with_user_assertion) puts there. Replaces
    /// [`acting_as`](Self::acting_as).
    ///
    /// A caller that acts as itself has none: keep it out with
    /// [`Requirement::delegated`](crate::Requirement::delegated).
    #[must_use]
    pub fn on_behalf_of_caller(self, agent: impl ActsOnBehalf) -> Self {
        Self {
            actor: Actor::on_behalf_of_caller(agent),
            ..self
        }
    }

    /// How a request is copied, so that it can be sent once more after a claims challenge:
    /// [`CloneBody`](super::CloneBody), or a [`Replay`](super::Replay) of one's own. Default: none is.
    #[must_use]
    pub fn replay<T>(self, replay: T) -> EntraCallLayer<T> {
        EntraCallLayer {
            api: self.api,
            actor: self.actor,
            replay,
        }
    }
}

impl<S, R: Clone> Layer<S> for EntraCallLayer<R> {
    type Service = EntraCall<S, R>;

    fn layer(&self, inner: S) -> Self::Service {
        EntraCall::new(
            inner,
            Arc::clone(&self.api),
            self.actor.clone(),
            self.replay.clone(),
        )
    }
}

impl<R> fmt::Debug for EntraCallLayer<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EntraCallLayer")
            .field("api", &self.api.as_str())
            .field("scopes", &self.api.scopes)
            .field("actor", &self.actor)
            .finish_non_exhaustive()
    }
}
