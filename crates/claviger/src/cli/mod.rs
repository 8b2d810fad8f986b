//! The command tree. A command is a type with `run`, and one line in `commands!`.

mod audit;
pub mod client;
mod file;
mod ink;
mod limited;
mod manual;
pub mod offline;
pub mod output;
mod question;
mod recovery;
pub mod secret;
mod subject;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::server;

/// Claviger: a server for keys and certificates, from making them to proving that they are served.
#[derive(Debug, Parser)]
#[command(name = "claviger", version, max_term_width = 100, arg_required_else_help = true)]
#[command(after_help = "Start with `claviger demo`, or with `claviger serve --data DIR`.")]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Declares the commands: help, name, and the type that clap fills and that runs. Those that need nothing but the
/// processor start without a runtime.
macro_rules! commands {
    (
        wait { $($(#[$attribute:meta])* $name:ident($kind:ty);)* }
        at once { $($(#[$at_once_attribute:meta])* $at_once:ident($at_once_kind:ty);)* }
    ) => {
        /// What the program can do.
        #[derive(Debug, Subcommand)]
        pub enum Command {
            $($(#[$attribute])* $name($kind),)*
            $($(#[$at_once_attribute])* $at_once($at_once_kind),)*
        }

        impl Command {
            /// Runs the command; the code is 0 only when what was asked for was done.
            pub fn run(self) -> anyhow::Result<ExitCode> {
                match self {
                    $(Self::$name(command) => crate::run(Box::pin(command.run())),)*
                    $(Self::$at_once(command) => command.run(),)*
                }
            }
        }
    };
}

commands! {
    wait {
        // The server and its data directory.
        /// Run the server: UI, API, edge, renewals.
        Serve(server::serve::Serve);
        /// Do the first start without a browser.
        Init(server::init::Init);
        /// Show the whole main job on this machine: three sites get new keys while clients keep connecting.
        Demo(server::demo::Demo);
        /// The clients of the demonstration; prints what they saw.
        #[command(hide = true)]
        DemoClient(server::demo::client::DemoClient);
        /// Bring the database to this version's schema.
        Migrate(server::migrate::Migrate);
        /// Take a backup; the server may be running.
        Backup(server::backup::Backup);
        /// Bring a backup back into an empty directory.
        Restore(server::restore::Restore);
        /// Make a new recovery passphrase.
        #[command(subcommand)]
        Recovery(recovery::Recovery);
        /// Say what is wrong with an installation, and how to mend it.
        Doctor(server::doctor::Doctor);

        // What is on a server, by its API.
        /// Log tokens in and out, change their PINs.
        Token(client::token::Token);
        /// Make, see and export private keys.
        Key(client::key::Key);
        /// Make certificate requests, on a server or as files.
        Csr(client::csr::Csr);
        /// Import, see and export certificates.
        Cert(client::certificate::Certificate);
        /// See and change who issues certificates.
        Issuer(client::issuer::Issuer);
        /// Renew, rekey and change series of certificates.
        Lineage(client::lineage::Lineage);
        /// See and change where certificates are installed.
        Target(client::target::Target);
        /// See and change who may log in.
        User(client::user::User);
        /// Make and revoke API keys.
        ApiKey(client::api_key::ApiKey);
        /// See and follow what the server works on.
        Job(client::job::Job);
        /// Make the support bundle, and look into files before they are sent.
        Support(client::support::Support);
        /// Read and verify the audit log, also without a server.
        #[command(subcommand)]
        Audit(audit::Audit);
    }
    at once {
        // Files, without a server.
        /// Say what is in certificate, key and CSR files or shown by a TLS server, and what is wrong with it.
        Inspect(offline::inspect::Inspect);
        /// Arrange certificates into a chain, repair and explain it.
        Chain(offline::chain::Chain);
        /// Write certificates and keys in another form.
        Convert(offline::convert::Convert);
        // About the program itself.
        /// Print completions for a shell.
        Completions(manual::Completions);
        /// Write man pages.
        Manual(manual::Manual);
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_tree_is_sound() {
        Cli::command().debug_assert();
    }
}
