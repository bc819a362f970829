//! A report that is open, and is being written in.

use serde_json::{Value, json};

use crate::fhircast::Edition;
use crate::verify::finding::{Finding, Verdict, ensure};
use crate::verify::room::Room;
use crate::verify::viewer::Viewer;
use crate::verify::{judge, wire};

/// Report `r1`, open in a room, and a subscriber that follows it.
pub(super) struct Reading<'a> {
    room: &'a Room<'a>,
    pub(super) viewer: Viewer<'a>,
    /// The version as the subscriber was last told.
    pub(super) version: String,
    /// The context as it was opened.
    pub(super) opened: Value,
}

const EVENTS: &str =
    "DiagnosticReport-open,DiagnosticReport-close,DiagnosticReport-update,DiagnosticReport-select,SyncError";

impl<'a> Reading<'a> {
    /// Opens the report; not applicable where the hub shares no content.
    pub(super) async fn begin(room: &'a Room<'a>) -> Result<Self, Finding> {
        room.needs_content_sharing()?;
        let mut viewer = room.viewer(EVENTS).await?;
        let open = wire::report_open(&room.topic, "r1");
        room.tell(&open).await?;
        let version = judge::version(&viewer.expect_published(&open).await?)?;
        Ok(Self { room, viewer, version, opened: open["event"]["context"].clone() })
    }

    /// An update of the version as it is.
    pub(super) fn update(&self, entries: Value) -> Value {
        wire::update(self.room.edition(), &self.room.topic, "r1", &self.version, entries)
    }

    /// Updates, and follows the version; the notification.
    pub(super) async fn updated(&mut self, entries: Value) -> Result<Value, Finding> {
        let update = self.update(entries);
        self.told(&update).await
    }

    /// Publishes an update, and follows the version; the notification.
    pub(super) async fn told(&mut self, update: &Value) -> Result<Value, Finding> {
        self.room.tell(update).await?;
        let told = self.viewer.expect_published(update).await?;
        self.version = judge::version(&told)?;
        Ok(told)
    }

    /// A good update goes through: what is refused after it is refused for its own mistake.
    pub(super) async fn takes_updates(&mut self) -> Verdict {
        self.updated(json!([wire::put("first", "a")])).await.map(drop)
    }

    /// The content has the observations of these ids, and no others.
    pub(super) async fn expect_content(&self, ids: &[&str]) -> Verdict {
        let document = self.room.current().await?;
        let content = judge::content(&document)?;
        let mut found: Vec<_> = content.iter().map(|resource| resource["id"].clone()).collect();
        found.sort_by_key(Value::to_string);
        ensure(json!(found) == json!(ids), format!("a content of {ids:?}"), &document)
    }

    /// The same, where the edition tells the content.
    pub(super) async fn expect_content_where_told(&self, ids: &[&str]) -> Verdict {
        if self.room.edition() == Edition::Stu3 { self.expect_content(ids).await } else { Ok(()) }
    }
}
