//! Compressed streams (gzip, RFC 1952; zlib, RFC 1950) anywhere in other bytes.

use std::io::Read;

use flate2::bufread::{GzDecoder, ZlibDecoder};

/// What came out of a stream.
pub(super) struct Stream {
    /// As far as it could be unpacked.
    pub content: Vec<u8>,
    /// How many octets it took.
    pub packed: usize,
    /// Whether it is gzip, and whole: its checksum is right.
    pub is_certain: bool,
}

/// Where the next stream could begin, from there on.
pub(super) fn next(bytes: &[u8], from: usize) -> Option<usize> {
    let rest = bytes.get(from..)?;
    rest.windows(3).position(|three| is_gzip(three) || is_zlib(three)).map(|at| from + at)
}

fn is_gzip(head: &[u8]) -> bool {
    head.starts_with(&[0x1f, 0x8b, 8])
}

/// The two octets of a stream as programs write it, with a window of 32 KiB (RFC 1950, 2.2), and a block of a kind that
/// there is (RFC 1951, 3.2.3).
fn is_zlib(head: &[u8]) -> bool {
    matches!(head, [0x78, 0x01 | 0x5e | 0x9c | 0xda, block, ..] if block & 6 != 6)
}

impl Stream {
    /// Unpacks what begins here, `most` octets of it at most.
    pub(super) fn unpack(bytes: &[u8], most: usize) -> Self {
        let mut content = Vec::new();
        let most_and_one = most as u64 + 1;
        if is_gzip(bytes) {
            let mut rest = bytes;
            let whole = GzDecoder::new(&mut rest).take(most_and_one).read_to_end(&mut content).is_ok();
            let is_certain = whole && content.len() <= most;
            let packed = if is_certain { bytes.len() - rest.len() } else { 0 };
            return Self { content, packed, is_certain };
        }
        let mut unpacker = ZlibDecoder::new(bytes);
        let whole = unpacker.by_ref().take(most_and_one).read_to_end(&mut content).is_ok();
        let packed = if whole { usize::try_from(unpacker.total_in()).unwrap_or(bytes.len()) } else { 0 };
        Self { content, packed, is_certain: false }
    }
}
