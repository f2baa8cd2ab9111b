//! Listening sockets, TCP and Unix.

use std::{
    fmt, fs, io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use tokio::net::{TcpListener, TcpSocket, UnixListener, UnixSocket};

use super::{answer::Peer, stream::Stream};
use crate::settings::Listen;

/// A socket that listens. The file of a Unix socket is removed when this is dropped.
#[derive(Debug)]
pub(crate) enum Listener {
    Tcp(TcpListener),
    Unix { socket: UnixListener, file: File },
}

impl Listener {
    /// One listener, or two for `localhost`. `key` is where the address is configured.
    ///
    /// # Errors
    ///
    /// Fails if the address is in use or may not be bound, and for a Unix socket if its path names
    /// something else.
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime.
    pub(crate) fn bind(listen: &Listen, key: &'static str) -> Result<Vec<Self>, BindError> {
        match listen {
            Listen::Tcp(address) => Ok(vec![Self::tcp(*address, key)?]),
            Listen::Localhost(port) => {
                let mut listeners = vec![Self::tcp((Ipv4Addr::LOCALHOST, *port).into(), key)?];
                let of_ipv6 = SocketAddr::from((Ipv6Addr::LOCALHOST, *port));
                match bind_tcp(of_ipv6) {
                    Err(error) if lacks_ipv6(&error) => {}
                    bound => {
                        let bound = bound.map_err(|error| BindError::tcp(of_ipv6, &error, key))?;
                        listeners.push(Self::Tcp(bound));
                    }
                }
                Ok(listeners)
            }
            Listen::Unix(path) => bind_unix(path)
                .map(|listener| vec![listener])
                .map_err(|reason| BindError(format!("{}: {reason}", path.display()))),
        }
    }

    fn tcp(address: SocketAddr, key: &'static str) -> Result<Self, BindError> {
        let bound = bind_tcp(address);
        bound
            .map(Self::Tcp)
            .map_err(|error| BindError::tcp(address, &error, key))
    }

    /// The URL that clients use, with the port that the operating system has chosen.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Tcp(listener) => match listener.local_addr() {
                Ok(address) => format!("http://{address}"),
                Err(_) => "http://".to_owned(),
            },
            Self::Unix { file, .. } => format!("http://unix:{}", file.path.display()),
        }
    }

    pub(super) async fn accept(&self) -> io::Result<(Stream, Peer)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                // An answer is one write. Without this, a second one on the same connection could wait for
                // the client's acknowledgement. It fails only if the client has gone.
                let _ = stream.set_nodelay(true);
                Ok((Stream::Tcp(stream), Peer::Tcp(address)))
            }
            Self::Unix { socket, .. } => {
                let (stream, _) = socket.accept().await?;
                Ok((Stream::Unix(stream), Peer::Unix))
            }
        }
    }
}

/// `[::]` becomes `0.0.0.0` on a machine without IPv6, as in Kestrel.
fn bind_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    match listen_at(address) {
        Err(error) if address.is_ipv6() && address.ip().is_unspecified() && lacks_ipv6(&error) => {
            listen_at((Ipv4Addr::UNSPECIFIED, address.port()).into())
        }
        bound => bound,
    }
}

/// As `TcpListener::bind`, whose backlog of 128 is full after a few milliseconds of a burst: more clients then
/// wait a second.
fn listen_at(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    // A new program can listen while connections of the old one end.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn lacks_ipv6(error: &io::Error) -> bool {
    // EAFNOSUPPORT has no kind of its own.
    error.kind() == io::ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(97)
}

fn bind_unix(path: &Path) -> Result<Listener, String> {
    remove_stale_socket(path)?;
    let shown = |error: io::Error| error.to_string();
    let socket = UnixSocket::new_stream().map_err(shown)?;
    socket.bind(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => "its folder does not exist. Create the folder.".to_owned(),
        io::ErrorKind::PermissionDenied => {
            "this user may not create it. Name a path in a folder that this user can write."
                .to_owned()
        }
        _ => error.to_string(),
    })?;
    // Between `bind` and `listen` a client is refused, so that none connects before the mode is set.
    fs::set_permissions(path, fs::Permissions::from_mode(SOCKET_MODE)).map_err(shown)?;
    let file = File::of(path).map_err(shown)?;
    let socket = socket.listen(BACKLOG).map_err(shown)?;
    Ok(Listener::Unix { socket, file })
}

