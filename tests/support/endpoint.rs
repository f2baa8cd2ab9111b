//! An authority that answers in ways that HTTP servers do not.

use std::{
    io::{self, BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use serde_json::json;
use tower_entra::{
    Authority, Tenants, Validator, ValidatorBuilder,
    testing::{Issuer, TokenBuilder},
};

/// An authority on loopback that answers for its keys with any bytes at all, head and body.
#[derive(Clone)]
pub(crate) struct Endpoint {
    url: String,
    issuer: Issuer,
    answer: Arc<Mutex<Option<Vec<u8>>>>,
}

impl Endpoint {
    /// Serves the issuer's documents under another address.
    pub(crate) fn start(issuer: &Issuer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            issuer: issuer.clone(),
            answer: Arc::default(),
        };
        let server = endpoint.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                // The client may be gone already.
                let _ = server.serve(&stream);
            }
        });
        endpoint
    }

    /// Answers for its keys with this from now on, or rightly again.
    pub(crate) fn answer_with(&self, answer: Option<Vec<u8>>) {
        *self.answer.lock().unwrap() = answer;
    }

    /// The key set as it is served when nothing is wrong.
    pub(crate) fn keys(&self) -> Vec<u8> {
        let keys = String::from_utf8(self.issuer.keys_document()).unwrap();
        keys.replace(&self.issuer.url(), &self.url).into_bytes()
    }

    pub(crate) fn validator(&self) -> ValidatorBuilder {
        let tenant = Tenants::single(self.issuer.tenant_id());
        Validator::builder(tenant, [self.issuer.audience()])
            .authority(Authority::insecure_loopback(&self.url))
    }

    pub(crate) fn user(&self) -> TokenBuilder {
        let iss = format!("{}/{}/v2.0", self.url, self.issuer.tenant_id());
        self.issuer.user().claim("iss", iss)
    }

    fn serve(&self, mut stream: &TcpStream) -> io::Result<()> {
        let mut head = String::new();
        let mut reader = BufReader::new(stream);
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head)? == 0 {
                return Ok(());
            }
        }
        let answer = if head.contains("openid-configuration") {
            let base = format!("{}/{}", self.url, self.issuer.tenant_id());
            let keys = format!("{base}/discovery/v2.0/keys");
            let document = json!({"issuer": format!("{base}/v2.0"), "jwks_uri": keys});
            http_answer("200 OK", &[], document.to_string().as_bytes())
        } else {
            let answer = self.answer.lock().unwrap().clone();
            answer.unwrap_or_else(|| http_answer("200 OK", &[], &self.keys()))
        };
        stream.write_all(&answer)
    }
}

/// An HTTP response with its length.
pub(crate) fn http_answer(status: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status}\r\nConnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
    [head.as_bytes(), body].concat()
}
