//! From a desktop's CCOW applications to modern applications' screens.

use fhircast_gateway::sessions::Seat;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::fixture::{Gateway, Viewer};

/// A CCOW application that has joined.
pub(crate) struct Application {
    http: reqwest::Client,
    manager: String,
    pub(crate) participant: String,
}

/// The value of `name` in a reply.
pub(crate) fn output(reply: &str, name: &str) -> String {
    let found = form_urlencoded::parse(reply.as_bytes()).find(|(own, _)| own == name);
    found.unwrap_or_else(|| panic!("no {name} in {reply}")).1.into_owned()
}

/// Where an application is called back, which answers everything with `answer`.
async fn callbacks(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let routes = axum::Router::new().fallback(async move || answer);
    tokio::spawn(async move { axum::serve(listener, routes).await });
    format!("http://{address}/participant")
}

async fn call(http: &reqwest::Client, url: &str, arguments: &[(&str, &str)]) -> String {
    let response = http.post(url).form(arguments).send().await.unwrap();
    assert_eq!(response.status(), 200);
    response.text().await.unwrap()
}

impl Application {
    /// Joins the context of the desktop `workstation`, and accepts every change.
    async fn join(gateway: &Gateway, name: &str, workstation: &str) -> Self {
        let desktop = gateway.node.adapters.iter().find(|(adapter, _)| &**adapter == "desktop").unwrap();
        Self::join_at(&desktop.1.to_string(), name, workstation, "decision=accept&reason=").await
    }

    /// Joins at the registry that listens at `address`, and answers every callback with `answer`.
    pub(crate) async fn join_at(address: &str, name: &str, workstation: &str, answer: &'static str) -> Self {
        let http = reqwest::Client::new();
        let registry = format!("http://{address}/");
        let described = format!("clientHostName:{workstation}");
        let located = call(
            &http,
            &registry,
            &[
                ("interface", "ContextManagementRegistry"),
                ("method", "Locate"),
                ("componentName", "CCOW.ContextManager"),
                ("version", "1.5"),
                ("descriptiveData", &described),
            ],
        )
        .await;
        let manager = output(&located, "componentUrl");
        let participant = callbacks(answer).await;
        let arguments = [
            ("interface", "ContextManager"),
            ("method", "JoinCommonContext"),
            ("applicationName", name),
            ("contextParticipant", &participant),
            ("survey", "true"),
            ("wait", "false"),
        ];
        let joined = call(&http, &manager, &arguments).await;
        let participant = output(&joined, "participantCoupon");
        Self { http, manager, participant }
    }

    pub(crate) async fn call(&self, interface: &str, method: &str, arguments: &[(&str, &str)]) -> String {
        let named = [&[("interface", interface), ("method", method)], arguments].concat();
        call(&self.http, &self.manager, &named).await
    }

    /// Sets these items and publishes the change; gives the reply to the last call.
    pub(crate) async fn set(&self, names: &str, values: &str) -> String {
        let coupon = ("participantCoupon", &*self.participant);
        let started = self.call("ContextManager", "StartContextChanges", &[coupon]).await;
        let context = output(&started, "contextCoupon");
        let items = [coupon, ("contextCoupon", &*context), ("itemNames", names), ("itemValues", values)];
        assert_eq!(self.call("ContextData", "SetItemValues", &items).await, "");
        let ended = self.call("ContextManager", "EndContextChanges", &[("contextCoupon", &context)]).await;
        assert_eq!(output(&ended, "noContinue"), "false");
        let decision = [("contextCoupon", &*context), ("decision", "accept")];
        self.call("ContextManager", "PublishChangesDecision", &decision).await
    }
}

async fn gateway() -> Gateway {
    let settings =
        ["adapter.desktop.kind=ccow", "adapter.desktop.listen=127.0.0.1:0", "adapter.desktop.mapping=ccow/base"];
    Gateway::with(&settings).await
}

/// An application that follows who sits at `workstation`.
async fn viewer(gateway: &Gateway, workstation: &str) -> Viewer {
    let seat = Seat { user: None, workstation: Some(workstation.to_owned()) };
    gateway.subscriber_at(&seat).await
}

fn patient(event: &Value) -> (&str, &str) {
    let patient = &event["event"]["context"][0]["resource"];
    (patient["identifier"][0]["value"].as_str().unwrap(), patient["id"].as_str().unwrap())
}

#[tokio::test]
async fn section_11_a_desktops_patient_is_opened_and_closed_on_the_screens_of_its_workstation_alone() {
    let gateway = gateway().await;
    let mut beside = viewer(&gateway, "ws-0002").await;
    let mut viewer = viewer(&gateway, "ws-0001").await;
    let (ward, other) =
        (Application::join(&gateway, "Ward", "WS-0001").await, Application::join(&gateway, "Ward", "WS-0002").await);
    ward.set("Patient.Id.MRN|Patient.Co.PatientName", "12345|EXAMPLE^ANN").await;
    let opened = viewer.expect_event("Patient-open").await;
    assert_eq!(patient(&opened).0, "12345");
    ward.set("Patient.Id.MRN", "").await;
    let closed = viewer.expect_event("Patient-close").await;
    assert_eq!(patient(&closed), patient(&opened), "the close names what the open named");
    other.set("Patient.Id.MRN", "67890").await;
    assert_eq!(
        patient(&beside.expect_event("Patient-open").await).0,
        "67890",
        "and nothing of the other desktop's before"
    );
}

#[tokio::test]
async fn section_5_a_change_that_is_cancelled_or_only_surveyed_is_told_to_nobody() {
    let gateway = gateway().await;
    let mut viewer = viewer(&gateway, "ws-0001").await;
    let ward = Application::join(&gateway, "Ward", "WS-0001").await;
    let coupon = ("participantCoupon", &*ward.participant);
    let started = ward.call("ContextManager", "StartContextChanges", &[coupon]).await;
    let context = output(&started, "contextCoupon");
    let items = [coupon, ("contextCoupon", &*context), ("itemNames", "Patient.Id.MRN"), ("itemValues", "11111")];
    ward.call("ContextData", "SetItemValues", &items).await;
    ward.call("ContextManager", "EndContextChanges", &[("contextCoupon", &context)]).await;
    let decision = [("contextCoupon", &*context), ("decision", "cancel")];
    ward.call("ContextManager", "PublishChangesDecision", &decision).await;
    ward.set("Patient.Id.MRN", "12345").await;
    assert_eq!(patient(&viewer.expect_event("Patient-open").await).0, "12345");
}

#[tokio::test]
async fn section_10_a_number_that_nobody_has_named_changes_the_desktop_and_no_screen_and_can_be_looked_up() {
    let gateway = gateway().await;
    let mut viewer = viewer(&gateway, "ws-0001").await;
    let ward = Application::join(&gateway, "Ward", "WS-0001").await;
    ward.set("Patient.Id.MRN.unknown", "11111").await;
    let record = gateway.node.journal.newest(1).unwrap().remove(0);
    assert_eq!((&*record.source, &*record.outcome), ("desktop", "rejected"));
    let reason = record.reason.unwrap();
    assert!(reason.contains("Patient-open needs") && !reason.contains("11111"), "{reason}");
    ward.set("Patient.Id.MRN", "12345").await;
    assert_eq!(patient(&viewer.expect_event("Patient-open").await).0, "12345");
}
