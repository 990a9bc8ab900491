//! What people and scripts see of `vico-coord`: words, streams and exit codes. No coordinator runs here.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};
use std::process::Command;

struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// Runs the program in the repository's root, away from the caller's settings.
fn vico_coord(args: &[&str]) -> Ended {
    let output = Command::new(env!("CARGO_BIN_EXE_vico-coord"))
        .args(args)
        .current_dir(root())
        .env_remove("VICO_COORDINATOR")
        .env_remove("VICO_OUTPUT")
        .env_remove("VICO_LOG")
        .env_remove("VICO_BUCKET")
        .output()
        .unwrap();
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_path_buf()
}

#[test]
fn help_names_every_verb() {
    let help = vico_coord(&["--help"]);
    assert_eq!(help.code, Some(0));
    insta::assert_snapshot!("help", help.stdout);
}

#[test]
fn a_wrong_verb_is_a_usage_error() {
    let wrong = vico_coord(&["sumbit"]);
    assert_eq!(wrong.code, Some(2));
    assert!(
        wrong.stderr.contains("submit"),
        "no suggestion in: {}",
        wrong.stderr
    );
    assert_eq!(wrong.stdout, "");
}

#[test]
fn a_missing_manifest_is_a_usage_error() {
    let missing = vico_coord(&["validate", "no-such.yaml"]);
    assert_eq!(missing.code, Some(2));
    insta::assert_snapshot!("missing_manifest", missing.stderr);
}

#[test]
fn every_mistake_in_a_manifest_is_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broken.yaml");
    let text = std::fs::read_to_string(root().join("manifests/quickstart.yaml")).unwrap();
    std::fs::write(&path, text.replace("steps:", "stepz:")).unwrap();
    let broken = vico_coord(&["validate", path.to_str().unwrap()]);
    assert_eq!(broken.code, Some(2), "{}", broken.stderr);
    assert!(
        broken.stderr.contains("did you mean `steps`"),
        "{}",
        broken.stderr
    );
    assert_eq!(broken.stdout, "");
}

#[test]
fn no_coordinator_is_told_with_its_own_exit_code() {
    for args in [
        &["ls"][..],
        &["workers"],
        &["describe", "hello-3fa81c20"],
        &["cancel", "hello-3fa81c20"],
    ] {
        let mut args = args.to_vec();
        args.extend(["--coordinator", "http://127.0.0.1:9"]);
        let alone = vico_coord(&args);
        assert_eq!(alone.code, Some(5), "{args:?}: {}", alone.stderr);
        assert!(alone.stderr.contains("http://127.0.0.1:9"), "{}", alone.stderr);
        assert!(
            alone.stderr.contains("hint: start one with `vico-coord serve"),
            "{}",
            alone.stderr
        );
    }
}

#[test]
fn an_address_that_cannot_be_one_is_a_usage_error() {
    let nonsense = vico_coord(&["ls", "--coordinator", "http://not an address"]);
    assert_eq!(nonsense.code, Some(2), "{}", nonsense.stderr);
}

#[test]
fn a_log_filter_that_is_none_is_a_usage_error() {
    let wrong = vico_coord(&["ls", "--log", "vico=loud"]);
    assert_eq!(wrong.code, Some(2), "{}", wrong.stderr);
    assert!(wrong.stderr.contains("vico=loud"), "{}", wrong.stderr);
}

#[test]
fn a_lease_without_a_life_is_a_usage_error() {
    let wrong = vico_coord(&["serve", "--bucket", "no-such-folder", "--lease-ttl", "0s"]);
    assert_eq!(wrong.code, Some(2), "{}", wrong.stderr);
    assert!(wrong.stderr.contains("a second at least"), "{}", wrong.stderr);
}

#[test]
fn the_schema_is_the_committed_one() {
    let schema = vico_coord(&["schema"]);
    let printed: serde_json::Value = serde_json::from_str(&schema.stdout).unwrap();
    let path = root().join("manifests/schema/manifest.v1.json");
    let committed: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert_eq!(printed, committed);
}

