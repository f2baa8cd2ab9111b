//! Server-sent events by a ticket.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::{Request, State},
    middleware::map_request_with_state,
    routing::{get as on_get, post},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderValue, Method, header::AUTHORIZATION};
use tower_entra::{AgentPrincipal, EntraAuthLayer};

use super::{get, send, serve};
use crate::support::{block_on, issuer};

/// As the guide has it.
#[derive(Clone, Default)]
struct Tickets(Arc<Mutex<HashMap<String, (HeaderValue, Instant)>>>);

async fn issue(State(tickets): State<Tickets>, headers: HeaderMap) -> String {
    let mut random = [0; 16];
    aws_lc_rs::rand::fill(&mut random).unwrap();
    let ticket = URL_SAFE_NO_PAD.encode(random);
    let now = Instant::now();
    let entry = (
        headers[AUTHORIZATION].clone(),
        now + Duration::from_secs(30),
    );
    let mut tickets = tickets.0.lock().unwrap();
    tickets.retain(|_, (_, end)| *end > now);
    tickets.insert(ticket.clone(), entry);
    ticket
}

async fn redeem(State(tickets): State<Tickets>, mut request: Request) -> Request {
    let query = request.uri().query();
    let ticket = query.and_then(|query| query.strip_prefix("ticket="));
    let entry = ticket.and_then(|ticket| tickets.0.lock().unwrap().remove(ticket));
    if let Some((authorization, end)) = entry
        && end > Instant::now()
    {
        request.headers_mut().append(AUTHORIZATION, authorization);
    }
    request
}

fn app(tickets: Tickets) -> Router {
    let door = EntraAuthLayer::new(issuer().validator());
    let events = on_get(async |caller: AgentPrincipal| format!("data: {}\n\n", caller.kind()))
        .layer(door.clone())
        .layer(map_request_with_state(tickets.clone(), redeem));
    Router::new()
        .route("/events", events)
        .route("/events/ticket", post(issue).layer(door))
        .with_state(tickets)
}

async fn ticket(address: std::net::SocketAddr, token: &str) -> (u16, String) {
    let authorization = format!("Bearer {token}");
    let headers = [("authorization", authorization.as_str())];
    let answer = send(address, Method::POST, "/events/ticket", &headers).await;
    (answer.status.as_u16(), answer.body)
}

#[test]
fn a_ticket_opens_one_stream() {
    let user = issuer().user().mint();
    let tickets = Tickets::default();
    block_on(async {
        let address = serve(app(tickets.clone())).await;
        let (status, first) = ticket(address, &user).await;
        assert_eq!(status, 200);
        let path = format!("/events?ticket={first}");
        let answer = get(address, &path, None).await;
        assert_eq!(answer, (200, "data: user\n\n".to_owned()));
        assert_eq!(get(address, &path, None).await.0, 401, "it has been used");

        // Beside a token there are two credentials.
        let (_, second) = ticket(address, &user).await;
        let path = format!("/events?ticket={second}");
        assert_eq!(get(address, &path, Some(&user)).await.0, 400);

        let (_, late) = ticket(address, &user).await;
        for (_, end) in tickets.0.lock().unwrap().values_mut() {
            *end = Instant::now();
        }
        let path = format!("/events?ticket={late}");
        assert_eq!(get(address, &path, None).await.0, 401, "it has expired");
        assert!(tickets.0.lock().unwrap().is_empty());

        for path in ["/events", "/events?ticket=", "/events?ticket=invented"] {
            assert_eq!(get(address, path, None).await.0, 401, "{path}");
        }
        assert_eq!(ticket(address, "bad").await.0, 401);
        let fetched = get(address, "/events", Some(&user)).await;
        assert_eq!(fetched.0, 200, "a client on fetch needs no ticket");
    });
}

/// The layer checks the token when the ticket is used, not only when it is issued.
#[test]
fn a_ticket_of_a_token_that_has_expired_since_is_refused() {
    let tickets = Tickets::default();
    let expired = format!("Bearer {}", issuer().user().expired().mint());
    let end = Instant::now() + Duration::from_secs(30);
    let entry = (expired.parse().unwrap(), end);
    tickets.0.lock().unwrap().insert("ticket".to_owned(), entry);
    block_on(async {
        let address = serve(app(tickets)).await;
        assert_eq!(get(address, "/events?ticket=ticket", None).await.0, 401);
    });
}
