//! The table is complete, roles are what they say, and files are read as they should be.
#![expect(clippy::unwrap_used, reason = "tests say what they expect")]

use std::collections::BTreeSet;

use prost::Message as _;
use prost_types::FileDescriptorSet;

use super::role::Role;
use super::table::{Access, METHODS};
use super::tokens::parse;

/// Every method of every service whose descriptors these are.
fn methods_of(descriptors: &[u8]) -> Vec<String> {
    let set = FileDescriptorSet::decode(descriptors).unwrap();
    let mut methods = Vec::new();
    for file in set.file {
        for service in file.service {
            let service_name = format!("{}.{}", file.package.clone().unwrap(), service.name.unwrap());
            let names = service.method.into_iter().map(|method| method.name.unwrap());
            methods.extend(names.map(|name| format!("/{service_name}/{name}")));
        }
    }
    methods
}

#[test]
fn the_table_lists_exactly_the_methods_that_are_served() {
    let served = [
        vico_proto::DESCRIPTORS,
        tonic_health::pb::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
    ];
    let served: BTreeSet<_> = served.into_iter().flat_map(methods_of).collect();
    assert!(served.len() > 17, "{served:?}");
    let listed: BTreeSet<_> = METHODS.iter().map(|method| method.path.to_owned()).collect();
    assert_eq!(listed, served);
    assert_eq!(listed.len(), METHODS.len(), "a method is listed twice");
}

#[test]
fn only_probes_are_open() {
    for method in METHODS {
        let is_probe = method.path.starts_with("/grpc.health.v1.");
        assert_eq!(method.access == Access::Open, is_probe, "{}", method.path);
    }
}

#[test]
fn roles_cover_what_they_should_and_nothing_else() {
    let covered = |role: Role| {
        Role::ALL
            .into_iter()
            .filter(|needed| role.covers(*needed))
            .collect::<Vec<_>>()
    };
    assert_eq!(covered(Role::Admin), Role::ALL);
    assert_eq!(covered(Role::Submit), [Role::Submit, Role::Read]);
    assert_eq!(covered(Role::Read), [Role::Read]);
    assert_eq!(covered(Role::Worker), [Role::Worker]);
}

#[test]
fn tokens_are_found_as_they_are_and_by_their_digest() {
    let plain = "0123456789abcdef0123456789abcdef";
    // printf %s correct-horse-battery-staple | sha256sum
    let digest = "87cbebfeebc05f7c54ac9336c4b4bbec831227a641951a4bde7edd56020f8590";
    let text = format!("# people\nadmin alice {plain}\n\n  worker pool sha256:{digest}\nread bob {plain}x\n");
    let tokens = parse(&text).unwrap();
    let name = |token: &str| tokens.holder(token).map(|holder| holder.name.to_string());
    assert_eq!(name(plain).as_deref(), Some("alice"));
    assert_eq!(name(&format!("{plain}x")).as_deref(), Some("bob"));
    assert_eq!(name("correct-horse-battery-staple").as_deref(), Some("pool"));
    for wrong in ["", "alice", digest, &format!("sha256:{digest}"), &plain[1..]] {
        assert_eq!(name(wrong), None, "{wrong}");
    }
}

#[test]
fn mistakes_in_a_tokens_file_name_the_line_and_keep_the_secret() {
    let good = "0123456789abcdef0123456789abcdef";
    let cases = [
        (String::new(), "there is no token"),
        ("# nobody\n".to_owned(), "there is no token"),
        (
            format!("admin alice {good}\nroot bob {good}"),
            "line 2: `root` is no role",
        ),
        (format!("admin {good}"), "line 1: it takes a role"),
        (
            "read bob hunter2hunter2".to_owned(),
            "line 1: the token is shorter",
        ),
        ("read bob sha256:abc".to_owned(), "line 1: `sha256:` takes 64"),
    ];
    for (text, expected) in cases {
        let reason = parse(&text).unwrap_err();
        assert!(reason.contains(expected), "{reason}");
        assert!(!reason.contains(good) && !reason.contains("hunter2"), "{reason}");
    }
}
