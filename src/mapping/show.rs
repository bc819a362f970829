//! `--show`: a mapping merged with all that it extends, each line with the place it comes from.

use std::fmt::Write as _;

use super::file::{Item, Kind};
use super::set::Mapping;

impl Mapping {
    /// The merged mapping, one value a line: `context.patient.gender = "${PID-8 | lookup sex}"  # mappings/hl7v2/radiology.toml:31`.
    pub fn show(&self) -> String {
        let mut lines = Vec::new();
        for entry in &self.merged.entries {
            self.flatten(&entry.key, &entry.item, &mut lines);
        }
        let width =
            lines.iter().map(|(line, _)| line.chars().count()).filter(|width| *width <= MAX_ALIGNED).max().unwrap_or(0);
        lines.into_iter().fold(String::new(), |mut text, (line, origin)| {
            let _ = writeln!(text, "{line:width$}  # {origin}");
            text
        })
    }

    fn flatten(&self, way: &str, item: &Item, lines: &mut Vec<(String, String)>) {
        match &item.kind {
            Kind::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.flatten(&format!("{way}[{}]", index + 1), item, lines);
                }
            }
            Kind::Scalar(json) => lines.push((format!("{way} = {json}"), self.sources.origin(item.place).to_string())),
            Kind::Table(table) => {
                for entry in &table.entries {
                    self.flatten(&format!("{way}.{}", entry.key), &entry.item, lines);
                }
            }
            Kind::Text(text) => {
                let quoted = serde_json::Value::from(text.text.as_str());
                lines.push((format!("{way} = {quoted}"), self.sources.origin(item.place).to_string()));
            }
        }
    }
}

/// Longer lines do not push the origins of all others to the right.
const MAX_ALIGNED: usize = 90;
