//! MLLP framing: bytes in any portions to payloads, and back. HL7 v2 reference, section 2.1.
//!
//! A block is `0x0B`, the payload, `0x1C`, `0x0D`. The decoder takes what real senders write: it delivers at `0x1C`
//! without waiting for the carriage return, drops what stands outside of frames, and starts again where the sender did.
//! How the stream was cut into portions makes no difference to what is found.
//!
//! Knows no socket, no clock and no HL7.

use std::fmt;

use bytes::buf::Limit;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use memchr::{memchr, memchr2};

use crate::oddity::Oddity;

/// Starts a block.
pub const START: u8 = 0x0B;
/// Ends a block's payload.
pub const END: u8 = 0x1C;
/// Follows [`END`].
pub const RETURN: u8 = 0x0D;

/// Cuts a stream of bytes into payloads.
///
/// Memory grows only as bytes arrive, up to the limit and one portion.
pub struct Decoder {
    buffer: BytesMut,
    /// `scanned <= buffer.len()`: the bytes of the payload in hand that hold neither START nor END.
    scanned: usize,
    /// Where in the stream `buffer` starts.
    offset: u64,
    state: State,
    limit: usize,
}

/// What the decoder found next.
#[derive(Clone, PartialEq, Eq)]
pub enum Found {
    /// A payload of at most the limit, without its block characters.
    Payload(Bytes),
    /// A payload beyond the limit: its first bytes (at most [`HEAD`]), enough to answer it, and how long it was.
    TooLong {
        /// The payload's first bytes.
        head: Bytes,
        /// The payload's length in bytes.
        length: u64,
    },
    /// Something that the sender should not have written, and the byte of the stream where it stood.
    Odd(Oddity, u64),
}

/// Never what was read: it names patients.
impl fmt::Debug for Found {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Payload(payload) => write!(formatter, "Payload([phi], {} bytes)", payload.len()),
            Self::TooLong { length, .. } => write!(formatter, "TooLong([phi], {length} bytes)"),
            Self::Odd(oddity, offset) => write!(formatter, "Odd({oddity:?}, {offset})"),
        }
    }
}

#[derive(Debug)]
enum State {
    Idle(Noise),
    /// Inside a block that started at this byte of the stream.
    Payload(u64),
    TooLong {
        start: u64,
        head: Bytes,
        length: u64,
    },
    Trailer {
        returned: bool,
    },
}

/// What was already reported of the bytes since the last frame, so that each run of them is reported once.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Noise {
    None,
    Blank,
    Garbage,
}

enum Step {
    Found(Found),
    Again,
    Starved,
}

/// How much of a payload beyond the limit is kept.
pub const HEAD: usize = 4096;
/// The most that is read at once, and so the most that is read ahead.
const PORTION: usize = 16 * 1024;

