//! What a participant is asked, and how its answer is read. Sections 6.1 and 6.3.

use std::fmt;

use url::Url;

use crate::arguments::Arguments;
use crate::exception::{Exception, ExceptionName};
use crate::form::{self, Plus};
use crate::oddity::{Oddities, Oddity};

/// The address that an application gave for its callbacks.
#[derive(Clone, PartialEq, Eq)]
pub struct ParticipantUrl(Url);

/// What a participant is told or asked. Section 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Callback {
    /// May the context of this coupon come?
    ChangesPending(u32),
    /// It has come.
    ChangesAccepted(u32),
    /// It will not come.
    ChangesCanceled(u32),
    /// The session has ended.
    Terminated,
    /// Are you there?
    Ping,
}

/// What a participant says to a pending change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Vote {
    /// It may come.
    Accept,
    /// It had better not, for this reason, which is the application's own text.
    Conditional(String),
    /// Nothing that could be read, or not in time: the change cannot be forced.
    NoAnswer,
}

impl ParticipantUrl {
    /// Reads the argument `contextParticipant`.
    ///
    /// # Errors
    /// It is no address that could be called.
    pub fn parse(text: &str) -> Result<Self, Exception> {
        let refuse = |what: &str| {
            Exception::new(
                ExceptionName::GeneralFailure,
                format!("contextParticipant {what}; give an http or https URL"),
            )
        };
        if text.len() > LONGEST_URL {
            return Err(refuse("is too long"));
        }
        let mut url = Url::parse(text.trim()).map_err(|_| refuse("is no URL"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refuse("has another scheme"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refuse("holds a user or a password"));
        }
        url.set_fragment(None);
        Ok(Self(url))
    }

    /// The URL as it was given.
    pub fn url(&self) -> &Url {
        &self.0
    }

    /// The key under which a page in a browser has opened its socket: `cpid`, wherever it stands. Section 6.3.
    pub fn page_key(&self) -> Option<String> {
        page_key(self.0.as_str())
    }

    /// The URL to get for `callback`; the participant's own query is kept, and first.
    pub fn call(&self, callback: Callback) -> Url {
        let mut url = self.0.clone();
        let own = url.query().filter(|query| !query.is_empty()).map(|query| format!("{query}&")).unwrap_or_default();
        url.set_query(Some(&format!("{own}{}", callback.query())));
        url
    }
}

/// An address, which is nobody's patient, but may hold a session's key: its host is enough for a log.
impl fmt::Debug for ParticipantUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ParticipantUrl({})", self.0.host_str().unwrap_or_default())
    }
}

/// The value of `cpid` in a page's URL or a socket's path, decoded: browsers encode braces in one and not in the other.
pub(crate) fn page_key(text: &str) -> Option<String> {
    let (_, after) = text.split_once("cpid=")?;
    let key = &after[..after.find(['&', '#', '/']).unwrap_or(after.len())];
    let key = form::decode(key.as_bytes(), Plus::Literal, &mut Oddities::default());
    let is_usable = !key.is_empty() && !key.contains(|character: char| character.is_control() || character == ' ');
    is_usable.then(|| key.into_owned())
}

impl Callback {
    /// Its arguments.
    pub fn query(self) -> String {
        let (method, coupon) = match self {
            Self::ChangesPending(coupon) => ("ContextChangesPending", Some(coupon)),
            Self::ChangesAccepted(coupon) => ("ContextChangesAccepted", Some(coupon)),
            Self::ChangesCanceled(coupon) => ("ContextChangesCanceled", Some(coupon)),
            Self::Terminated => ("CommonContextTerminated", None),
            Self::Ping => ("Ping", None),
        };
        let coupon = coupon.map(|coupon| format!("&contextCoupon={coupon}")).unwrap_or_default();
        format!("interface=ContextParticipant&method={method}{coupon}")
    }

    /// The frame that asks a page in a browser. Section 6.3.
    pub fn frame(self, page_key: &str) -> String {
        format!("GET /?{}&cpid={page_key} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n", self.query())
    }
}

impl Vote {
    /// Reads the body of an answer of status 200, of the application called `application`. Its MIME type means nothing.
    pub fn read(body: &[u8], application: &str, oddities: &mut Oddities) -> Self {
        let Ok(arguments) = Arguments::read(b"", body.trim_ascii(), Plus::Space) else { return Self::NoAnswer };
        arguments.oddities.iter().for_each(|oddity| oddities.note(oddity));
        let Some(decision) =
            arguments.text("decision").map(str::trim).filter(|_| arguments.text("exception").is_none())
        else {
            return Self::NoAnswer;
        };
        if ["accept", "valid"].iter().any(|word| word.eq_ignore_ascii_case(decision)) {
            return Self::Accept;
        }
        if !["conditionally_accept", "accept_conditional"].iter().any(|word| word.eq_ignore_ascii_case(decision)) {
            oddities.note(Oddity::DecisionUnknown);
        }
        let said = arguments.text("reason").map(str::trim).filter(|reason| !reason.is_empty());
        let reason = said.map_or_else(|| format!("{application} cannot change context now"), shortened);
        Self::Conditional(reason)
    }
}

/// The body of a raw HTTP response in a frame, where its status is 200. Of its headers nothing is needed, and some are not
/// valid.
pub fn framed_body(frame: &str) -> Option<&str> {
    let (head, body) = frame.split_once("\r\n\r\n").or_else(|| frame.split_once("\n\n"))?;
    let mut words = head.lines().next()?.split_ascii_whitespace();
    (words.next()?.starts_with("HTTP/") && words.next()? == "200").then_some(body)
}

fn shortened(reason: &str) -> String {
    reason.chars().filter(|character| !character.is_control()).take(LONGEST_REASON).collect()
}

