//! Replies to calls, as the strictest clients want them. Sections 2.3 and 2.4.

use std::fmt;

use crate::exception::Exception;
use crate::form;

/// The outputs of a call, in order. Without any, the body is empty: one client takes anything else for garbage.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Reply(Vec<(&'static str, String)>);

impl Reply {
    /// Of a call that has no outputs.
    pub fn void() -> Self {
        Self::default()
    }

    /// With one more output.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.0.push((name, value.into()));
        self
    }

    /// With one more output, an array. A bar inside an element would make two of it, so it becomes a broken one.
    #[must_use]
    pub fn with_array<T: AsRef<str>>(self, name: &'static str, elements: impl IntoIterator<Item = T>) -> Self {
        let elements: Vec<String> =
            elements.into_iter().map(|element| element.as_ref().replace('|', "\u{a6}")).collect();
        self.with(name, elements.join("|"))
    }

    /// The value of one output.
    pub fn output(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(own, _)| *own == name).map(|(_, value)| &**value)
    }

    /// The body; its status is 200.
    pub fn body(&self) -> String {
        let mut body = String::new();
        self.0.iter().for_each(|(name, value)| form::append(&mut body, name, value));
        body
    }
}

/// Names alone: values may be a patient's.
impl fmt::Debug for Reply {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl From<&Exception> for Reply {
    /// Exceptions too have the status 200: one client takes any other for a fault of the network.
    fn from(exception: &Exception) -> Self {
        Self::void().with("exception", exception.name.to_string()).with("exceptionMessage", &*exception.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exception::ExceptionName;

    #[test]
    fn section_2_2_a_reply_without_outputs_has_no_body() {
        assert_eq!(Reply::void().body(), "");
    }

    #[test]
    fn section_2_3_outputs_are_pairs_and_empty_arrays_are_there() {
        let reply = Reply::void().with("noContinue", "false").with_array("responses", ["unsaved note", "a|b"]);
        assert_eq!(reply.body(), "noContinue=false&responses=unsaved%20note|a%C2%A6b");
        assert_eq!(Reply::void().with_array("listenerURLs", [""; 0]).body(), "listenerURLs=");
    }

    #[test]
    fn section_2_4_exceptions_carry_their_name_without_suffix() {
        let exception = Exception::new(ExceptionName::UnknownParticipant, "coupon 7 has not joined");
        assert_eq!(
            Reply::from(&exception).body(),
            "exception=UnknownParticipant&exceptionMessage=coupon%207%20has%20not%20joined"
        );
    }
}
