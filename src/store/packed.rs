//! Files that are kept compressed.

use crate::failure::{Context, Failure, FailureKind};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use std::borrow::Cow;
use std::io::{Read, Write};

/// How a packed file begins.
const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// `bytes`, compressed; equal for equal ones.
///
/// # Errors
/// `Bug` when that cannot be.
pub fn pack(bytes: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let packed = encoder.write_all(bytes).and_then(|()| encoder.finish());
    packed.context(FailureKind::Bug, || "what is to be stored cannot be packed".to_owned())
}

/// What was packed; what was not is returned as it is. `shown` names it.
///
/// # Errors
/// `State` for a damaged file.
pub fn unpack<'a>(bytes: impl Into<Cow<'a, [u8]>>, shown: &str) -> Result<Cow<'a, [u8]>, Failure> {
    let bytes = bytes.into();
    if !bytes.starts_with(&MAGIC) {
        return Ok(bytes);
    }
    let mut text = Vec::new();
    GzDecoder::new(&bytes[..])
        .read_to_end(&mut text)
        .context(FailureKind::State, || format!("{shown} cannot be read"))?;
    Ok(Cow::Owned(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_packed_comes_back_and_the_rest_is_left_alone() {
        let text = b"[1, 2, 3]".repeat(100);
        let packed = pack(&text).expect("packed");
        assert!(packed.len() < text.len() / 5);
        assert_eq!(unpack(&packed[..], "x").expect("unpacked"), text);
        assert_eq!(unpack(&text[..], "x").expect("as it is"), text);
        assert_eq!(unpack(&packed[..20], "x").expect_err("damaged").kind, FailureKind::State);
    }
}
