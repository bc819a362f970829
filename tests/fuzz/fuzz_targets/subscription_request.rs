//! No form, no JSON and no list of scopes panics; a request that is taken has a topic that can be one.

#![no_main]

use fhircast_gateway::fhircast::subscription::{SubscriptionRules, is_topic};
use fhircast_gateway::fhircast::{Scopes, SubscriptionRequest};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let rules = SubscriptionRules { wildcard: true, webhooks: true, name_required: false };
    for request in [SubscriptionRequest::parse(body, rules), SubscriptionRequest::parse_json(body, rules)] {
        let Ok(request) = request else { continue };
        assert!(is_topic(&request.topic));
        assert!(request.events.iter().all(|event| !event.is_empty() && !event.contains(',')));
    }
    if let Ok(text) = std::str::from_utf8(body) {
        let _ = Scopes::parse(text);
    }
});
