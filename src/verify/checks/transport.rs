//! WH, SEC: webhooks, TLS, browsers.

use reqwest::{Method, header};

use crate::fhircast::Edition;
use crate::verify::finding::{Finding, Verdict, ensure};
use crate::verify::hub::{Bearer, is_loopback};
use crate::verify::room::{Form, Room};

/// A subscription by webhook, to a callback that no name leads to.
pub(super) fn webhook<'f>(room: &'f Room<'_>) -> Form<'f> {
    vec![
        ("hub.channel.type", "webhook"),
        ("hub.mode", "subscribe"),
        ("hub.topic", &room.topic),
        ("hub.events", "Patient-open"),
        ("hub.callback", "https://callback.invalid/fhircast"),
        ("hub.secret", "a-secret-of-the-verification"),
        ("subscriber.name", "Verify"),
    ]
}

pub(in crate::verify) async fn wh_01(room: &Room<'_>) -> Verdict {
    let answer = room.form(&webhook(room)).await?;
    if room.edition() == Edition::Stu3 {
        return answer.expect(400, "to a webhook, which 3.0.0 does not have").map(drop);
    }
    if room.target.discovery["webhookSupport"] != true {
        return Err(Finding::not_applicable("discovery offers no webhooks"));
    }
    answer.accepted("a webhook").map(drop)
}

pub(in crate::verify) async fn sec_01(room: &Room<'_>) -> Verdict {
    let url = &room.target.url;
    ensure(url.scheme() == "https" || is_loopback(url), "HTTPS, but on loopback", url)?;
    let endpoint = room.endpoint("Patient-open").await?;
    let safe = url.scheme() != "https" || endpoint.starts_with("wss://");
    ensure(safe, "a wss endpoint of a hub on https", endpoint)
}

/// Where a web application under development is at home.
pub(super) const ORIGIN: &str = "http://localhost:3000";

pub(in crate::verify) async fn sec_02(room: &Room<'_>) -> Verdict {
    let request = room.target.request(Method::OPTIONS, room.target.url.clone(), Bearer::Nobody);
    let request = request
        .header(header::ORIGIN, ORIGIN)
        .header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST")
        .header(header::ACCESS_CONTROL_REQUEST_HEADERS, "authorization,content-type");
    let answer = room.target.send(request).await?;
    let allowed = answer.header("access-control-allow-origin");
    if allowed.is_empty() && !room.target.ours {
        return Err(Finding::not_testable(format!("the hub is not set up for web applications at {ORIGIN}")));
    }
    let asked = "a pre-flight that allows the origin, POST and Authorization";
    ensure([ORIGIN, "*"].contains(&allowed) && answer.is_success(), asked, format!("{answer} for `{allowed}`"))?;
    let headers = answer.header("access-control-allow-headers").to_ascii_lowercase();
    ensure(headers.contains("authorization") || headers == "*", asked, format!("headers: {headers}"))?;
    if room.target.token.is_some() {
        let form = room.subscription("Patient-open");
        let request = room.target.request(Method::POST, room.target.url.clone(), Bearer::Nobody);
        let answer = room.target.send(request.header(header::ORIGIN, ORIGIN).form(&form)).await?;
        answer.expect(401, "to an allowed origin without a token")?;
    }
    Ok(())
}

pub(in crate::verify) async fn sec_04(room: &Room<'_>) -> Verdict {
    if is_loopback(&room.target.url) {
        return Ok(());
    }
    let answer = room.form_as(Bearer::Nobody, &room.subscription("Patient-open")).await?;
    ensure(answer.is_refusal(), "a hub beyond loopback that asks for a token", &answer)
}
