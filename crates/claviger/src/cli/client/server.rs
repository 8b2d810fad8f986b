//! The address of a server, as a person writes it.

use std::fmt;
use std::str::FromStr;

use reqwest::Url;

/// A server's address: `https://host:port`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server(Url);

impl Server {
    /// The address, with the path `/`.
    pub fn url(&self) -> Url {
        self.0.clone()
    }

    /// `host:port`, an IPv6 host in brackets.
    pub fn address(&self) -> String {
        // `from_str` let only addresses with a host in, and HTTPS has a port of its own.
        format!("{}:{}", self.0.host_str().unwrap_or_default(), self.0.port_or_known_default().unwrap_or(443))
    }

    /// The host name to ask for; none when the host is an address.
    pub fn name(&self) -> Option<String> {
        let host = self.0.host_str()?;
        let is_address = host.starts_with('[') || host.parse::<std::net::IpAddr>().is_ok();
        (!is_address).then(|| host.to_owned())
    }

    /// A name for it in a list of servers.
    pub fn short_name(&self) -> String {
        let letters = self.address();
        letters.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
    }
}

impl FromStr for Server {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|_| "write it like https://localhost:4000".to_owned())?;
        let is_bare = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
        if url.scheme() != "https" || url.host_str().is_none() {
            return Err("write it like https://localhost:4000; the API is not served without TLS".to_owned());
        }
        if !is_bare || !url.username().is_empty() || url.password().is_some() {
            return Err("write only https://, the host and the port".to_owned());
        }
        Ok(Self(url))
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_and_nothing_but_host_and_port() {
        for bad in ["http://a", "localhost:4000", "https://a/x", "https://u:p@a", "https://a?x", ""] {
            assert!(bad.parse::<Server>().is_err(), "{bad}");
        }
        let server: Server = "https://Keys.example/".parse().unwrap();
        assert_eq!(
            (server.to_string().as_str(), server.address().as_str()),
            ("https://keys.example", "keys.example:443")
        );
        let server: Server = "https://[::1]:4000".parse().unwrap();
        assert_eq!((server.address().as_str(), server.name()), ("[::1]:4000", None));
    }
}
