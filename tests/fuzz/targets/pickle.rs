#![no_main]
//! Files of `torch.save`, or what says it is one: opened, and taken for each program's adapter in turn.

use libfuzzer_sys::fuzz_target;
use vico_engine::exchange::{Facts, File, Format, import};

fuzz_target!(|bytes: &[u8]| {
    let files = [File {
        name: "fuzzed.pt".to_owned(),
        bytes: bytes.to_vec(),
    }];
    for format in Format::ALL {
        _ = import(format, &files, &Facts::default());
    }
});
