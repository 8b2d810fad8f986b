//! The binary: command line, configuration, wiring, and the demonstration.
//!
//! `server` runs the product and what holds its data directory (`serve`, `init`, `demo`, `migrate`, `backup`,
//! `restore`, `doctor`); `cli` is the command tree. It decides nothing by itself: what a user can do is a function in
//! `app`. Start reading at [`cli::Command`], then `server/running.rs`.

mod cli;
mod config;
mod server;

use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;

fn main() -> ExitCode {
    cli::Cli::parse().command.run().unwrap_or_else(|error| {
        eprintln!("claviger: {error:#}");
        ExitCode::FAILURE
    })
}

/// Runs a command that waits for others: the network, the database, a person.
fn run(command: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    // Every TLS client of this process uses it. It can be installed only once, and this is the once.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.context("the system gives no threads")?;
    let code = runtime.block_on(command);
    // A thread that still waits for input must not keep the program.
    runtime.shutdown_background();
    code
}
