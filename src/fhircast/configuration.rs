//! The hub's description of itself, at `.well-known/fhircast-configuration` (DISC-01 to DISC-05).

use serde::Serialize;

use super::catalogue::DEFINITIONS;

/// What a mount of edition 3 offers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Configuration {
    events_supported: Vec<String>,
    websocket_support: bool,
    webhook_support: bool,
    fhircast_version: &'static str,
    fhir_version: &'static str,
    get_current_support: bool,
    capabilities: Capabilities,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Capabilities {
    supports_get_current_context: bool,
    supports_non_current_context_updates: bool,
}

/// Events about no resource.
const INFRASTRUCTURE: [&str; 4] = ["Home-open", "UserLogout", "UserHibernate", "SyncError"];

impl Configuration {
    /// The description of a mount that takes the events of the catalogue and those that the site names (DISC-07).
    pub fn new(site_events: &[String]) -> Self {
        let catalogue = DEFINITIONS.iter().map(|definition| definition.name).chain(INFRASTRUCTURE).map(str::to_owned);
        Self {
            events_supported: catalogue.chain(site_events.iter().cloned()).collect(),
            websocket_support: true,
            webhook_support: false,
            fhircast_version: "3.0.0",
            fhir_version: "R4",
            get_current_support: true,
            capabilities: Capabilities {
                supports_get_current_context: true,
                supports_non_current_context_updates: false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhircast::EventName;

    #[test]
    fn disc_02_03_04_the_description_has_the_members_of_edition_3() {
        let document = serde_json::to_value(Configuration::new(&["org.example.break_taken".into()])).unwrap();
        assert_eq!(document["websocketSupport"], true);
        assert_eq!(document["webhookSupport"], false);
        assert_eq!(document["fhircastVersion"], "3.0.0");
        assert_eq!(document["fhirVersion"], "R4");
        assert_eq!(document["getCurrentSupport"], true);
        assert_eq!(document["capabilities"]["supportsGetCurrentContext"], true);
        assert_eq!(document["capabilities"]["supportsNonCurrentContextUpdates"], false);
    }

    #[test]
    fn disc_07_every_listed_event_is_well_formed_and_the_sites_own_are_among_them() {
        let configuration = Configuration::new(&["org.example.break_taken".into()]);
        assert!(configuration.events_supported.iter().all(|name| EventName::parse(name).is_ok()));
        assert!(configuration.events_supported.iter().any(|name| name == "org.example.break_taken"));
        assert!(!configuration.events_supported.iter().any(|name| name.ends_with("-update")));
    }
}
