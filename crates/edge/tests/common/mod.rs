//! An edge with its surroundings, and a client.
#![allow(dead_code, clippy::allow_attributes, reason = "each test program uses its part")]

pub mod client;
pub mod hello;
pub mod world;
