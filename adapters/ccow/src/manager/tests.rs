use std::net::Ipv4Addr;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::callback::Vote;
use crate::form::Plus;
use crate::oddity::Oddity;

/// A desktop with its manager, called as clients call it.
struct Desk {
    manager: Manager,
    entropy: u32,
    effects: Vec<Effect>,
    oddities: Vec<Oddity>,
}

impl Desk {
    fn new() -> Self {
        let policy = Policy { secure_applications: vec!["Logon".to_owned()], ..Policy::default() };
        Self::with(policy)
    }

    fn with(policy: Policy) -> Self {
        Self { manager: Manager::new(policy, Duration::ZERO), entropy: 0, effects: Vec::new(), oddities: Vec::new() }
    }

    fn react(&mut self, query: &str) -> Reaction {
        let mut arguments = Arguments::read(query.as_bytes(), b"", Plus::Space).unwrap();
        let caller = Caller::Peer(Ipv4Addr::LOCALHOST.into());
        let call = Call { caller, entropy: self.entropy, now: Duration::ZERO };
        let called = self.manager.call(&mut arguments, call);
        self.effects.extend(called.effects);
        self.oddities.extend(called.oddities.iter());
        called.reaction
    }

    /// The body of the reply to a call of `interface.method`.
    fn call(&mut self, what: &str, arguments: &str) -> String {
        let (interface, method) = what.split_once('.').unwrap();
        match self.react(&format!("interface={interface}&method={method}&{arguments}")) {
            Reaction::Reply(reply) => reply.body(),
            other => format!("{other:?}"),
        }
    }

    #[track_caller]
    fn check(&mut self, what: &str, arguments: &str, expected: &str) {
        assert_eq!(self.call(what, arguments), expected, "{what} {arguments}");
    }

    #[track_caller]
    fn refuse(&mut self, what: &str, arguments: &str, exception: &str) {
        let body = self.call(what, arguments);
        assert!(body.starts_with(&format!("exception={exception}&exceptionMessage=")), "{what} {arguments}: {body}");
    }

    fn join(&mut self, name: &str) -> u32 {
        self.entropy += 1;
        let body = self.call(
            "ContextManager.JoinCommonContext",
            &format!("applicationName={name}&contextParticipant=http://127.0.0.1:9998/{name}&survey=true&wait=1"),
        );
        body.strip_prefix("participantCoupon=").unwrap_or_else(|| panic!("{body}")).parse().unwrap()
    }

    fn start(&mut self, participant: u32) -> u32 {
        let body = self.call("ContextManager.StartContextChanges", &format!("participantCoupon={participant}"));
        body.strip_prefix("contextCoupon=").unwrap_or_else(|| panic!("{body}")).parse().unwrap()
    }

    fn set(&mut self, participant: u32, context: u32, names: &str, values: &str) {
        let arguments =
            format!("participantCoupon={participant}&itemNames={names}&itemValues={values}&contextCoupon={context}");
        self.check("ContextData.SetItemValues", &arguments, "");
    }

    /// The last call's reply, when what it waited for has come.
    fn finish(&mut self, command: Command) -> String {
        let applied = self.manager.apply(command, Caller::Gateway, Duration::ZERO);
        let finished = applied.effects.iter().find_map(|effect| match effect {
            Effect::Finished { result, .. } => Some(reply(result).body()),
            _ => None,
        });
        finished.unwrap()
    }

    fn commit(&mut self, participant: u32, names: &str, values: &str) -> u32 {
        let context = self.start(participant);
        self.set(participant, context, names, values);
        self.check(
            "ContextManager.EndContextChanges",
            &format!("contextCoupon={context}"),
            "noContinue=false&responses=",
        );
        let publish = format!("contextCoupon={context}&decision=accept");
        let waits = format!("Wait({context})");
        self.check("ContextManager.PublishChangesDecision", &publish, &waits);
        assert_eq!(self.finish(Command::Committed { context, kept: Ok(()) }), "listenerURLs=");
        context
    }
}

