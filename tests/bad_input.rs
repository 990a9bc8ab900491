//! What people really bring: each mistake gives one error that names the thing and says what to do, with the documented
//! exit code, and costs nobody else anything.
#![expect(clippy::unwrap_used, reason = "tests")]

mod processes;
mod s3;

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use processes::{Ended, Environment, Process, free_port, program, vico_coord, wait_for_port};
use s3::{BUCKET, FaultPlan, S3Server};
use tempfile::TempDir;

/// A folder with a manifest, photos and a tiny model, all in order until a test spoils one of them.
struct Bench {
    folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        copy_folder(
            &root.join("manifests/five-methods/images/duck_toy"),
            &folder.path().join("photos"),
        );
        copy_folder(
            &root.join("workers/engine/tests/fixtures/parity/tiny-sd"),
            &folder.path().join("model"),
        );
        std::fs::write(
            folder.path().join("manifest.yaml"),
            include_str!("manifests/smallest.yaml"),
        )
        .unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn replace(&self, from: &str, to: &str) {
        let path = self.path("manifest.yaml");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "the manifest has no {from}");
        std::fs::write(path, text.replace(from, to)).unwrap();
    }

    /// Runs a verb on the manifest, with the bucket and the cache in this folder.
    fn vico(&self, verb: &str) -> Ended {
        let [manifest, bucket, cache] = ["manifest.yaml", "bucket", "cache"].map(|name| self.text(name));
        let mut args = vec![verb, &manifest, "--bucket", &bucket];
        if verb == "run" {
            args.extend(["--cache", &cache]);
        }
        vico_coord(&Vec::new(), &args)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (source, target) = (
            entry.as_ref().unwrap().path(),
            to.join(entry.unwrap().file_name()),
        );
        if source.is_dir() {
            copy_folder(&source, &target);
        } else {
            std::fs::copy(source, target).unwrap();
        }
    }
}

/// The exit code, one error on stderr, all of `words` in it, and no data on stdout unless a sweep ended (code 3).
fn assert_told(ended: &Ended, code: i32, words: &[&str]) {
    assert_eq!(ended.code, code, "{ended:?}");
    for word in words {
        assert!(ended.stderr.contains(word), "no `{word}` in:\n{}", ended.stderr);
    }
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
    let errors = ended
        .stderr
        .lines()
        .filter(|line| line.starts_with("error"))
        .count();
    assert_eq!(errors, 1, "not one error:\n{}", ended.stderr);
    assert!(code == 3 || ended.stdout.is_empty(), "{}", ended.stdout);
}

/// A PNG file whose header promises `side` × `side` pixels, and which has none.
fn png_header(side: u32) -> Vec<u8> {
    let mut chunk = b"IHDR".to_vec();
    chunk.extend(side.to_be_bytes());
    chunk.extend(side.to_be_bytes());
    chunk.extend([8, 2, 0, 0, 0]);
    let crc = !chunk.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    });
    [
        b"\x89PNG\r\n\x1a\n\0\0\0\x0d",
        chunk.as_slice(),
        &crc.to_be_bytes(),
    ]
    .concat()
}

#[test]
fn the_bench_itself_is_in_order() {
    let bench = Bench::new();
    let run = bench.vico("run").well();
    assert!(run.stdout.contains("vico"), "{}", run.stdout);
}

#[test]
fn text_that_is_no_yaml() {
    let bench = Bench::new();
    bench.replace("methods:\n", "methods: [\n");
    assert_told(&bench.vico("run"), 2, &["manifest.yaml"]);
}

#[test]
fn an_unknown_key() {
    let bench = Bench::new();
    bench.replace("images_per_prompt", "image_per_prompt");
    assert_told(
        &bench.vico("run"),
        2,
        &["image_per_prompt", "did you mean `images_per_prompt`"],
    );
}

#[test]
fn a_setting_of_another_method() {
    let bench = Bench::new();
    bench.replace("method: vico", "method: vico, rank: 4");
    assert_told(
        &bench.vico("run"),
        2,
        &["vico takes no `rank`", "a setting of lora"],
    );
}

