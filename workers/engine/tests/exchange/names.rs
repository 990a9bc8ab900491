//! Keys and shapes of every file, pinned: other programs look for exactly these.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use candle_core::{Device, Tensor};
use vico_engine::exchange::{File, Format, Method};

use crate::rig::{cells, exported};

/// A safetensors file's tensors and header.
pub(crate) fn opened(file: &File) -> (BTreeMap<String, Tensor>, HashMap<String, String>) {
    let tensors = candle_core::safetensors::load_buffer(&file.bytes, &Device::Cpu).unwrap();
    let (_, header) = safetensors::SafeTensors::read_metadata(&file.bytes).unwrap();
    (
        tensors.into_iter().collect(),
        header.metadata().clone().unwrap_or_default(),
    )
}

/// The texts in a pickled file, which are its keys, and the sizes of its storages.
fn pickled(file: &File) -> String {
    let mut archive = zip_members(&file.bytes);
    let program = archive.remove("archive/data.pkl").unwrap();
    let mut text = texts(&program).join("\n");
    for (name, bytes) in archive {
        write!(text, "\n{name}: {} bytes", bytes.len()).unwrap();
    }
    text
}

fn zip_members(bytes: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let number = |at: usize, length: usize| {
        let field = bytes[at..at + length].iter().rev();
        field.fold(0usize, |number, byte| number << 8 | usize::from(*byte))
    };
    let (mut at, mut members) = (0, BTreeMap::new());
    while number(at, 4) == 0x0403_4b50 {
        let (size, name, extra) = (number(at + 18, 4), number(at + 26, 2), number(at + 28, 2));
        let begin = at + 30 + name + extra;
        let name = String::from_utf8(bytes[at + 30..at + 30 + name].to_vec()).unwrap();
        members.insert(name, bytes[begin..begin + size].to_vec());
        at = begin + size;
    }
    members
}

/// Texts that are keys: not those of every storage and module.
fn texts(program: &[u8]) -> Vec<String> {
    let mut texts = Vec::new();
    let mut at = 0;
    while at + 5 < program.len() {
        let length = u32::from_le_bytes(program[at + 1..at + 5].try_into().unwrap()) as usize;
        let text = program
            .get(at + 5..at + 5 + length)
            .and_then(|bytes| std::str::from_utf8(bytes).ok());
        match text {
            Some(text) if program[at] == b'X' && length > 0 && length < 200 => {
                if !["storage", "cpu"].contains(&text) && text.parse::<u32>().is_err() {
                    texts.push(text.to_owned());
                }
                at += 5 + length;
            }
            _ => at += 1,
        }
    }
    texts
}

fn described(file: &File) -> String {
    if file.bytes.starts_with(b"PK") {
        return pickled(file);
    }
    let (tensors, header) = opened(file);
    let mut text = String::new();
    let header: BTreeMap<String, String> = header.into_iter().collect();
    for (key, value) in header {
        let value = if value.len() > 100 {
            format!("{}…", &value[..100])
        } else {
            value
        };
        writeln!(text, "{key} = {value}").unwrap();
    }
    for (name, tensor) in tensors {
        writeln!(text, "{name} {:?}", tensor.dims()).unwrap();
    }
    text
}

#[test]
fn keys_and_shapes_are_pinned() {
    for (method, format) in cells() {
        if format == Format::VicoOfficial {
            assert_eq!(exported(method, format), exported(method, Format::Compvis));
            continue;
        }
        let files = exported(method, format);
        let text: Vec<String> = files
            .iter()
            .map(|file| format!("# {}\n{}", file.name, described(file)))
            .collect();
        insta::assert_snapshot!(format!("{method}_as_{format}"), text.join("\n"));
    }
}

/// The names of the table are those that the official code knows, whatever this program calls them.
#[test]
fn the_official_numbering_is_the_official_one() {
    let delta = pickled(&exported(Method::CustomDiffusion, Format::Compvis)[0]);
    for name in ["input_blocks.8.1", "middle_block.1", "output_blocks.11.1"] {
        let name = format!("model.diffusion_model.{name}.transformer_blocks.0.attn2.to_v.weight");
        assert!(delta.contains(&name), "{name}");
    }
}
