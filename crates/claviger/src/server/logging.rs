//! The log: to standard error, for people or as JSON.

use std::io::IsTerminal;

use anyhow::Context;
use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};

/// Starts logging. Only the first call of a process counts.
pub fn start(log: &Log) -> anyhow::Result<()> {
    let filter = EnvFilter::builder().parse(&log.filter);
    let filter = filter.with_context(|| format!("log.filter is not a rule: {}", log.filter))?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let on_terminal = std::io::stderr().is_terminal();
    // It fails only when it was started before, and then that one stands.
    let _ = match log.format {
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
        LogFormat::Auto if on_terminal => lines.compact().with_target(false).try_init(),
        LogFormat::Auto | LogFormat::Human => lines.compact().with_ansi(on_terminal).try_init(),
    };
    Ok(())
}
