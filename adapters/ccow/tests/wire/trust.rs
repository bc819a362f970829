//! Section 12 and threat T5: who may make a browser call.

use crate::fixture::Gateway;

const LOCATE: &str = "/?interface=ContextManagementRegistry&method=Locate";

#[tokio::test]
async fn t5_a_name_that_is_not_ours_is_misdirected() {
    let gateway = Gateway::with("hosts = ['ccow.hospital.example']").await;
    for (host, status) in [
        ("localhost:2116", 200),
        ("LOCALHOST", 200),
        ("127.0.0.1:2116", 200),
        ("[::1]:2116", 200),
        ("CCOW.hospital.example:2116", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("", 421),
    ] {
        let answered = gateway.request("GET", LOCATE, &format!("Host: {host}\r\n"), "").await;
        assert_eq!(answered.status, status, "{host}");
    }
    let old = gateway.raw(format!("GET {LOCATE} HTTP/1.0\r\n\r\n").as_bytes()).await;
    assert_eq!(old.status, 200, "HTTP/1.0 needs no host");
    assert!(old.body.contains(&format!("http://{}/manager/", gateway.address)));
}

#[tokio::test]
async fn section_14_pages_call_from_listed_origins_alone() {
    let gateway = Gateway::with("origins = ['https://viewer.example']").await;
    for (headers, status) in [
        ("Origin: https://viewer.example\r\n", 200),
        ("Origin: https://viewer.example\r\nSec-Fetch-Site: cross-site\r\n", 200),
        ("Origin: https://evil.example\r\n", 403),
        ("Origin: https://viewer.example.evil.example\r\n", 403),
        ("Origin: https://viewer.example:8443\r\n", 403),
        ("Origin: http://viewer.example\r\n", 403),
        ("Origin: null\r\n", 403),
        ("Sec-Fetch-Site: cross-site\r\n", 403),
        ("Sec-Fetch-Site: same-site\r\n", 403),
        ("Sec-Fetch-Site: none\r\n", 200),
        ("", 200),
    ] {
        for method in ["GET", "POST"] {
            let answered = gateway.request(method, LOCATE, headers, "").await;
            assert_eq!(answered.status, status, "{method} {headers}");
            let shared = answered.head.contains("access-control-allow-origin: https://viewer.example");
            assert_eq!(shared, status == 200 && headers.contains("Origin"), "{method} {headers}");
        }
    }
}

#[tokio::test]
async fn section_2_3_preflights_of_listed_origins_open_the_private_network() {
    let gateway = Gateway::with("origins = ['https://viewer.example']").await;
    let ask = "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Private-Network: true\r\n";
    let allowed = gateway.request("OPTIONS", LOCATE, &format!("Origin: https://viewer.example\r\n{ask}"), "").await;
    assert_eq!(allowed.status, 204);
    assert!(allowed.head.contains("access-control-allow-private-network: true"), "{}", allowed.head);
    assert!(allowed.head.contains("access-control-allow-methods: get, post"), "{}", allowed.head);
    let refused = gateway.request("OPTIONS", LOCATE, &format!("Origin: https://evil.example\r\n{ask}"), "").await;
    assert_eq!(refused.status, 403);
    assert!(!refused.head.contains("access-control"), "{}", refused.head);
    assert_eq!(gateway.count("request_refused"), 1);
}
