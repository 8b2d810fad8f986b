//! Looks into files, and into what is packed in them, for private keys.
//!
//! The content decides, never the name. Everything is bounded before it is unpacked: how deep, how many, how much,
//! and how much more than was packed. What cannot be looked into is not let through.

use std::io::Read;

use flate2::read::MultiGzDecoder;
use flate2::{Decompress, FlushDecompress, Status};
use pki::Refusal;
use pki::name::inert;
use token::InstanceKey;
use zeroize::Zeroizing;

use super::stream::{self, Stream};
use super::{encoded, marks};

/// Archives in archives, at most.
const MAX_DEPTH: usize = 6;
/// Octets that are looked at in all, what is unpacked included.
const MAX_OCTETS: usize = 64 << 20;
/// Files that are looked into in all.
const MAX_FILES: usize = 10_000;
/// Octets of compressed streams inside of other files (pictures, PDF) that are looked at in all. What is beyond them
/// refuses nothing: otherwise no large picture would pass.
const MAX_STREAMED: usize = 64 << 20;
/// What each try at such a stream counts, whatever comes out.
const TRY: usize = 256;
/// How many times larger something may get that is unpacked, beyond the first MiB.
const MAX_RATIO: usize = 250;

/// The code of the refusal that comes before all others.
const PRIVATE_KEY: &str = "support.private_key";
/// A key is no smaller.
const LEAST_STREAM: usize = 32;
const LOCAL_FILE: [u8; 4] = *b"PK\x03\x04";
const GZIP: [u8; 3] = [0x1f, 0x8b, 8];

/// A file that somebody wants to send.
pub struct Offered {
    /// What it is called: any characters, shown and nothing else.
    pub name: String,
    /// Its content.
    pub bytes: Zeroizing<Vec<u8>>,
}

/// What was looked into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Looked {
    /// Files, those in archives and in encoded text included.
    pub files: usize,
    /// Octets, unpacked ones included.
    pub octets: usize,
}

/// Looks into every file; a server also for its own instance key.
///
/// # Errors
/// `support.private_key` for anything that holds a private key or could, in the open or encrypted;
/// `support.unreadable` for what cannot be looked into; `limit.archive` for what would unpack to too much.
pub fn look(files: &[Offered], own: Option<&InstanceKey>) -> Result<Looked, Refusal> {
    let own = own.map(InstanceKey::bytes);
    let mut look = Look { own, octets: 0, files: 0, parts: 0, streamed: 0 };
    for file in files {
        look.file(&Place::new(&file.name), &file.bytes)?;
    }
    Ok(Looked { files: look.files + look.parts, octets: look.octets })
}

/// Where something was found: the file, and the way into it.
struct Place {
    path: String,
    depth: usize,
    /// Whether it is called as the instance key's file is.
    is_named_instance_key: bool,
}

impl Place {
    fn new(name: &str) -> Self {
        let is_named_instance_key = marks::is_named_instance_key(name);
        Self { path: shown(name), depth: 0, is_named_instance_key }
    }

    fn inside(&self, name: &str) -> Result<Self, Refusal> {
        if self.depth == MAX_DEPTH {
            return Err(too_much(self, "it is packed too deep"));
        }
        let path = format!("{} > {}", self.path, shown(name));
        Ok(Self { path, depth: self.depth + 1, ..Self::new(name) })
    }
}

fn shown(name: &str) -> String {
    inert(&name.chars().take(100).collect::<String>()).into_owned()
}

struct Look<'a> {
    /// The instance key of this server.
    own: Option<&'a [u8; 32]>,
    octets: usize,
    /// Files, those in archives included.
    files: usize,
    /// What stood in them as text, or as streams.
    parts: usize,
    /// Octets that came out of streams.
    streamed: usize,
}

