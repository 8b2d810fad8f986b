//! What the test runners say at their end, and the sum of it.

use std::fmt;
use std::ops::AddAssign;

/// How many tests ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Tests that passed.
    pub passed: u64,
    /// Tests that failed, ran out of time or could not be started.
    pub failed: u64,
    /// Tests that were not run.
    pub skipped: u64,
}

impl Count {
    /// How many tests there were.
    pub fn total(self) -> u64 {
        self.passed + self.failed + self.skipped
    }

    fn add(&mut self, word: &str, number: u64) {
        match word {
            "passed" | "pass" => self.passed += number,
            "failed" | "fail" | "timed out" | "exec failed" | "cancelled" => self.failed += number,
            "skipped" | "ignored" | "todo" => self.skipped += number,
            _ => {}
        }
    }
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

/// A program that runs tests.
#[derive(Clone, Copy, Debug)]
pub enum Runner {
    /// cargo-nextest: one summary.
    Nextest,
    /// `cargo test`: a result for each program of tests.
    CargoTest,
    /// Node's own test runner: a line for each count.
    Node,
}

/// Closing lines of test runners that were about at least one test, and their sum.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Closing {
    /// The lines as the runner printed them.
    pub lines: Vec<String>,
    /// What they add up to.
    pub count: Count,
}

impl Closing {
    /// Finds a runner's closing lines in what it printed. Tests print too: only the runner's last word counts
    /// where it has one.
    pub fn parse(runner: Runner, output: &[String]) -> Self {
        let mut closing = Self::default();
        match runner {
            Runner::Nextest => {
                if let Some((line, count)) =
                    output.iter().rev().find_map(|line| Some((line, parse_nextest(line)?)))
                {
                    closing.add(line, count);
                }
            }
            Runner::CargoTest => {
                let rows = output.iter().filter_map(|line| Some((line, parse_cargo_test(line)?)));
                for (line, count) in rows.filter(|(_, count)| count.total() > 0) {
                    closing.add(line, count);
                }
            }
            Runner::Node => {
                let begin =
                    output.iter().rposition(|line| parse_node(line).is_some_and(|(word, _)| word == "tests"));
                for line in &output[begin.unwrap_or(output.len())..] {
                    let Some((word, number)) = parse_node(line) else {
                        continue;
                    };
                    let mut count = Count::default();
                    count.add(word, number);
                    closing.add(line, count);
                }
            }
        }
        if closing.count.total() > 0 { closing } else { Self::default() }
    }

    fn add(&mut self, line: &str, count: Count) {
        self.lines.push(line.trim().to_owned());
        self.count += count;
    }
}

impl AddAssign for Closing {
    fn add_assign(&mut self, other: Self) {
        self.lines.extend(other.lines);
        self.count += other.count;
    }
}

/// `Summary [ 0.1s] 9 tests run: 7 passed (1 slow, 1 flaky), 1 failed, 1 timed out, 2 skipped`
fn parse_nextest(line: &str) -> Option<Count> {
    let rest = line.trim().strip_prefix("Summary [")?;
    let (_, counts) = rest.split_once("run: ")?;
    Some(parse_list(&without_parentheses(counts), ", "))
}

/// `test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s`
fn parse_cargo_test(line: &str) -> Option<Count> {
    let rest = line.trim().strip_prefix("test result: ")?;
    let (_, counts) = rest.split_once(". ")?;
    Some(parse_list(counts, "; "))
}

/// `ℹ pass 5` or, in TAP, `# pass 5`
fn parse_node(line: &str) -> Option<(&str, u64)> {
    let rest = line.strip_prefix("ℹ ").or_else(|| line.strip_prefix("# "))?;
    let (word, number) = rest.split_once(' ')?;
    let known = ["tests", "suites", "pass", "fail", "cancelled", "skipped", "todo"];
    Some((word, number.parse().ok()?)).filter(|(word, _)| known.contains(word))
}

fn parse_list(list: &str, separator: &str) -> Count {
    let mut count = Count::default();
    for item in list.split(separator) {
        if let Some((number, word)) = item.split_once(' ')
            && let Ok(number) = number.parse()
        {
            count.add(word, number);
        }
    }
    count
}

fn without_parentheses(text: &str) -> String {
    let mut kept = String::new();
    for (i, part) in text.split('(').enumerate() {
        let part = if i == 0 { part } else { part.split_once(')').map_or("", |(_, rest)| rest) };
        kept.push_str(part.strip_suffix(' ').unwrap_or(part));
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(runner: Runner, text: &str) -> Closing {
        Closing::parse(runner, &text.lines().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn nextest() {
        let closing = parse(
            Runner::Nextest,
            "test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 1 filtered out; finished in 0.12s\n     \
             Summary [   0.013s] 12/14 tests run: 8 passed (1 slow, 1 flaky), 1 failed, 2 timed out, \
             1 exec failed, 2 skipped\n        FAIL [   0.129s] (10/41) claviger::story fails\n",
        );
        assert_eq!(closing.count, Count { passed: 8, failed: 4, skipped: 2 });
        assert_eq!(closing.lines.len(), 1);
        let one = parse(Runner::Nextest, "     Summary [   0.005s] 1 test run: 1 passed, 0 skipped");
        assert_eq!(one.count, Count { passed: 1, failed: 0, skipped: 0 });
    }

    #[test]
    fn cargo_test_has_a_line_for_each_program() {
        let closing = parse(
            Runner::CargoTest,
            "test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\
             test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s\n",
        );
        assert_eq!(closing.count, Count { passed: 6, failed: 2, skipped: 1 });
        assert_eq!(closing.lines.len(), 2);
    }

    #[test]
    fn node_in_both_of_its_forms() {
        for mark in ["ℹ", "#"] {
            let closing = parse(
                Runner::Node,
                &format!(
                    "{mark} Subtest: x\n{mark} pass 9\n{mark} tests 6\n{mark} suites 0\n{mark} pass 2\n{mark} fail 1\n\
                     {mark} cancelled 1\n{mark} skipped 1\n{mark} todo 1\n{mark} duration_ms 50.1\n",
                ),
            );
            assert_eq!(closing.count, Count { passed: 2, failed: 2, skipped: 2 });
            assert_eq!(closing.lines.len(), 7);
        }
    }

    #[test]
    fn says_the_sum_plainly() {
        let mut count = Count { passed: 1, failed: 2, skipped: 3 };
        count += Count { passed: 10, failed: 0, skipped: 0 };
        assert_eq!(count.to_string(), "11 passed, 2 failed, 3 skipped");
    }

    #[test]
    fn lines_about_no_test_and_ordinary_output_are_left_out() {
        let empty =
            "test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s";
        assert_eq!(parse(Runner::CargoTest, empty), Closing::default());
        for runner in [Runner::Nextest, Runner::CargoTest, Runner::Node] {
            let text = "running 3 tests\nSummary\ntest result\n# pass\n# the end 5\n# tests 0\n# pass 0\n";
            assert_eq!(parse(runner, text), Closing::default());
        }
    }
}
