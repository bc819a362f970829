//! No body panics under any mount's rules, and whatever is taken as an event is sent on as JSON that says the same.

#![no_main]

use fhircast_gateway::fhircast::rules::{Contexts, Names, PostEntries, Rules};
use fhircast_gateway::fhircast::{Acknowledgement, Edition, Event};
use libfuzzer_sys::fuzz_target;

const LENIENT: Rules = Rules {
    edition: Edition::Stu2,
    names: Names::Any,
    contexts: Contexts::Lenient,
    version_required: false,
    post_entries: PostEntries::Upsert,
};

const STRICT: Rules = Rules { names: Names::StandardAndHeartbeat, contexts: Contexts::Strict, ..Rules::STANDARD };

fuzz_target!(|body: &[u8]| {
    for rules in [Rules::STANDARD, LENIENT, STRICT] {
        let Ok(event) = Event::parse(body, &rules) else { continue };
        let told = event.notification(event.name.as_str(), None);
        let json: serde_json::Value = serde_json::from_str(&told).expect("a notification is JSON");
        assert_eq!(json["id"], event.id);
        assert_eq!(json["event"]["hub.topic"], event.topic);
        serde_json::from_str::<serde_json::Value>(&event.with_text_references().notification("x", None)).expect("JSON");
        event.implied_opens().iter().for_each(|implied| {
            let told = implied.notification(implied.name.as_str(), None);
            assert!(Event::parse(told.as_bytes(), &Rules::STANDARD).is_ok(), "what is implied is an event of the standard");
        });
    }
    if let Ok(text) = std::str::from_utf8(body) {
        let _ = Acknowledgement::parse(text);
    }
});
