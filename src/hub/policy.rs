//! What a mount decides where the standard leaves it open, or clients differ: named settings, each with a default by profile.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::fhircast::Edition;
use crate::fhircast::rules::{Contexts, Names, PostEntries};

/// A set of defaults for the policies of a mount.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// The edition to the letter, for whoever follows it.
    #[default]
    Standard,
    /// Bends towards clients in the field, in shape and never in authorisation.
    Compatible,
    /// The dialect of dictation systems with a connector.
    Powercast,
    /// Every requirement of IHE RAD IRA.
    Strict,
}

/// Whose silence counts as not having followed an event (POL-01).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Silence {
    /// Everybody's.
    Everybody,
    /// Nobody's.
    Nobody,
    /// That of subscribers that have ever answered: five of nine client families never do.
    OnceAnswered,
}

/// In which form errors are told (POL-05).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorForm {
    /// In the form that the request's `Accept` names, else as plain text.
    AsAccepted,
    /// As JSON, whatever is accepted.
    Json,
}

/// What an endpoint in a subscription is that the hub has not made (POL-06).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForeignEndpoint {
    /// The client's own name for a new subscription.
    Alias,
    /// An endpoint that is not known.
    Unknown,
}

/// By what an unsubscribe finds its subscription (POL-07).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnsubscribeBy {
    /// Endpoint, `endpoint` field, alias, or topic and name where they name one subscription (CLI-13).
    Anything,
    /// The endpoint only.
    Endpoint,
}

/// What becomes of an event about a context that is not open (POL-13).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AnchorNotOpen {
    /// It is distributed, and changes nothing.
    Accept,
    /// 409.
    Conflict,
    /// 404.
    NotFound,
}

/// What becomes of an event that was accepted before (POL-15).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resend {
    /// It is answered as before, and not distributed, unless a SyncError was told about it (IRA-11).
    Answer,
    /// It is distributed again, and an update is applied once (REQ-08, CLI-35).
    Distribute,
}

/// The form of the current context (POL-16).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ContextForm {
    /// The context array alone.
    Array,
    /// An array that holds the current context as an object.
    Contexts,
    /// The object of the standard.
    Object,
}

/// Who is told that a subscriber has refused an event (POL-18).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefusalsTo {
    /// Every subscriber of SyncError, the refuser too.
    All,
    /// The others.
    Others,
}

macro_rules! policies {
    ($($(#[$doc:meta])* $name:ident: $type:ty),+ $(,)?) => {
        /// What a mount decides. Each subscription carries its own mount's.
        #[derive(Clone, Copy, Debug)]
        pub(crate) struct Policy {
            $($(#[$doc])* pub(crate) $name: $type,)+
        }

        /// `[hub.mount.NAME]`: one mount. What is not set is its profile's.
        #[derive(Clone, Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct MountSettings {
            /// The base path: `hub.url` without its origin.
            pub path: String,
            /// The edition that is spoken there.
            pub edition: Edition,
            /// The defaults of what follows.
            #[serde(default)]
            pub profile: Profile,
            /// Whether it is served.
            #[serde(default = "yes")]
            pub enabled: bool,
            $($(#[$doc])* pub $name: Option<$type>,)+
        }

        impl MountSettings {
            /// A mount as its profile has it.
            pub fn new(path: &str, edition: Edition, profile: Profile) -> Self {
                Self { path: path.to_owned(), edition, profile, enabled: true, $($name: None,)+ }
            }

            /// `policy` with what is set here.
            pub(crate) fn over(&self, policy: Policy) -> Policy {
                Policy { $($name: self.$name.unwrap_or(policy.$name),)+ }
            }
        }
    };
}

fn yes() -> bool {
    true
}

policies! {
    /// POL-01: whose silence raises a SyncError (NOT-06).
    silence: Silence,
    /// POL-02: answers missed in a row after which a subscription ends (NOT-06).
    misses: u32,
    /// POL-03: how long a lost subscriber may take to come back before the others are told (NOT-07). None: it is told of at
    /// once, and its subscription ends (IRA-02).
    reconnect_grace: SignedDuration,
    /// POL-04: whether a close without a code is a proper one (NOT-07).
    close_without_code_is_normal: bool,
    /// POL-05: the form of errors (SUB-13).
    errors: ErrorForm,
    /// POL-06: an endpoint that the hub has not made, in a subscription (SUB-12, CLI-09).
    foreign_endpoint: ForeignEndpoint,
    /// POL-07: by what an unsubscribe finds its subscription (UNS-04, CLI-13).
    unsubscribe_by: UnsubscribeBy,
    /// POL-08: whether a subscriber must name itself (SUB-17).
    name_required: bool,
    /// POL-09: whether `*` in `hub.events` means every event.
    wildcard: bool,
    /// POL-10: the names that may be published (REQ-04).
    names: Names,
    /// POL-11: what a context must hold (REQ-05).
    contexts: Contexts,
    /// POL-12: whether an update of another version is answered with 400, not 409 (UPD-02).
    stale_version_is_bad_request: bool,
    /// POL-12: whether an update must name its version (UPD-02).
    version_required: bool,
    /// POL-13: an update of a context that is not open (UPD-11).
    update_of_unopened: AnchorNotOpen,
    /// POL-13: a select in a context that is not open (SEL-01).
    select_of_unopened: AnchorNotOpen,
    /// POL-13: a close of a context that is not open (CTX-06).
    close_of_unopened: AnchorNotOpen,
    /// POL-14: what a POST in an update is (UPD-05).
    post_entries: PostEntries,
    /// POL-15: an event that was accepted before (REQ-08).
    resend: Resend,
    /// POL-16: the form of the current context (CTX-01).
    context_form: ContextForm,
    /// POL-17: whether references are sent as texts.
    text_references: bool,
    /// POL-18: who is told of a refusal (NOT-05).
    refusals_to: RefusalsTo,
    /// POL-19: whether the hub sends a Heartbeat to its subscribers (NOT-13).
    heartbeat: bool,
    /// POL-20: whether opens are derived (NOT-11).
    derived_opens: bool,
    /// POL-21: whether a subscription may be JSON (SUB-01).
    json_subscriptions: bool,
    /// Whether an open context that is not the current one may be updated (UPD-12).
    non_current_updates: bool,
    /// Whether updates may not change a context's patient, study UID or accession number (IRA-14).
    identity_is_fixed: bool,
    /// Whether selected resources that are not known are left out, and the answer says so (IRA-15).
    selection_is_checked: bool,
    /// Whether a topic that nobody subscribes to is no session (IRA-10).
    session_required: bool,
    /// Whether pages of FHIRcast's first year are served (CLI-39): sockets at addresses of their own making, events
    /// over the socket, old names of events. Such an address can be guessed, so only for a hub on loopback (SUB-10).
    legacy_binding: bool,
    /// Whether webhooks may subscribe (WH-01). Never in edition 3.
    webhooks: bool,
}
