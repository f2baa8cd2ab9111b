use std::{io::ErrorKind, time::Instant};

use super::*;
use crate::testing::{Fault, Target};

/// An issuer with this fault.
fn failing(fault: Fault) -> Issuer {
    let issuer = Issuer::start_blocking();
    issuer.fail(fault);
    issuer
}

#[track_caller]
fn with_fault(fault: Fault) -> (String, Vec<u8>) {
    let issuer = failing(fault);
    get(&issuer, &keys_target(&issuer))
}

#[test]
fn a_status_has_the_right_document() {
    let issuer = failing(Fault::Status(503));
    let (head, body) = get(&issuer, &keys_target(&issuer));
    assert!(
        head.starts_with("HTTP/1.1 503 Service Unavailable\r\n"),
        "{head}"
    );
    assert!(!head.contains("Retry-After"), "{head}");
    assert_eq!(body, issuer.keys_document());
}

#[test]
fn a_status_without_a_body_has_none() {
    for status in [204, 304] {
        let (head, body) = with_fault(Fault::Status(status));
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
        assert!(!head.contains("Content-Length"), "{head}");
        assert_eq!(body, b"");
    }
}

#[test]
fn a_status_can_say_when_to_retry() {
    let (head, _) = with_fault(Fault::StatusWithRetryAfter {
        status: 429,
        seconds: 7,
    });
    assert!(
        head.starts_with("HTTP/1.1 429 Too Many Requests\r\n"),
        "{head}"
    );
    assert!(head.contains("\r\nRetry-After: 7\r\n"), "{head}");
}

#[test]
fn a_hanging_issuer_never_answers() {
    let issuer = failing(Fault::Hang);
    let mut stream = ask(&issuer, &keys_target(&issuer));
    stream
        .set_read_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    let error = stream.read(&mut [0]).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        "{error}"
    );
    assert_eq!(issuer.key_fetches(), 1);
    issuer.heal();
    assert_eq!(jwks(&issuer).len(), 1, "others are served meanwhile");
}

#[test]
fn a_slow_issuer_sends_the_right_answer_after_its_delay() {
    let issuer = failing(Fault::Slow(Duration::from_millis(300)));
    let start = Instant::now();
    assert_eq!(jwks(&issuer).len(), 1);
    assert!(start.elapsed() >= Duration::from_millis(300));
}

#[test]
fn a_dripping_issuer_sends_the_body_byte_by_byte() {
    let issuer = failing(Fault::Drip);
    issuer.set_keys_document("{\"a\"");
    let start = Instant::now();
    let (head, body) = get(&issuer, &keys_target(&issuer));
    assert!(start.elapsed() >= Duration::from_millis(400));
    assert!(head.contains("\r\nContent-Length: 4\r\n"), "{head}");
    assert_eq!(body, b"{\"a\"");
}

#[test]
fn a_truncated_answer_is_shorter_than_its_content_length() {
    let issuer = failing(Fault::Truncated);
    let document = issuer.keys_document();
    let (head, body) = get(&issuer, &keys_target(&issuer));
    assert!(
        head.contains(&format!("\r\nContent-Length: {}\r\n", document.len())),
        "{head}"
    );
    assert_eq!(body, document[..document.len() / 2]);
}

#[test]
fn answers_of_200_can_hold_anything() {
    for (fault, expected) in [
        (Fault::Empty, ""),
        (Fault::EmptyObject, "{}"),
        (Fault::NoKeys, "{\"keys\":[]}"),
    ] {
        let (head, body) = with_fault(fault);
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert!(
            head.contains(&format!("\r\nContent-Length: {}\r\n", expected.len())),
            "{head}"
        );
        assert_eq!(body, expected.as_bytes());
    }
}

#[test]
fn a_sign_in_page_is_html() {
    let (head, body) = with_fault(Fault::Html);
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains("\r\nContent-Type: text/html"), "{head}");
    assert!(body.starts_with(b"<!DOCTYPE html>"));
}