#[test]
fn photos_that_are_not_there() {
    let bench = Bench::new();
    bench.replace("photos/", "fotos/");
    assert_told(&bench.vico("run"), 2, &["fotos"]);
}

#[test]
fn a_text_file_named_jpg() {
    let bench = Bench::new();
    std::fs::write(bench.path("photos/notes.jpg"), "remember to take photos").unwrap();
    assert_told(&bench.vico("run"), 2, &["notes.jpg", "neither JPEG nor PNG"]);
}

/// A photo of the engine's tests, among the photos of the concept.
fn with_photo(fixture: &str) -> Bench {
    let bench = Bench::new();
    let photos = Path::new(env!("CARGO_MANIFEST_DIR")).join("workers/engine/tests/fixtures/images");
    std::fs::copy(photos.join(fixture), bench.path("photos").join(fixture)).unwrap();
    bench
}

#[test]
fn a_photo_for_printers() {
    let bench = with_photo("cmyk.jpg");
    assert_told(
        &bench.vico("run"),
        3,
        &["invalid_input", "cmyk.jpg", "CMYK", "convert"],
    );
}

/// Turned by its EXIF tag, 16 bits deep, transparent or without colours: the picture that people see is taken.
#[test]
fn unusual_photos_are_taken_as_people_see_them() {
    for fixture in ["exif6.jpg", "rgb16.png", "grey16.png", "alpha.png", "grey.jpg"] {
        with_photo(fixture).vico("run").well();
    }
}

#[test]
fn a_photo_that_was_half_written() {
    let bench = with_photo("rgb16.png");
    let path = bench.path("photos/rgb16.png");
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    assert_told(&bench.vico("run"), 3, &["invalid_input", "rgb16.png"]);
}

#[test]
fn two_concepts_of_the_same_photos() {
    let bench = Bench::new();
    copy_folder(&bench.path("photos"), &bench.path("again"));
    bench.replace(
        "concepts:\n",
        "concepts:\n  twin: {images: again/, class: toy, init: duck}\n",
    );
    assert_told(
        &bench.vico("run"),
        2,
        &["have the same images", "twin", "remove one of them"],
    );
}

#[test]
fn an_empty_prompt() {
    let bench = Bench::new();
    bench.replace("a {} in the jungle", " ");
    assert_told(&bench.vico("run"), 2, &["the prompt is empty"]);
}

#[test]
fn a_prompt_without_a_slot() {
    let bench = Bench::new();
    bench.replace("a {} in the jungle", "a duck in the jungle");
    assert_told(&bench.vico("run"), 2, &["the prompt has no `{}`"]);
}

#[test]
fn an_image_too_large_to_be_decoded() {
    let bench = Bench::new();
    std::fs::write(bench.path("photos/huge.png"), png_header(40_000)).unwrap();
    assert_told(&bench.vico("run"), 2, &["huge.png", "40000x40000"]);
}

#[test]
fn a_model_with_a_file_missing() {
    let bench = Bench::new();
    std::fs::remove_file(bench.path("model/unet/diffusion_pytorch_model.safetensors")).unwrap();
    assert_told(
        &bench.vico("run"),
        2,
        &["unet/diffusion_pytorch_model.safetensors"],
    );
}

