//! What users bring: every bad file is named, with what is wrong with it.

use std::path::Path;

use tempfile::TempDir;
use vico::digest::Digest;
use vico::job::BlobRef;
use vico::plan::Need;
use vico::store::{Error, Folder, Store};

/// A PNG of one grey pixel, whose header says `width` x `height`.
fn png(width: u32, height: u32) -> Vec<u8> {
    let mut header = b"IHDR".to_vec();
    header.extend(width.to_be_bytes());
    header.extend(height.to_be_bytes());
    header.extend([8, 0, 0, 0, 0]);
    let pixels = [0x78, 0x9c, 0x63, 0x68, 0x00, 0x00, 0x00, 0x82, 0x00, 0x81];
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    for chunk in [header, [b"IDAT".as_slice(), &pixels].concat(), b"IEND".to_vec()] {
        file.extend((chunk.len() as u32 - 4).to_be_bytes());
        file.extend(&chunk);
        file.extend(crc32(&chunk).to_be_bytes());
    }
    file
}

fn crc32(bytes: &[u8]) -> u32 {
    let folded = bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    });
    !folded
}

async fn problems(folder: &Path) -> String {
    let folder = Folder::open(folder.to_str().unwrap()).await.unwrap();
    let error = folder.images().await.unwrap_err();
    assert!(matches!(error, Error::BadInputs { .. }), "{error}");
    error.to_string()
}

#[tokio::test]
async fn images_are_found_checked_and_imported_in_order() {
    let folder = TempDir::new().unwrap();
    for (name, bytes) in [
        ("b (1) ü.PNG", png(3, 2)),
        ("a.png", png(1, 1)),
        ("notes.txt", b"no image".to_vec()),
        (".DS_Store", b"junk".to_vec()),
        (".hidden.png", b"junk".to_vec()),
    ] {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    std::fs::create_dir(folder.path().join("more")).unwrap();
    std::fs::write(folder.path().join("more/c.png"), "not looked at").unwrap();
    let store = Store::in_memory();
    let url = folder.path().to_str().unwrap().to_owned();
    let need = [Need::ImageFolder(url.clone())];
    let checked = store.resolve(&need).await.unwrap();
    let blob = BlobRef {
        digest: Digest::of(&png(1, 1)),
        size: png(1, 1).len() as u64,
    };
    assert!(!store.has_blob(&blob).await.unwrap(), "resolving copies nothing");
    let imported = store.import(&need).await.unwrap();
    assert_eq!(checked, imported);
    let names: Vec<&str> = imported.images[&url]
        .iter()
        .map(|file| file.name.as_str())
        .collect();
    assert_eq!(names, ["a.png", "b (1) ü.PNG"]);
    assert_eq!(store.blob(&blob).await.unwrap(), png(1, 1));
}

#[tokio::test]
async fn all_bad_images_are_named_at_once() {
    let folder = TempDir::new().unwrap();
    for (name, bytes) in [
        ("empty.png", Vec::new()),
        ("fine.png", png(4, 4)),
        ("huge.png", png(40_000, 40_000)),
        ("phone.heic", b"\0\0\0\x18ftypheic".to_vec()),
        ("short.png", png(4, 4)[..12].to_vec()),
        ("text.jpg", b"this is no image".to_vec()),
        ("none.png", png(0, 4)),
    ] {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    let said = problems(folder.path()).await;
    for (name, reason) in [
        ("empty.png", "is empty"),
        (
            "huge.png",
            "has 40000x40000 pixels, at most 64 megapixels are accepted",
        ),
        ("phone.heic", "is neither JPEG nor PNG"),
        ("short.png", "damaged header"),
        ("text.jpg", "is neither JPEG nor PNG"),
        ("none.png", ""),
    ] {
        let line = said
            .lines()
            .find(|line| line.contains(name))
            .unwrap_or_else(|| panic!("{name} in {said}"));
        assert!(line.contains(reason), "{line}");
    }
    assert!(!said.contains("fine.png"), "{said}");
    assert!(said.starts_with("6 inputs cannot be used"), "{said}");
}

#[tokio::test]
async fn a_file_too_large_is_not_read() {
    let folder = TempDir::new().unwrap();
    let file = std::fs::File::create(folder.path().join("vast.jpg")).unwrap();
    file.set_len(65 << 20).unwrap();
    assert!(
        problems(folder.path())
            .await
            .contains("at most 67108864 are accepted")
    );
}

#[tokio::test]
async fn a_folder_without_images_or_without_existence_is_named() {
    let folder = TempDir::new().unwrap();
    assert!(problems(folder.path()).await.contains("holds no images"));
    let gone = folder.path().join("gone");
    let missing = Folder::open(gone.to_str().unwrap()).await.unwrap_err();
    assert!(matches!(missing, Error::NotFound { .. }));
    assert!(missing.to_string().contains("gone"), "{missing}");
}

#[tokio::test]
async fn folders_become_concepts() {
    let folder = TempDir::new().unwrap();
    for (name, images) in [("barn", 2), ("cat toy", 1), ("empty", 0), (".git", 1)] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
        for i in 0..images {
            std::fs::write(folder.path().join(format!("{name}/{i}.png")), png(i + 1, 1)).unwrap();
        }
    }
    let url = folder.path().to_str().unwrap().to_owned();
    let store = Store::in_memory();
    let resolved = store.import(&[Need::ConceptFolders(url.clone())]).await.unwrap();
    let counts: Vec<(&str, usize)> = resolved.concepts[&url]
        .iter()
        .map(|(name, files)| (name.as_str(), files.len()))
        .collect();
    assert_eq!(counts, [("barn", 2), ("cat toy", 1)]);
}

#[tokio::test]
async fn single_files_and_prompts_are_read_where_they_lie() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("one.png"), png(1, 1)).unwrap();
    std::fs::write(folder.path().join("prompts.txt"), "a {} on a hill\n").unwrap();
    std::fs::write(folder.path().join("latin1.txt"), b"caf\xe9").unwrap();
    let url = |name: &str| format!("file://{}/{name}", folder.path().display());
    let store = Store::in_memory();
    let needs = [
        Need::ImageFile(url("one.png")),
        Need::PromptFile(url("prompts.txt")),
    ];
    let resolved = store.import(&needs).await.unwrap();
    assert_eq!(resolved.images[&url("one.png")].len(), 1);
    assert_eq!(resolved.prompts[&url("prompts.txt")], "a {} on a hill\n");
    let bad = [
        Need::ImageFile(url("two.png")),
        Need::PromptFile(url("latin1.txt")),
    ];
    let said = store.resolve(&bad).await.unwrap_err().to_string();
    assert!(said.contains("two.png` does not exist"), "{said}");
    assert!(said.contains("latin1.txt` is not UTF-8 at byte 3"), "{said}");
}
