//! What runs the product, and what is done by whoever holds its data directory.

pub mod audit;
mod audit_head;
pub mod backup;
pub mod demo;
pub mod doctor;
mod first_certificate;
pub mod init;
mod installation;
mod instance;
mod listeners;
mod logging;
mod metrics;
pub mod migrate;
mod process;
pub mod recovery;
pub mod restore;
mod running;
pub mod secret_file;
pub mod serve;
pub mod world;