#[test]
fn weights_cut_short() {
    let bench = Bench::new();
    let path = bench.path("model/unet/diffusion_pytorch_model.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let run = bench.vico("run");
    assert_told(
        &run,
        3,
        &["invalid_input", "unet/diffusion_pytorch_model.safetensors"],
    );
}

#[test]
fn weights_of_other_shapes() {
    let bench = Bench::new();
    let path = bench.path("model/unet/config.json");
    let mut config: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    config["cross_attention_dim"] = 48.into();
    std::fs::write(&path, config.to_string()).unwrap();
    assert_told(&bench.vico("run"), 3, &["invalid_input", "48"]);
}

#[test]
fn a_prompt_longer_than_the_text_encoder() {
    let bench = Bench::new();
    // Not so many words that nobody need count their tokens.
    bench.replace("in the jungle", &"rubberduck ".repeat(40));
    assert_told(&bench.vico("run"), 3, &["invalid_input", "77", "rubberduck"]);
}

#[test]
fn a_prompt_of_more_words_than_the_text_encoder_takes() {
    let bench = Bench::new();
    bench.replace("in the jungle", &"in the jungle ".repeat(40));
    assert_told(&bench.vico("run"), 2, &["bad-prompt", "at most 75", "jungle"]);
}

#[test]
fn an_initializer_of_two_tokens() {
    let bench = Bench::new();
    bench.replace("init: duck", "init: rubberduck");
    assert_told(
        &bench.vico("run"),
        3,
        &["invalid_input", "rubberduck", "exactly one"],
    );
}

#[test]
fn a_bucket_that_refuses_writes() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(S3Server::start(FaultPlan::none()));
    let mut environment = environment(&server);
    environment.push(("AWS_SECRET_ACCESS_KEY".to_owned(), "not the secret".to_owned()));
    let bucket = format!("s3://{BUCKET}/bench");
    let served = vico_coord(
        &environment,
        &[
            "serve",
            "--bucket",
            &bucket,
            "--listen",
            "127.0.0.1:0",
            "--log",
            "off",
        ],
    );
    assert_told(&served, 1, &["refused access", "hint: check the credentials"]);
}

#[test]
fn a_full_disk() {
    let bench = Bench::new();
    let [manifest, bucket, cache] = ["manifest.yaml", "bucket", "cache"].map(|name| bench.text(name));
    // Files that may not grow beyond 16 KiB are the nearest thing to a full disk that needs no root.
    let script = "trap '' XFSZ; ulimit -f 16; exec \"$@\"";
    let output = Command::new("bash")
        .args(["-c", script, "bash", program("vico-coord").to_str().unwrap()])
        .args(["run", &manifest, "--bucket", &bucket, "--cache", &cache])
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("no space left"), "{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
    assert!(
        matches!(output.status.code(), Some(1 | 3 | 5)),
        "{:?}\n{stderr}",
        output.status
    );
}

#[test]
fn a_port_in_use() {
    let bench = Bench::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    let served = vico_coord(
        &Vec::new(),
        &["serve", "--bucket", &bench.text("bucket"), "--listen", &listen],
    );
    assert_told(
        &served,
        2,
        &[&listen, "hint: another coordinator may be running there"],
    );
}

#[test]
fn a_door_open_to_the_network() {
    let bench = Bench::new();
    let served = vico_coord(
        &Vec::new(),
        &[
            "serve",
            "--bucket",
            &bench.text("bucket"),
            "--listen",
            "0.0.0.0:0",
        ],
    );
    assert_told(&served, 2, &["0.0.0.0:0", "--insecure"]);
}

#[test]
fn none_of_it_takes_the_coordinator_down() {
    let bench = Bench::new();
    let port = free_port();
    let (listen, url) = (format!("127.0.0.1:{port}"), format!("http://127.0.0.1:{port}"));
    let none = Environment::new();
    let args = ["serve", "--bucket", &bench.text("bucket"), "--listen", &listen];
    let mut coordinator = Process::start("vico-coord", &none, &args, &bench.path("coordinator.log"));
    wait_for_port(port, &mut coordinator);
    let submit = || {
        vico_coord(
            &none,
            &["submit", &bench.text("manifest.yaml"), "--coordinator", &url],
        )
    };

    std::fs::write(bench.path("photos/huge.png"), png_header(40_000)).unwrap();
    assert_told(&submit(), 2, &["huge.png"]);
    std::fs::remove_file(bench.path("photos/huge.png")).unwrap();
    bench.replace("photos/", "fotos/");
    assert_told(&submit(), 2, &["fotos"]);
    let nowhere = vico_coord(&none, &["cancel", "nothing-00000000", "--coordinator", &url]);
    assert_told(&nowhere, 2, &["nothing-00000000", "hint: `vico-coord ls`"]);

    bench.replace("fotos/", "photos/");
    submit().well();
    vico_coord(&none, &["ls", "--coordinator", &url]).well();
    assert!(coordinator.is_running(), "{}", coordinator.words());
}

fn environment(server: &S3Server) -> Environment {
    server
        .env()
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}