#[test]
fn a_redirect_names_its_location() {
    let (head, body) = with_fault(Fault::Redirect("http://169.254.169.254/x".to_owned()));
    assert!(head.starts_with("HTTP/1.1 302 Found\r\n"), "{head}");
    assert!(
        head.contains("\r\nLocation: http://169.254.169.254/x\r\n"),
        "{head}"
    );
    assert_eq!(body, b"");
}

#[test]
fn an_endless_answer_has_no_length_and_stops_at_64_mib() {
    let issuer = failing(Fault::Endless);
    let mut stream = ask(&issuer, &keys_target(&issuer));
    let mut buffer = vec![0; 1 << 16];
    let first = stream.read(&mut buffer).unwrap();
    assert!(buffer.starts_with(b"HTTP/1.1 200 OK\r\n"));
    assert!(
        !buffer[..first]
            .windows(14)
            .any(|name| name == b"Content-Length")
    );

    let mut total = first;
    loop {
        match stream.read(&mut buffer).unwrap() {
            0 => break,
            read => total += read,
        }
    }
    assert!((64 << 20..(64 << 20) + 1_024).contains(&total), "{total}");
}

#[test]
fn a_gzip_bomb_is_small_and_says_that_it_is_gzip() {
    let (head, body) = with_fault(Fault::GzipBomb);
    assert!(head.contains("\r\nContent-Encoding: gzip\r\n"), "{head}");
    assert!(body.starts_with(&[0x1f, 0x8b, 8]));
    assert!(body.len() < 128 * 1024);
    let length = u32::from_le_bytes(*body.last_chunk().unwrap());
    assert_eq!(length, 16_776_193);
}

#[test]
fn garbage_is_not_http() {
    let issuer = failing(Fault::Garbage);
    assert!(!answer(&issuer, &keys_target(&issuer)).starts_with(b"HTTP"));
}

#[test]
fn a_closed_connection_sends_nothing() {
    let issuer = failing(Fault::Close);
    assert_eq!(answer(&issuer, &keys_target(&issuer)), b"");
    assert_eq!(issuer.key_fetches(), 1);
}

#[test]
fn trailing_garbage_follows_the_right_document() {
    let issuer = failing(Fault::TrailingGarbage);
    let (head, body) = get(&issuer, &keys_target(&issuer));
    let document = issuer.keys_document();
    assert!(body.starts_with(&document) && body.len() > document.len());
    assert!(
        head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())),
        "{head}"
    );
}

/// The statuses of the discovery document and of the key set.
#[track_caller]
fn statuses(issuer: &Issuer) -> (u16, u16) {
    let discovery = status(issuer, &discovery_target(issuer.tenant_id()));
    (discovery, status(issuer, &keys_target(issuer)))
}

#[test]
fn a_fault_lasts_until_healed() {
    let issuer = failing(Fault::Status(500));
    assert_eq!(statuses(&issuer), (500, 500));
    assert_eq!(statuses(&issuer), (500, 500));
    issuer.heal();
    assert_eq!(statuses(&issuer), (200, 200));
    assert_eq!(issuer.fetches(), 6);
}

#[test]
fn a_counted_fault_ends_after_its_number_of_answers() {
    let issuer = Issuer::start_blocking();
    issuer.fail_times(3, Fault::Status(500));
    assert_eq!(statuses(&issuer), (500, 500));
    assert_eq!(statuses(&issuer), (500, 200));
    issuer.fail_times_at(Target::Keys, 1, Fault::Status(429));
    assert_eq!(statuses(&issuer), (200, 429));
    assert_eq!(statuses(&issuer), (200, 200));
    issuer.fail_times(0, Fault::Status(500));
    assert_eq!(statuses(&issuer), (200, 200));
}

#[test]
fn each_document_can_have_a_fault_of_its_own() {
    let issuer = failing(Fault::Status(500));
    issuer.fail_at(Target::Keys, Fault::Status(503));
    assert_eq!(statuses(&issuer), (500, 503));
    issuer.fail_at(Target::Discovery, Fault::Status(404));
    assert_eq!(statuses(&issuer), (404, 503));
    issuer.fail_at(Target::Discovery, Fault::Status(403));
    assert_eq!(statuses(&issuer), (403, 503));
    issuer.fail_at(Target::Both, Fault::Status(500));
    assert_eq!(statuses(&issuer), (500, 500));
}
