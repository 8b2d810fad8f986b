//! Runs the fuzz targets of `fuzz/`: builds them with libFuzzer's instrumentation, gives them files to begin with, and
//! says where an input lies that made one fail. No part of the test command: it has no end of its own.
//!
//! Coverage needs compiler flags that a stable toolchain takes only when told so (`RUSTC_BOOTSTRAP`); the target is
//! named, or build scripts would be instrumented as well. Everything lies in a target folder of its own.

mod seeds;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};

use crate::command::{command, read, run as run_command};

/// A program of `fuzz/`, and the longest input that it is given, in bytes.
struct Target {
    name: &'static str,
    longest: u32,
}

const TARGETS: &[Target] = &[
    Target { name: "pem", longest: 16_384 },
    Target { name: "x509", longest: 8_192 },
    Target { name: "csr", longest: 8_192 },
    Target { name: "crl", longest: 8_192 },
    Target { name: "pkcs7", longest: 16_384 },
    Target { name: "pkcs8", longest: 4_096 },
    Target { name: "pkcs12", longest: 16_384 },
    Target { name: "jks", longest: 16_384 },
    Target { name: "chain", longest: 1_024 },
    Target { name: "forms", longest: 16_384 },
];

const SECONDS: u32 = 30;
/// No input may take longer, instrumented and on a busy machine.
const SLOWEST: &str = "-timeout=10";
/// Nor may the whole program take more memory than this; libFuzzer's own is in it.
const MEMORY: &str = "-rss_limit_mb=512";

const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing -Ccodegen-units=1";

/// Runs what the arguments ask for: `--seconds N` for each, and names of targets; all of them where none is named.
pub fn run(root: &Path, arguments: &[&str]) -> anyhow::Result<ExitCode> {
    let wish = Wish::parse(arguments)?;
    let folder = root.join("target/fuzz");
    let host = host(root)?;
    build(root, &folder, &host)?;
    seeds::write(root, &folder.join("seeds"))?;
    let mut failed = 0;
    let mut closing = Vec::new();
    for target in &wish.targets {
        println!("== {}: {} s", target.name, wish.seconds);
        let program = folder.join(&host).join("release").join(target.name);
        let line = target.run(&program, &folder, wish.seconds)?;
        failed += usize::from(line.is_err());
        closing.push(line.unwrap_or_else(|line| line));
    }
    println!("\n{}", closing.join("\n"));
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The names of the targets, for the help.
pub fn describe_targets() -> String {
    TARGETS.iter().map(|target| target.name).collect::<Vec<_>>().join(" ")
}

struct Wish {
    seconds: u32,
    targets: Vec<&'static Target>,
}

impl Wish {
    fn parse(arguments: &[&str]) -> anyhow::Result<Self> {
        let mut wish = Self { seconds: SECONDS, targets: Vec::new() };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            if *argument == "--seconds" {
                let number = arguments.next().and_then(|text| text.parse().ok()).filter(|number| *number > 0);
                wish.seconds = number.context("--seconds wants a number of seconds")?;
            } else if let Some(target) = TARGETS.iter().find(|target| target.name == *argument) {
                wish.targets.push(target);
            } else {
                bail!("there is no fuzz target \"{argument}\"; the targets are: {}", describe_targets());
            }
        }
        if wish.targets.is_empty() {
            wish.targets.extend(TARGETS);
        }
        Ok(wish)
    }
}

/// The name of the machine that we run on, as the compiler spells it.
fn host(root: &Path) -> anyhow::Result<String> {
    let version = read(&mut command(root, "rustc", &["--version", "--verbose"]))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc does not say what machine this is")?.to_owned())
}

fn build(root: &Path, folder: &Path, host: &str) -> anyhow::Result<()> {
    let arguments = ["build", "--release", "--locked", "--bins", "--target", host];
    let mut cargo = command(&root.join("fuzz"), "cargo", &arguments);
    // `cargo xtask` has set this for itself: it would be taken for the flags of the fuzz targets.
    cargo.env_remove("CARGO_ENCODED_RUSTFLAGS");
    run_command(cargo.env("RUSTC_BOOTSTRAP", "1").env("RUSTFLAGS", FLAGS).env("CARGO_TARGET_DIR", folder))
}

