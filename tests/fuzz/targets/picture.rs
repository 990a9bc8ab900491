#![no_main]
//! Photos of a concept, within limits that keep a run quick.

use libfuzzer_sys::fuzz_target;
use vico_engine::image::{Limits, decode};

const LIMITS: Limits = Limits {
    bytes: 1 << 20,
    pixels: 1 << 20,
};

fuzz_target!(|bytes: &[u8]| {
    _ = decode(bytes, &LIMITS);
});