const LONGEST_URL: usize = 2048;
/// In characters; a person has to read it.
const LONGEST_REASON: usize = 500;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn section_6_1_callbacks_keep_the_participants_own_query() {
        let check = |own: &str, callback, expected: &str| {
            assert_eq!(ParticipantUrl::parse(own).unwrap().call(callback).as_str(), expected);
        };
        check(
            "http://localhost:9998/participant",
            Callback::ChangesPending(7),
            "http://localhost:9998/participant?interface=ContextParticipant&method=ContextChangesPending&contextCoupon=7",
        );
        check(
            "http://app.example/a/?cpid={1-2}#top",
            Callback::ChangesCanceled(8),
            "http://app.example/a/?cpid={1-2}&interface=ContextParticipant&method=ContextChangesCanceled&contextCoupon=8",
        );
        check("http://app.example?", Callback::Ping, "http://app.example/?interface=ContextParticipant&method=Ping");
    }

    #[test]
    fn urls_that_could_not_be_called_are_refused() {
        for text in
            ["", "participant", "ftp://app.example/", "javascript:alert(1)", "file:///etc/passwd", "http://", "//x"]
        {
            assert!(ParticipantUrl::parse(text).is_err(), "{text}");
        }
        assert!(ParticipantUrl::parse("http://user:secret@app.example/").is_err());
        let long = format!("http://app.example/{}", "a".repeat(LONGEST_URL));
        assert!(ParticipantUrl::parse(&long).is_err());
    }

    #[test]
    fn section_6_3_a_pages_key_stands_anywhere() {
        for (text, expected) in [
            ("http://app.example/a/?cpid=12-ab", Some("12-ab")),
            ("http://app.example/a/?x=1&cpid=12-ab&y=2", Some("12-ab")),
            ("http://app.example/a/&cpid=12-ab", Some("12-ab")),
            ("http://app.example/a/?cpid=%7B12%7d", Some("{12}")),
            ("http://app.example/a/?cpid={12}", Some("{12}")),
            ("http://app.example/a/?cpid=1%0D%0AX:%20y", None),
            ("http://app.example/a/?cpid=", None),
            ("http://app.example/a/", None),
        ] {
            assert_eq!(ParticipantUrl::parse(text).unwrap().page_key().as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn section_6_1_decisions_are_read_in_every_spelling() {
        let check = |body: &str, expected: Vote| {
            assert_eq!(Vote::read(body.as_bytes(), "AppB", &mut Oddities::default()), expected, "{body}");
        };
        let conditional = |reason: &str| Vote::Conditional(reason.to_owned());
        check("decision=accept&reason=", Vote::Accept);
        check("decision=accept", Vote::Accept);
        check(" reason=&decision=Accept\r\n", Vote::Accept);
        check("decision=valid", Vote::Accept);
        check("decision=conditionally_accept&reason=unsaved%20note", conditional("unsaved note"));
        check("decision=accept_conditional&reason=unsaved+note in AppB", conditional("unsaved note in AppB"));
        check("decision=conditionally_accept&reason=", conditional("AppB cannot change context now"));
        check("decision=no&reason=busy", conditional("busy"));
        check("", Vote::NoAnswer);
        check("decision=", Vote::NoAnswer);
        check("reason=busy", Vote::NoAnswer);
        check("<html>", Vote::NoAnswer);
        check("exception=NotImplemented&exceptionMessage=x&decision=accept", Vote::NoAnswer);
    }

    #[test]
    fn a_decision_that_nobody_knows_is_noted() {
        let mut oddities = Oddities::default();
        Vote::read(b"decision=perhaps", "AppB", &mut oddities);
        assert_eq!(oddities.iter().collect::<Vec<_>>(), [Oddity::DecisionUnknown]);
    }

    #[test]
    fn a_reason_is_bounded_and_printable() {
        let body = format!("decision=no&reason=a%07{}", "b".repeat(10_000));
        let Vote::Conditional(reason) = Vote::read(body.as_bytes(), "AppB", &mut Oddities::default()) else { panic!() };
        assert_eq!(reason.len(), LONGEST_REASON);
        assert!(reason.starts_with("ab"));
    }

    #[test]
    fn section_6_3_frames_hold_raw_requests_and_responses() {
        assert_eq!(
            Callback::ChangesPending(1).frame("12-ab"),
            "GET /?interface=ContextParticipant&method=ContextChangesPending&contextCoupon=1&cpid=12-ab HTTP/1.0\r\n\
             Host: 127.0.0.1\r\n\r\n"
        );
        let frame =
            "HTTP/1.0 200 OK\r\nDate: yesterday\r\nServer: AppB\r\nContent-length: 47\r\n\r\ndecision=accept&reason=";
        assert_eq!(framed_body(frame), Some("decision=accept&reason="));
        assert_eq!(framed_body("HTTP/1.0 200 OK\r\nContent-length: 0\r\n\r\n"), Some(""));
        for bad in
            ["", "decision=accept", "HTTP/1.0 500 No\r\n\r\nx", "HTTP/1.0\r\n\r\n", "HTTP/1.0 200 OK\r\n", "X 200\n\n"]
        {
            assert_eq!(framed_body(bad), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn no_answer_panics(body in prop::collection::vec(any::<u8>(), 0..64), frame in "\\PC{0,32}", url in "[htp:/?&#cpid=é%0-9\\[\\]@.]{0,32}") {
            Vote::read(&body, "AppB", &mut Oddities::default());
            framed_body(&frame);
            if let Ok(url) = ParticipantUrl::parse(&url) {
                url.page_key();
                prop_assert!(url.call(Callback::Ping).as_str().ends_with(&Callback::Ping.query()));
            }
        }
    }
}
