//! ClientHellos written by hand, and what comes back. They offer TLS 1.2 alone, in which the certificate is readable.

use std::net::SocketAddr;

use pki::Fingerprint;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Types of records (RFC 8446, 5.1).
pub const ALERT: u8 = 21;
pub const HANDSHAKE: u8 = 22;

const SERVER_NAME: u16 = 0;
const SUPPORTED_GROUPS: u16 = 10;
const SIGNATURE_ALGORITHMS: u16 = 13;

/// What the edge says to a hello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It goes on, with this certificate.
    Certificate(Fingerprint),
    /// This alert, and the end.
    Alert(u8),
    /// The end without a word.
    Closed,
}

/// A hello that is answered unless something is done to it.
#[derive(Clone)]
pub struct Hello {
    suites: Vec<u16>,
    extensions: Vec<(u16, Vec<u8>)>,
}

impl Hello {
    /// Without a server name.
    pub fn new() -> Self {
        // TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256; x25519; ecdsa_secp256r1_sha256.
        let extensions =
            vec![(SUPPORTED_GROUPS, vec![0, 2, 0, 0x1d]), (SIGNATURE_ALGORITHMS, vec![0, 2, 4, 3])];
        Self { suites: vec![0xc02b], extensions }
    }

    /// With one server name of type `host_name`, whatever its bytes are (RFC 6066, section 3).
    pub fn named(name: &[u8]) -> Self {
        Self::new().names(&[(0, name)])
    }

    /// With one server name extension that has these entries.
    pub fn names(self, names: &[(u8, &[u8])]) -> Self {
        let list: Vec<u8> =
            names.iter().flat_map(|(kind, name)| [&[*kind][..], &with_length(name)].concat()).collect();
        self.with(SERVER_NAME, with_length(&list))
    }

    pub fn with(mut self, extension: u16, content: Vec<u8>) -> Self {
        self.extensions.push((extension, content));
        self
    }

    pub fn suite_before(mut self, suite: u16) -> Self {
        self.suites.insert(0, suite);
        self
    }

    /// The handshake message.
    pub fn message(&self) -> Vec<u8> {
        let suites: Vec<u8> = self.suites.iter().flat_map(|suite| suite.to_be_bytes()).collect();
        let extensions: Vec<u8> = self
            .extensions
            .iter()
            .flat_map(|(kind, content)| [&kind.to_be_bytes()[..], &with_length(content)].concat())
            .collect();
        // Version 1.2, random, no session, suites, no compression, extensions.
        let body = [&[3, 3][..], &[7; 32], &[0], &with_length(&suites), &[1, 0], &with_length(&extensions)];
        let body = body.concat();
        let length = u32::try_from(body.len()).unwrap().to_be_bytes();
        [&[1][..], &length[1..], &body].concat()
    }

    /// The message in records.
    pub fn bytes(&self) -> Vec<u8> {
        records(&self.message(), 0x4000)
    }

    /// What the edge says to it.
    pub async fn reply(&self, address: SocketAddr) -> Reply {
        exchange(address, &self.bytes()).await
    }
}

/// A handshake message in records of at most this many bytes.
pub fn records(message: &[u8], size: usize) -> Vec<u8> {
    message.chunks(size).flat_map(|part| record(HANDSHAKE, part)).collect()
}

/// One record; as TLS 1.0, the version in which hellos come.
pub fn record(kind: u8, content: &[u8]) -> Vec<u8> {
    [&[kind, 3, 1][..], &with_length(content)].concat()
}

fn with_length(bytes: &[u8]) -> Vec<u8> {
    [&u16::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat()
}

/// Sends it and reads the answer.
pub async fn exchange(address: SocketAddr, bytes: &[u8]) -> Reply {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // What is refused may be refused before all of it was sent.
    let _ = stream.write_all(bytes).await;
    reply(&mut stream).await
}

/// The certificate, the alert or the end, whichever comes first.
pub async fn reply(stream: &mut TcpStream) -> Reply {
    let mut messages = Vec::new();
    loop {
        let mut head = [0; 5];
        if stream.read_exact(&mut head).await.is_err() {
            return Reply::Closed;
        }
        let mut content = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
        if stream.read_exact(&mut content).await.is_err() {
            return Reply::Closed;
        }
        match head[0] {
            ALERT => return Reply::Alert(content[1]),
            HANDSHAKE => messages.extend(content),
            other => panic!("a record of type {other} in the handshake"),
        }
        if let Some(certificate) = certificate(&messages) {
            return Reply::Certificate(certificate);
        }
    }
}

/// The leaf in the Certificate message (RFC 5246, 7.4.2), if it has come.
fn certificate(messages: &[u8]) -> Option<Fingerprint> {
    let mut rest = messages;
    loop {
        let (head, after) = rest.split_at_checked(4)?;
        let (body, after) = after.split_at_checked(length(&head[1..]))?;
        if head[0] == 11 {
            return Some(Fingerprint::of_der(&body[6..6 + length(&body[3..6])]));
        }
        rest = after;
    }
}

fn length(three: &[u8]) -> usize {
    three.iter().take(3).fold(0, |length, byte| length << 8 | usize::from(*byte))
}
