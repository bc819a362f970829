//! Sections 2 to 5: calls as real clients write them.

use crate::fixture::{Desktop, Gateway, number};
use crate::participant::{ACCEPTS, Participant};

#[tokio::test]
async fn section_4_the_whole_exchange_goes_by_post_and_by_get() {
    for post in [true, false] {
        let mut gateway = Gateway::start().await;
        let mut other = Participant::start(ACCEPTS).await;
        let desktop = Desktop { post, ..gateway.desktop().await };
        let a = desktop.join("AppA", "http://127.0.0.1:9/", true).await;
        let b = desktop.join_as("AppB", &other).await;
        assert_eq!(desktop.most_recent().await, 0);
        let started = desktop.call("ContextManager.StartContextChanges", &format!("participantCoupon={a}")).await;
        let context = number(&started, "contextCoupon=");
        let set = format!(
            "participantCoupon={a}&itemNames=patient.id.mrn.site1|patient.co.patientname|patient.co.sex\
             &itemValues=12345|O'EXAMPLE^ANN MARY^^^^|F&contextCoupon={context}"
        );
        assert_eq!(desktop.call("ContextData.SetItemValues", &set).await, "");
        assert_eq!(desktop.end(context).await, "noContinue=false&responses=");
        assert_eq!(other.told().await, format!("ContextChangesPending {context}"));
        assert_eq!(desktop.publish(context, "accept").await, "listenerURLs=");
        assert_eq!(other.told().await, format!("ContextChangesAccepted {context}"));
        let names = desktop.call("ContextData.GetItemNames", &format!("contextCoupon={context}")).await;
        assert_eq!(names, "names=patient.id.mrn.site1|patient.co.patientname|patient.co.sex");
        let read = format!("participantCoupon={b}&itemNames=patient.co.*&onlyChanges=false&contextCoupon={context}");
        let values = desktop.call("ContextData.GetItemValues", &read).await;
        assert_eq!(values, "itemValues=patient.co.patientname|O'EXAMPLE^ANN%20MARY^^^^|patient.co.sex|F");
        assert_eq!(desktop.call("ContextManager.LeaveCommonContext", &format!("participantCoupon={a}")).await, "");
        let text = drain(&mut gateway).await;
        for line in [
            "session.application=AppA",
            "session.address=127.0.0.1",
            "change.Patient=set",
            "patient.id.mrn.site1=12345",
        ] {
            assert!(text.lines().any(|own| own == line), "{line} in {text}");
        }
    }
}

async fn drain(gateway: &mut Gateway) -> String {
    let text = gateway.submission().await;
    assert!(gateway.has_no_submission());
    text
}

#[tokio::test]
async fn section_2_3_replies_have_the_headers_that_clients_want() {
    let gateway = Gateway::start().await;
    let located = gateway.get("/?method=Locate&componentName=CCOW.ContextManager").await;
    assert_eq!(located.status, 200);
    assert!(located.head.contains("content-type: application/x-www-form-urlencoded"), "{}", located.head);
    assert!(located.head.contains("cache-control: max-age=0, must-revalidate"), "{}", located.head);
    let port = gateway.address.port();
    assert!(located.body.starts_with(&format!("componentUrl=http://127.0.0.1:{port}/manager/")), "{}", located.body);
    assert!(located.body.ends_with(&format!("&componentParameters=&site=&persistPort={port}")), "{}", located.body);
}

#[tokio::test]
async fn section_2_1_component_parameters_and_cache_breakers_are_let_be() {
    let gateway = Gateway::start().await;
    let manager = gateway.locate("/", "null").await;
    for target in [
        format!("{manager}?&interface=ContextManager&method=GetMostRecentContextCoupon&time=12&site=&nonce=x"),
        format!("{manager}?desktopId=D1&cpId=4&INTERFACE=contextmanager&METHOD=getmostrecentcontextcoupon"),
        // Without Locate: the desktop that calls.
        "/?interface=ContextManager&method=GetMostRecentContextCoupon".to_owned(),
    ] {
        let answered = gateway.get(&target).await;
        assert_eq!((answered.status, answered.body.as_str()), (200, "contextCoupon=0"), "{target}");
    }
    let split = gateway
        .request("POST", &format!("{manager}?interface=ContextManager"), "", "method=GetMostRecentContextCoupon")
        .await;
    assert_eq!(split.body, "contextCoupon=0");
}

#[tokio::test]
async fn section_2_4_exceptions_have_the_status_200_and_no_call_has_400() {
    let gateway = Gateway::start().await;
    let desktop = gateway.desktop().await;
    let body = desktop.call("Nonsense.Call", "").await;
    assert!(body.starts_with("exception=NotImplemented&exceptionMessage="), "{body}");
    let body = desktop.call("SecureBinding.InitializeBinding", "").await;
    assert!(body.starts_with("exception=BindingRejected&"), "{body}");
    assert_eq!(gateway.count("exception"), 2);
    for (target, status) in
        [("/", 400), ("/?x=1", 400), ("/a/b?method=Locate", 404), ("/?interface=Admin&method=LogMessage", 200)]
    {
        assert_eq!(gateway.get(target).await.status, status, "{target}");
    }
    assert_eq!(gateway.request("DELETE", "/", "", "").await.status, 405);
    let lost = gateway.get("/manager/0123?interface=ContextManager&method=GetMostRecentContextCoupon").await;
    assert!(lost.body.starts_with("exception=UnknownSession&"), "{}", lost.body);
}

#[tokio::test]
async fn percent_encoding_of_every_bad_kind_is_read_as_well_as_can_be() {
    let gateway = Gateway::start().await;
    let desktop = gateway.desktop().await;
    let a = desktop.join("AppA", "http://127.0.0.1:9/", false).await;
    let context = desktop.start(a, "100%%u00e9%zz^M%C3%BCller").await;
    assert_eq!(desktop.values(context).await, "itemValues=Patient.Id.MRN.a|100%25%C3%A9%25zz^M%C3%BCller");
    assert!(gateway.count("escape_invalid") > 0);
}
