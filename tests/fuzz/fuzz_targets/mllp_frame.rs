//! Any split of a stream gives the same frames, none of them beyond the limit.

#![no_main]

use fhircast_gateway_mllp::frame::{Decoder, Found, HEAD};
use libfuzzer_sys::fuzz_target;

const LIMIT: usize = 64;

fuzz_target!(|stream: &[u8]| {
    let whole = decode(stream, stream.len().max(1));
    assert_eq!(whole, decode(stream, 1));
    assert_eq!(whole, decode(stream, 3));
    for found in &whole {
        match found {
            Found::Payload(payload) => assert!(payload.len() <= LIMIT),
            Found::TooLong { head, length } => assert!(head.len() <= HEAD && *length > LIMIT as u64),
            Found::Odd(_, offset) => assert!(*offset <= stream.len() as u64),
        }
    }
});

fn decode(stream: &[u8], portion: usize) -> Vec<Found> {
    let mut decoder = Decoder::new(LIMIT);
    let mut found = Vec::new();
    for portion in stream.chunks(portion) {
        decoder.extend(portion);
        while let Some(next) = decoder.decode() {
            found.push(next);
        }
    }
    found.extend(decoder.finish());
    found
}
