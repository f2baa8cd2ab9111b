//! The page itself: one file, to which its own Content-Security-Policy admits nothing else.

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::STANDARD};

use crate::testing::response::Reply;

pub(super) fn document() -> Reply {
    Reply {
        status: 200,
        headers: vec![
            ("Content-Type", "text/html; charset=utf-8".to_owned()),
            ("Content-Security-Policy", policy()),
        ],
        body: PAGE.into(),
    }
}

/// The only script and the only style sheet are those of the file, by their hashes.
fn policy() -> String {
    let hash = |tag: &str| {
        let text = PAGE
            .split_once(&format!("<{tag}>"))
            .and_then(|(_, rest)| rest.split_once(&format!("</{tag}>")))
            .map_or("", |(text, _)| text);
        let hash = STANDARD.encode(digest(&SHA256, text.as_bytes()));
        format!("'sha256-{hash}'")
    };
    let (script, style) = (hash("script"), hash("style"));
    format!(
        "default-src 'none'; script-src {script}; style-src {style}; connect-src 'self'; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'; trusted-types 'none'"
    )
}

const PAGE: &str = include_str!("page.html");
