#![no_main]
//! A user's YAML: parsed, and planned as far as it is valid.

use libfuzzer_sys::fuzz_target;
use vico::manifest;

fuzz_target!(|text: &[u8]| {
    match manifest::parse(text, "fuzzed.yaml") {
        Ok(manifest) => _ = manifest.show_defaults(),
        // People are shown them with the lines they are about.
        Err(errors) => _ = errors.to_string(),
    }
});
