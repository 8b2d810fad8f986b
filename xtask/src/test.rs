//! The test command: every check and test, in order, each announced and timed, stopping at the first failure.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::command::{command, run as run_command, run_and_keep, works};
use crate::count::{Closing, Runner};
use crate::postgres::Postgres;
use crate::{tidy, tools};

/// Everything of ours, heavy connectors too, exactly as locked.
const EVERYTHING: [&str; 3] = ["--workspace", "--all-features", "--locked"];

struct Step {
    name: &'static str,
    what: &'static str,
    run: fn(&mut Session) -> anyhow::Result<()>,
}

const STEPS: &[Step] = &[
    Step { name: "tools", what: "install what the tests need", run: |s| tools::install(s.root) },
    Step { name: "fmt", what: "formatting", run: check_formatting },
    Step { name: "tidy", what: "the rules of the house", run: |s| tidy::run(s.root) },
    Step { name: "clippy", what: "lints, warnings are errors", run: clippy },
    Step { name: "deny", what: "dependencies: duplicates, licenses, sources", run: deny },
    Step { name: "build", what: "build the program and the tests", run: build },
    Step { name: "postgres", what: "start a PostgreSQL server for the tests", run: |s| s.start_postgres() },
    Step { name: "test", what: "unit tests, integration tests, stories", run: test },
    Step { name: "engine", what: "the pages and the API in process, on PostgreSQL too", run: engine },
    Step { name: "doctest", what: "examples in the documentation", run: doctest },
    Step { name: "doc", what: "documentation, warnings are errors", run: doc },
    Step { name: "browser", what: "pages in Chromium", run: browser },
];

/// What the steps share during one run.
struct Session<'a> {
    root: &'a Path,
    postgres: Option<Postgres>,
    closing: Closing,
}

/// Runs every step. A failure is told before the runners' closing lines, which are always the last.
pub fn run(root: &Path) -> anyhow::Result<ExitCode> {
    Ok(run_steps(root, STEPS))
}

/// Runs one step, and starts PostgreSQL before it where it needs that.
pub fn run_only(root: &Path, name: &str) -> anyhow::Result<ExitCode> {
    match STEPS.iter().position(|step| step.name == name) {
        Some(i) => Ok(run_steps(root, &STEPS[i..=i])),
        None => bail!("there is no step \"{name}\"; the steps are:\n{}", describe_steps()),
    }
}

/// The steps, a line each.
pub fn describe_steps() -> String {
    let mut text = String::new();
    for Step { name, what, .. } in STEPS {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {name:<10}{what}");
    }
    text
}

fn run_steps(root: &Path, steps: &[Step]) -> ExitCode {
    let mut session = Session { root, postgres: None, closing: Closing::default() };
    let mut times: Vec<(&str, Duration)> = Vec::new();
    let mut result = Ok(());
    for step in steps {
        println!("== {}: {}", step.name, step.what);
        let started = Instant::now();
        result = (step.run)(&mut session).with_context(|| format!("step {} failed", step.name));
        times.push((step.name, started.elapsed()));
        println!("== {}: {:.1} s", step.name, started.elapsed().as_secs_f64());
        if result.is_err() {
            break;
        }
    }
    let Session { postgres, closing, .. } = session;
    drop(postgres);
    print_end(&times, result.as_ref().err(), &closing);
    if result.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn print_end(times: &[(&str, Duration)], error: Option<&anyhow::Error>, closing: &Closing) {
    println!("\n== time per step");
    for (name, time) in times {
        println!("{name:<10}{:>8.1} s", time.as_secs_f64());
    }
    if let Some(error) = error {
        println!("== {error:#}");
    } else {
        println!("== every step passed");
    }
    for line in &closing.lines {
        println!("{line}");
    }
    if closing.count.total() > 0 {
        println!("{}", closing.count);
    }
}

impl Session<'_> {
    fn cargo(&self, arguments: &[&str]) -> Command {
        let mut cargo = command(self.root, "cargo", arguments);
        cargo.args(EVERYTHING);
        cargo
    }

    fn start_postgres(&mut self) -> anyhow::Result<()> {
        if self.postgres.is_none() {
            let postgres = Postgres::start(self.root)?;
            println!("PostgreSQL answers at {}", postgres.url());
            self.postgres = Some(postgres);
        }
        Ok(())
    }

    /// Runs a test runner with the database at hand and keeps its closing lines.
    fn run_tests(&mut self, runner: Runner, command: &mut Command) -> anyhow::Result<()> {
        self.start_postgres()?;
        if let Some(postgres) = &self.postgres {
            command.env("CLAVIGER_TEST_POSTGRES", postgres.url());
        }
        let (lines, result) = run_and_keep(command);
        self.closing += Closing::parse(runner, &lines);
        result
    }
}

