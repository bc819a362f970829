//! A mount: one base path, so one `hub.url`, with an edition of the standard and its policies. All mounts share their topics.

use jiff::SignedDuration;

use super::policy::{
    AnchorNotOpen, ContextForm, ErrorForm, ForeignEndpoint, MountSettings, Policy, Profile, RefusalsTo, Resend,
    Silence, UnsubscribeBy,
};
use crate::fhircast::rules::{Contexts, Names, PostEntries};
use crate::fhircast::{Edition, Rules};

/// One door to the hub.
#[derive(Clone, Debug)]
pub(crate) struct Mount {
    /// What it is called in the configuration.
    pub(crate) name: String,
    /// Its base path, with a leading slash and without a trailing one.
    pub(crate) path: String,
    /// The edition of the standard that is spoken there.
    pub(crate) edition: Edition,
    /// What it decides where the standard leaves it open, or clients differ.
    pub(crate) policy: Policy,
}

impl Mount {
    /// The mount that `settings` describe.
    pub(crate) fn new(name: &str, settings: &MountSettings) -> Self {
        let policy = settings.over(Policy::of(settings.profile, settings.edition));
        let path = settings.path.trim_end_matches('/').to_owned();
        Self { name: name.to_owned(), path, edition: settings.edition, policy }
    }

    /// Whether it speaks the dialect of dictation systems: contexts in an array (CLI-37).
    pub(crate) fn is_powercast(&self) -> bool {
        self.policy.context_form == ContextForm::Contexts
    }

    /// How events are read here.
    pub(crate) fn rules(&self) -> Rules {
        Rules {
            edition: self.edition,
            names: self.policy.names,
            legacy_names: self.policy.legacy_binding,
            contexts: self.policy.contexts,
            version_required: self.policy.version_required,
            post_entries: self.policy.post_entries,
        }
    }
}

impl Policy {
    /// What a profile decides in an edition (POL-01 to POL-22).
    pub(crate) fn of(profile: Profile, edition: Edition) -> Self {
        let standard = Self::standard(edition);
        match profile {
            Profile::Standard => standard,
            Profile::Compatible => standard.compatible(),
            Profile::Powercast => standard.compatible().powercast(),
            Profile::Strict => standard.strict(),
        }
    }

    fn standard(edition: Edition) -> Self {
        Self {
            silence: Silence::OnceAnswered,
            misses: 1,
            reconnect_grace: SignedDuration::from_secs(15),
            close_without_code_is_normal: true,
            errors: ErrorForm::AsAccepted,
            foreign_endpoint: ForeignEndpoint::Alias,
            unsubscribe_by: UnsubscribeBy::Anything,
            name_required: false,
            wildcard: false,
            names: Names::Standard,
            contexts: Contexts::Enforced,
            stale_version_is_bad_request: false,
            version_required: true,
            update_of_unopened: AnchorNotOpen::NotFound,
            select_of_unopened: AnchorNotOpen::Conflict,
            close_of_unopened: AnchorNotOpen::Accept,
            post_entries: if edition == Edition::Stu3 { PostEntries::Refuse } else { PostEntries::Upsert },
            resend: Resend::Distribute,
            context_form: ContextForm::Object,
            text_references: false,
            refusals_to: RefusalsTo::Others,
            heartbeat: edition == Edition::Ballot,
            derived_opens: edition == Edition::Stu3,
            json_subscriptions: false,
            non_current_updates: false,
            identity_is_fixed: false,
            selection_is_checked: false,
            session_required: false,
            legacy_binding: false,
            webhooks: false,
        }
    }

    fn compatible(self) -> Self {
        Self {
            misses: 3,
            wildcard: true,
            names: Names::Any,
            contexts: Contexts::Lenient,
            version_required: false,
            post_entries: PostEntries::Upsert,
            heartbeat: true,
            json_subscriptions: true,
            ..self
        }
    }

    fn powercast(self) -> Self {
        Self {
            silence: Silence::Nobody,
            errors: ErrorForm::Json,
            update_of_unopened: AnchorNotOpen::Conflict,
            context_form: ContextForm::Contexts,
            text_references: true,
            derived_opens: false,
            json_subscriptions: false,
            ..self
        }
    }

    fn strict(self) -> Self {
        Self {
            silence: Silence::Everybody,
            reconnect_grace: SignedDuration::ZERO,
            close_without_code_is_normal: false,
            foreign_endpoint: ForeignEndpoint::Unknown,
            unsubscribe_by: UnsubscribeBy::Endpoint,
            name_required: true,
            names: Names::StandardAndHeartbeat,
            contexts: Contexts::Strict,
            stale_version_is_bad_request: true,
            update_of_unopened: AnchorNotOpen::Conflict,
            close_of_unopened: AnchorNotOpen::Conflict,
            resend: Resend::Answer,
            refusals_to: RefusalsTo::All,
            heartbeat: false,
            derived_opens: false,
            identity_is_fixed: true,
            selection_is_checked: true,
            session_required: true,
            ..self
        }
    }

    /// Whether a subscriber that closes with this code has left properly (NOT-07).
    pub(crate) fn is_normal(&self, code: Option<u16>) -> bool {
        match code {
            Some(code) => matches!(code, NORMAL | GOING_AWAY),
            None => self.close_without_code_is_normal,
        }
    }
}

/// The subscriber is done (RFC 6455, 7.4.1).
const NORMAL: u16 = 1000;

/// The subscriber's page or process ends (RFC 6455, 7.4.1).
const GOING_AWAY: u16 = 1001;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mounts_setting_goes_over_its_profile() {
        let toml = "path = \"/hub-x/\"\nedition = \"3.0.0\"\nprofile = \"strict\"\nmisses = 5\nsilence = \"nobody\"";
        let settings: MountSettings = toml::from_str(toml).unwrap();
        let mount = Mount::new("x", &settings);
        assert_eq!((mount.path.as_str(), mount.policy.misses, mount.policy.silence), ("/hub-x", 5, Silence::Nobody));
        assert!(mount.policy.name_required);
        assert!(toml::from_str::<MountSettings>(&format!("{toml}\nmiss = 1")).is_err());
    }

    #[test]
    fn not_13_wh_01_what_an_edition_has_its_standard_mount_has() {
        let of = |edition| Policy::of(Profile::Standard, edition);
        assert!(of(Edition::Ballot).heartbeat && !of(Edition::Stu3).heartbeat);
        assert!(of(Edition::Stu3).derived_opens && !of(Edition::Stu2).derived_opens);
        assert_eq!(of(Edition::Stu3).post_entries, PostEntries::Refuse);
        assert_eq!(of(Edition::Stu2).post_entries, PostEntries::Upsert);
    }
}