#[test]
fn section_4_the_whole_exchange_goes_as_a_browser_client_makes_it() {
    let mut desk = Desk::new();
    let [a, b] = ["AppA", "AppB"].map(|name| desk.join(name));
    desk.check("ContextManager.GetMostRecentContextCoupon", "", "contextCoupon=0");
    let context = desk.start(a);
    let set = format!(
        "participantCoupon={a}&itemNames=patient.id.mrn.site1|patient.co.patientname|patient.co.sex\
         &itemValues=12345|O'EXAMPLE^ANN MARY^^^^|F&contextCoupon={context}"
    );
    desk.check("ContextData.SetItemValues", &set, "");
    let coupon = format!("contextCoupon={context}");
    desk.check("ContextManager.EndContextChanges", &coupon, &format!("Wait({context})"));
    let vote = Command::Voted { participant: b, context, vote: Vote::Conditional("unsaved note".to_owned()) };
    assert_eq!(desk.finish(vote), "noContinue=false&responses=unsaved%20note");
    let publish = format!("{coupon}&decision=accept");
    desk.check("ContextManager.PublishChangesDecision", &publish, &format!("Wait({context})"));
    assert_eq!(desk.finish(Command::Committed { context, kept: Ok(()) }), "listenerURLs=");
    desk.check("ContextManager.GetMostRecentContextCoupon", "", &coupon);
    desk.check("ContextData.GetItemNames", &coupon, "names=patient.id.mrn.site1|patient.co.patientname|patient.co.sex");
    desk.check(
        "ContextData.GetItemValues",
        &format!("participantCoupon={b}&itemNames=patient.id.mrn.site1|patient.co.sex&onlyChanges=false&{coupon}"),
        "itemValues=patient.id.mrn.site1|12345|patient.co.sex|F",
    );
    for (method, coupon) in [("SuspendParticipation", a), ("ResumeParticipation", a), ("LeaveCommonContext", a)] {
        desk.check(&format!("ContextManager.{method}"), &format!("participantCoupon={coupon}&wait=1"), "");
    }
}

#[test]
fn section_4_unknown_calls_are_not_implemented() {
    let mut desk = Desk::new();
    for what in [
        "Nonsense.Method",
        "ContextManager.Nonsense",
        "ContextData.DeleteItems",
        "ContextFilter.Nonsense",
        "SecureContextData.Nonsense",
        "InterfaceInformation.Nonsense",
        "ImplementationInformation.Nonsense",
        "ContextSession.Create",
        "ContextSession.Activate",
        "ContextAction.Perform",
        "ContextAgent.Ping",
        "AuthenticationRepository.Connect",
        "ListenerRegistrar.Register",
    ] {
        desk.refuse(what, "", "NotImplemented");
    }
    desk.refuse("SecureBinding.InitializeBinding", "bindeeCoupon=1", "BindingRejected");
    desk.refuse("SecureBinding.FinalizeBinding", "", "BindingRejected");
    desk.refuse("ContextManager.", "", "GeneralFailure");
    desk.refuse(".Ping", "", "GeneralFailure");
}

#[test]
fn section_2_1_names_have_no_case_and_misspellings_are_taken() {
    let mut desk = Desk::new();
    let a = desk.join("A");
    desk.check("CONTEXTMANAGER.getmostrecentcontextcoupon", "", "contextCoupon=0");
    desk.check("contextmanager.MostRecentContextCoupon", "time=1&cacheable=x", "contextCoupon=0");
    desk.check("ContextManager.ResumeParticipant", &format!("partcipantCoupon={a}"), "");
    assert_eq!(desk.oddities, [Oddity::Misspelling]);
}

