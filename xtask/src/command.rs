//! Starting other programs: with a clear sentence when one fails, and what it printed when asked for.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;

use anyhow::{Context, bail};

/// Makes a command that will run in `folder`.
pub fn command(folder: &Path, program: impl AsRef<Path>, arguments: &[&str]) -> Command {
    let mut command = Command::new(program.as_ref());
    command.current_dir(folder).args(arguments).stdin(Stdio::null());
    command
}

/// Runs a command to its end, its output going where ours goes.
pub fn run(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("could not start {}", text(command)))?;
    if !status.success() {
        bail!("{} failed ({status})", text(command));
    }
    Ok(())
}

/// Runs a command silently and returns what it wrote to its standard output.
pub fn read(command: &mut Command) -> anyhow::Result<String> {
    let output = command.output().with_context(|| format!("could not start {}", text(command)))?;
    if !output.status.success() {
        let reason = String::from_utf8_lossy(&output.stderr);
        bail!("{} failed ({}): {}", text(command), output.status, reason.trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("{} did not print text", text(command)))
}

/// Whether a command can be started and ends well; nothing is printed.
pub fn works(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Runs a command to its end, showing each line as it comes and keeping them all.
///
/// The lines come back also when the command failed: a test runner's last words matter most then.
pub fn run_and_keep(command: &mut Command) -> (Vec<String>, anyhow::Result<()>) {
    let lines = Mutex::new(Vec::new());
    let result = show_and_keep(command, &lines);
    (lines.into_inner().unwrap_or_default(), result)
}

fn show_and_keep(command: &mut Command, lines: &Mutex<Vec<String>>) -> anyhow::Result<()> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("could not start {}", text(command)))?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    thread::scope(|scope| {
        scope.spawn(|| stdout.map(|stream| copy(stream, lines)));
        scope.spawn(|| stderr.map(|stream| copy(stream, lines)));
    });
    let status = child.wait().with_context(|| format!("lost sight of {}", text(command)))?;
    if !status.success() {
        bail!("{} failed ({status})", text(command));
    }
    Ok(())
}

fn copy(stream: impl Read, lines: &Mutex<Vec<String>>) {
    for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        println!("{line}");
        if let Ok(mut lines) = lines.lock() {
            lines.push(line);
        }
    }
}

/// A command as a person would type it.
fn text(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str());
    let mut text = name.to_string_lossy().into_owned();
    for argument in command.get_args() {
        text.push(' ');
        text.push_str(&argument.to_string_lossy());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        command(Path::new("."), "sh", &["-c", script])
    }

    #[test]
    fn keeps_the_lines_of_both_streams_also_on_failure() {
        let (mut lines, result) = run_and_keep(&mut shell("echo one; echo two >&2; exit 3"));
        lines.sort();
        assert_eq!(lines, ["one", "two"]);
        let message = result.unwrap_err().to_string();
        assert!(message.starts_with("sh -c") && message.contains('3'), "{message}");
    }

    #[test]
    fn says_which_program_is_missing() {
        let message = run(&mut command(Path::new("."), "no-such-program", &["x"])).unwrap_err().to_string();
        assert_eq!(message, "could not start no-such-program x");
    }

    #[test]
    fn reads_and_probes() {
        assert_eq!(read(&mut shell("echo text")).unwrap(), "text\n");
        assert!(read(&mut shell("echo why >&2; false")).unwrap_err().to_string().contains("why"));
        assert!(works(&mut shell("true")) && !works(&mut shell("false")));
    }
}
