//! Chores and checks of this repository: `cargo xtask help` lists them.
//!
//! It knows the repository's folders and the programs that judge it, and none of our crates.
//! Start reading at [`mod@test`]: the one command that people and CI run.
#![expect(clippy::print_stdout, reason = "a program for the terminal")]

mod command;
mod count;
mod fuzz;
mod postgres;
mod test;
mod tidy;
mod tools;

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};

const HELP: &str = "\
Chores and checks of this repository.

  cargo xtask test                install what the tests need, then run every check and test
  cargo xtask test --only STEP    run one step of it
  cargo xtask tools               only install what the tests need
  cargo xtask tidy                only check the rules of the house: arrows, sizes, words, files
  cargo xtask fuzz [--seconds N] [TARGET...]
                                  run the fuzz targets, each for 30 seconds; no part of the tests
  cargo xtask help                print this

Steps of the test command, in their order:";

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<ExitCode> {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["test"] => test::run(&root()?),
        ["test", "--only", step] => test::run_only(&root()?, step),
        ["tools"] => tools::install(&root()?).map(|()| ExitCode::SUCCESS),
        ["fuzz", arguments @ ..] => fuzz::run(&root()?, arguments),
        ["tidy"] => tidy::run(&root()?).map(|()| ExitCode::SUCCESS),
        [] | ["help" | "--help" | "-h"] => {
            println!("{HELP}\n{}\nFuzz targets: {}", test::describe_steps(), fuzz::describe_targets());
            Ok(ExitCode::SUCCESS)
        }
        other => bail!("unknown command \"{}\"; cargo xtask help lists them", other.join(" ")),
    }
}

/// The folder of the workspace.
fn root() -> anyhow::Result<PathBuf> {
    let manifest = env::var_os("CARGO_MANIFEST_DIR").context("this program is started as cargo xtask")?;
    let mut folder = PathBuf::from(manifest);
    folder.pop();
    Ok(folder)
}
