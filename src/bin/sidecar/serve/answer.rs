//! What a server is for.

use std::{future::Future, net::SocketAddr};

use axum::body::Body;
use http::{Request, Response};

/// The program behind a server. Cheap to clone.
pub(crate) trait Answer: Clone + Send + Sync + 'static {
    /// The answer to one request.
    fn answer(
        &self,
        peer: Peer,
        request: Request<Body>,
    ) -> impl Future<Output = Response<Body>> + Send;
}

/// Where a connection comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    Tcp(SocketAddr),
    /// A Unix socket: a process of this machine.
    Unix,
}

impl Peer {
    /// Whether it is a process of this machine, or of its network namespace.
    pub(crate) fn is_local(self) -> bool {
        match self {
            // `::ffff:127.0.0.1` is how an IPv6 listener sees an IPv4 caller.
            Self::Tcp(address) => address.ip().to_canonical().is_loopback(),
            Self::Unix => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(address: &str) -> Peer {
        Peer::Tcp(SocketAddr::new(
            address.parse().expect("an address"),
            40_000,
        ))
    }

    #[test]
    fn loopback_addresses_of_both_families_are_local() {
        for address in [
            "127.0.0.1",
            "127.8.9.10",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:127.1.2.3",
        ] {
            assert!(tcp(address).is_local(), "{address}");
        }
    }

    #[test]
    fn a_unix_socket_is_local() {
        assert!(Peer::Unix.is_local());
    }

    #[test]
    fn every_other_address_is_not() {
        for address in [
            "10.0.0.1",
            "128.0.0.1",
            "126.255.255.255",
            "192.168.1.1",
            "169.254.1.1",
            "0.0.0.0",
            "::",
            "::2",
            "fe80::1",
            "::ffff:10.0.0.1",
            // IPv4-compatible, not IPv4-mapped.
            "::127.0.0.1",
        ] {
            assert!(!tcp(address).is_local(), "{address}");
        }
    }
}
