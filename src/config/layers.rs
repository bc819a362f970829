//! The layers of the configuration, and where in them each value stands.

use std::collections::BTreeMap;
use std::ops::Range;

use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};
use toml::de::{DeTable, DeValue};

use super::problems::{Place, Problem, Problems};

/// One layer: a file, one environment variable, or one flag.
pub struct Layer {
    name: String,
    values: Dict,
    text: Option<FileText>,
}

struct FileText {
    text: String,
    spans: Spans,
}

/// Where each key stands, by its whole path: the key itself, and its value.
type Spans = BTreeMap<Vec<String>, SpanPair>;

/// The bytes of a key, and of its value.
type SpanPair = (Range<usize>, Range<usize>);

/// All layers, the lowest (the built-in defaults) first.
pub struct Layers {
    layers: Vec<Layer>,
}

/// Why a flag or variable is no setting.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no setting: write KEY=VALUE, such as http.listen=127.0.0.1:9080")]
pub struct LayerError(pub String);

impl Layer {
    /// A file. Every syntax error goes into `problems`, and the rest of the file is read all the same.
    pub fn file(name: &str, text: &str, problems: &mut Problems) -> Self {
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            let place = error.span().map(|span| Place::new(name, text, span));
            problems.push(Problem::new(format!("this is not TOML: {}", error.message())).at(place));
        }
        let mut spans = BTreeMap::new();
        collect_spans(table.get_ref(), &mut Vec::new(), &mut spans);
        let values = dict(table.get_ref());
        Self { name: name.to_owned(), values, text: Some(FileText { text: text.to_owned(), spans }) }
    }

    /// One environment variable of ours: `FHIRCAST_GATEWAY__HTTP__LISTEN`, its prefix already taken off.
    pub fn variable(prefix: &str, rest: &str, value: &str) -> Self {
        let keys: Vec<String> = rest.split("__").map(str::to_lowercase).collect();
        Self::single(format!("environment variable {prefix}{rest}"), &keys, value)
    }

    /// One flag: `http.listen=127.0.0.1:9080`.
    ///
    /// # Errors
    /// When there is no `=`.
    pub fn flag(setting: &str) -> Result<Self, LayerError> {
        let (key, value) = setting.split_once('=').ok_or_else(|| LayerError(setting.to_owned()))?;
        let keys: Vec<String> = key.trim().split('.').map(str::to_owned).collect();
        Ok(Self::single(format!("flag --set {}", key.trim()), &keys, value.trim()))
    }

    fn single(name: String, keys: &[String], value: &str) -> Self {
        let leaf: Value = value.parse().unwrap_or_else(|never| match never {});
        let nested = keys.iter().rev().fold(leaf, |inner, key| Value::from(Dict::from([(key.clone(), inner)])));
        let values = match nested {
            Value::Dict(_, values) => values,
            _ => Dict::new(),
        };
        Self { name, values, text: None }
    }

    fn span(&self, path: &[&str]) -> Option<SpanPair> {
        let path: Vec<String> = path.iter().map(|&key| key.to_owned()).collect();
        self.text.as_ref()?.spans.get(&path).cloned()
    }
}

impl Provider for &Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Map::from([(Profile::Default, self.values.clone())]))
    }
}

impl Layers {
    /// The built-in defaults, and over them the site's file if there is one. A site that names adapters replaces the
    /// built-in one: two listeners where the operator wrote one would be a surprise.
    pub fn new(mut default: Layer, site: Option<Layer>) -> Self {
        if site.as_ref().is_some_and(|site| site.values.contains_key("adapter")) {
            default.values.remove("adapter");
        }
        Self { layers: std::iter::once(default).chain(site).collect() }
    }

    /// Puts one more layer on top.
    pub fn push(&mut self, layer: Layer) {
        self.layers.push(layer);
    }

    /// All layers in one table, the higher ones winning.
    pub fn merged(&self) -> Dict {
        let figment = self.layers.iter().fold(Figment::new(), |figment, layer| figment.merge(layer));
        figment.extract().unwrap_or_default()
    }

    /// The name of the highest layer that gives `path`, with its line where that layer is a file.
    pub fn origin(&self, path: &[&str]) -> String {
        match self.giving(path) {
            None => "nowhere".to_owned(),
            Some(layer) => match self.place_in(layer, path, |(_, value)| value) {
                Some(place) => format!("{}:{}", layer.name, place.line()),
                None => layer.name.clone(),
            },
        }
    }

