//! The listening sockets.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use crate::config::Listen;

/// What to do when a port is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfTaken {
    /// Say so and end.
    Refuse,
    /// Take a free one.
    AnyFree,
}

/// The four sockets, listening.
pub struct Listeners {
    /// UI and API.
    pub ui: TcpListener,
    /// Plain HTTP.
    pub http: TcpListener,
    /// The edge.
    pub edge: TcpListener,
    /// Metrics and health.
    pub metrics: TcpListener,
    /// Where they listen, with the real ports.
    pub addresses: Addresses,
}

/// Where a running server listens, as `--addresses-file` writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addresses {
    /// UI and API.
    pub ui: SocketAddr,
    /// Plain HTTP.
    pub http: SocketAddr,
    /// The edge.
    pub edge: SocketAddr,
    /// Metrics and health.
    pub metrics: SocketAddr,
}

impl Listeners {
    /// Takes all four sockets, or none.
    pub async fn bind(wanted: &Listen, if_taken: IfTaken) -> anyhow::Result<Self> {
        let (ui, ui_address) = bind(wanted.ui, if_taken).await?;
        let (http, http_address) = bind(wanted.http, if_taken).await?;
        let (edge, edge_address) = bind(wanted.edge, if_taken).await?;
        let (metrics, metrics_address) = bind(wanted.metrics, if_taken).await?;
        let addresses =
            Addresses { ui: ui_address, http: http_address, edge: edge_address, metrics: metrics_address };
        Ok(Self { ui, http, edge, metrics, addresses })
    }
}

async fn bind(address: SocketAddr, if_taken: IfTaken) -> anyhow::Result<(TcpListener, SocketAddr)> {
    let bound = match (TcpListener::bind(address).await, if_taken) {
        (Err(_), IfTaken::AnyFree) => TcpListener::bind(SocketAddr::new(address.ip(), 0)).await,
        (bound, IfTaken::AnyFree | IfTaken::Refuse) => bound,
    };
    let listener = bound.with_context(|| format!("cannot listen on {address}"))?;
    let real = listener.local_addr().with_context(|| format!("cannot listen on {address}"))?;
    Ok((listener, real))
}

impl Addresses {
    /// Writes them to a file as one JSON object; who waits for the file never sees half of it.
    pub fn write(&self, file: &Path) -> anyhow::Result<()> {
        let cannot = || format!("cannot write {}", file.display());
        let mut name = file.file_name().with_context(cannot)?.to_owned();
        name.push(".part");
        let part = file.with_file_name(name);
        std::fs::write(&part, serde_json::to_vec(self)?).with_context(cannot)?;
        std::fs::rename(&part, file).with_context(cannot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_taken_port_is_refused_or_replaced() {
        let any: SocketAddr = ([127, 0, 0, 1], 0).into();
        let (_held, taken) = bind(any, IfTaken::Refuse).await.unwrap();
        let refused = bind(taken, IfTaken::Refuse).await.unwrap_err();
        assert!(refused.to_string().contains(&taken.to_string()), "{refused}");
        let (_other, other) = bind(taken, IfTaken::AnyFree).await.unwrap();
        assert_ne!(other.port(), taken.port());
    }
}
