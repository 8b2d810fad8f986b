//! `profiles.toml`: servers that a person talks to often, and the pins that he confirmed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, bail};
use pki::Fingerprint;
use serde::{Deserialize, Deserializer};

use super::server::Server;

/// The profile that is taken when nobody names one.
const USUAL: &str = "default";

/// One server.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Profile {
    /// Its address.
    #[serde(deserialize_with = "text")]
    pub server: Option<Server>,
    /// The SHA-256 of its certificate.
    #[serde(deserialize_with = "text")]
    pub server_pin: Option<Fingerprint>,
    /// The CA that issued its certificate.
    pub ca_file: Option<PathBuf>,
    /// Where the API key is.
    pub api_key_file: Option<PathBuf>,
}

/// Every profile, by name, and the file that they are kept in.
#[derive(Debug)]
pub struct Profiles {
    path: Option<PathBuf>,
    text: String,
    by_name: BTreeMap<String, Profile>,
}

impl Profiles {
    /// Reads the file of whoever runs the program; one that is not there holds no profiles.
    pub fn read() -> anyhow::Result<Self> {
        match usual_path() {
            Some(path) => Self::read_file(path),
            None => Ok(Self { path: None, text: String::new(), by_name: BTreeMap::new() }),
        }
    }

    fn read_file(path: PathBuf) -> anyhow::Result<Self> {
        let text = match std::fs::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            read => read.with_context(|| format!("cannot read {}", path.display()))?,
        };
        let by_name =
            toml::from_str(&text).with_context(|| format!("{} cannot be understood", path.display()))?;
        Ok(Self { path: Some(path), text, by_name })
    }

    /// The profile with this name; else the one of this server; else, when no server is named, the usual one.
    pub fn choose(&self, name: Option<&str>, server: Option<&Server>) -> anyhow::Result<(String, Profile)> {
        if let Some(name) = name {
            let Some(profile) = self.by_name.get(name) else { bail!("there is no profile {name:?}") };
            // A pin belongs to one server only.
            let is_its_own = server.is_none() || profile.server.as_ref() == server;
            let profile = if is_its_own { profile.clone() } else { Profile::default() };
            return Ok((name.to_owned(), profile));
        }
        let of_server =
            |(_, profile): &(&String, &Profile)| server.is_some() && profile.server.as_ref() == server;
        if let Some((name, profile)) = self.by_name.iter().find(of_server) {
            return Ok((name.clone(), profile.clone()));
        }
        match server {
            Some(server) if self.by_name.contains_key(USUAL) => Ok((server.short_name(), Profile::default())),
            Some(_) => Ok((USUAL.to_owned(), Profile::default())),
            None => Ok((USUAL.to_owned(), self.by_name.get(USUAL).cloned().unwrap_or_default())),
        }
    }

    /// Writes a pin that a person confirmed into the file; everything else in it stays as it is, comments too.
    pub fn remember(&mut self, name: &str, server: &Server, pin: Fingerprint) -> anyhow::Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        let known = self.by_name.get(name);
        let mut lines = format!("server_pin = \"{pin}\"\n");
        if known.is_none_or(|profile| profile.server.is_none()) {
            lines.insert_str(0, &format!("server = \"{server}\"\n"));
        }
        self.text = match known {
            Some(_) => with_lines(&self.text, name, &lines).with_context(|| {
                format!("cannot change {}; add to [{name}]: server_pin = \"{pin}\"", path.display())
            })?,
            None => appended(&self.text, name, &lines),
        };
        self.by_name = toml::from_str(&self.text).context("the profile cannot be written")?;
        write(path, &self.text).with_context(|| format!("cannot write {}", path.display()))
    }
}

/// `$XDG_CONFIG_HOME/claviger/profiles.toml`, else under `~/.config`; none for a user without a home.
fn usual_path() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = set("XDG_CONFIG_HOME").or_else(|| set("HOME").map(|home| home.join(".config")))?;
    Some(folder.join("claviger/profiles.toml"))
}

