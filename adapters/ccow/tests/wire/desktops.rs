//! Sections 3 and 7: one common context for each desktop, from its first call to its end.

use crate::fixture::{Desktop, Gateway, soon};
use crate::participant::{ACCEPTS, Participant};

const NOWHERE: &str = "http://127.0.0.1:9/";

#[tokio::test]
async fn section_3_desktops_are_told_apart_by_descriptive_data_and_path() {
    let mut gateway = Gateway::with("desktops = ['path', 'descriptive-data']").await;
    let located = [
        gateway.locate("/", "").await,
        gateway.locate("/", "clientHostName:WS-0001").await,
        gateway.locate("/", "citrixSessionId:7").await,
        gateway.locate("/WS-0001", "").await,
        gateway.locate("/WS-0002", "clientHostName:WS-0001").await,
    ];
    for (index, one) in located.iter().enumerate() {
        assert!(located[..index].iter().all(|other| one != other), "{located:?}");
    }
    assert_eq!(located[1], gateway.locate("/", "CLIENTHOSTNAME:ws-0001").await);
    assert_eq!(located[3], gateway.locate("/ws-0001", "").await);
    {
        let [first, second] =
            [1, 2].map(|index| Desktop { gateway: &gateway, manager: located[index].clone(), post: true });
        let a = first.join("AppA", NOWHERE, false).await;
        first.change(a, "1").await;
        assert_eq!(second.most_recent().await, 0);
        let b = second.join("AppA", NOWHERE, false).await;
        second.change(b, "2").await;
        assert_eq!(first.values(first.most_recent().await).await, "itemValues=Patient.Id.MRN.a|1");
    }
    let text = gateway.submission().await;
    assert!(text.contains("session.clientHostName=ws-0001\n") && text.contains("session.desktop=ws-0001\n"), "{text}");
    assert!(gateway.submission().await.contains("session.citrixSessionId=7\n"));
}

#[tokio::test]
async fn section_3_desktops_are_bounded() {
    let gateway = Gateway::with("max_desktops = 2").await;
    gateway.locate("/", "clientHostName:a").await;
    gateway.locate("/", "clientHostName:b").await;
    let third = gateway.get("/?method=Locate&descriptiveData=clientHostName:c").await;
    assert!(third.body.starts_with("exception=UnableToLocate&"), "{}", third.body);
    gateway.locate("/", "clientHostName:a").await;
}

#[tokio::test]
async fn section_3_an_empty_desktop_makes_room_once_it_has_expired() {
    let gateway = Gateway::with("max_desktops = 1\ndesktop_expiry = '1ms'").await;
    let first = gateway.locate("/", "clientHostName:a").await;
    tokio::time::timeout(std::time::Duration::from_millis(5), std::future::pending::<()>()).await.unwrap_err();
    gateway.locate("/", "clientHostName:b").await;
    let lost = gateway.get(&format!("{first}?interface=ContextManager&method=GetMostRecentContextCoupon")).await;
    assert!(lost.body.starts_with("exception=UnknownSession&"), "{}", lost.body);
}

#[tokio::test]
async fn section_7_a_join_that_wants_to_wait_is_held_until_the_change_has_ended() {
    let gateway = Gateway::start().await;
    let desktop = gateway.desktop().await;
    let a = desktop.join("AppA", NOWHERE, false).await;
    let context = desktop.start(a, "1").await;
    let undone = async {
        // The join is on its way, or held; either way it succeeds.
        while gateway.count("called") < 5 {
            tokio::task::yield_now().await;
            let probe = "applicationName=AppC&contextParticipant=http://127.0.0.1:9/&wait=0";
            let body = desktop.call("ContextManager.JoinCommonContext", probe).await;
            assert!(body.starts_with("exception=TransactionInProgress&"), "{body}");
        }
        desktop.call("ContextManager.UndoContextChanges", &format!("contextCoupon={context}")).await
    };
    let (b, undone) = tokio::join!(desktop.join("AppB", NOWHERE, false), undone);
    assert_eq!(undone, "");
    assert_ne!(a, b);
}

#[tokio::test]
async fn section_7_a_held_join_has_its_exception_in_the_end() {
    let gateway = Gateway::with("hold_timeout = '200ms'").await;
    let desktop = gateway.desktop().await;
    let a = desktop.join("AppA", NOWHERE, false).await;
    desktop.start(a, "1").await;
    let join = format!("applicationName=AppB&contextParticipant={NOWHERE}&wait=1");
    let body = desktop.call("ContextManager.JoinCommonContext", &join).await;
    assert!(body.starts_with("exception=TransactionInProgress&"), "{body}");
}

#[tokio::test]
async fn section_7_the_gateways_end_is_told_to_participants() {
    let gateway = Gateway::start().await;
    let mut other = Participant::start(ACCEPTS).await;
    let desktop = gateway.desktop().await;
    desktop.join_as("AppB", &other).await;
    gateway.shutdown.cancel();
    assert_eq!(other.told().await, "CommonContextTerminated");
    soon(gateway.ended()).await;
}
