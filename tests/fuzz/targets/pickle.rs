#![no_main]
//! Files of `torch.save`, or what says it is one: opened, and taken for each program's adapter in turn and for a network.

use std::io::Write as _;

use candle_core::Device;
use libfuzzer_sys::fuzz_target;
use vico_engine::exchange::{Facts, File, Format, import};
use vico_engine::weights::Weights;

fuzz_target!(|bytes: &[u8]| {
    let files = [File {
        name: "fuzzed.pt".to_owned(),
        bytes: bytes.to_vec(),
    }];
    for format in Format::ALL {
        _ = import(format, &files, &Facts::default());
    }
    let folder = tempfile::tempdir().expect("a folder for the file");
    let name = folder.path().join("pytorch_model.bin");
    let mut file = std::fs::File::create(name).expect("a new file");
    file.write_all(bytes).expect("room for the file");
    if let Ok(weights) = Weights::open(folder.path(), None, &Device::Cpu) {
        // One of the seeds has such a tensor.
        _ = weights.get((2, 2), "image_cross_attention.0.to_q.weight");
        _ = weights.finish();
    }
});
