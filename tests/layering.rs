//! The rules of the house that no compiler checks: who may use whom, which word may be written where, how long a file
//! may be. Each failure names the file, the line and the rule.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};
use std::process::Command;

/// Modules of `src/`, and what each may use besides itself. Arrows point one way.
const LAYERS: &[(&str, &[&str])] = &[
    ("causes", &[]),
    ("digest", &[]),
    ("clock", &[]),
    ("ids", &["digest"]),
    ("probes", &[]),
    ("score", &[]),
    ("gallery", &[]),
    ("statistics", &[]),
    ("job", &["digest", "clock", "ids"]),
    ("spec", &["digest", "ids", "job"]),
    ("manifest", &["digest", "ids", "job", "spec"]),
    ("plan", &["digest", "clock", "ids", "job", "spec", "manifest"]),
    ("status", &["digest", "clock", "ids", "job"]),
    (
        "report",
        &["digest", "clock", "ids", "job", "score", "statistics"],
    ),
    (
        "store",
        &["causes", "digest", "clock", "ids", "job", "score", "spec", "plan"],
    ),
    ("traffic", &["store"]),
    ("traces", &["digest", "clock", "ids"]),
    ("protocol", &["digest", "clock", "ids", "job", "spec", "status"]),
];

/// Words that may be written in one place only.
const WORDS: &[(&str, &[&str])] = &[
    ("serde_yaml", &["src/manifest/"]),
    ("object_store", &["src/store/"]),
    ("opentelemetry", &["src/traces/"]),
    ("nvml_wrapper", &["workers/agent/src/device/"]),
    ("vico_proto", &["src/protocol/", "coordinator/src/rpc"]),
    ("candle_core", &["workers/engine/", "workers/agent/src/engine/"]),
];

/// Words that the coordinator's brain must not know: no async, no time, no sockets, no storage.
const NOT_IN_CORE: &[&str] = &[
    "async ",
    ".await",
    "tokio",
    "tonic",
    "vico::store",
    "Instant",
    "SystemTime",
    "std::fs",
    "rand::",
];

const WORTH_A_LOOK: usize = 500;
const TOO_LONG: usize = 800;

/// A line of code with its place; comments are left out.
struct Line {
    file: String,
    number: usize,
    code: String,
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.number, self.code.trim())
    }
}

#[test]
fn dependencies_inside_the_shared_library_point_one_way() {
    let broken = upward_uses(&code_below("src"));
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn an_upward_use_is_found() {
    let planted = |file: &str, code: &str| Line {
        file: file.to_owned(),
        number: 1,
        code: code.to_owned(),
    };
    assert_eq!(
        upward_uses(&[planted("src/job/stage.rs", "use crate::plan::Plan;")]).len(),
        1
    );
    assert_eq!(
        upward_uses(&[planted("src/ids.rs", "fn f(x: &crate::store::Store) {}")]).len(),
        1
    );
    assert_eq!(
        upward_uses(&[planted("src/plan/mod.rs", "use crate::job::Stage;")]).len(),
        0
    );
}

fn upward_uses(lines: &[Line]) -> Vec<String> {
    let mut broken = Vec::new();
    for line in lines {
        let Some((own, allowed)) = layer_of(&line.file) else {
            continue;
        };
        for used in used_modules(&line.code) {
            let known = LAYERS.iter().any(|(name, _)| *name == used);
            if known && used != own && !allowed.contains(&used.as_str()) {
                broken.push(format!("{line}\n    `{own}` may not use `{used}`"));
            }
        }
    }
    broken
}

#[test]
fn every_module_of_the_shared_library_has_a_layer() {
    let lib = std::fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let modules = lib
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    for module in modules {
        assert!(
            LAYERS.iter().any(|(name, _)| *name == module),
            "`{module}` is missing from the table of layers"
        );
    }
}

#[test]
fn libraries_and_formats_stay_in_their_one_place() {
    let mut broken = Vec::new();
    for line in code_below(".") {
        for (word, places) in WORDS {
            let at_home = places.iter().any(|place| line.file.starts_with(place));
            if !at_home && !is_test(&line.file) && line.code.contains(word) {
                broken.push(format!("{line}\n    `{word}` belongs in {}", places.join(" or ")));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn the_brain_knows_no_clock_no_socket_and_no_task() {
    let mut broken = Vec::new();
    for line in code_below("coordinator/src/core")
        .iter()
        .filter(|line| !is_test(&line.file))
    {
        for word in NOT_IN_CORE.iter().filter(|word| line.code.contains(**word)) {
            broken.push(format!("{line}\n    `{}` has no place in the core", word.trim()));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn no_file_outgrows_its_reader() {
    let mut too_long = Vec::new();
    for path in rust_files(&root()) {
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        if lines > TOO_LONG {
            too_long.push(format!(
                "{} has {lines} lines, the limit is {TOO_LONG}",
                relative(&path)
            ));
        } else if lines > WORTH_A_LOOK {
            remark(&format!("{} has {lines} lines: worth a look", relative(&path)));
        }
    }
    assert!(too_long.is_empty(), "{}", too_long.join("\n"));
}

#[test]
fn the_coordinator_of_a_cluster_cannot_see_a_tensor() {
    let tree = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--offline",
            "--locked",
            "--edges",
            "normal",
            "--prefix",
            "none",
        ])
        .args(["--package", "vico-coord", "--no-default-features"])
        .current_dir(root())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&tree.stdout);
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    assert!(text.contains("vico-coord"), "{text}");
    let tensors: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("candle") || line.contains("vico-engine"))
        .collect();
    assert!(tensors.is_empty(), "the coordinator links {tensors:?}");
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root())
        .unwrap()
        .to_string_lossy()
        .replace('\\', "/")
}

/// `src/plan/why.rs` and `src/plan.rs` belong to the layer `plan`.
fn layer_of(file: &str) -> Option<(&'static str, &'static [&'static str])> {
    let module = file.strip_prefix("src/")?.split(['/', '.']).next()?;
    LAYERS.iter().copied().find(|(name, _)| *name == module)
}

/// The modules in `crate::a::b` and in `use crate::{a::b, c}` as far as they stand on this line.
fn used_modules(code: &str) -> Vec<String> {
    let word = |text: &str| {
        text.chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect::<String>()
    };
    code.match_indices("crate::")
        .map(|(at, _)| word(&code[at + "crate::".len()..]))
        .collect()
}

fn is_test(file: &str) -> bool {
    file.starts_with("tests/")
        || file.contains("/tests/")
        || file.ends_with("/tests.rs")
        || file.contains("/benches/")
}

fn code_below(folder: &str) -> Vec<Line> {
    let files = rust_files(&root().join(folder));
    files.iter().flat_map(|path| code_of(path)).collect()
}

fn code_of(path: &Path) -> Vec<Line> {
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim_start().starts_with("//"));
    lines
        .map(|(i, line)| Line {
            file: relative(path),
            number: i + 1,
            code: line.to_owned(),
        })
        .collect()
}

/// All `.rs` files below a folder, without build outputs and hidden folders.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else {
            continue;
        };
        for path in entries.map(|entry| entry.unwrap().path()) {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && !name.starts_with('.') && name != "target" && name != "bucket" {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

#[expect(clippy::print_stderr, reason = "a test's remark; seen with --nocapture")]
fn remark(text: &str) {
    eprintln!("{text}");
}