fn check_formatting(session: &mut Session) -> anyhow::Result<()> {
    let fuzz = ["fmt", "--manifest-path", "fuzz/Cargo.toml", "--check"];
    run_command(&mut command(session.root, "cargo", &["fmt", "--all", "--check"]))
        .and_then(|()| run_command(&mut command(session.root, "cargo", &fuzz)))
        .context("cargo fmt --all formats the code, also in fuzz/")
}

fn clippy(session: &mut Session) -> anyhow::Result<()> {
    run_command(session.cargo(&["clippy", "--all-targets"]).args(["--", "-D", "warnings"]))
}

fn deny(session: &mut Session) -> anyhow::Result<()> {
    let arguments = ["--all-features", "--locked", "check", "bans", "licenses", "sources"];
    run_command(&mut command(session.root, tools::cargo_deny(session.root), &arguments))
}

/// Builds what `test` would build, so that its time is the tests' own.
fn build(session: &mut Session) -> anyhow::Result<()> {
    run_command(&mut session.cargo(&["build", "--bins", "--lib", "--tests"]))
}

fn test(session: &mut Session) -> anyhow::Result<()> {
    if works(&mut command(session.root, "cargo", &["nextest", "--version"])) {
        let mut nextest = session.cargo(&["nextest", "run", "--no-fail-fast"]);
        session.run_tests(Runner::Nextest, &mut nextest)
    } else {
        let mut test = session.cargo(&["test", "--no-fail-fast", "--bins", "--lib", "--tests"]);
        session.run_tests(Runner::CargoTest, &mut test)
    }
}

/// What runs on SQLite by itself once more on PostgreSQL: the web crate's tests, which go through everything below it.
fn engine(session: &mut Session) -> anyhow::Result<()> {
    let (runner, mut tests) = if works(&mut command(session.root, "cargo", &["nextest", "--version"])) {
        let only = ["nextest", "run", "--no-fail-fast", "--filterset", "package(claviger-web)"];
        (Runner::Nextest, session.cargo(&only))
    } else {
        (Runner::CargoTest, session.cargo(&["test", "--no-fail-fast", "--lib", "testing::"]))
    };
    session.run_tests(runner, tests.env("CLAVIGER_TEST_ENGINE", "postgresql"))
}

fn doctest(session: &mut Session) -> anyhow::Result<()> {
    let mut test = session.cargo(&["test", "--doc", "--quiet"]);
    session.run_tests(Runner::CargoTest, &mut test)
}

fn doc(session: &mut Session) -> anyhow::Result<()> {
    run_command(session.cargo(&["doc", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))
}

fn browser(session: &mut Session) -> anyhow::Result<()> {
    let folder = session.root.join("tests/browser");
    if !has_browser_tests(&folder)? {
        println!("there is no browser test yet: no *.test.mjs in tests/browser");
        return Ok(());
    }
    build(session)?;
    // Cargo puts the workspace's programs beside each other.
    let program = env::current_exe().context("could not find the built programs")?.with_file_name("claviger");
    let mut node = command(&folder, "node", &["--test", "--test-reporter=spec"]);
    session.run_tests(Runner::Node, node.env("CLAVIGER_BIN", program))
}

fn has_browser_tests(folder: &Path) -> anyhow::Result<bool> {
    let entries = fs::read_dir(folder).context("could not list tests/browser")?;
    Ok(entries.flatten().any(|entry| entry.file_name().to_string_lossy().ends_with(".test.mjs")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_step_names_the_known_ones() {
        let message = run_only(Path::new("."), "nothing").unwrap_err().to_string();
        assert!(message.contains("\"nothing\"") && message.contains("clippy"), "{message}");
    }

    #[test]
    fn only_files_named_so_are_browser_tests() {
        let folder = std::env::temp_dir().join(format!("xtask-browser-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("page.mjs"), "").unwrap();
        assert!(!has_browser_tests(&folder).unwrap());
        fs::write(folder.join("page.test.mjs"), "").unwrap();
        assert!(has_browser_tests(&folder).unwrap());
        fs::remove_dir_all(&folder).unwrap();
    }
}
