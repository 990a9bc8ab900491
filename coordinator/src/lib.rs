//! The coordinator: decides, never touches a tensor.

mod core;
