//! Everything that a peer can do oddly and that is tolerated or refused here: one name each, for the counter and the log.
//!
//! Knows no socket and no log; `counters` counts these, `connection` warns of them.

/// Something a peer did that the book does not have. Each has a counter of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Oddity {
    /// White space or NUL between two frames; some senders keep a link alive so.
    BlankBetweenFrames,
    /// Bytes outside any frame that are not blank.
    GarbageBetweenFrames,
    /// A start block inside a payload: the sender gave up and started again.
    FrameRestarted,
    /// No carriage return after the end block.
    TrailerMissing,
    /// A line feed in the trailer, with or without a carriage return.
    TrailerLineFeed,
    /// The connection ended, or fell silent, inside a frame.
    FrameUnfinished,
    /// A payload longer than `max_message`.
    MessageTooLong,
    /// The one-byte payloads of MLLP release 2, which is not spoken here.
    CommitByte,
    /// A byte order mark before MSH.
    ByteOrderMark,
    /// A payload that is no HL7 v2 in its usual encoding: empty, other bytes, XML.
    NotHl7,
    /// A batch, or several messages in one frame.
    Batch,
    /// An MSH that lacks what an answer or a mapping needs, or whose separators cannot be told apart.
    HeaderUnusable,
    /// An MSH-12 that is no version 2 of HL7.
    VersionUnknown,
    /// No MSH-12.
    VersionMissing,
    /// An acknowledgement, sent to a listener.
    AcknowledgementReceived,
    /// MSH-18 names a character set that nobody here knows, or that cannot travel in MLLP.
    CharsetUnknown,
    /// The bytes are not what MSH-18 says.
    CharsetMismatch,
    /// No MSH-18, and the bytes are not UTF-8: the listener's default was taken.
    CharsetAssumed,
    /// A line that is no segment: most often text wrapped by an editor.
    StrayLine,
    /// An escape sequence that could not be resolved, in a value that was read.
    EscapeUnknown,
    /// An MSH-15 that is in no table, in enhanced mode.
    AcceptConditionUnknown,
}

/// All oddities in the order of their numbers, with the name of the counter and the sentence for the log.
const TEXTS: [(Oddity, &str, &str); Oddity::COUNT] = {
    use Oddity::*;
    [
        (BlankBetweenFrames, "blank_between_frames", "Blanks between frames were dropped."),
        (GarbageBetweenFrames, "garbage_between_frames", "Bytes outside any frame were dropped."),
        (FrameRestarted, "frame_restarted", "A frame was dropped: the sender started again inside it."),
        (TrailerMissing, "trailer_missing", "A frame had no carriage return after its end block; it was taken."),
        (TrailerLineFeed, "trailer_line_feed", "A frame's end block was followed by a line feed; it was taken."),
        (FrameUnfinished, "frame_unfinished", "A frame was dropped: it did not end."),
        (MessageTooLong, "message_too_long", "A message was refused: it is longer than max_message."),
        (CommitByte, "commit_byte", "A commit byte of MLLP release 2 was dropped: it is not spoken here."),
        (ByteOrderMark, "byte_order_mark", "A byte order mark was skipped, and the message taken as UTF-8."),
        (NotHl7, "not_hl7", "A frame was refused: it does not hold an HL7 v2 message."),
        (Batch, "batch", "A frame held several messages."),
        (HeaderUnusable, "header_unusable", "A message was refused: its MSH segment is not usable."),
        (VersionUnknown, "version_unknown", "A message was refused: its version is not known."),
        (VersionMissing, "version_missing", "A message has no version; 2.5.1 was assumed."),
        (
            AcknowledgementReceived,
            "acknowledgement_received",
            "An acknowledgement was dropped: nobody here waits for it.",
        ),
        (CharsetUnknown, "charset_unknown", "A message names a character set that is not known here."),
        (CharsetMismatch, "charset_mismatch", "A message is not in the character set that it names."),
        (
            CharsetAssumed,
            "charset_assumed",
            "A message names no character set and is not UTF-8; the default was taken.",
        ),
        (StrayLine, "stray_line", "A message holds a line that is no segment; it was left out."),
        (EscapeUnknown, "escape_unknown", "A value holds an escape sequence that is not known; it was kept as it is."),
        (
            AcceptConditionUnknown,
            "accept_condition_unknown",
            "MSH-15 holds an unknown condition; it was taken as empty.",
        ),
    ]
};

impl Oddity {
    /// How many there are.
    pub(crate) const COUNT: usize = Self::AcceptConditionUnknown as usize + 1;

    /// Every oddity, in the order of its number.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        TEXTS.iter().map(|(oddity, ..)| *oddity)
    }

    /// The counter's name, also the value of the log's `oddity` field.
    pub fn name(self) -> &'static str {
        TEXTS[self as usize].1
    }

    /// What happened and what was done about it, for the log.
    pub(crate) fn sentence(self) -> &'static str {
        TEXTS[self as usize].2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_oddity_stands_at_its_own_number() {
        for (number, oddity) in Oddity::all().enumerate() {
            assert_eq!(oddity as usize, number, "{}", oddity.name());
        }
    }
}
