//! What the tests have in common.

pub(crate) mod challenge;
pub(crate) mod client;
pub(crate) mod log;
pub(crate) mod plain_line;
#[cfg(feature = "metrics")]
pub(crate) mod recorder;

mod answer;
mod case;
mod certificate;
mod clock;
mod endpoint;
mod input;
mod issuer;
mod table;
mod verdict;

pub(crate) use self::{
    answer::{REALM, is_invalid_token, send},
    case::{Case, admitted, admitted_as, anonymous, refused, refused_as},
    certificate::{EXPIRED, VALID, pkcs1, spki, stranger},
    clock::*,
    endpoint::{Endpoint, http_answer},
    input::{Input, each, one, request_for, these, with_line, with_lines, worded},
    issuer::*,
    log::{Log, audited, logged},
    table::{Proof, Row, not_met, prove, row, scene, shown},
    verdict::*,
};