impl Decoder {
    /// A decoder for payloads of at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        let state = State::Idle(Noise::None);
        Self { buffer: BytesMut::new(), scanned: 0, offset: 0, state, limit }
    }

    /// Room for the next portion of the stream, to read into.
    pub fn room(&mut self) -> Limit<&mut BytesMut> {
        if self.buffer.is_empty() && self.buffer.capacity() > 4 * PORTION {
            self.buffer = BytesMut::new();
        }
        self.buffer.reserve(PORTION / 4);
        (&mut self.buffer).limit(PORTION)
    }

    /// Takes the next portion of the stream.
    pub fn extend(&mut self, portion: &[u8]) {
        self.buffer.extend_from_slice(portion);
    }

    /// The next thing found in what was taken so far; `None` when more is needed.
    pub fn decode(&mut self) -> Option<Found> {
        loop {
            let step = match self.state {
                State::Idle(noise) => self.idle(noise),
                State::Payload(start) => self.payload(start),
                State::TooLong { .. } => self.too_long(),
                State::Trailer { returned } => self.trailer(returned),
            };
            match step {
                Step::Found(found) => return Some(found),
                Step::Again => {}
                Step::Starved => return None,
            }
        }
    }

    /// What is to be said when the stream has ended.
    pub fn finish(&self) -> Option<Found> {
        match self.state {
            State::Payload(start) | State::TooLong { start, .. } => Some(Found::Odd(Oddity::FrameUnfinished, start)),
            State::Trailer { returned: false } => Some(Found::Odd(Oddity::TrailerMissing, self.offset)),
            State::Idle(_) | State::Trailer { .. } => None,
        }
    }

    /// Where in the stream the frame started that is not complete yet.
    pub fn frame_start(&self) -> Option<u64> {
        match self.state {
            State::Payload(start) | State::TooLong { start, .. } => Some(start),
            State::Idle(_) | State::Trailer { .. } => None,
        }
    }

    /// Where in the stream the next byte to be looked at stands.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    fn idle(&mut self, noise: Noise) -> Step {
        let end = memchr(START, &self.buffer).unwrap_or(self.buffer.len());
        let noisy = &self.buffer[..end];
        if noise == Noise::None && noisy.first().is_some_and(is_blank) {
            return self.odd(0, Oddity::BlankBetweenFrames, State::Idle(Noise::Blank));
        }
        if noise != Noise::Garbage
            && let Some(at) = noisy.iter().position(|byte| !is_blank(byte))
        {
            return self.odd(at, Oddity::GarbageBetweenFrames, State::Idle(Noise::Garbage));
        }
        self.consume(end);
        if self.buffer.is_empty() {
            return Step::Starved;
        }
        self.start_payload()
    }

    fn payload(&mut self, start: u64) -> Step {
        let found = memchr2(START, END, &self.buffer[self.scanned..]).map(|at| self.scanned + at);
        match found {
            Some(at) if self.buffer[at] == START => self.restart(at),
            Some(at) if at > self.limit => {
                let head = self.buffer.split_to(self.limit.min(HEAD)).freeze();
                self.offset += head.len() as u64;
                let rest = at - head.len();
                self.end_payload(rest, Found::TooLong { head, length: at as u64 })
            }
            Some(at) => {
                let payload = self.buffer.split_to(at).freeze();
                self.offset += at as u64;
                self.end_payload(0, Found::Payload(payload))
            }
            None if self.buffer.len() > self.limit => {
                let length = self.buffer.len() as u64;
                let head = Bytes::copy_from_slice(&self.buffer[..self.limit.min(HEAD)]);
                self.consume(self.buffer.len());
                self.state = State::TooLong { start, head, length };
                Step::Starved
            }
            None => {
                self.scanned = self.buffer.len();
                Step::Starved
            }
        }
    }

    fn too_long(&mut self) -> Step {
        let State::TooLong { head, length, .. } = &mut self.state else { return Step::Again };
        let found = memchr2(START, END, &self.buffer);
        match found {
            Some(at) if self.buffer[at] == START => self.restart(at),
            Some(at) => {
                let found = Found::TooLong { head: head.clone(), length: *length + at as u64 };
                self.end_payload(at, found)
            }
            None => {
                *length += self.buffer.len() as u64;
                self.consume(self.buffer.len());
                Step::Starved
            }
        }
    }

    fn trailer(&mut self, returned: bool) -> Step {
        let idle = State::Idle(Noise::None);
        match (self.buffer.first(), returned) {
            (None, _) => Step::Starved,
            (Some(&b'\n'), _) => self.odd(0, Oddity::TrailerLineFeed, idle),
            (Some(&RETURN), false) => {
                self.consume(1);
                self.state = State::Trailer { returned: true };
                Step::Again
            }
            (Some(_), true) => {
                self.state = idle;
                Step::Again
            }
            (Some(_), false) => {
                self.state = idle;
                Step::Found(Found::Odd(Oddity::TrailerMissing, self.offset))
            }
        }
    }

    /// Ends the payload at its END, `rest` bytes on, and gives `found`.
    fn end_payload(&mut self, rest: usize, found: Found) -> Step {
        self.consume(rest + 1);
        self.state = State::Trailer { returned: false };
        Step::Found(found)
    }

    /// Drops the payload in hand up to the START `at` bytes on, and starts again there.
    fn restart(&mut self, at: usize) -> Step {
        self.consume(at);
        let offset = self.offset;
        self.start_payload();
        Step::Found(Found::Odd(Oddity::FrameRestarted, offset))
    }

    /// Enters the block whose START is the buffer's first byte.
    fn start_payload(&mut self) -> Step {
        self.state = State::Payload(self.offset);
        self.consume(1);
        Step::Again
    }

    /// Reports the byte `at` bytes on, goes on behind it in `state`.
    fn odd(&mut self, at: usize, oddity: Oddity, state: State) -> Step {
        let offset = self.offset + at as u64;
        self.consume(at + 1);
        self.state = state;
        Step::Found(Found::Odd(oddity, offset))
    }

    fn consume(&mut self, count: usize) {
        self.buffer.advance(count);
        self.offset += count as u64;
        self.scanned = 0;
    }
}

