//! Files by anybody: no bytes panic, nothing is called, and the refused name is told.

use proptest::prelude::*;
use vico_engine::exchange::{Facts, File, Format, Method, import};

use crate::rig::{exported, refusal};

fn tried(format: Format, bytes: Vec<u8>) {
    let name = "anybody.pt".to_owned();
    drop(import(format, &[File { name, bytes }], &Facts::default()));
}

/// The good file with its program replaced by one of the same length or shorter; the checksum is made right again.
fn with_program(program: &[u8]) -> File {
    let mut archive = Vec::new();
    let name = b"archive/data.pkl";
    let checksum = crc32(program);
    let header = |out: &mut Vec<u8>| {
        out.extend([20, 0, 0, 0, 0, 0, 0, 0, 33, 0]);
        out.extend(checksum.to_le_bytes());
        out.extend((program.len() as u32).to_le_bytes());
        out.extend((program.len() as u32).to_le_bytes());
        out.extend((name.len() as u16).to_le_bytes());
        out.extend([0, 0]);
    };
    archive.extend(b"PK\x03\x04");
    header(&mut archive);
    archive.extend(name);
    archive.extend(program);
    let directory = archive.len();
    archive.extend(b"PK\x01\x02\x00\x00");
    header(&mut archive);
    archive.extend([0; 14]);
    archive.extend(name);
    let length = archive.len() - directory;
    archive.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    archive.extend((length as u32).to_le_bytes());
    archive.extend((directory as u32).to_le_bytes());
    archive.extend([0, 0]);
    let name = "anybody.pt".to_owned();
    File { name, bytes: archive }
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xEDB8_8320 * (crc & 1))
        })
    })
}

fn of_program(program: &[u8]) -> String {
    refusal(Format::Compvis, &[with_program(program)])
}

#[test]
fn a_call_of_anything_is_refused_by_its_name() {
    for name in [
        "os\nsystem",
        "builtins\neval",
        "posix\nsystem",
        "torch\nDoubleStorage",
        "torch.storage\n_load_from_bytes",
    ] {
        let program = format!("\u{0}c{name}\n(X\u{2}\u{0}\u{0}\u{0}lstR.");
        let program = [&[0x80, 2], &program.as_bytes()[1..]].concat();
        let refused = of_program(&program);
        assert!(refused.contains(&name.replace('\n', ".")), "{refused}");
        assert!(
            refused.contains("anybody.pt") && refused.contains("nothing of it was run"),
            "{refused}"
        );
    }
}

#[test]
fn programs_that_grow_or_loop_are_stopped() {
    // A list that contains itself.
    assert!(of_program(b"\x80\x02}(X\x01\0\0\0a]q\x01h\x01au.").contains("nested too deeply"));
    // Each list holds the one before it ten times: a trillion values in a hundred bytes.
    let mut program = b"\x80\x02}(X\x01\0\0\0a](]q\0".to_vec();
    for level in 0..12u8 {
        program.extend(b"](");
        program.extend([b'h', level].repeat(10));
        program.extend([b'e', b'q', level + 1]);
    }
    program.extend(b"eu.");
    let refused = of_program(&program);
    assert!(refused.contains("too many values"), "{refused}");
    // A text of 4 GiB, by its own word.
    assert!(of_program(b"\x80\x02X\xff\xff\xff\xff.").contains("cut short"));
    // A tuple of nothing, a mark that is missing, memory that is empty, an instruction of no pickle.
    for program in [
        &b"\x80\x02\x86."[..],
        b"\x80\x02t.",
        b"\x80\x02h\x07.",
        b"\x80\x02\xff.",
        b"\x80\x04.",
        b"",
        b"\x80",
    ] {
        let refused = of_program(program);
        assert!(refused.contains("instruction at byte"), "{refused}");
    }
}

#[test]
fn tensors_that_are_not_there_are_refused() {
    let tensor = |key: &str, sizes: &str| {
        let mut program = b"\x80\x02}(X\x01\0\0\0actorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\nX".to_vec();
        program.extend((key.len() as u32).to_le_bytes());
        program.extend(key.as_bytes());
        program.extend(b"X\x03\0\0\0cpuK\x01tQK\0");
        program.extend(sizes.as_bytes());
        program.extend(b"\x89}tRu.");
        of_program(&program)
    };
    assert!(
        tensor("0", "K\u{1}\u{85}K\u{1}\u{85}").contains("instruction"),
        "0x85 is two bytes in UTF-8"
    );
    let one = "(K\u{1}t(K\u{1}t";
    assert!(
        tensor("0", one).contains("is not in the file"),
        "{}",
        tensor("0", one)
    );
    assert!(tensor("../../../etc/passwd", one).contains("is not in the file"));
    assert!(tensor(&"0".repeat(100), one).contains("something else than a tensor's storage"));
    let deep = format!("({}t({}t", "K\u{1}".repeat(9), "K\u{1}".repeat(9));
    assert!(tensor("0", &deep).contains("too many dimensions"));
}

#[test]
fn an_old_file_says_what_to_do() {
    let old = [
        &[0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c][..],
        b"\x46\xf9\x20\x6a\xa8\x50\x19.",
    ]
    .concat();
    let name = "old.pt".to_owned();
    let refused = refusal(Format::Compvis, &[File { name, bytes: old }]);
    assert!(refused.contains("save it again"), "{refused}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_bytes_panic(bytes in any::<Vec<u8>>(), start in prop_oneof![Just(&b"\x80\x02"[..]), Just(&b"PK\x03\x04"[..]), Just(&b""[..])]) {
        for format in Format::ALL {
            tried(format, [start, bytes.as_slice()].concat());
        }
    }

    /// Instructions and small numbers in any order, so that programs get far.
    #[test]
    fn no_program_panics(program in proptest::collection::vec(
        prop_oneof![
            8 => proptest::sample::select(b".qrhj(ct)aesuRbQNKMJGX}]\x80\x81\x85\x86\x87\x88\x89\x8a".to_vec()),
            3 => 0u8..4,
            1 => any::<u8>(),
        ],
        0..80,
    ), start in 0usize..4) {
        let starts: [&[u8]; 4] = [
            b"\x80\x02",
            b"\x80\x02}q\0(X\x01\0\0\0aK\x01q\x01",
            b"\x80\x02ccollections\nOrderedDict\nq\x02)Rq\x03c__builtin__\nset\nq\x01",
            b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\nq\0(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuK\x01tQq\x01",
        ];
        let file = with_program(&[starts[start], &program, b"."].concat());
        drop(import(Format::AdobeDelta, &[file], &Facts::default()));
    }

    #[test]
    fn no_damage_panics(at in any::<prop::sample::Index>(), value in any::<u8>(), cell in 0usize..3) {
        let (method, format) = [
            (Method::TextualInversion, Format::Compvis),
            (Method::TextualInversion, Format::Diffusers),
            (Method::CustomDiffusion, Format::AdobeDelta),
        ][cell];
        let mut bytes = exported(method, format).remove(0).bytes;
        let at = at.index(bytes.len().min(4000));
        bytes[at] = value;
        tried(format, bytes);
    }
}

/// The safe half of the same program, so that a refusal above is one for the right reason.
#[test]
fn the_test_archives_are_good_ones() {
    let program = b"\x80\x02}(X\x05\0\0\0x:y:zK\x01u.";
    let refused = of_program(program);
    assert!(
        refused.contains("no dictionary `string_to_param`, only `x:y:z`"),
        "{refused}"
    );
}
