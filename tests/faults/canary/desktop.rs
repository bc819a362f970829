//! Marked patients on a desktop: committed, vetoed, refused, misspelt, and in URLs that others make.

use super::expect_none;
use super::gateway::Gateway;
use crate::desktop::{Application, output};

/// What says no, with a reason that names the patient: its own words, for the desktop alone.
const VETO: &str = "decision=conditionally_accept&reason=Canaryson%2098765432101%20is%20not%20saved";

pub(super) async fn commit_all(gateway: &Gateway) {
    let address = gateway.address("desktop");
    let ward = Application::join_at(address, "Ward", "WS-1", "decision=accept&reason=").await;
    // Taken; refused by the mapping, as nobody has named the suffix; and left.
    for (names, values) in [
        ("Patient.Id.MRN|Patient.Co.PatientName", "98765432101|CANARYSON^ANN"),
        ("Patient.Id.MRN.canary", "98765432101"),
        ("Patient.Id.MRN", ""),
    ] {
        ward.set(names, values).await;
    }
    let _veto = Application::join_at(address, "Veto", "WS-1", VETO).await;
    let _nonsense = Application::join_at(address, "Nonsense", "WS-1", "98765432101 Canaryson").await;
    let coupon = ("participantCoupon", &*ward.participant);
    let started = ward.call("ContextManager", "StartContextChanges", &[coupon]).await;
    let context = output(&started, "contextCoupon");
    for (names, values) in [
        ("Patient.Canary", "98765432101"),
        ("Patient.Id.MRN|Patient.Co.PatientName", "98765432101"),
        ("Canaryson", "98765432101"),
        ("DICOMStudy.Id.InstanceUID", "98765432101"),
        ("User.Id.Logon.canary", "98765432101"),
    ] {
        let items = [coupon, ("contextCoupon", &*context), ("itemNames", names), ("itemValues", values)];
        let said = ward.call("ContextData", "SetItemValues", &items).await;
        expect_none("an exception", said.as_bytes());
    }
    let items = [coupon, ("contextCoupon", &*context), ("itemNames", "Patient.Id.MRN"), ("itemValues", "98765432101")];
    ward.call("ContextData", "SetItemValues", &items).await;
    ward.call("ContextManager", "EndContextChanges", &[("contextCoupon", &context)]).await;
    ward.call("ContextManager", "PublishChangesDecision", &[("contextCoupon", &context), ("decision", "cancel")]).await;
    for arguments in
        ["interface=Canary&method=98765432101", "interface=ContextData&method=GetItemNames&canary=%FF98765432101"]
    {
        let said = reqwest::get(format!("http://{address}/canary98765432101?{arguments}")).await.unwrap();
        expect_none("an answer", said.text().await.unwrap().as_bytes());
    }
}
