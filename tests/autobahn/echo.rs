//! Echoes WebSocket messages by the hub's own socket loop, for `tests/autobahn/run`. Prints its address, and runs until killed.
#![expect(clippy::print_stdout, reason = "whoever starts it reads its address")]

use axum::Router;
use axum::routing::get;
use fhircast_gateway::http::{self, HttpSettings};
use fhircast_gateway::hub::echo;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("ws://{}", listener.local_addr()?);
    let routes = Router::new().route("/", get(echo));
    http::serve(listener, None, routes, HttpSettings::default(), CancellationToken::new()).await;
    Ok(())
}