    /// Where the key `path` stands, in the highest layer that gives it.
    pub fn place_of_key(&self, path: &[&str]) -> Option<Place> {
        self.place(path, |(key, _)| key)
    }

    /// Where the value of `path` stands, in the highest layer that gives it.
    pub fn place_of_value(&self, path: &[&str]) -> Option<Place> {
        self.place(path, |(_, value)| value)
    }

    /// What the built-in defaults say of `path`; of an adapter, what they say of its kind.
    pub(super) fn default_value(&self, path: &[&str]) -> Option<Value> {
        let default = self.layers.first()?;
        value_at(&default.values, path).or_else(|| value_at(&default.values, &self.kind_path(path)?)).cloned()
    }

    fn place(&self, path: &[&str], pick: fn(SpanPair) -> Range<usize>) -> Option<Place> {
        if let Some(layer) = self.giving(path) {
            return Some(self.place_in(layer, path, pick).unwrap_or_else(|| Place::elsewhere(&layer.name)));
        }
        let kind_path = self.kind_path(path)?;
        let layer = self.giving(&kind_path)?;
        self.place_in(layer, &kind_path, pick)
    }

    fn place_in(&self, layer: &Layer, path: &[&str], pick: fn(SpanPair) -> Range<usize>) -> Option<Place> {
        let text = layer.text.as_ref()?;
        layer.span(path).map(|spans| Place::new(&layer.name, &text.text, pick(spans)))
    }

    fn giving(&self, path: &[&str]) -> Option<&Layer> {
        self.layers.iter().rev().find(|layer| value_at(&layer.values, path).is_some())
    }

    /// `adapter.ris.max_message` → `adapter_defaults.<kind>.max_message`.
    fn kind_path<'p>(&'p self, path: &[&'p str]) -> Option<Vec<&'p str>> {
        let ["adapter", name, rest @ ..] = path else { return None };
        let kind_of = |layer: &'p Layer| value_at(&layer.values, &["adapter", *name, "kind"]).and_then(Value::as_str);
        let kind = self.layers.iter().rev().find_map(kind_of)?;
        Some(["adapter_defaults", kind].into_iter().chain(rest.iter().copied()).collect())
    }
}

/// Lays `upper` over `base`, table by table.
pub(super) fn merge(base: &mut Dict, upper: Dict) {
    for (key, value) in upper {
        match (base.get_mut(&key), value) {
            (Some(Value::Dict(_, inner)), Value::Dict(_, value)) => merge(inner, value),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

fn value_at<'v>(values: &'v Dict, path: &[&str]) -> Option<&'v Value> {
    let (first, rest) = path.split_first()?;
    let value = values.get(*first)?;
    match (rest, value) {
        ([], _) => Some(value),
        (_, Value::Dict(_, inner)) => value_at(inner, rest),
        _ => None,
    }
}

fn collect_spans(table: &DeTable<'_>, path: &mut Vec<String>, spans: &mut Spans) {
    for (key, value) in table {
        path.push(key.get_ref().to_string());
        spans.insert(path.clone(), (key.span(), value.span()));
        if let DeValue::Table(inner) = value.get_ref() {
            collect_spans(inner, path, spans);
        }
        path.pop();
    }
}

fn dict(table: &DeTable<'_>) -> Dict {
    table.iter().map(|(key, value)| (key.get_ref().to_string(), figment_value(value.get_ref()))).collect()
}

fn figment_value(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::from(text.as_ref()),
        DeValue::Boolean(truth) => Value::from(*truth),
        DeValue::Array(array) => {
            Value::from(array.iter().map(|item| figment_value(item.get_ref())).collect::<Vec<_>>())
        }
        DeValue::Table(table) => Value::from(dict(table)),
        DeValue::Integer(number) => {
            let radix = number.radix();
            i64::from_str_radix(number.as_str(), radix).map_or_else(|_| Value::from(number.to_string()), Value::from)
        }
        DeValue::Float(number) => {
            number.as_str().parse::<f64>().map_or_else(|_| Value::from(number.to_string()), Value::from)
        }
        DeValue::Datetime(moment) => Value::from(moment.to_string()),
    }
}
