//! What clients in the field rely on, beyond the text.

use super::Method::NotTestable;
use super::columns::{ALL, clause};
use super::{Clause, prompt, waiting};

const TIMING: &str = "it shows only over a restart of the hub, or under load";
const CONSOLE: &str = "it shows in the operator's console";
const DIALECT: &str = "it concerns the one mount that speaks this client's dialect";
const LENIENT: &str = "another clause shows it, or the hub's setting decides it";

pub(super) const CLAUSES: &[Clause] = &[
    clause("CLI-01", ALL, "Every address works with and without a final slash", prompt!(clients::cli_01)),
    clause("CLI-02", ALL, "Subscription and event are told apart by type", prompt!(subscribing::sub_01)),
    clause("CLI-03", ALL, "Content types compare without case and parameters", prompt!(clients::cli_03)),
    clause("CLI-04", ALL, "A topic in a path is percent-decoded once", prompt!(clients::cli_04)),
    clause("CLI-05", ALL, "A hub without tokens ignores Authorization", prompt!(clients::cli_05)),
    clause("CLI-06", ALL, "Subscribing and unsubscribing give 202 and the endpoint", prompt!(clients::cli_06)),
    clause("CLI-07", ALL, "The endpoint works at the host and port of hub.url", prompt!(clients::cli_07)),
    clause("CLI-08", ALL, "An endpoint is recognised by its path alone", prompt!(clients::cli_08)),
    clause("CLI-09", ALL, "An endpoint that the client made up does no harm", prompt!(clients::cli_09)),
    clause("CLI-10", ALL, "Only hub.lease_seconds is a lease", prompt!(subscribing::sub_08)),
    clause("CLI-11", ALL, "Superfluous parameters are no reason to refuse", prompt!(clients::cli_11)),
    clause("CLI-12", ALL, "Event names nobody knows are granted", prompt!(clients::cli_12)),
    clause("CLI-13", ALL, "Unsubscribing finds its one target by other means too", prompt!(clients::cli_13)),
    clause("CLI-14", ALL, "Unsubscribing works after the socket has closed", prompt!(clients::cli_14)),
    clause("CLI-15", ALL, "The same name again ends its lost predecessor", NotTestable(TIMING)),
    clause("CLI-16", ALL, "Discovery is open to browsers, and its events work", prompt!(discovery::disc_01)),
    clause("CLI-17", ALL, "A topic that a client chose needs its token", NotTestable("topics are bound by tokens")),
    clause("CLI-18", ALL, "Nothing precedes the confirmation", prompt!(clients::cli_18)),
    clause("CLI-19", ALL, "Nothing comes but what FHIRcast knows", waiting!(clients::cli_19)),
    clause("CLI-20", ALL, "Liveness is seen by pings of the protocol", waiting!(socket::not_14)),
    clause("CLI-21", ALL, "Every form of assent is one, status missing too", prompt!(clients::cli_21)),
    clause("CLI-22", ALL, "Texts that mean nothing are ignored", prompt!(clients::cli_22)),
    clause("CLI-23", ALL, "It is shown who acknowledges", NotTestable(CONSOLE)),
    clause("CLI-24", ALL, "A lost socket may return within its grace", prompt!(subscribing::sub_20)),
    clause("CLI-25", ALL, "A denial goes before every final close", prompt!(unsubscribing::uns_01)),
    clause("CLI-26", ALL, "A shutdown leaves the endpoint good", NotTestable(TIMING)),
    clause("CLI-27", ALL, "A dead endpoint gets 404 before the upgrade", prompt!(unsubscribing::uns_02)),
    clause("CLI-28", ALL, "Filters compare whole names, and keep their spelling", prompt!(clients::cli_28)),
    clause("CLI-29", ALL, "A publisher gets 202, the id and the version", prompt!(clients::cli_29)),
    clause("CLI-30", ALL, "Errors come in the form that Accept names", prompt!(clients::cli_30)),
    clause("CLI-31", ALL, "Any text of up to 256 characters is an id", prompt!(clients::cli_31)),
    clause("CLI-32", ALL, "Times in any offset go out in UTC", prompt!(clients::cli_32)),
    clause("CLI-33", ALL, "Unknown members arrive, entries keep their order", prompt!(clients::cli_33)),
    clause("CLI-34", ALL, "Each open carries the hub's version, not its own", prompt!(clients::cli_34)),
    clause("CLI-35", ALL, "An update that is sent again is not applied twice", prompt!(clients::cli_35)),
    clause("CLI-36", ALL, "The current context has the mount's form", NotTestable(DIALECT)),
    clause("CLI-37", ALL, "PowerCast's dialect is spoken", NotTestable(DIALECT)),
    clause("CLI-38", ALL, "PowerCast's connector is there", NotTestable(DIALECT)),
    clause("CLI-39", ALL, "STU1's socket publishing is there", NotTestable(DIALECT)),
    clause("CLI-40", ALL, "Browsers get their pre-flight", prompt!(clients::cli_40)),
    clause(
        "CLI-41",
        ALL,
        "Opens made of legacy messages satisfy the validator",
        NotTestable("it concerns what a gateway makes of legacy messages"),
    ),
    clause("CLI-42", ALL, "Names outside the grammar are relayed", prompt!(clients::cli_42)),
    clause("CLI-43", ALL, "A context may be missing or an object outside the catalogue", prompt!(clients::cli_43)),
    clause("CLI-44", ALL, "A resource without id goes by its identifier", prompt!(clients::cli_44)),
    clause("CLI-45", ALL, "A report's open without the report gets a stub", prompt!(clients::cli_45)),
    clause("CLI-46", ALL, "A report's open without patient is taken", prompt!(clients::cli_46)),
    clause("CLI-47", ALL, "A close with an empty context closes the current one", prompt!(clients::cli_47)),
    clause("CLI-48", ALL, "SyncErrors of other makes are relayed", NotTestable(LENIENT)),
    clause("CLI-49", ALL, "The bundle of an update may have another key", NotTestable(LENIENT)),
    clause("CLI-50", ALL, "The anchor of an update may be named in other ways", NotTestable(LENIENT)),
    clause("CLI-51", ALL, "The version of an update may stand elsewhere", NotTestable(LENIENT)),
    clause("CLI-52", ALL, "A POST in an update is an upsert", NotTestable(LENIENT)),
    clause("CLI-53", ALL, "An entry's URL may be missing where the rest says it", prompt!(clients::cli_53)),
    clause("CLI-54", ALL, "Content goes by type and id", prompt!(clients::cli_54)),
    clause("CLI-55", ALL, "Bundle ids are kept, the open's resources are safe", prompt!(content::upd_07)),
    clause("CLI-56", ALL, "A select is relayed as it was sent", prompt!(clients::cli_56)),
];
