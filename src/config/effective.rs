//! The effective configuration, key by key, each with where its value came from.

use figment::value::{Dict, Value};

use super::Layers;

/// Keys whose value is never shown, whatever it is.
const SECRET: [&str; 3] = ["password", "secret", "token"];

pub(super) fn print(layers: &Layers) -> String {
    let mut lines = Vec::new();
    let merged = layers.merged();
    collect(&merged, &mut Vec::new(), &mut |path, value| {
        lines.push((format!("{} = {}", path.join("."), shown(path, value)), layers.origin(path)));
    });
    let width = lines.iter().map(|(setting, _)| setting.chars().count()).max().unwrap_or(0).min(64);
    lines.iter().map(|(setting, origin)| format!("{setting:width$}  # {origin}\n")).collect()
}

fn collect<'v>(dict: &'v Dict, path: &mut Vec<&'v str>, visit: &mut dyn FnMut(&[&str], &Value)) {
    for (key, value) in dict {
        path.push(key);
        match value {
            Value::Dict(_, inner) if !inner.is_empty() => collect(inner, path, visit),
            _ => visit(path, value),
        }
        path.pop();
    }
}

fn shown(path: &[&str], value: &Value) -> String {
    let key = path.last().copied().unwrap_or_default();
    if SECRET.iter().any(|secret| key.ends_with(secret)) {
        return "\"[redacted]\"".to_owned();
    }
    serde_json::to_string(value).unwrap_or_else(|_| "?".to_owned())
}
