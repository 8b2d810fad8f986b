//! Resolves, checks, connects: to the very address that was checked.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::address::HostAndPort;
use crate::{OutboundError, is_public};

/// The ports that data may send us to: web servers.
const PORTS_FOR_DATA: [u16; 2] = [80, 443];

/// Where an address comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// An operator entered it: private and loopback addresses are allowed.
    Operator,
    /// It was found in data: it must be public, on port 80 or 443, or in a network that the operator permits.
    Found,
}

/// How much is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long one address has to take a connection.
    pub connect: Duration,
    /// The most addresses of one host that are used.
    pub addresses: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connect: Duration::from_secs(5), addresses: 16 }
    }
}

/// Makes connections.
#[derive(Clone, Debug, Default)]
pub struct Dialer {
    limits: Limits,
    permitted: Arc<[IpNet]>,
}

impl Dialer {
    /// A dialer with these limits; addresses found in data must be public.
    pub fn new(limits: Limits) -> Self {
        Self { limits, permitted: Arc::default() }
    }

    /// The same, where addresses found in data may lead into these networks too, and there to any port: a private CA
    /// publishes inside its own network.
    #[must_use]
    pub fn permitting(self, networks: impl IntoIterator<Item = IpNet>) -> Self {
        Self { permitted: networks.into_iter().collect(), ..self }
    }

    /// Every address of `host:port`, each once, in the order in which the system prefers them.
    ///
    /// # Errors
    /// [`OutboundError::Address`], [`OutboundError::Resolve`], [`OutboundError::Deadline`]; for an address found in
    /// data also [`OutboundError::Blocked`] when any of them is neither public nor permitted, and
    /// [`OutboundError::BlockedPort`].
    pub async fn resolve(
        &self,
        address: &str,
        origin: Origin,
        deadline: Instant,
    ) -> Result<Vec<SocketAddr>, OutboundError> {
        let address: HostAndPort = address.parse()?;
        let lookup = tokio::net::lookup_host((address.host.as_str(), address.port));
        let found = tokio::time::timeout_at(deadline, lookup).await.map_err(|_| OutboundError::Deadline)?;
        let mut addresses: Vec<SocketAddr> = Vec::new();
        for found in found.map_err(OutboundError::Resolve)? {
            if origin == Origin::Found {
                self.check_found(found)?;
            }
            if !addresses.contains(&found) {
                addresses.push(found);
            }
        }
        addresses.truncate(self.limits.addresses);
        if addresses.is_empty() {
            let nothing = std::io::Error::from(std::io::ErrorKind::NotFound);
            return Err(OutboundError::Resolve(nothing));
        }
        Ok(addresses)
    }

    /// Refuses what data may not send us to.
    fn check_found(&self, address: SocketAddr) -> Result<(), OutboundError> {
        // IPv4 written as IPv6 is judged as IPv4.
        let ip: IpAddr = address.ip().to_canonical();
        if self.permitted.iter().any(|network| network.contains(&ip)) {
            return Ok(());
        }
        if !is_public(ip) {
            return Err(OutboundError::Blocked(ip));
        }
        if !PORTS_FOR_DATA.contains(&address.port()) {
            return Err(OutboundError::BlockedPort(address.port()));
        }
        Ok(())
    }

    /// Connects to the first address of `host:port` that takes the connection.
    ///
    /// # Errors
    /// Those of [`Dialer::resolve`], and [`OutboundError::Connect`] of the last address.
    pub async fn connect(
        &self,
        address: &str,
        origin: Origin,
        deadline: Instant,
    ) -> Result<TcpStream, OutboundError> {
        let mut last = OutboundError::Deadline;
        for address in self.resolve(address, origin, deadline).await? {
            match self.connect_to(address, deadline).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Connects to an address that [`Dialer::resolve`] answered.
    async fn connect_to(&self, address: SocketAddr, deadline: Instant) -> Result<TcpStream, OutboundError> {
        let until = deadline.min(Instant::now() + self.limits.connect);
        match tokio::time::timeout_at(until, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(source)) => Err(OutboundError::Connect { address, source }),
            Err(_) => Err(OutboundError::Deadline),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(5)
    }

    #[tokio::test]
    async fn an_operator_may_mean_loopback_and_data_may_not() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let dialer = Dialer::default();
        let connected = dialer.connect(&address, Origin::Operator, soon()).await;
        assert_eq!(connected.unwrap().peer_addr().unwrap().to_string(), address);
        for blocked in [
            "127.0.0.1:443",
            "localhost:443",
            "localhost.:443",
            "[::1]:443",
            "[::ffff:127.0.0.1]:80",
            "169.254.169.254:80",
            "0.0.0.0:80",
        ] {
            let refused = dialer.connect(blocked, Origin::Found, soon()).await.unwrap_err();
            let nothing_leaves = matches!(refused, OutboundError::Blocked(_) | OutboundError::Resolve(_));
            assert!(nothing_leaves, "{blocked}: {refused:?}");
        }
        for port in [25, 6379] {
            let refused = dialer.connect(&format!("1.1.1.1:{port}"), Origin::Found, soon()).await;
            assert!(matches!(refused, Err(OutboundError::BlockedPort(refused)) if refused == port));
        }
    }

    #[tokio::test]
    async fn what_the_operator_permits_is_reached_and_its_neighbour_is_not() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let dialer = Dialer::default().permitting(["127.0.0.1/32".parse().unwrap()]);
        for reached in [format!("127.0.0.1:{port}"), format!("[::ffff:127.0.0.1]:{port}")] {
            assert!(dialer.connect(&reached, Origin::Found, soon()).await.is_ok(), "{reached}");
        }
        for blocked in ["127.0.0.2", "10.0.0.1", "169.254.169.254", "[::1]", "[::ffff:127.0.0.2]"] {
            let refused = dialer.connect(&format!("{blocked}:{port}"), Origin::Found, soon()).await;
            assert!(matches!(refused, Err(OutboundError::Blocked(_))), "{blocked}: {refused:?}");
        }
        let refused = dialer.connect("1.1.1.1:6379", Origin::Found, soon()).await;
        assert!(matches!(refused, Err(OutboundError::BlockedPort(6379))), "{refused:?}");
    }

    #[tokio::test]
    async fn says_what_did_not_work() {
        let dialer = Dialer::default();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        drop(listener);
        let refused = dialer.connect(&address, Origin::Operator, soon()).await.unwrap_err();
        assert!(matches!(refused, OutboundError::Connect { .. }), "{refused:?}");
        assert!(refused.chain().contains("refused"), "{}", refused.chain());
        let refused = dialer.connect("nothing", Origin::Operator, soon()).await;
        assert!(matches!(refused, Err(OutboundError::Address)));
    }
}
