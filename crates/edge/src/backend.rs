//! Passes the bytes of a connection to its backend and back.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use domain::lineage::Backend;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::activity::{Activity, Watched};
use crate::proxy_protocol;

/// How long a backend has to take the connection.
const CONNECT: Duration = Duration::from_secs(5);
/// Of each direction: one TLS record.
const BUFFER: usize = 16 * 1024;

/// Who is connected with whom.
#[derive(Clone, Copy)]
pub(crate) struct Ends {
    pub(crate) client: SocketAddr,
    pub(crate) local: SocketAddr,
}

/// Connects to the backend and tells it the client if it wants to know.
pub(crate) async fn connect(backend: &Backend, ends: Ends) -> io::Result<TcpStream> {
    let connected = tokio::time::timeout(CONNECT, TcpStream::connect(&backend.address));
    let mut stream = connected.await.map_err(|_| io::ErrorKind::TimedOut)??;
    let _ = stream.set_nodelay(true);
    if backend.proxy_protocol {
        let header = proxy_protocol::header(ends.client, ends.local);
        stream.write_all(&header).await?;
    }
    Ok(stream)
}

/// Copies both ways until both sides have ended, one breaks, or nothing passes for `idle`.
pub(crate) async fn copy<S>(mut client: S, backend: TcpStream, idle: Duration)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let activity = Activity::new();
    let mut backend = Watched::new(backend, activity.clone());
    let copied = tokio::io::copy_bidirectional_with_sizes(&mut client, &mut backend, BUFFER, BUFFER);
    tokio::select! {
        // How a connection ended is between the client and the backend.
        _ = copied => {}
        () = activity.idle_for(idle) => tracing::debug!("a connection was idle for too long"),
    }
}