impl Target {
    /// Runs it and gives the line to close with; the error is that of a target which found something.
    fn run(&self, program: &Path, folder: &Path, seconds: u32) -> anyhow::Result<Result<String, String>> {
        let [corpus, found] = ["corpus", "found"].map(|name| folder.join(name).join(self.name));
        for made in [&corpus, &found] {
            fs::create_dir_all(made).with_context(|| format!("could not make {}", made.display()))?;
        }
        let before = files(&found)?;
        let mut fuzzer = command(folder, program, &["-print_final_stats=1", SLOWEST, MEMORY]);
        fuzzer.arg(format!("-max_total_time={seconds}")).arg(format!("-max_len={}", self.longest));
        fuzzer.arg(format!("-artifact_prefix={}/", found.display()));
        let output = fuzzer.arg(&corpus).arg(folder.join("seeds").join(self.name)).output();
        let output = output.with_context(|| format!("could not start the fuzz target {}", self.name))?;
        let text = String::from_utf8_lossy(&output.stderr);
        if output.status.success() {
            return Ok(Ok(self.summary(&text)));
        }
        let last: Vec<&str> = text.lines().rev().take(60).collect();
        for line in last.iter().rev() {
            println!("{line}");
        }
        let inputs: Vec<String> = files(&found)?
            .into_iter()
            .filter(|path| !before.contains(path))
            .map(|path| path.display().to_string())
            .collect();
        let place = if inputs.is_empty() { "it left no input".to_owned() } else { inputs.join(" ") };
        Ok(Err(format!("{:<8}FAILED ({}): {place}", self.name, output.status)))
    }

    fn summary(&self, text: &str) -> String {
        let stat = |name: &str| {
            let marked = format!("stat::{name}:");
            text.lines().find_map(|line| line.strip_prefix(&marked)).map_or("?", str::trim)
        };
        let (executed, memory) = (stat("number_of_executed_units"), stat("peak_rss_mb"));
        let last = text.lines().rfind(|line| line.contains("DONE")).unwrap_or_default();
        let number =
            |name: &str| last.split_whitespace().skip_while(|word| *word != name).nth(1).unwrap_or("?");
        let (edges, kept) = (number("cov:"), number("corp:"));
        let kept = kept.split('/').next().unwrap_or(kept);
        format!(
            "{:<8}{executed} inputs, {edges} edges covered, {kept} inputs kept, {memory} MiB: nothing found",
            self.name
        )
    }
}

fn files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("could not list {}", folder.display()))?;
    Ok(entries.flatten().map(|entry| entry.path()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_choose_targets_and_time() {
        let all = Wish::parse(&[]).unwrap();
        assert_eq!((all.seconds, all.targets.len()), (SECONDS, TARGETS.len()));
        let some = Wish::parse(&["jks", "--seconds", "600", "pem"]).unwrap();
        let names: Vec<_> = some.targets.iter().map(|target| target.name).collect();
        assert_eq!((some.seconds, names), (600, vec!["jks", "pem"]));
        for wrong in [&["--seconds"][..], &["--seconds", "0"], &["der"]] {
            assert!(Wish::parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn the_closing_line_says_what_was_done() {
        let text = "#9\tDONE   cov: 120 ft: 300 corp: 7/3Kb lim: 4 exec/s: 3 rss: 50Mb\n\
            stat::number_of_executed_units: 9\nstat::peak_rss_mb:              51\n";
        let line = TARGETS[0].summary(text);
        assert_eq!(line, "pem     9 inputs, 120 edges covered, 7 inputs kept, 51 MiB: nothing found");
    }

    #[test]
    fn every_program_of_the_crate_is_run() {
        let manifest =
            fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/Cargo.toml")).unwrap();
        for target in TARGETS {
            assert!(manifest.contains(&format!("\"targets/{}.rs\"", target.name)), "{}", target.name);
        }
        assert_eq!(manifest.matches("[[bin]]").count(), TARGETS.len());
    }
}