#[test]
fn shells_can_complete_the_verbs() {
    for shell in ["bash", "zsh", "fish"] {
        let script = vico_coord(&["completion", shell]);
        assert_eq!(script.code, Some(0));
        assert!(
            script.stdout.contains("storage-check"),
            "{shell} does not know storage-check"
        );
    }
}

#[test]
fn the_shipped_manifests_are_valid_and_show_their_defaults() {
    for name in [
        "manifests/quickstart.yaml",
        "manifests/five-methods.yaml",
        "manifests/photos.yaml",
    ] {
        let shown = vico_coord(&["validate", name, "--show-defaults"]);
        assert_eq!(shown.code, Some(0), "{}", shown.stderr);
        assert!(shown.stdout.contains("weight_decay"), "{}", shown.stdout);
    }
}

#[test]
fn a_doctor_finds_a_healthy_bucket_and_a_missing_coordinator() {
    let folder = tempfile::tempdir().unwrap();
    let bucket = folder.path().join("bucket").display().to_string();
    let manifest = "manifests/quickstart.yaml";
    let healthy = vico_coord(&["doctor", "--offline", "--bucket", &bucket, "--manifest", manifest]);
    assert_eq!(healthy.code, Some(0), "{}{}", healthy.stdout, healthy.stderr);
    for check in [
        "program",
        "bucket: write and read",
        "bucket: create under races",
        "bucket: clock",
        "manifest",
    ] {
        let line = healthy.stdout.lines().find(|line| line.starts_with(check));
        assert!(
            line.is_some_and(|line| line.contains("works")),
            "{check}:\n{}",
            healthy.stdout
        );
    }

    let alone = vico_coord(&["doctor", "--coordinator", "http://127.0.0.1:9", "-o", "json"]);
    assert_eq!(alone.code, Some(2), "{}", alone.stderr);
    let findings: serde_json::Value = serde_json::from_str(&alone.stdout).unwrap();
    let bad: Vec<_> = findings
        .as_array()
        .unwrap()
        .iter()
        .filter(|it| it["outcome"] == "fails")
        .collect();
    assert_eq!(bad.len(), 1, "{findings}");
    assert_eq!(bad[0]["check"], "coordinator");
    assert!(
        bad[0]["fix"].as_str().unwrap().contains("vico-coord serve"),
        "{findings}"
    );
}

#[test]
fn a_doctor_names_the_manifests_missing_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sweep.yaml");
    let text = std::fs::read_to_string(root().join("manifests/quickstart.yaml")).unwrap();
    std::fs::write(&path, text).unwrap();
    let ill = vico_coord(&["doctor", "--offline", "--manifest", path.to_str().unwrap()]);
    assert_eq!(ill.code, Some(2), "{}{}", ill.stdout, ill.stderr);
    let line = ill
        .stdout
        .lines()
        .find(|line| line.starts_with("manifest"))
        .unwrap();
    assert!(
        line.contains("fails") && line.contains(folder.path().to_str().unwrap()),
        "{line}"
    );
}

#[test]
fn a_public_address_without_locks_is_a_usage_error() {
    let folder = tempfile::tempdir().unwrap();
    let bucket = folder.path().display().to_string();
    let open = vico_coord(&["serve", "--bucket", &bucket, "--listen", "0.0.0.0:0"]);
    assert_eq!(open.code, Some(2), "{}", open.stderr);
    assert!(
        open.stderr.contains("--tls-cert") && open.stderr.contains("--tokens"),
        "{}",
        open.stderr
    );
    let half = vico_coord(&["serve", "--bucket", &bucket, "--tls-cert", "tls.crt"]);
    assert_eq!(half.code, Some(2), "{}", half.stderr);
    assert!(half.stderr.contains("--tls-key"), "{}", half.stderr);
}
