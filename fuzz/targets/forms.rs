//! Forms with files: the first line is the `Content-Type`, the rest the body.
//!
//! The reader is private to `web`, which stands behind a database and a server; it needs neither, so its file is compiled
//! here by itself.
#![no_main]

#[path = "../../crates/web/src/body/multipart.rs"]
mod multipart;

use multipart::{Fault, Piece, pieces};

const MOST: usize = 200;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let content_type = String::from_utf8_lossy(&bytes[..end]);
    let body = bytes.get(end + 1..).unwrap_or_default();
    let Ok(read) = pieces(&content_type, body, MOST) else { return };
    assert!(read.len() <= MOST);
    assert!(lies_in(&read, body));
    // One part fewer than there are is too few, unless there is none.
    if let Some(fewer) = read.len().checked_sub(1) {
        assert_eq!(pieces(&content_type, body, fewer), Err(Fault::TooMany));
    }
    write_again(&read);
});

/// Every content lies in the body behind the one before it.
fn lies_in(read: &[Piece<'_>], body: &[u8]) -> bool {
    let mut from = body.as_ptr_range().start;
    read.iter().all(|piece| {
        let place = piece.bytes.as_ptr_range();
        let is_behind = from <= place.start && place.end <= body.as_ptr_range().end;
        from = place.end;
        is_behind
    })
}

/// The same fields, written as a browser does with a border that stands in none of them, are read as they were.
fn write_again(read: &[Piece<'_>]) {
    let holds = |text: &[u8], border: &str| text.windows(border.len()).any(|part| part == border.as_bytes());
    let is_free = |border: &String| !read.iter().any(|piece| holds(piece.bytes, border));
    let Some(border) = (0..1_000_u32).map(|number| format!("X{number}")).find(is_free) else { return };
    let mut body = Vec::new();
    for piece in read {
        let names = [Some(&piece.field), piece.file_name.as_ref()];
        // What a header cannot carry back: an end of its line, and a backslash that would escape the quote behind it.
        if names.into_iter().flatten().any(|name| name.contains(['\r', '\n', '\\'])) {
            return;
        }
        let quoted = |name: &str| name.replace('"', "\\\"");
        body.extend(
            format!("--{border}\r\nContent-Disposition: form-data; name=\"{}\"", quoted(&piece.field))
                .bytes(),
        );
        if let Some(name) = &piece.file_name {
            body.extend(format!("; filename=\"{}\"", quoted(name)).bytes());
        }
        body.extend(b"\r\n\r\n");
        body.extend(piece.bytes);
        body.extend(b"\r\n");
    }
    body.extend(format!("--{border}--\r\n").bytes());
    // The headers of a part have a limit, and quotes grew longer.
    match pieces(&format!("multipart/form-data; boundary={border}"), &body, MOST) {
        Ok(again) => assert_eq!(again, read),
        Err(fault) => assert_eq!(fault, Fault::Head),
    }
}
