//! What an expression gives: nothing, one text, several, or a piece of FHIR.

use std::borrow::Cow;

use fhircast_gateway_adapter_api::Value;

/// The result of an expression or of one of its steps. Outside of lists no text is blank: blank is [`Data::Absent`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Data<'m> {
    Absent,
    /// Said to be gone: nothing, and ends an `or`.
    Deleted,
    /// An object, as JSON.
    Json(Cow<'m, str>),
    /// Two texts or more, or what `split` made: there, blank parts keep their place.
    List(Vec<Cow<'m, str>>),
    Text(Cow<'m, str>),
}

impl<'m> Data<'m> {
    /// A text, or nothing where it is blank.
    pub(crate) fn text(text: impl Into<Cow<'m, str>>) -> Self {
        let text = text.into();
        if is_blank(&text) { Self::Absent } else { Self::Text(text) }
    }

    /// Several texts without the blank ones.
    pub(crate) fn list(texts: impl IntoIterator<Item = Cow<'m, str>>) -> Self {
        let texts: Vec<_> = texts.into_iter().filter(|text| !is_blank(text)).collect();
        if texts.is_empty() { Self::Absent } else { Self::List(texts) }
    }

    pub(crate) fn is_nothing(&self) -> bool {
        matches!(self, Self::Absent | Self::Deleted)
    }

    /// The one text where one is wanted: of several the first.
    pub(crate) fn into_first(self) -> Option<Cow<'m, str>> {
        match self {
            Self::Text(text) => Some(text),
            Self::List(texts) => texts.into_iter().find(|text| !is_blank(text)),
            Self::Absent | Self::Deleted | Self::Json(_) => None,
        }
    }

    /// Every text of it.
    pub(crate) fn texts(&self) -> &[Cow<'m, str>] {
        match self {
            Self::Text(text) => std::slice::from_ref(text),
            Self::List(texts) => texts,
            Self::Absent | Self::Deleted | Self::Json(_) => &[],
        }
    }
}

impl<'m> From<Value<'m>> for Data<'m> {
    fn from(value: Value<'m>) -> Self {
        match value {
            Value::Absent => Self::Absent,
            Value::Deleted => Self::Deleted,
            Value::Text(text) => Self::text(text),
        }
    }
}

impl<'m> From<Vec<Value<'m>>> for Data<'m> {
    /// A list only where there are several; a deletion only where nothing else is there.
    fn from(values: Vec<Value<'m>>) -> Self {
        let deleted = values.contains(&Value::Deleted);
        let mut texts: Vec<_> = values
            .into_iter()
            .filter_map(|value| match value {
                Value::Text(text) if !is_blank(&text) => Some(text),
                _ => None,
            })
            .collect();
        match (texts.len(), deleted) {
            (0, true) => Self::Deleted,
            (0, false) => Self::Absent,
            (1, _) => texts.pop().map_or(Self::Absent, Self::Text),
            _ => Self::List(texts),
        }
    }
}

/// Whether there is nothing to see in `text`: FHIR knows no such strings.
pub(crate) fn is_blank(text: &str) -> bool {
    // Nearly every text begins with a character that is plainly seen.
    let seen = text.as_bytes().first().is_some_and(u8::is_ascii_graphic);
    !seen && text.trim().is_empty()
}
