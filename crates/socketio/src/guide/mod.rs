//! For people who come from elsewhere: what they know, and what it is called here.
//!
//! - [`from_node`]: from `socket.io` on Node.js.
//! - [`from_socketioxide`]: from `socketioxide`.
//!
//! All Rust code in these pages compiles; it is part of the tests.

#[doc = include_str!("from_node.md")]
pub mod from_node {}

#[doc = include_str!("from_socketioxide.md")]
pub mod from_socketioxide {}