/// Removes the socket file of a program that has ended without doing so.
fn remove_stale_socket(path: &Path) -> Result<(), String> {
    let Ok(metadata) = fs::symlink_metadata(path) else {
        return Ok(());
    };
    if !metadata.file_type().is_socket() {
        return Err(
            "there is a file here that is no socket. Remove it, or name another path.".to_owned(),
        );
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path)
            .map_err(|error| {
                format!(
                    "the socket of a program that has ended cannot be removed ({error}). Remove it."
                )
            }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        _ => Err("another program listens here. End it, or name another path.".to_owned()),
    }
}

/// The file of a Unix socket, removed when this is dropped if it still is the same file.
#[derive(Debug)]
pub(crate) struct File {
    path: PathBuf,
    identity: (u64, u64),
}

impl File {
    fn of(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            identity: identity_of(path)?,
        })
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // A successor may have replaced it.
        if identity_of(&self.path).is_ok_and(|identity| identity == self.identity) {
            // At the end of the program; a stale file is replaced at the next start.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity_of(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|metadata| (metadata.dev(), metadata.ino()))
}

/// Why an address cannot be listened at: what was found, and what to do.
#[derive(Debug)]
pub(crate) struct BindError(String);

impl BindError {
    fn tcp(address: SocketAddr, error: &io::Error, key: &str) -> Self {
        let port = address.port();
        Self(match error.kind() {
            io::ErrorKind::AddrInUse => format!(
                "http://{address}: another program listens here. End it, or set {key} to an address that is free."
            ),
            io::ErrorKind::PermissionDenied => format!(
                "http://{address}: this user may not listen at port {port}. Set {key} to a port from 1024 on."
            ),
            io::ErrorKind::AddrNotAvailable => format!(
                "http://{address}: this machine does not have this address. Set {key} to one that it has, such as http://127.0.0.1:{port}."
            ),
            _ => format!("http://{address}: {error}"),
        })
    }
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Owner and group.
const SOCKET_MODE: u32 = 0o660;
/// The operating system takes less if its own limit is lower.
const BACKLOG: u32 = 4096;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A folder of one test.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("sidecar-{}-{name}", std::process::id()));
            fs::create_dir_all(&path).expect("a folder");
            Self(path)
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.join(name)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    async fn bind(path: &Path) -> Result<Listener, String> {
        let listeners = Listener::bind(&Listen::Unix(path.to_owned()), "a key");
        let mut listeners = listeners.map_err(|error| error.to_string())?;
        Ok(listeners.remove(0))
    }

    #[tokio::test]
    async fn a_socket_belongs_to_owner_and_group_and_goes_with_its_listener() {
        let folder = Folder::new("mode");
        let path = folder.path("s");
        let listener = bind(&path).await.expect("bound");
        let mode = fs::metadata(&path).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o660);
        assert_eq!(listener.url(), format!("http://unix:{}", path.display()));
        drop(listener);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn the_socket_of_a_program_that_has_ended_is_replaced() {
        let folder = Folder::new("stale");
        let path = folder.path("s");
        // Its file stays.
        drop(std::os::unix::net::UnixListener::bind(&path).expect("bound"));
        assert!(path.exists());
        bind(&path).await.expect("bound");
    }

    #[tokio::test]
    async fn the_socket_of_a_program_that_listens_is_kept() {
        let folder = Folder::new("live");
        let path = folder.path("s");
        let _other = std::os::unix::net::UnixListener::bind(&path).expect("bound");
        let error = bind(&path).await.expect_err("in use");
        assert!(error.contains("another program listens here"), "{error}");
        assert!(path.exists());
    }

    #[tokio::test]
    async fn a_socket_of_another_kind_is_kept() {
        let folder = Folder::new("datagrams");
        let path = folder.path("s");
        let _other = std::os::unix::net::UnixDatagram::bind(&path).expect("bound");
        let error = bind(&path).await.expect_err("in use");
        assert!(error.contains("another program listens here"), "{error}");
        assert!(path.exists());
    }

    #[tokio::test]
    async fn a_file_that_is_no_socket_is_kept() {
        let folder = Folder::new("file");
        let path = folder.path("notes");
        fs::write(&path, "notes").expect("written");
        let link = folder.path("link");
        symlink(&path, &link).expect("a link");
        for path in [&path, &link, &folder.0] {
            let error = bind(path).await.expect_err("no socket");
            assert!(error.contains("no socket"), "{error}");
        }
        assert_eq!(fs::read_to_string(&path).expect("read"), "notes");
    }

    #[tokio::test]
    async fn the_file_of_a_successor_stays() {
        let folder = Folder::new("successor");
        let path = folder.path("s");
        let listener = bind(&path).await.expect("bound");
        fs::rename(&path, folder.path("elsewhere")).expect("renamed");
        fs::write(&path, "a successor's").expect("written");
        drop(listener);
        assert!(path.exists());
    }

    #[tokio::test]
    async fn a_path_in_no_folder_is_refused_with_what_to_do() {
        let folder = Folder::new("folder");
        let error = bind(&folder.path("none/s")).await.expect_err("no folder");
        assert!(error.contains("Create the folder"), "{error}");
    }

    #[tokio::test]
    async fn localhost_is_both_loopback_addresses_at_one_port() {
        // The port that another listener has just left is free.
        let free = Listener::bind(&Listen::Tcp(([127, 0, 0, 1], 0).into()), "a key");
        let url = free.expect("bound")[0].url();
        let (_, port) = url.rsplit_once(':').expect("a port");
        let listen = Listen::Localhost(port.parse().expect("a port"));
        let urls: Vec<_> = match Listener::bind(&listen, "ASPNETCORE_URLS") {
            Ok(listeners) => listeners.iter().map(Listener::url).collect(),
            // Another test took it.
            Err(_) => return,
        };
        let both = [url.clone(), format!("http://[::1]:{port}")];
        let expected = if has_ipv6() { &both[..] } else { &both[..1] };
        assert_eq!(urls, expected);
    }

    fn has_ipv6() -> bool {
        std::net::TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok()
    }

    #[tokio::test]
    async fn an_address_that_this_machine_does_not_have_is_refused_and_no_other_is_taken() {
        // Of the blocks for documentation.
        for address in ["192.0.2.1:0", "[2001:db8::1]:0"] {
            let listen = Listen::Tcp(address.parse().expect("an address"));
            Listener::bind(&listen, "a key").expect_err(address);
        }
    }

    #[tokio::test]
    async fn an_address_of_ipv6_in_use_is_refused_and_none_of_ipv4_is_taken() {
        let Ok(other) = std::net::TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) else {
            return;
        };
        let port = other.local_addr().expect("an address").port();
        for listen in [
            Listen::Tcp((Ipv6Addr::LOCALHOST, port).into()),
            Listen::Tcp((Ipv6Addr::UNSPECIFIED, port).into()),
            Listen::Localhost(port),
        ] {
            let error = Listener::bind(&listen, "a key").expect_err("in use");
            assert!(
                error.to_string().contains("another program listens here"),
                "{error}"
            );
        }
    }

    #[test]
    fn only_an_address_or_a_family_that_is_not_there_is_a_lack_of_ipv6() {
        // EADDRNOTAVAIL, EAFNOSUPPORT, EACCES, EADDRINUSE, EMFILE.
        for (code, lacks) in [
            (99, true),
            (97, true),
            (13, false),
            (98, false),
            (24, false),
        ] {
            let error = io::Error::from_raw_os_error(code);
            assert_eq!(lacks_ipv6(&error), lacks, "{code}");
        }
    }

    #[test]
    fn why_an_address_is_not_listened_at_says_what_to_do() {
        for (code, text) in [
            (
                13,
                "this user may not listen at port 80. Set a key to a port from 1024 on.",
            ),
            (
                98,
                "another program listens here. End it, or set a key to an address that is free.",
            ),
            (
                99,
                "this machine does not have this address. Set a key to one that it has, such as http://127.0.0.1:80.",
            ),
            (24, "Too many open files"),
        ] {
            let error = io::Error::from_raw_os_error(code);
            let shown = BindError::tcp(([10, 0, 0, 1], 80).into(), &error, "a key").to_string();
            assert!(
                shown.starts_with(&format!("http://10.0.0.1:80: {text}")),
                "{shown}"
            );
        }
    }

    #[tokio::test]
    async fn an_address_whose_connections_are_ending_is_listened_at_again() {
        let listener = listen_at(([127, 0, 0, 1], 0).into()).expect("a listener");
        let address = listener.local_addr().expect("an address");
        let client = tokio::net::TcpStream::connect(address);
        let (client, accepted) = tokio::join!(client, listener.accept());
        // The system holds a connection for a while on the side that closes it first.
        drop(accepted);
        drop(client);
        drop(listener);
        listen_at(address).expect("a listener");
    }

    #[tokio::test]
    async fn an_address_in_use_is_refused_with_what_to_do() {
        let first = Listener::bind(&Listen::Tcp(([127, 0, 0, 1], 0).into()), "ASPNETCORE_URLS")
            .expect("bound");
        let address = first[0].url().trim_start_matches("http://").parse();
        let listen = Listen::Tcp(address.expect("an address"));
        let error = Listener::bind(&listen, "ASPNETCORE_URLS").expect_err("in use");
        let text = error.to_string();
        assert!(text.contains("another program listens here"), "{text}");
        assert!(text.contains("ASPNETCORE_URLS"), "{text}");
    }
}
