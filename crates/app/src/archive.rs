//! Archives that are handed out: `tar.gz` for servers, `zip` for people.

use std::io::{Cursor, Write};

use domain::Moment;
use domain::clock::SECOND;
use flate2::Compression;
use flate2::write::GzEncoder;
use zip::result::ZipError;
use zip::write::SimpleFileOptions;

use crate::Error;

/// A file on its way into an archive. Whoever unpacks it gets these names and rights.
#[derive(Clone)]
pub(crate) struct Packed {
    /// A name of ours: ASCII, at most 100 characters.
    pub(crate) name: String,
    /// Its content.
    pub(crate) bytes: Vec<u8>,
    /// Its rights, `0o644` say.
    pub(crate) mode: u32,
}

impl Packed {
    /// A file that everybody may read.
    pub(crate) fn open(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self { name: name.into(), bytes: bytes.into(), mode: 0o644 }
    }

    /// A file that only its owner may read.
    pub(crate) fn private(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self { mode: 0o600, ..Self::open(name, bytes) }
    }

    /// A file that its owner may run.
    pub(crate) fn program(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self { mode: 0o700, ..Self::open(name, bytes) }
    }
}

/// Packs into a gzipped tar archive (POSIX ustar). Names stay as they are, a leading `./` too.
pub(crate) fn tar_gz(files: &[Packed], at: Moment) -> Result<Vec<u8>, Error> {
    write_tar_gz(files, at).map_err(|error| Error::internal("an archive could not be written", &error))
}

fn write_tar_gz(files: &[Packed], at: Moment) -> std::io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    for file in files {
        let mut header = tar::Header::new_ustar();
        // Not `set_path`, which takes the leading `./` away that X-Road's archive has.
        let name = &mut header.as_old_mut().name;
        let room = name
            .get_mut(..file.name.len())
            .ok_or_else(|| std::io::Error::other("a name of more than 100 octets"))?;
        room.copy_from_slice(file.name.as_bytes());
        header.set_entry_type(tar::EntryType::Regular);
        header.set_size(file.bytes.len() as u64);
        header.set_mode(file.mode);
        header.set_mtime(u64::try_from(at.0.div_euclid(SECOND)).unwrap_or(0));
        header.set_cksum();
        archive.append(&header, file.bytes.as_slice())?;
    }
    archive.into_inner()?.finish()
}

/// Packs into a zip archive.
pub(crate) fn zip(files: &[Packed], at: Moment) -> Result<Vec<u8>, Error> {
    write_zip(files, at).map_err(|error| Error::internal("an archive could not be written", &error))
}

fn write_zip(files: &[Packed], at: Moment) -> Result<Vec<u8>, ZipError> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for file in files {
        let options = SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Deflated)
            .unix_permissions(file.mode)
            .last_modified_time(zip_time(at));
        archive.start_file(file.name.as_str(), options)?;
        archive.write_all(&file.bytes)?;
    }
    Ok(archive.finish()?.into_inner())
}

/// The moment as zip writes it, in UTC; 1980 when zip cannot say it.
fn zip_time(at: Moment) -> zip::DateTime {
    let text = at.to_string();
    let number = |range: std::ops::Range<usize>| text.get(range).and_then(|part| part.parse::<u16>().ok());
    let parts = [0..4, 5..7, 8..10, 11..13, 14..16, 17..19].map(number);
    let small = |part: Option<u16>| part.and_then(|part| u8::try_from(part).ok()).unwrap_or(0);
    let [year, month, day, hour, minute, second] = parts;
    zip::DateTime::from_date_and_time(
        year.unwrap_or(0),
        small(month),
        small(day),
        small(hour),
        small(minute),
        small(second),
    )
    .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    /// 2026-11-21T12:00:00Z.
    const AT: Moment = Moment(1_795_262_400_000);

    #[test]
    fn a_tar_keeps_names_rights_and_time() {
        let files = [Packed::open("./cert.pem", "PEM"), Packed::private("key.pem", "KEY")];
        let packed = tar_gz(&files, AT).unwrap();
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(packed.as_slice()));
        let mut seen = Vec::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let name = String::from_utf8(entry.path_bytes().to_vec()).unwrap();
            let (mode, time) = (entry.header().mode().unwrap(), entry.header().mtime().unwrap());
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            seen.push((name, mode, time, text));
        }
        let of = |name: &str, mode, text: &str| (name.to_owned(), mode, 1_795_262_400, text.to_owned());
        assert_eq!(seen, [of("./cert.pem", 0o644, "PEM"), of("key.pem", 0o600, "KEY")]);
    }

    #[test]
    fn a_zip_is_read_back_with_its_time() {
        let packed = zip(&[Packed::open("a/b.txt", "text")], AT).unwrap();
        let mut archive = zip::ZipArchive::new(Cursor::new(packed)).unwrap();
        let mut entry = archive.by_index(0).unwrap();
        let time = entry.last_modified().unwrap();
        assert_eq!((time.year(), time.month(), time.day(), time.hour()), (2026, 11, 21, 12));
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        assert_eq!((entry.name().unwrap().as_ref(), text.as_str()), ("a/b.txt", "text"));
    }
}
