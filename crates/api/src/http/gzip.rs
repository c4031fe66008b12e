//! Compression of replies: which client takes it (`Accept-Encoding`), and the bytes. Upstream: CherryPy's gzip tool.

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use std::io::Write;

/// Whether a client takes gzip and does not prefer the plain form.
#[must_use]
pub fn accepts(accept_encoding: &str) -> bool {
    let quality = |coding: &str| {
        accept_encoding.split(',').find_map(|item| {
            let (name, params) = item.split_once(';').unwrap_or((item, ""));
            if !name.trim().eq_ignore_ascii_case(coding) {
                return None;
            }
            let q = params.trim().strip_prefix("q=").and_then(|q| q.trim().parse::<f32>().ok());
            Some(q.unwrap_or(1.0))
        })
    };
    let gzip = quality("gzip").or_else(|| quality("x-gzip")).unwrap_or(0.0);
    gzip > 0.0 && quality("identity").is_none_or(|identity| identity < gzip)
}

/// The bytes, compressed at CherryPy's level.
#[must_use]
pub fn compress(plain: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::with_capacity(plain.len() / 4 + 32), Compression::new(5));
    // Writing to a Vec does not fail.
    let _ = encoder.write_all(plain);
    Bytes::from(encoder.finish().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn a_client_that_names_gzip_gets_it() {
        for yes in
            ["gzip", "gzip, deflate, br", "deflate, GZIP;q=0.5", "x-gzip", "gzip;q=1.0, identity;q=0.5"]
        {
            assert!(accepts(yes), "{yes}");
        }
        for no in ["", "identity", "br", "gzip;q=0", "identity, gzip;q=0.5"] {
            assert!(!accepts(no), "{no}");
        }
    }

    #[test]
    fn compressed_bytes_come_back() {
        let mut plain = String::new();
        flate2::read::GzDecoder::new(&compress(b"[1,2,3]")[..]).read_to_string(&mut plain).unwrap();
        assert_eq!(plain, "[1,2,3]");
    }
}
