//! The wire between users, coordinator and workers, generated from `vico/v1/*.proto`, and nothing else.
#![expect(
    missing_docs,
    clippy::pedantic,
    reason = "generated code; the .proto files carry the documentation"
)]

/// Messages, clients and servers of `vico.v1`.
pub mod v1 {
    tonic::include_proto!("vico.v1");
}

/// The encoded file descriptor set, for the reflection service.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