impl Look<'_> {
    fn file(&mut self, place: &Place, bytes: &[u8]) -> Result<(), Refusal> {
        self.files += 1;
        self.at(place, bytes)
    }

    fn at(&mut self, place: &Place, bytes: &[u8]) -> Result<(), Refusal> {
        self.octets += bytes.len();
        if self.files > MAX_FILES || self.octets > MAX_OCTETS {
            return Err(too_much(place, "there is too much in it to look at"));
        }
        // What is packed in it first, so that the very file is named; but a key is a better reason than any other.
        let packed = self.packed(place, bytes);
        if packed.as_ref().is_err_and(|refusal| refusal.code == PRIVATE_KEY) {
            return packed;
        }
        if let Some(kind) = self.mark(place, bytes) {
            return Err(private_key(place, kind));
        }
        packed?;
        self.encoded(place, bytes)?;
        self.streams(place, bytes)
    }

    fn mark(&self, place: &Place, bytes: &[u8]) -> Option<&'static str> {
        let is_own = || self.own.is_some_and(|own| marks::holds(bytes, own));
        if place.is_named_instance_key || is_own() {
            return Some(marks::INSTANCE_KEY);
        }
        marks::private_key(bytes)
    }

    /// What is packed in it, if it is an archive.
    fn packed(&mut self, place: &Place, bytes: &[u8]) -> Result<(), Refusal> {
        if let Some(kind) = marks::closed(bytes) {
            let what = format!("archives of the kind {kind} cannot be looked into");
            return Err(unreadable(place, what));
        }
        if bytes.starts_with(&GZIP) {
            return self.gzip(place, bytes);
        }
        if is_tar(bytes) {
            return self.tar(place, bytes);
        }
        self.zip(place, bytes)
    }

    /// What stands in it as base64 or hexadecimal text.
    fn encoded(&mut self, place: &Place, bytes: &[u8]) -> Result<(), Refusal> {
        let mut part = |name: &'static str, decoded: &[u8]| {
            self.parts += 1;
            self.at(&place.inside(name)?, decoded)
        };
        encoded::decode(&marks::narrowed(bytes), &mut part)
    }

    /// What is compressed in it, wherever it begins: behind a picture, as a stream of its own, inside a PDF.
    fn streams(&mut self, place: &Place, bytes: &[u8]) -> Result<(), Refusal> {
        // An archive that is nothing else was unpacked as a whole.
        if bytes.starts_with(&GZIP) || place.depth == MAX_DEPTH {
            return Ok(());
        }
        let mut from = 0;
        while let Some(at) = stream::next(bytes, from) {
            let room = MAX_STREAMED.saturating_sub(self.streamed);
            if room == 0 {
                return Ok(());
            }
            let rest = bytes.get(at..).unwrap_or_default();
            let unpacked = Stream::unpack(rest, self.room(rest.len()).min(room));
            self.streamed += unpacked.content.len().max(TRY);
            self.stream(&place.inside("unpacked")?, &unpacked)?;
            from = at + unpacked.packed.max(1);
        }
        Ok(())
    }

    /// Octets that look like a stream are everywhere in a picture. Only a key in them is a reason, unless it is
    /// certain that somebody packed something.
    fn stream(&mut self, place: &Place, unpacked: &Stream) -> Result<(), Refusal> {
        if unpacked.content.len() < LEAST_STREAM {
            return Ok(());
        }
        let (files, octets) = (self.files, self.octets);
        self.parts += 1;
        let looked = self.at(place, &unpacked.content);
        match looked {
            Err(refusal) if refusal.code == PRIVATE_KEY || unpacked.is_certain => Err(refusal),
            Ok(()) | Err(_) => {
                // Pictures are larger than what they are packed in: what was unpacked counts here, not among the files.
                self.streamed += self.octets - octets - unpacked.content.len();
                (self.files, self.octets) = (files, octets);
                Ok(())
            }
        }
    }

    fn gzip(&mut self, place: &Place, bytes: &[u8]) -> Result<(), Refusal> {
        let most = self.room(bytes.len());
        let mut unpacked = Vec::new();
        let read = MultiGzDecoder::new(bytes).take(most as u64 + 1).read_to_end(&mut unpacked);
        if unpacked.len() > most {
            return Err(too_much(place, "it would unpack to too much"));
        }
        // What came out before the damage is looked at first: a key in it is the better reason.
        self.file(&place.inside("unpacked")?, &unpacked)?;
        read.map(drop).map_err(|_| unreadable(place, "the gzip archive is damaged"))
    }

    fn tar(&mut self, place: &Place, bytes: &[u8]) -> Result<(), Refusal> {
        let damaged = |_| unreadable(place, "the tar archive is damaged");
        let mut archive = tar::Archive::new(bytes);
        // What hides behind the two empty blocks at the end is looked at too.
        archive.set_ignore_zeros(true);
        for entry in archive.entries().map_err(damaged)? {
            let mut entry = entry.map_err(damaged)?;
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let most = self.room(bytes.len());
            let mut content = Vec::new();
            entry.by_ref().take(most as u64 + 1).read_to_end(&mut content).map_err(damaged)?;
            if content.len() > most {
                return Err(too_much(place, "it would unpack to too much"));
            }
            self.file(&place.inside(&name)?, &content)?;
        }
        Ok(())
    }

    /// Walks the files by their own headers, wherever they stand. The directory at the end names what a program shows;
    /// an archive can hold more than that, before it, behind it and between.
    fn zip(&mut self, place: &Place, bytes: &[u8]) -> Result<(), Refusal> {
        let mut rest = bytes;
        while let Some(at) = rest.windows(LOCAL_FILE.len()).position(|four| four == LOCAL_FILE) {
            let here = rest.get(at..).unwrap_or_default();
            let header =
                LocalFile::read(here).ok_or_else(|| unreadable(place, "the zip archive is damaged"))?;
            let inside = place.inside(&header.name)?;
            let (content, length) = self.zipped(&inside, &header)?;
            self.file(&inside, &content)?;
            rest = header.data.get(length..).unwrap_or_default();
        }
        Ok(())
    }

    /// The content of a file in a zip archive, and how many octets it took there.
    fn zipped(&self, place: &Place, header: &LocalFile<'_>) -> Result<(Vec<u8>, usize), Refusal> {
        if header.is_encrypted {
            return Err(unreadable(place, "it is encrypted, so nobody can look into it here"));
        }
        match header.method {
            STORED => {
                // Its size stands behind it where the writer did not know it: then all that follows is looked at.
                let length = if header.has_late_size { header.data.len() } else { header.size };
                let length = length.min(header.data.len());
                Ok((header.data.get(..length).unwrap_or_default().to_vec(), length))
            }
            DEFLATED => self.inflate(place, header.data),
            _ => Err(unreadable(place, "it is packed in a way that cannot be looked into")),
        }
    }

    fn inflate(&self, place: &Place, data: &[u8]) -> Result<(Vec<u8>, usize), Refusal> {
        let damaged = || unreadable(place, "the zip archive is damaged");
        let mut inflater = Decompress::new(false);
        let mut content = Vec::new();
        loop {
            let used = usize::try_from(inflater.total_in()).map_err(|_| damaged())?;
            let input = data.get(used..).unwrap_or_default();
            // The size that the header claims is never believed: room is made as it is needed.
            content.reserve(1 << 16);
            let before = (inflater.total_in(), content.len());
            let status = inflater.decompress_vec(input, &mut content, FlushDecompress::None);
            let used = usize::try_from(inflater.total_in()).map_err(|_| damaged())?;
            if content.len() > self.room(used) {
                return Err(too_much(place, "it would unpack to too much"));
            }
            match status.map_err(|_| damaged())? {
                Status::StreamEnd => return Ok((content, used)),
                Status::Ok | Status::BufError if (inflater.total_in(), content.len()) == before => {
                    return Err(damaged());
                }
                Status::Ok | Status::BufError => {}
            }
        }
    }

    /// How many octets may come out of so many.
    fn room(&self, packed: usize) -> usize {
        let by_ratio = packed.saturating_mul(MAX_RATIO).max(1 << 20);
        by_ratio.min(MAX_OCTETS.saturating_sub(self.octets))
    }
}