#[test]
fn section_4_joining_needs_a_name_and_an_address() {
    let mut desk = Desk::new();
    for arguments in [
        "contextParticipant=http://127.0.0.1/",
        "applicationName=A",
        "applicationName=A&contextParticipant=null",
        "applicationName=A&contextParticipant=ftp://127.0.0.1/",
        "applicationName=A&contextParticipant=https://127.0.0.1/",
        "applicationName=A&contextParticipant=http://169.254.169.254/",
        "applicationName=A&contextParticipant=http://10.1.2.3/",
    ] {
        desk.refuse("ContextManager.JoinCommonContext", arguments, "GeneralFailure");
    }
    let page = "applicationName=Page&contextParticipant=https://10.1.2.3/viewer?cpid=12";
    assert!(desk.call("ContextManager.JoinCommonContext", page).starts_with("participantCoupon="));
    desk.join("A");
    let again = "applicationName=a&contextParticipant=http://127.0.0.1/other&wait=true";
    desk.refuse("ContextManager.JoinCommonContext", again, "AlreadyJoined");
}

#[test]
fn section_7_a_join_that_wants_to_wait_is_held() {
    let mut desk = Desk::new();
    let a = desk.join("A");
    desk.start(a);
    let join =
        "interface=ContextManager&method=JoinCommonContext&applicationName=B&contextParticipant=http://127.0.0.1/B";
    for (wait, held) in [("1", true), ("true", true), ("0", false), ("", false)] {
        let reaction = desk.react(&format!("{join}&wait={wait}"));
        let (Reaction::Hold(reply) | Reaction::Reply(reply)) = &reaction else { panic!() };
        assert_eq!(reply.output("exception"), Some("TransactionInProgress"));
        assert_eq!(matches!(reaction, Reaction::Hold(_)), held, "{wait}");
    }
}

#[test]
fn section_8_coupons_that_are_none_have_their_exceptions() {
    let mut desk = Desk::new();
    let a = desk.join("A");
    let context = desk.start(a);
    for coupon in ["", "x", "-1", "99999999999", "9"] {
        let arguments = format!("participantCoupon={coupon}&contextCoupon={context}");
        for what in [
            "ContextManager.LeaveCommonContext",
            "ContextManager.StartContextChanges",
            "ContextManager.SuspendParticipation",
            "ContextManager.ResumeParticipation",
            "ContextData.SetItemValues",
            "ContextFilter.SetSubjectsOfInterest",
            "ContextFilter.GetSubjectsOfInterest",
            "ContextFilter.ClearFilter",
        ] {
            desk.refuse(what, &arguments, "UnknownParticipant");
        }
    }
    for coupon in ["x", "-1", "9"] {
        let arguments = format!("participantCoupon={a}&contextCoupon={coupon}&decision=accept&itemNames=a");
        for what in [
            "ContextManager.EndContextChanges",
            "ContextManager.UndoContextChanges",
            "ContextManager.PublishChangesDecision",
            "ContextData.GetItemNames",
            "ContextData.GetItemValues",
            "SecureContextData.GetItemValues",
        ] {
            desk.refuse(what, &arguments, "InvalidContextCoupon");
        }
    }
    desk.refuse("ContextManager.PublishChangesDecision", &format!("contextCoupon={context}"), "GeneralFailure");
    desk.refuse(
        "ContextManager.PublishChangesDecision",
        &format!("contextCoupon={context}&decision=x"),
        "GeneralFailure",
    );
    desk.refuse(
        "ContextManager.PublishChangesDecision",
        &format!("contextCoupon={context}&decision=cancel"),
        "ChangesNotEnded",
    );
}

