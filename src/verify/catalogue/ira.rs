//! What IHE RAD IRA asks of its Hub actor.

use super::Method::NotTestable;
use super::columns::{ALL, clause};
use super::{Clause, prompt, waiting};

pub(super) const CLAUSES: &[Clause] = &[
    clause(
        "IRA-01",
        ALL,
        "Each request is authorised, down to what may be read",
        NotTestable("SUB-15, REQ-07 and NOT-03 show it, with --limited-token"),
    ),
    clause("IRA-02", ALL, "Trouble on a socket is told at once", prompt!(strict::ira_02)),
    clause("IRA-03", ALL, "Every valid event travels, HeartBeat and studies too", prompt!(strict::ira_03)),
    clause("IRA-04", ALL, "Update, select and close of what is not open get 409", prompt!(strict::ira_04)),
    clause("IRA-05", ALL, "The hub makes no opens of its own", prompt!(strict::ira_05)),
    clause("IRA-06", ALL, "Suspended reports come back with their content", prompt!(strict::ira_06)),
    clause("IRA-07", ALL, "Any event names are taken, and replaced with the lease", prompt!(strict::ira_07)),
    clause("IRA-08", ALL, "Bad subscriptions get 400, one without a name too", prompt!(strict::ira_08)),
    clause("IRA-09", ALL, "A socket is confirmed and kept, an unknown one refused", prompt!(strict::ira_09)),
    clause("IRA-10", ALL, "An open needs report, patient, study and a session", prompt!(strict::ira_10)),
    clause("IRA-11", ALL, "The same event again is answered and not distributed", prompt!(strict::ira_11)),
    clause("IRA-12", ALL, "A close needs its report alone, and a session", prompt!(strict::ira_12)),
    clause("IRA-13", ALL, "An update that is stale or incomplete gets 400", prompt!(strict::ira_13)),
    clause("IRA-14", ALL, "An update may not change who and what is read", prompt!(strict::ira_14)),
    clause("IRA-15", ALL, "A select of what is not known gets 206", prompt!(strict::ira_15)),
    clause("IRA-16", ALL, "Bad unsubscriptions get 400, a good one is final", prompt!(strict::ira_16)),
    clause("IRA-17", ALL, "The current context has content; no session, no answer", prompt!(strict::ira_17)),
    clause("IRA-18", ALL, "One message an event, with version and prior version", prompt!(strict::ira_18)),
    clause("IRA-19", ALL, "A refusal is told to all, the refuser too", prompt!(strict::ira_19)),
    clause("IRA-20", ALL, "One that never answers is told of", waiting!(strict::ira_20)),
    clause("IRA-21", ALL, "A SyncError's codes stand in their order", prompt!(strict::ira_21)),
    clause("IRA-22", ALL, "A posted SyncError is checked and distributed", prompt!(strict::ira_22)),
    clause("IRA-23", ALL, "Requests are audited", NotTestable("the audit goes to the hub's own repository")),
];

/// Clauses that a strict hub breaks on purpose, and the requirement that makes it.
pub(super) const OVERRULED: &[(&str, &str)] = &[
    ("SUB-20", "IRA-02"),
    ("REQ-08", "IRA-11"),
    ("NOT-08", "IRA-19"),
    ("NOT-07", "IRA-02"),
    ("NOT-11", "IRA-05"),
    ("NOT-12", "IRA-05"),
    ("CTX-06", "IRA-04"),
    ("CTX-09", "IRA-17"),
    ("UPD-02", "IRA-13"),
    ("UPD-11", "IRA-04"),
    ("UPD-14", "IRA-13"),
    ("SEL-01", "IRA-15"),
];
