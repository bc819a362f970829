//! The hub's description of itself, at `.well-known/fhircast-configuration` (DISC-01 to DISC-05).

use serde::Serialize;

use super::Edition;
use super::catalogue::DEFINITIONS;

/// What a mount offers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Configuration {
    events_supported: Vec<String>,
    websocket_support: bool,
    webhook_support: bool,
    fhircast_version: &'static str,
    fhir_version: &'static str,
    get_current_support: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    capabilities: Option<Capabilities>,
}

/// What a mount does of what is left to it.
#[derive(Clone, Copy, Debug)]
pub struct Offer<'a> {
    /// Its edition.
    pub edition: Edition,
    /// Whether webhooks may subscribe.
    pub webhooks: bool,
    /// Whether it sends Heartbeats.
    pub heartbeat: bool,
    /// Whether open contexts that are not the current one may be updated.
    pub non_current_updates: bool,
    /// Events of the site's own (DISC-07).
    pub site_events: &'a [String],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Capabilities {
    supports_get_current_context: bool,
    supports_non_current_context_updates: bool,
}

/// Content sharing, for which the standard defines these two; an update or select of every other type is taken as well.
const CONTENT_SHARING: [&str; 2] = ["DiagnosticReport-update", "DiagnosticReport-select"];

/// Events about no resource.
const INFRASTRUCTURE: [&str; 4] = ["Home-open", "UserLogout", "UserHibernate", "SyncError"];

impl Configuration {
    /// The description of a mount that takes the events of the catalogue and those that the site names (DISC-07).
    pub fn new(offer: Offer<'_>) -> Self {
        let standard =
            DEFINITIONS.iter().map(|definition| definition.name).chain(CONTENT_SHARING).chain(INFRASTRUCTURE);
        let heartbeat = offer.heartbeat.then_some("Heartbeat");
        let events = standard.chain(heartbeat).map(str::to_owned).chain(offer.site_events.iter().cloned());
        Self {
            events_supported: events.collect(),
            websocket_support: true,
            webhook_support: offer.webhooks,
            fhircast_version: offer.edition.announced(),
            fhir_version: "R4",
            get_current_support: true,
            capabilities: (offer.edition >= Edition::Stu3).then_some(Capabilities {
                supports_get_current_context: true,
                supports_non_current_context_updates: offer.non_current_updates,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhircast::EventName;

    fn offer(edition: Edition) -> Offer<'static> {
        Offer { edition, webhooks: false, heartbeat: false, non_current_updates: true, site_events: &[] }
    }

    #[test]
    fn disc_02_03_04_the_description_has_the_members_of_its_edition() {
        let document = serde_json::to_value(Configuration::new(offer(Edition::Stu3))).unwrap();
        assert_eq!(document["websocketSupport"], true);
        assert_eq!(document["webhookSupport"], false);
        assert_eq!(document["fhircastVersion"], "3.0.0");
        assert_eq!(document["fhirVersion"], "R4");
        assert_eq!(document["getCurrentSupport"], true);
        assert_eq!(document["capabilities"]["supportsGetCurrentContext"], true);
        assert_eq!(document["capabilities"]["supportsNonCurrentContextUpdates"], true);
        for (edition, version) in [(Edition::Stu2, "STU2"), (Edition::Ballot, "STU3")] {
            let document = serde_json::to_value(Configuration::new(offer(edition))).unwrap();
            assert_eq!((&document["fhircastVersion"], document.get("capabilities")), (&version.into(), None));
        }
    }

    #[test]
    fn disc_05_webhooks_are_announced_where_they_may_subscribe() {
        for webhooks in [true, false] {
            let offer = Offer { webhooks, ..offer(Edition::Ballot) };
            assert_eq!(serde_json::to_value(Configuration::new(offer)).unwrap()["webhookSupport"], webhooks);
        }
    }

    #[test]
    fn disc_07_every_listed_event_is_well_formed_and_the_sites_own_are_among_them() {
        let site_events = ["org.example.break_taken".to_owned()];
        let configuration =
            Configuration::new(Offer { site_events: &site_events, heartbeat: true, ..offer(Edition::Ballot) });
        assert!(configuration.events_supported.iter().all(|name| EventName::parse(name).is_ok()));
        for listed in ["org.example.break_taken", "Heartbeat", "DiagnosticReport-update"] {
            assert!(configuration.events_supported.iter().any(|name| name == listed), "{listed}");
        }
    }
}