#[test]
fn section_8_items_that_cannot_be_set_have_their_exceptions() {
    let mut desk = Desk::new();
    let a = desk.join("A");
    let context = desk.start(a);
    let coupons = format!("participantCoupon={a}&contextCoupon={context}");
    let mut refuse = |items: &str, exception: &str| {
        desk.refuse("ContextData.SetItemValues", &format!("{coupons}&{items}"), exception);
        desk.refuse("SecureContextData.SetItemValues", &format!("{coupons}&{items}&appSignature="), exception);
    };
    refuse("itemNames=Patient.Id.MRN.a|Patient.Co.Sex&itemValues=1", "NameValueCountMismatch");
    refuse("itemNames=Patient.MRN&itemValues=1", "BadItemNameFormat");
    refuse("itemNames=Patient.Id.MRN.a|&itemValues=1|2", "BadItemNameFormat");
    refuse("itemNames=Patient.Id.MRN.a&itemValues=%00", "BadItemValue");
    refuse("itemNames=AuthenticateUser.Ou.Status&itemValues=Pass", "BadItemType");
    refuse("itemNames=User.Id.Logon.ad&itemValues=ann", "SignatureRequired");
    let many = vec!["Patient.Id.MRN.a"; 257].join("|");
    refuse(&format!("itemNames={many}&itemValues={}", vec!["1"; 257].join("|")), "BadItemValue");
    desk.check("ContextData.GetItemNames", &format!("contextCoupon={context}"), "names=");
}

#[test]
fn section_4_reads_take_wildcards_and_leave_unknown_names_out() {
    let mut desk = Desk::new();
    let a = desk.join("A");
    desk.check("ContextData.GetItemValues", "itemNames=Patient.*&contextCoupon=0", "itemValues=");
    desk.check("ContextData.GetItemNames", "", "names=");
    let context = desk.commit(a, "Patient.Id.MRN.a|Patient.Co.PatientName", "1|EXAMPLE^ANN");
    let mut check = |names: &str, expected: &str| {
        let arguments = format!("itemNames={names}&contextCoupon={context}");
        desk.check("ContextData.GetItemValues", &arguments, &format!("itemValues={expected}"));
    };
    check("patient.*|user.*", "Patient.Id.MRN.a|1|Patient.Co.PatientName|EXAMPLE^ANN");
    check("PATIENT.CO.*", "Patient.Co.PatientName|EXAMPLE^ANN");
    check("Patient.Id.MRN.b|Patient.Id.MRN.A", "Patient.Id.MRN.a|1");
    check("", "");
    desk.check(
        "SecureContextData.GetItemValues",
        &format!("participantCoupon=0&itemNames=patient.id.*&onlyChanges=false&contextCoupon={context}&appSignature="),
        "itemValues=Patient.Id.MRN.a|1&managerSignature=",
    );
}

#[test]
fn section_5_what_changed_can_be_read_alone_and_emptied_subjects_are_there_with_empty_values() {
    let mut desk = Desk::new();
    let a = desk.join("A");
    desk.commit(a, "Patient.Id.MRN.a|Encounter.Id.VisitNumber.a", "1|7");
    let context = desk.commit(a, "Patient.Id.MRN.a", "");
    let read = |changes| format!("itemNames=*&onlyChanges={changes}&contextCoupon={context}");
    desk.check("ContextData.GetItemValues", &read(false), "itemValues=");
    desk.check("ContextData.GetItemValues", &read(true), "itemValues=Patient.Id.MRN.a||Encounter.Id.VisitNumber.a|");
}

#[test]
fn section_13_items_are_read_out_as_jkiddos_programs_read_them_where_the_site_says_so() {
    let mut desk = Desk::with(Policy { item_replies: ItemReplies::Separate, ..Policy::default() });
    let a = desk.join("A");
    let context = desk.commit(a, "Patient.Id.IdList.1|Patient.Co.Sex", "1^^^CPR|F");
    let read = format!("itemNames=*&contextCoupon={context}");
    desk.check("ContextData.GetItemNames", &read, "itemNames=Patient.Id.IdList.1|Patient.Co.Sex");
    let values = "itemNames=Patient.Id.IdList.1|Patient.Co.Sex&itemValues=1^^^CPR|F";
    desk.check("ContextData.GetItemValues", &read, values);
}