const STORED: u16 = 0;
const DEFLATED: u16 = 8;

/// The header before a file in a zip archive (APPNOTE 4.3.7).
struct LocalFile<'a> {
    is_encrypted: bool,
    /// Whether the size follows behind the data instead of standing here.
    has_late_size: bool,
    method: u16,
    size: usize,
    name: String,
    /// From its first octet to the end of the archive.
    data: &'a [u8],
}

impl<'a> LocalFile<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let two = |at: usize| Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
        let size = u32::from_le_bytes(bytes.get(18..22)?.try_into().ok()?);
        let (flags, name_length, extra_length) = (two(6)?, usize::from(two(26)?), usize::from(two(28)?));
        let name = bytes.get(30..30 + name_length)?;
        Some(Self {
            is_encrypted: flags & 1 != 0,
            // Larger than 4 GiB is more than is looked at anyway.
            has_late_size: flags & 8 != 0 || size == u32::MAX,
            method: two(8)?,
            size: usize::try_from(size).ok()?,
            name: String::from_utf8_lossy(name).into_owned(),
            data: bytes.get(30 + name_length + extra_length..)?,
        })
    }
}

/// A header block whose checksum is right (POSIX ustar; the sum counts its own field as blanks).
fn is_tar(bytes: &[u8]) -> bool {
    let Some(block) = bytes.get(..512) else { return false };
    let digits = block.get(148..156).unwrap_or_default();
    let text: String = digits.iter().map(|digit| char::from(*digit)).collect();
    let stated = u32::from_str_radix(text.trim_matches(['\0', ' ']), 8);
    let sum = |(at, octet): (usize, &u8)| if (148..156).contains(&at) { 32 } else { u32::from(*octet) };
    stated.is_ok_and(|stated| stated == block.iter().enumerate().map(sum).sum::<u32>())
}

/// The reason, as the appliance's guide gives it.
fn private_key(place: &Place, kind: &str) -> Refusal {
    let repair = "Do NOT send private key files to support. A private key is private because it allows its owner to \
                  authenticate your server's identity: if it is ever exposed to the public, by e-mail for instance, \
                  the security of the server is compromised. Send the support bundle, which holds certificates only.";
    Refusal::new(PRIVATE_KEY, format!("this holds {kind}"), repair).at(place.path.clone())
}

fn unreadable(place: &Place, what: impl Into<String>) -> Refusal {
    let repair = "Send what is in it unpacked, or in a plain zip archive, so that it can be looked into.";
    Refusal::new("support.unreadable", what, repair).at(place.path.clone())
}

fn too_much(place: &Place, what: &str) -> Refusal {
    Refusal::new("limit.archive", what, "Send fewer and smaller files, not packed into each other.")
        .at(place.path.clone())
}

#[cfg(test)]
mod tests;