/// The block that carries `payload`, to be written with one call: in pieces it costs the peer's delayed acknowledgement.
pub fn encode(payload: &[u8]) -> Vec<u8> {
    let mut block = Vec::with_capacity(payload.len() + 3);
    block.push(START);
    block.extend_from_slice(payload);
    block.extend_from_slice(&[END, RETURN]);
    block
}

fn is_blank(byte: &u8) -> bool {
    byte.is_ascii_whitespace() || *byte == 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMIT: usize = 8;

    fn decode(portions: &[&[u8]]) -> Vec<Found> {
        let mut decoder = Decoder::new(LIMIT);
        let mut found = Vec::new();
        for portion in portions {
            decoder.extend(portion);
            while let Some(next) = decoder.decode() {
                found.push(next);
            }
        }
        found.extend(decoder.finish());
        found
    }

    fn check(stream: &[u8], expected: &[Found]) {
        assert_eq!(decode(&[stream]), expected, "{stream:?}");
    }

    fn payload(text: &'static str) -> Found {
        Found::Payload(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn frames_are_found_as_senders_write_them() {
        use Found::Odd;
        use Oddity::*;

        check(b"\x0bA\x1c\r", &[payload("A")]);
        check(b"\x0bA\x1c\r\x0bB\x1c\r", &[payload("A"), payload("B")]);
        check(b"\x0b\x1c\r", &[payload("")]);
        check(b"\x0bA\x1c", &[payload("A"), Odd(TrailerMissing, 3)]);
        check(b"\x0bA\x1c\x0bB\x1c\r", &[payload("A"), Odd(TrailerMissing, 3), payload("B")]);
        check(b"\x0bA\x1c\n", &[payload("A"), Odd(TrailerLineFeed, 3)]);
        check(b"\x0bA\x1c\r\n\x0bB\x1c\r", &[payload("A"), Odd(TrailerLineFeed, 4), payload("B")]);
        check(b" \r\n\x0bA\x1c\r", &[Odd(BlankBetweenFrames, 0), payload("A")]);
        check(b"\nGET /\x0bA\x1c\r", &[Odd(BlankBetweenFrames, 0), Odd(GarbageBetweenFrames, 1), payload("A")]);
        check(b"MSH|\x1c\r", &[Odd(GarbageBetweenFrames, 0)]);
        check(b"\x0b\x0bA\x1c\r", &[Odd(FrameRestarted, 1), payload("A")]);
        check(b"\x0bhalf\x0bA\x1c\r", &[Odd(FrameRestarted, 5), payload("A")]);
        check(b"\x0bhalf", &[Odd(FrameUnfinished, 0)]);
    }

    #[test]
    fn a_payload_of_the_limit_is_whole_and_one_byte_more_is_too_long() {
        check(b"\x0b12345678\x1c\r", &[payload("12345678")]);
        let head = Bytes::from_static(b"12345678");
        check(b"\x0b123456789\x1c\r\x0bA\x1c\r", &[Found::TooLong { head, length: 9 }, payload("A")]);
    }

    #[test]
    fn a_payload_that_is_too_long_is_not_kept_in_memory() {
        let mut decoder = Decoder::new(LIMIT);
        decoder.extend(&[START]);
        for _ in 0..10_000 {
            decoder.extend(&[b'x'; 100]);
            assert_eq!(decoder.decode(), None);
        }
        assert!(decoder.buffer.is_empty());
        decoder.extend(&[END]);
        let head = Bytes::from_static(b"xxxxxxxx");
        assert_eq!(decoder.decode(), Some(Found::TooLong { head, length: 1_000_000 }));
    }

    fn stream() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![Just(START), Just(END), Just(RETURN), Just(b'\n'), Just(b' '), Just(b'A'), any::<u8>()];
        proptest::collection::vec(byte, 0..200)
    }

    proptest! {
        #[test]
        fn any_split_of_a_stream_gives_the_same(stream in stream(), cuts in proptest::collection::vec(1usize..20, 1..40)) {
            let mut rest = stream.as_slice();
            let mut portions = Vec::new();
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (portion, after) = rest.split_at((*cut).min(rest.len()));
                portions.push(portion);
                rest = after;
            }
            prop_assert_eq!(decode(&portions), decode(&[&stream]));
        }

        #[test]
        fn what_was_encoded_is_decoded(text in "[A-Za-z|^~&\\\\\r]{0,8}") {
            let expected = [Found::Payload(Bytes::from(text.clone().into_bytes()))];
            prop_assert_eq!(decode(&[&encode(text.as_bytes())]), expected);
        }
    }
}
