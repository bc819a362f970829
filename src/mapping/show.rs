//! `--show`: a mapping merged with all that it extends, each line with the place it comes from.

use std::fmt::Write as _;

use super::file::{Entry, Item, Kind, Table};
use super::set::Mapping;

impl Mapping {
    /// The merged mapping, one value a line: `context.patient.gender = "${PID-8 | lookup sex}"  # mappings/hl7v2/radiology.toml:31`.
    pub fn show(&self) -> String {
        let mut lines = Vec::new();
        self.members("", &self.merged, &mut lines);
        let widths = lines.iter().map(|(line, _)| line.chars().count()).filter(|width| *width <= MAX_ALIGNED);
        let width = widths.max().unwrap_or(0);
        lines.into_iter().fold(String::new(), |mut text, (line, origin)| {
            let _ = writeln!(text, "{line:width$}  # {origin}");
            text
        })
    }

    fn members(&self, way: &str, table: &Table, lines: &mut Vec<(String, String)>) {
        for Entry { key, item, .. } in &table.entries {
            let dot = if way.is_empty() { "" } else { "." };
            self.flatten(&format!("{way}{dot}{}", written(key)), item, lines);
        }
    }

    fn flatten(&self, way: &str, item: &Item, lines: &mut Vec<(String, String)>) {
        let mut value =
            |value: &str| lines.push((format!("{way} = {value}"), self.sources.origin(item.place).to_string()));
        match &item.kind {
            Kind::Array(items) if items.is_empty() => value("[]"),
            Kind::Table(table) if table.entries.is_empty() => value("{}"),
            Kind::Scalar(json) => value(json),
            Kind::Text(text) => value(&serde_json::Value::from(text.text.as_str()).to_string()),
            Kind::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.element(&format!("{way}[{}]", index + 1), item, lines);
                }
            }
            Kind::Table(table) => self.members(way, table, lines),
        }
    }

    /// That an array is added to has been done: it is no more part of it.
    fn element(&self, way: &str, item: &Item, lines: &mut Vec<(String, String)>) {
        let Kind::Table(table) = &item.kind else { return self.flatten(way, item, lines) };
        let entries = table.entries.iter().filter(|entry| entry.key != "append").cloned().collect();
        self.members(way, &Table { entries }, lines);
    }
}

/// A key as TOML writes it.
fn written(key: &str) -> String {
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if !key.is_empty() && key.bytes().all(bare) { key.to_owned() } else { serde_json::Value::from(key).to_string() }
}

/// Longer lines do not push the origins of all others to the right.
const MAX_ALIGNED: usize = 90;
