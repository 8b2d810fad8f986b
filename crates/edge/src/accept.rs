//! The accept loop that every listener shares: caps, pauses, drain.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::caps::{Caps, Limits, Place};

/// How long accepting pauses when the system has no more file descriptors or memory.
const PAUSE: Duration = Duration::from_millis(50);

/// Accepts until `stop`, runs `serve` for each connection in a task of its own, then waits for them up to the drain
/// limit and cuts the rest. The listening socket is closed at once when it stops.
pub(crate) async fn accept_each<F, S>(
    listener: TcpListener,
    limits: &Limits,
    stop: &CancellationToken,
    serve: S,
) where
    F: Future<Output = ()> + Send + 'static,
    S: Fn(TcpStream, SocketAddr) -> F,
{
    let caps = Caps::new(limits);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(ended) = connections.join_next() => report(ended),
            accepted = next(&listener, &caps) => {
                let Some((stream, peer, place)) = accepted else { break };
                let Some(address_place) = caps.address_place(peer.ip()) else {
                    tracing::debug!(%peer, "too many connections from this address");
                    continue;
                };
                let served = serve(stream, peer);
                connections.spawn(async move {
                    let _places = (place, address_place);
                    served.await;
                });
            }
        }
    }
    drop(listener);
    let all = async {
        while let Some(ended) = connections.join_next().await {
            report(ended);
        }
    };
    if tokio::time::timeout(limits.drain, all).await.is_err() {
        tracing::info!(connections = connections.len(), "connections cut after the drain limit");
    }
}

async fn next(listener: &TcpListener, caps: &Caps) -> Option<(TcpStream, SocketAddr, Place)> {
    let place = caps.place().await?;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // Small answers must not wait for more; a socket that refuses this is served all the same.
                let _ = stream.set_nodelay(true);
                return Some((stream, peer, place));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "serving a connection ended in a panic");
    }
}
