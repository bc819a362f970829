//! Section 6.3: pages in browsers, called over the socket that they have opened.

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::fixture::{Gateway, soon};

struct Page(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Page {
    async fn open(gateway: &Gateway, cpid: &str, origin: Option<&'static str>) -> Result<Self, u16> {
        let url = format!("ws://{}/Participant/cpid={cpid}&interface=ContextParticipant", gateway.address);
        let mut request = url.into_client_request().unwrap();
        if let Some(origin) = origin {
            request.headers_mut().insert("Origin", origin.parse().unwrap());
        }
        match soon(connect_async(request)).await {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(tokio_tungstenite::tungstenite::Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    /// The next frame's first line.
    async fn asked(&mut self) -> String {
        loop {
            if let Message::Text(text) = soon(self.0.next()).await.unwrap().unwrap() {
                assert!(text.ends_with(" HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n"), "{text}");
                return text.lines().next().unwrap().to_owned();
            }
        }
    }

    async fn answer(&mut self, body: &str) {
        let head = "HTTP/1.0 200 OK\r\nDate: Mon Nov 23 2026 09:00:00 GMT+0100\r\nServer: AppB\r\nMIME-version: 1.0";
        let frame = format!("{head}\r\nContent-length: {}\r\n\r\n{body}", body.len());
        soon(self.0.send(Message::text(frame))).await.unwrap();
    }
}

const CPID: &str = "0f1e-2d3c";
const VIEWER: Option<&str> = Some("https://viewer.example");
const ORIGINS: &str = "origins = ['https://viewer.example']";

#[tokio::test]
async fn section_6_3_a_page_is_asked_and_told_over_its_socket() {
    let mut gateway = Gateway::with(ORIGINS).await;
    let mut page = Page::open(&gateway, CPID, VIEWER).await.unwrap();
    let context = {
        let desktop = gateway.desktop().await;
        let a = desktop.join("AppA", "http://127.0.0.1:9/", false).await;
        desktop.join("AppB", &format!("https://viewer.example/a/?cpid={CPID}"), true).await;
        let context = desktop.start(a, "1").await;
        let (ended, ()) = tokio::join!(desktop.end(context), async {
            let method = "GET /?interface=ContextParticipant&method=ContextChangesPending";
            assert_eq!(page.asked().await, format!("{method}&contextCoupon={context}&cpid={CPID} HTTP/1.0"));
            page.answer("decision=accept_conditional&reason=unsaved+note in AppB").await;
        });
        assert_eq!(ended, "noContinue=false&responses=unsaved%20note%20in%20AppB");
        assert_eq!(desktop.publish(context, "accept").await, "listenerURLs=");
        context
    };
    gateway.submission().await;
    assert!(page.asked().await.contains(&format!("method=ContextChangesAccepted&contextCoupon={context}&")));
    page.answer("").await;
}

#[tokio::test]
async fn section_6_3_a_page_that_closes_its_socket_is_gone_at_once() {
    let gateway = Gateway::with(ORIGINS).await;
    let page = Page::open(&gateway, CPID, VIEWER).await.unwrap();
    let desktop = gateway.desktop().await;
    let a = desktop.join("AppA", "http://127.0.0.1:9/", false).await;
    let b = desktop.join("AppB", &format!("https://viewer.example/a/?cpid={CPID}"), true).await;
    drop(page);
    loop {
        let body = desktop.call("ContextFilter.ClearFilter", &format!("participantCoupon={b}")).await;
        if body.starts_with("exception=UnknownParticipant&") {
            break;
        }
    }
    desktop.change(a, "1").await;
}

#[tokio::test]
async fn section_6_3_a_late_answer_is_not_taken_for_the_next_one() {
    let gateway = Gateway::with(&format!("{ORIGINS}\nsurvey_timeout = '300ms'")).await;
    let mut page = Page::open(&gateway, CPID, VIEWER).await.unwrap();
    let desktop = gateway.desktop().await;
    let a = desktop.join("AppA", "http://127.0.0.1:9/", false).await;
    desktop.join("AppB", &format!("https://viewer.example/a/?cpid={CPID}"), true).await;
    let context = desktop.start(a, "1").await;
    assert_eq!(desktop.end(context).await, "noContinue=true&responses=");
    desktop.publish(context, "cancel").await;
    assert!(page.asked().await.contains("ContextChangesPending"));
    page.answer("decision=accept&reason=").await;
    assert!(page.asked().await.contains("method=Ping"));
    page.answer("").await;
    assert!(page.asked().await.contains("ContextChangesCanceled"));
    page.answer("").await;
    let context = desktop.start(a, "1").await;
    let (ended, ()) = tokio::join!(desktop.end(context), async {
        assert!(page.asked().await.contains("ContextChangesPending"));
        page.answer("decision=accept_conditional&reason=now").await;
    });
    assert_eq!(ended, "noContinue=false&responses=now");
}

#[tokio::test]
async fn t3_sockets_open_for_listed_origins_and_known_paths_alone() {
    let gateway = Gateway::with(ORIGINS).await;
    assert!(Page::open(&gateway, "{a-b}", VIEWER).await.is_ok());
    assert!(Page::open(&gateway, CPID, None).await.is_ok(), "no browser");
    assert_eq!(Page::open(&gateway, CPID, Some("https://evil.example")).await.err(), Some(403));
    assert_eq!(Page::open(&gateway, CPID, Some("null")).await.err(), Some(403));
    assert_eq!(Page::open(&gateway, "", VIEWER).await.err(), Some(404));
    let other = format!("ws://{}/socket/cpid=1", gateway.address);
    assert!(soon(connect_async(other)).await.is_err());
}
