//! Reads files and standard input up to a limit; what is in them may be a private key.

use std::fs::File;
use std::io::{self, Read};

use zeroize::Zeroizing;

/// Reads `most` bytes and one more, at most: that one is enough to refuse it.
pub fn read(from: impl Read, most: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    read_expecting(from, 0, most)
}

/// As [`read`], a file.
pub fn read_file(file: File, most: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    let length = file.metadata()?.len();
    read_expecting(file, usize::try_from(length).unwrap_or(usize::MAX), most)
}

/// With room for what is expected, and for the read that finds the end: what grows leaves what it held behind in memory.
fn read_expecting(from: impl Read, expected: usize, most: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(expected.min(most) + 32));
    from.take(most as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_byte_too_many_is_read_and_no_more() {
        for (length, read_of_it) in [(0, 0), (9, 9), (10, 10), (11, 11), (1_000, 11)] {
            assert_eq!(read(io::repeat(b'a').take(length), 10).unwrap().len(), read_of_it);
        }
        let mut file = tempfile::tempfile().unwrap();
        io::Write::write_all(&mut file, &[b'a'; 1_000]).unwrap();
        io::Seek::rewind(&mut file).unwrap();
        let bytes = read_file(file, 2_000).unwrap();
        assert_eq!((bytes.len(), bytes.capacity()), (1_000, 1_032), "nothing had to grow");
    }
}
