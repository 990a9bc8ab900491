#![no_main]
//! Photos of a concept, within limits that keep a run quick.

use std::panic;
use std::sync::Once;

use libfuzzer_sys::fuzz_target;
use vico_engine::image::{Limits, decode};

const LIMITS: Limits = Limits {
    bytes: 1 << 20,
    pixels: 1 << 20,
};

static QUIET: Once = Once::new();

fuzz_target!(|bytes: &[u8]| {
    // What `decode` catches is no finding; what it does not catch still is.
    QUIET.call_once(|| panic::set_hook(Box::new(|_| ())));
    _ = decode(bytes, &LIMITS);
});
