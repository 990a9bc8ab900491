#![no_main]
//! Weights: the header that says where tensors lie, and the tensors.

use std::io::Write as _;

use candle_core::Device;
use libfuzzer_sys::fuzz_target;
use vico_engine::tensor_file::Content;
use vico_engine::weights::Weights;

fuzz_target!(|bytes: &[u8]| {
    _ = Content::from_bytes(bytes, &Device::Cpu);
    // Large files are read piece by piece, by other code.
    let folder = tempfile::tempdir().expect("a folder for the file");
    let name = folder.path().join("model.safetensors");
    let mut file = std::fs::File::create(name).expect("a new file");
    file.write_all(bytes).expect("room for the file");
    if let Ok(weights) = Weights::open(folder.path(), None, &Device::Cpu) {
        // The seeds have such a tensor.
        _ = weights.get((2,), "a");
        _ = weights.finish();
    }
});