/// Puts lines below the table's header.
fn with_lines(text: &str, name: &str, lines: &str) -> Option<String> {
    let headers = [format!("[{name}]"), format!("[\"{name}\"]")];
    let is_header =
        |line: &str| headers.iter().any(|header| line.split('#').next().unwrap_or("").trim() == header);
    let mut changed = String::with_capacity(text.len() + lines.len());
    let mut found = false;
    for line in text.split_inclusive('\n') {
        changed.push_str(line);
        if !found && is_header(line) {
            found = true;
            changed.push_str(if line.ends_with('\n') { lines } else { return None });
        }
    }
    found.then_some(changed)
}

fn appended(text: &str, name: &str, lines: &str) -> String {
    let gap = match text {
        "" => "",
        text if text.ends_with('\n') => "\n",
        _ => "\n\n",
    };
    format!("{text}{gap}[{name}]\n{lines}")
}

/// Writes beside the file and renames, so that nobody ever reads half of it.
fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let new = path.with_extension("toml.new");
    std::fs::write(&new, text)?;
    Ok(std::fs::rename(&new, path)?)
}

/// A text that is parsed into its type.
fn text<'de, D: Deserializer<'de>, T: FromStr<Err: std::fmt::Display>>(
    from: D,
) -> Result<Option<T>, D::Error> {
    let text = String::deserialize(from)?;
    text.parse().map(Some).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pin() -> Fingerprint {
        Fingerprint::of_der(b"server")
    }

    fn profiles(directory: &tempfile::TempDir, text: &str) -> Profiles {
        let path = directory.path().join("new/profiles.toml");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        if !text.is_empty() {
            std::fs::write(&path, text).unwrap();
        }
        Profiles::read_file(path).unwrap()
    }

    fn again(profiles: &Profiles) -> Profiles {
        Profiles::read_file(profiles.path.clone().unwrap()).unwrap()
    }

    #[test]
    fn the_first_confirmed_server_becomes_the_usual_one() {
        let directory = tempfile::tempdir().unwrap();
        let mut held = profiles(&directory, "");
        let server: Server = "https://keys.example:4000/".parse().unwrap();
        let (name, profile) = held.choose(None, Some(&server)).unwrap();
        assert_eq!((name.as_str(), profile.server_pin), ("default", None));
        held.remember(&name, &server, pin()).unwrap();
        let (_, profile) = again(&held).choose(None, None).unwrap();
        assert_eq!((profile.server, profile.server_pin), (Some(server), Some(pin())));
    }

    #[test]
    fn a_pin_goes_into_its_profile_and_everything_else_stays() {
        let directory = tempfile::tempdir().unwrap();
        let text = "# mine\n[default]\nserver = \"https://a.example:4000\"\n\n[lab] # the lab\nserver = \"https://b.example:4000\"\n";
        let mut held = profiles(&directory, text);
        let server: Server = "https://b.example:4000".parse().unwrap();
        let (name, _) = held.choose(None, Some(&server)).unwrap();
        assert_eq!(name, "lab");
        held.remember(&name, &server, pin()).unwrap();
        let written = std::fs::read_to_string(held.path.unwrap()).unwrap();
        assert_eq!(written, text.replace("# the lab\n", &format!("# the lab\nserver_pin = \"{}\"\n", pin())));
    }

    #[test]
    fn a_new_server_gets_its_own_profile_and_no_pin_of_another() {
        let directory = tempfile::tempdir().unwrap();
        let text = format!("[default]\nserver = \"https://a.example\"\nserver_pin = \"{}\"\n", pin());
        let held = profiles(&directory, &text);
        let server: Server = "https://b.example:4000".parse().unwrap();
        let (name, profile) = held.choose(None, Some(&server)).unwrap();
        assert_eq!((name.as_str(), profile.server_pin), ("b-example-4000", None));
        let (_, profile) = held.choose(Some("default"), Some(&server)).unwrap();
        assert_eq!(profile.server_pin, None);
    }

    #[test]
    fn an_unknown_key_or_profile_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let held = profiles(&directory, "");
        assert!(held.choose(Some("other"), None).is_err());
        std::fs::write(held.path.clone().unwrap(), "[default]\nverify = false\n").unwrap();
        assert!(Profiles::read_file(held.path.unwrap()).is_err());
    }
}
