//! The command line as a program uses it: pinned server, API key in the environment, JSON out.

use std::process::Command;

use serde_json::Value;

use super::common::{Place, Server, claviger, refuse, shown_chain, succeed};

/// Commands against one server.
pub struct Cli<'a> {
    place: &'a Place,
    server: String,
    pin: String,
}

impl<'a> Cli<'a> {
    pub fn new(server: &Server, place: &'a Place) -> Self {
        let shown = shown_chain(server.addresses.ui, "localhost").expect("the UI shows a certificate");
        let pin = shown[0].fingerprint().to_string();
        assert!(server.wait_until_said("SHA-256").contains(&pin));
        Self { place, server: server.url(""), pin }
    }

    /// A command with everything that it needs to reach the server; files are those of the place.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.stranger(arguments);
        command.args(["--server-pin", &self.pin]);
        command
    }

    /// The same without knowing how the server is recognised.
    pub fn stranger(&self, arguments: &[&str]) -> Command {
        let mut command = claviger();
        command.args(arguments).args(["--server", &self.server]);
        command
            .env("CLAVIGER_API_KEY", self.place.api_key())
            .env("XDG_CONFIG_HOME", self.place.file("config"));
        command.current_dir(self.place.file("."));
        command
    }

    /// What it says to people.
    pub fn say(&self, arguments: &[&str]) -> String {
        succeed(&mut self.command(arguments))
    }

    /// What it answers to programs.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let text = succeed(self.command(arguments).arg("--json"));
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {text}"))
    }

    /// What it says when it is not done.
    pub fn refused(&self, arguments: &[&str]) -> String {
        refuse(&mut self.command(arguments))
    }
}
