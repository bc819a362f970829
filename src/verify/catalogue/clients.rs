//! What clients in the field rely on, beyond the text.

use super::Method::NotTestable;
use super::columns::{POLICY, clause};
use super::{Clause, prompt, waiting};

const TIMING: &str = "it shows only over a restart of the hub, or under load";
const CONSOLE: &str = "it shows in the operator's console";
const DIALECT: &str = "it concerns the one mount that speaks this client's dialect";

pub(super) const CLAUSES: &[Clause] = &[
    clause("CLI-01", POLICY, "Every address works with and without a final slash", prompt!(clients::cli_01)),
    clause("CLI-02", POLICY, "Subscription and event are told apart by type", prompt!(subscribing::sub_01)),
    clause("CLI-03", POLICY, "Content types compare without case and parameters", prompt!(clients::cli_03)),
    clause("CLI-04", POLICY, "A topic in a path is percent-decoded once", prompt!(clients::cli_04)),
    clause("CLI-05", POLICY, "A hub without tokens ignores Authorization", prompt!(clients::cli_05)),
    clause("CLI-06", POLICY, "Subscribing and unsubscribing give 202 and the endpoint", prompt!(clients::cli_06)),
    clause("CLI-07", POLICY, "The endpoint works at the host and port of hub.url", prompt!(clients::cli_07)),
    clause("CLI-08", POLICY, "An endpoint is recognised by its path alone", prompt!(clients::cli_08)),
    clause("CLI-09", POLICY, "An endpoint that the client made up does no harm", prompt!(clients::cli_09)),
    clause("CLI-10", POLICY, "Only hub.lease_seconds is a lease", prompt!(subscribing::sub_08)),
    clause("CLI-11", POLICY, "Superfluous parameters are no reason to refuse", prompt!(clients::cli_11)),
    clause("CLI-12", POLICY, "Event names nobody knows are granted", prompt!(clients::cli_12)),
    clause("CLI-13", POLICY, "Unsubscribing finds its one target by other means too", prompt!(clients::cli_13)),
    clause("CLI-14", POLICY, "Unsubscribing works after the socket has closed", prompt!(clients::cli_14)),
    clause("CLI-15", POLICY, "The same name again ends its lost predecessor", prompt!(clients::cli_15)),
    clause("CLI-16", POLICY, "Discovery is open to browsers, and its events work", prompt!(clients::cli_16)),
    clause(
        "CLI-17",
        POLICY,
        "A topic that a client chose needs its token",
        NotTestable("the authorization server binds topics to tokens"),
    ),
    clause("CLI-18", POLICY, "Nothing precedes the confirmation", prompt!(clients::cli_18)),
    clause("CLI-19", POLICY, "Nothing comes but what FHIRcast knows", waiting!(clients::cli_19)),
    clause("CLI-20", POLICY, "Liveness is seen by pings of the protocol", waiting!(socket::not_14)),
    clause("CLI-21", POLICY, "Every form of assent is one, status missing too", prompt!(clients::cli_21)),
    clause("CLI-22", POLICY, "Texts that mean nothing are ignored", prompt!(clients::cli_22)),
    clause("CLI-23", POLICY, "It is shown who acknowledges", NotTestable(CONSOLE)),
    clause("CLI-24", POLICY, "A lost socket may return within its grace", prompt!(subscribing::sub_20)),
    clause("CLI-25", POLICY, "A denial goes before every final close", prompt!(unsubscribing::uns_01)),
    clause("CLI-26", POLICY, "A shutdown leaves the endpoint good", NotTestable(TIMING)),
    clause("CLI-27", POLICY, "A dead endpoint gets 404 before the upgrade", prompt!(unsubscribing::uns_02)),
    clause("CLI-28", POLICY, "Filters compare whole names, and keep their spelling", prompt!(clients::cli_28)),
    clause("CLI-29", POLICY, "A publisher gets 202, the id and the version", prompt!(clients::cli_29)),
    clause("CLI-30", POLICY, "Errors come in the form that Accept names", prompt!(clients::cli_30)),
    clause("CLI-31", POLICY, "Any text of up to 256 characters is an id", prompt!(clients::cli_31)),
    clause("CLI-32", POLICY, "Times in any offset go out in UTC", prompt!(clients::cli_32)),
    clause("CLI-33", POLICY, "Unknown members arrive, entries keep their order", prompt!(clients::cli_33)),
    clause("CLI-34", POLICY, "Each open carries the hub's version, not its own", prompt!(clients::cli_34)),
    clause("CLI-35", POLICY, "An update that is sent again is not applied twice", prompt!(clients::cli_35)),
    clause("CLI-36", POLICY, "The current context has the mount's form", NotTestable(DIALECT)),
    clause("CLI-37", POLICY, "PowerCast's dialect is spoken", NotTestable(DIALECT)),
    clause("CLI-38", POLICY, "PowerCast's connector is there", NotTestable(DIALECT)),
    clause("CLI-39", POLICY, "STU1's socket publishing is there", NotTestable(DIALECT)),
    clause("CLI-40", POLICY, "Browsers get their pre-flight", prompt!(clients::cli_40)),
    clause(
        "CLI-41",
        POLICY,
        "Opens made of legacy messages satisfy the validator",
        NotTestable("it concerns what a gateway makes of legacy messages"),
    ),
    clause("CLI-42", POLICY, "Names outside the grammar are relayed", prompt!(lenient::cli_42)),
    clause("CLI-43", POLICY, "A context may be missing or an object outside the catalogue", prompt!(lenient::cli_43)),
    clause("CLI-44", POLICY, "A resource without id goes by its identifier", prompt!(lenient::cli_44)),
    clause("CLI-45", POLICY, "A report's open without the report gets a stub", prompt!(lenient::cli_45)),
    clause("CLI-46", POLICY, "A report's open without patient is taken", prompt!(lenient::cli_46)),
    clause("CLI-47", POLICY, "A close with an empty context closes the current one", prompt!(lenient::cli_47)),
    clause("CLI-48", POLICY, "SyncErrors of other makes are relayed", prompt!(lenient::cli_48)),
    clause("CLI-49", POLICY, "The bundle of an update may have another key", prompt!(lenient::cli_49)),
    clause("CLI-50", POLICY, "The anchor of an update may be named in other ways", prompt!(lenient::cli_50)),
    clause("CLI-51", POLICY, "The version of an update may stand elsewhere", prompt!(lenient::cli_51)),
    clause("CLI-52", POLICY, "A POST in an update is an upsert", prompt!(lenient::cli_52)),
    clause("CLI-53", POLICY, "An entry's URL may be missing where the rest says it", prompt!(lenient::cli_53)),
    clause("CLI-54", POLICY, "Content goes by type and id", prompt!(lenient::cli_54)),
    clause("CLI-55", POLICY, "Bundle ids are kept, the open's resources are safe", prompt!(content::upd_07)),
    clause("CLI-56", POLICY, "A select is relayed as it was sent", prompt!(lenient::cli_56)),
];

/// Clauses that a hub which bends towards clients breaks on purpose, and what of theirs makes it.
pub(super) const OVERRULED: &[(&str, &str)] = &[
    ("SUB-13", "CLI-30"),
    ("REQ-04", "CLI-42"),
    ("REQ-05", "CLI-44 and those after it"),
    ("NOT-06", "that clients are not lost by one miss"),
    ("UPD-05", "CLI-52"),
];

/// What only such a hub is asked for, beyond the standard.
pub(super) const LENIENT: &[&str] = &[
    "CLI-13", "CLI-42", "CLI-43", "CLI-44", "CLI-45", "CLI-46", "CLI-47", "CLI-48", "CLI-49", "CLI-50", "CLI-51",
    "CLI-52", "CLI-56",
];
