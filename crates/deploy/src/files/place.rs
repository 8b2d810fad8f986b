//! The settings of a `files` target, read once.

use std::path::PathBuf;

use pki::Refusal;

use super::nginx::Nginx;
use crate::Settings;

/// The names of the four files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Names {
    pub(super) certificate: String,
    pub(super) chain: String,
    pub(super) fullchain: String,
    pub(super) key: String,
}

/// Where the files go, and who uses them.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) directory: PathBuf,
    pub(super) names: Names,
    pub(super) key_mode: u32,
    pub(super) file_mode: u32,
    pub(super) nginx: Option<Nginx>,
}

impl Names {
    pub(super) fn all(&self) -> [&str; 4] {
        [&self.key, &self.chain, &self.fullchain, &self.certificate]
    }
}

impl Place {
    /// Reads settings that `domain::connector::check` has let through; nginx is the program `nginx_binary`.
    pub(super) fn parse(settings: &Settings, nginx_binary: PathBuf) -> Result<Self, Vec<Refusal>> {
        let text = |name: &str| settings.get(name).cloned().unwrap_or_default();
        let path = |name: &str| settings.get(name).map(PathBuf::from);
        let mode = |name: &str| u32::from_str_radix(&text(name), 8).unwrap_or(0o600);
        let names = Names {
            certificate: text("certificate_file"),
            chain: text("chain_file"),
            fullchain: text("fullchain_file"),
            key: text("key_file"),
        };
        let nginx = (text("preset") == "nginx").then(|| Nginx {
            binary: nginx_binary,
            conf: path("nginx_conf"),
            prefix: path("nginx_prefix"),
            pid_file: path("pid_file").unwrap_or_default(),
        });
        let place = Self {
            directory: path("directory").unwrap_or_default(),
            key_mode: mode("key_mode"),
            file_mode: mode("file_mode"),
            names,
            nginx,
        };
        let refusals = place.refusals();
        if refusals.is_empty() { Ok(place) } else { Err(refusals) }
    }

    fn refusals(&self) -> Vec<Refusal> {
        let names = [
            ("certificate_file", &self.names.certificate),
            ("chain_file", &self.names.chain),
            ("fullchain_file", &self.names.fullchain),
            ("key_file", &self.names.key),
        ];
        let mut refusals = Vec::new();
        for (place, (field, name)) in names.iter().enumerate() {
            if !is_file_name(name) {
                let repair =
                    "Use a plain name of letters, digits, dots, hyphens and underscores, such as cert.pem.";
                refusals.push(refuse("this is not a plain file name", repair, field));
            } else if names[..place].iter().any(|(_, other)| other == name) {
                refusals.push(refuse("two files have the same name", "Give each file its own name.", field));
            }
        }
        if self.directory.parent().is_none() {
            let repair = "Use a directory of its own, such as /etc/nginx/tls.";
            refusals.push(refuse("the files cannot go there", repair, "directory"));
        }
        refusals
    }
}

fn refuse(what: &str, repair: &str, field: &str) -> Refusal {
    Refusal::new("setting.value", what, repair).at(field)
}

/// No separators, nothing hidden (the marks are), nothing that looks like an option or like a version kept.
fn is_file_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    (1..=100).contains(&name.len())
        && name.bytes().all(allowed)
        && !name.starts_with(['.', '-'])
        && !name.ends_with(".previous")
}
