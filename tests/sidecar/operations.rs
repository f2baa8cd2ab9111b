//! How the program starts, listens and ends.

use tower_entra::testing::Issuer;

use crate::world::Sidecar;

#[tokio::test]
async fn it_says_where_it_listens_and_ends_with_0_after_sigterm() {
    let issuer = Issuer::start().await;
    let mut sidecar = Sidecar::start(&issuer, &[]);
    assert!(
        sidecar.url.starts_with("http://127.0.0.1:"),
        "{}",
        sidecar.url
    );
    assert!(!sidecar.url.ends_with(":0"));
    sidecar.signal("TERM");
    assert_eq!(sidecar.ends().await.code(), Some(0));
}
