//! Colours, only where a person looks: on a terminal, and not when `NO_COLOR` is set.

use std::fmt::Display;
use std::io::{self, IsTerminal};

use clap::builder::styling::{AnsiColor, Style};
use pki::Severity;

/// Whether to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ink {
    coloured: bool,
}

impl Ink {
    /// No colours.
    pub const PLAIN: Ink = Ink { coloured: false };

    /// For standard output as it is.
    pub fn for_output() -> Self {
        Self { coloured: io::stdout().is_terminal() && wants_colours() }
    }

    /// For standard error as it is.
    pub fn for_errors() -> Self {
        Self { coloured: io::stderr().is_terminal() && wants_colours() }
    }

    /// Stands out.
    pub fn strong(self, text: impl Display) -> String {
        self.with(Style::new().bold(), text)
    }

    /// Steps back.
    pub fn faint(self, text: impl Display) -> String {
        self.with(Style::new().dimmed(), text)
    }

    /// The name of a severity.
    pub fn severity(self, severity: Severity) -> String {
        let style = match severity {
            Severity::Error => AnsiColor::Red.on_default().bold(),
            Severity::Warning => AnsiColor::Yellow.on_default().bold(),
            Severity::Info => AnsiColor::Cyan.on_default(),
        };
        self.with(style, severity)
    }

    fn with(self, style: Style, text: impl Display) -> String {
        if self.coloured { format!("{style}{text}{style:#}") } else { text.to_string() }
    }
}

/// <https://no-color.org>
fn wants_colours() -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !is_set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_ink_leaves_no_trace() {
        assert_eq!(Ink::PLAIN.severity(Severity::Error), "error");
        let coloured = Ink { coloured: true };
        assert_eq!(coloured.strong("x"), "\u{1b}[1mx\u{1b}[0m");
    }
}
