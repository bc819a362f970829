//! SUB, SCO: what a token allows. The limited token is one for `fhircast/Patient-open.read` alone.

use crate::verify::finding::{Verdict, ensure};
use crate::verify::hub::Bearer;
use crate::verify::judge;
use crate::verify::room::Room;

pub(in crate::verify) async fn sub_14(room: &Room<'_>) -> Verdict {
    room.needs_token()?;
    for (bearer, whose) in [(Bearer::Nobody, "no token"), (Bearer::Forged, "a forged token")] {
        let answer = room.form_as(bearer, &room.subscription("Patient-open")).await?;
        let answer = answer.expect(401, &format!("to {whose}"))?;
        let challenged = !answer.header("www-authenticate").is_empty();
        ensure(challenged, "a WWW-Authenticate header with the 401", &answer)?;
    }
    room.needs_limited_token()?;
    let answer = room.form_as(Bearer::Limited, &room.subscription("Encounter-open")).await?;
    answer.expect(403, "to a token without a scope for what is asked").map(drop)
}

pub(in crate::verify) async fn sub_15(room: &Room<'_>) -> Verdict {
    room.needs_limited_token()?;
    let form = room.subscription("Patient-open,Encounter-open,Patient-close");
    let mut viewer = room.unconfirmed_by(Bearer::Limited, &form).await?;
    let confirmation = viewer.expect_confirmation().await?;
    ensure(judge::grants(&confirmation, &["Patient-open"]), "Patient-open alone is granted", &confirmation)?;
    let answer = room.form_as(Bearer::Limited, &room.subscription("Encounter-open,Patient-close")).await?;
    answer.expect(403, "where no event asked for is covered").map(drop)
}

pub(in crate::verify) async fn sub_16(room: &Room<'_>) -> Verdict {
    room.needs_limited_token()?;
    let form = room.subscription("Patient-open,SyncError");
    let mut viewer = room.unconfirmed_by(Bearer::Limited, &form).await?;
    let confirmation = viewer.expect_confirmation().await?;
    ensure(judge::grants(&confirmation, &["Patient-open", "SyncError"]), "SyncError with any scope", &confirmation)
}

pub(in crate::verify) async fn sco_01(room: &Room<'_>) -> Verdict {
    room.needs_limited_token()?;
    let form = room.subscription("patient-OPEN");
    let mut viewer = room.unconfirmed_by(Bearer::Limited, &form).await?;
    let confirmation = viewer.expect_confirmation().await?;
    let asked = "fhircast/Patient-open.read covers patient-OPEN";
    ensure(judge::grants(&confirmation, &["Patient-open"]), asked, &confirmation)
}
