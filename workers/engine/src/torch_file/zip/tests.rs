use proptest::prelude::*;

use super::*;

fn written(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut writer = Writer::default();
    for (name, data) in members {
        writer.add(name, data).expect("far below 4 GiB");
    }
    writer.finish()
}

fn refusal(bytes: &[u8]) -> String {
    Archive::open(bytes).map(drop).expect_err("it is no archive")
}

proptest! {
    #[test]
    fn what_is_written_is_read(data in proptest::collection::vec(any::<Vec<u8>>(), 0..5)) {
        let members: Vec<_> = data.into_iter().enumerate().map(|(i, data)| (format!("archive/{i}"), data)).collect();
        let bytes = written(&members);
        let archive = Archive::open(&bytes).expect("just written");
        for (name, data) in &members {
            let found = archive.member(name).expect("just written");
            prop_assert_eq!(found, data.as_slice());
            prop_assert!((found.as_ptr() as usize - bytes.as_ptr() as usize).is_multiple_of(ALIGNMENT));
        }
        prop_assert_eq!(archive.names().count(), members.len());
    }

    #[test]
    fn no_damage_panics_or_goes_unseen(at in any::<prop::sample::Index>(), bits in 1u8.., cut in any::<prop::sample::Index>()) {
        let members = [("a/b".to_owned(), vec![7; 100])];
        let good = written(&members);
        let mut bad = good.clone();
        bad[at.index(good.len())] ^= bits;
        if let Ok(archive) = Archive::open(&bad) {
            prop_assert!(archive.member("a/b").is_none_or(|data| data == members[0].1));
        }
        prop_assert!(Archive::open(&good[..cut.index(good.len())]).is_err());
    }

    #[test]
    fn no_bytes_panic(bytes in any::<Vec<u8>>()) {
        drop(Archive::open(&bytes));
    }
}

#[test]
fn compressed_members_and_bombs_are_refused() {
    let mut bytes = written(&[("x".to_owned(), vec![1, 2, 3])]);
    let central = bytes.len() - END_BYTES - CENTRAL_BYTES - 1;
    bytes[central + 10] = 8;
    assert!(refusal(&bytes).contains("compressed"), "{}", refusal(&bytes));

    // Two lines of the directory that name the same bytes.
    let mut bomb = written(&[("x".to_owned(), vec![9; 400]), ("y".to_owned(), vec![9; 400])]);
    let central = bomb.len() - END_BYTES - CENTRAL_BYTES - 1;
    for twin in [central, central - CENTRAL_BYTES - 1] {
        bomb[twin + 42..twin + 46].copy_from_slice(&0u32.to_le_bytes());
    }
    assert!(Archive::open(&bomb).is_ok(), "as long as they fit into the file");
    let mut more = written(&[("x".to_owned(), vec![9; 4000])]);
    let line = more[more.len() - END_BYTES - CENTRAL_BYTES - 1..more.len() - END_BYTES].to_vec();
    let end = more.split_off(more.len() - END_BYTES);
    let mut twin = line.clone();
    *twin.last_mut().expect("the name") = b'y';
    more.extend(&twin);
    more.extend(end);
    let count = more.len() - END_BYTES + 10;
    more[count] = 2;
    assert!(
        refusal(&more).contains("larger than the file"),
        "{}",
        refusal(&more)
    );
}