#[test]
fn section_12_secure_subjects_are_set_by_the_listed_and_read_where_allowed() {
    for readable in [false, true] {
        let mut desk = Desk::with(Policy {
            secure_applications: vec!["Logon".to_owned()],
            secure_subjects_readable: readable,
            ..Policy::default()
        });
        let logon = desk.join("logon%23");
        let context =
            desk.commit(logon, "User.Id.Logon.ad|User.Id.Logon.vistatoken|User.Co.Name", "ann|SECRET|EXAMPLE");
        assert_eq!(desk.oddities, [Oddity::BearerSecretDropped]);
        let expected = if readable { "User.Id.Logon.ad|ann|User.Co.Name|EXAMPLE" } else { "" };
        let read = format!("itemNames=User.*&contextCoupon={context}");
        desk.check("ContextData.GetItemValues", &read, &format!("itemValues={expected}"));
        let names = if readable { "User.Id.Logon.ad|User.Co.Name" } else { "" };
        desk.check("ContextData.GetItemNames", &read, &format!("names={names}"));
    }
}

#[test]
fn section_4_filters_are_set_read_and_cleared() {
    let mut desk = Desk::new();
    let a = format!("participantCoupon={}", desk.join("A"));
    desk.refuse("ContextFilter.GetSubjectsOfInterest", &a, "FilterNotSet");
    desk.check("ContextFilter.SetSubjectsOfInterest", &format!("{a}&subjectNames=PATIENT|dicomstudy"), "");
    desk.check("ContextFilter.GetSubjectsOfInterest", &a, "subjectNames=DICOMStudy|Patient");
    desk.check("ContextFilter.ClearFilter", &a, "");
    desk.refuse("ContextFilter.GetSubjectsOfInterest", &a, "FilterNotSet");
    desk.refuse("ContextFilter.SetSubjectsOfInterest", &format!("{a}&subjectNames=Patient|"), "BadItemNameFormat");
}

#[test]
fn section_4_the_manager_tells_what_it_is() {
    let mut desk = Desk::new();
    desk.check("InterfaceInformation.Interrogate", "interfaceName=contextmanager", "implemented=true");
    desk.check("InterfaceInformation.Interrogate", "interfaceName=SecureBinding", "implemented=false");
    desk.refuse("InterfaceInformation.Interrogate", "", "GeneralFailure");
    desk.check("ImplementationInformation.ComponentName", "", "componentName=CCOW.ContextManager");
    desk.check("ImplementationInformation.GetTargetOS", "", &format!("targetOS={}", std::env::consts::OS));
    desk.check("ImplementationInformation.WhenInstalled", "", "whenInstalled=");
    let major = desk.call("ImplementationInformation.RevMajorNum", "");
    assert!(major.strip_prefix("revMajorNum=").is_some_and(|number| number.parse::<u32>().is_ok()), "{major}");
}

#[test]
fn section_2_2_a_bar_inside_a_value_makes_no_second_element() {
    let mut desk = Desk::new();
    let a = desk.join("A");
    let context = desk.start(a);
    let items = format!("participantCoupon={a}&contextCoupon={context}&itemNames=Patient.Id.MRN.a&itemValues=1%7C2");
    desk.refuse("ContextData.SetItemValues", &items, "NameValueCountMismatch");
}

proptest! {
    #[test]
    fn no_call_panics_and_each_has_a_reply(calls in prop::collection::vec((
        prop::sample::select(vec!["ContextManager", "ContextData", "SecureContextData", "ContextFilter", "x"]),
        prop::sample::select(vec!["JoinCommonContext", "StartContextChanges", "EndContextChanges", "SetItemValues", "GetItemValues", "PublishChangesDecision", "SetSubjectsOfInterest"]),
        "(&(participantCoupon=[12x]|contextCoupon=[0-9]|itemNames=[Patient.IdCo|*]{0,12}|itemValues=[|a%0-9]{0,6}|applicationName=A#?|contextParticipant=http://[a:/]{0,4}|decision=accept|wait=1)){0,6}",
    ), 0..12)) {
        let mut desk = Desk::new();
        for (interface, method, rest) in calls {
            match desk.react(&format!("interface={interface}&method={method}{rest}")) {
                Reaction::Reply(reply) | Reaction::Hold(reply) => prop_assert!(!reply.body().contains('\n')),
                Reaction::Wait(context) => prop_assert!(context > 0),
            }
        }
    }
}
