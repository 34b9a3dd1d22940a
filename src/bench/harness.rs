//! Tells what runs the benchmarks inside an executable, without running it.

use crate::failure::{Context, Failure, FailureKind};
use crate::model::bench::HarnessKind;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Names of environment variables that only one harness reads. The first one found counts: any
/// executable may link the compiler's test crate, so that sign comes last.
const SIGNS: [(&[u8], HarnessKind); 4] = [
    (b"CARGO_CRITERION_PORT", HarnessKind::Criterion),
    (b"PERF_REPORT_FILE", HarnessKind::PerfHarness),
    (b"DIVAN_SAMPLE_COUNT", HarnessKind::Divan),
    (b"RUST_TEST_THREADS", HarnessKind::Libtest),
];

/// Searches the executable for the name of a variable that only one harness knows.
pub fn of_executable(path: &Path) -> Result<HarnessKind, Failure> {
    let what = || format!("{} cannot be read", path.display());
    let file = File::open(path).context(FailureKind::Environment, what)?;
    of_bytes(file).context(FailureKind::Environment, what)
}

/// Reads in blocks that overlap by the longest sign, so that memory stays small for any executable.
fn of_bytes(mut source: impl Read) -> std::io::Result<HarnessKind> {
    const BLOCK: usize = 1 << 20;
    let overlap = SIGNS.iter().map(|(sign, _)| sign.len()).max().unwrap_or(1) - 1;
    let mut found: [bool; SIGNS.len()] = [false; SIGNS.len()];
    let mut buffer = Vec::with_capacity(BLOCK + overlap);
    loop {
        let read = source.by_ref().take(BLOCK as u64).read_to_end(&mut buffer)?;
        if read == 0 {
            break;
        }
        for (index, (sign, _)) in SIGNS.iter().enumerate() {
            found[index] = found[index] || contains(&buffer, sign);
        }
        if found[0] {
            break;
        }
        buffer.drain(..buffer.len().saturating_sub(overlap));
    }
    let kind = SIGNS.iter().zip(found).find(|(_, found)| *found).map(|((_, kind), _)| *kind);
    Ok(kind.unwrap_or(HarnessKind::Custom))
}

fn contains(text: &[u8], sign: &[u8]) -> bool {
    // Jumping from first byte to first byte is fast enough to read hundreds of megabytes per second.
    let mut rest = text;
    while let Some(at) = rest.iter().position(|byte| *byte == sign[0]) {
        if rest[at..].starts_with(sign) {
            return true;
        }
        rest = &rest[at + 1..];
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_is_found_wherever_it_stands() {
        for before in [0, 1, (1 << 20) - 5, 1 << 20, (1 << 21) - 1] {
            let mut bytes = vec![b'D'; before];
            bytes.extend_from_slice(b"DIVAN_SAMPLE_COUNT and more");
            assert_eq!(of_bytes(&bytes[..]).expect("read"), HarnessKind::Divan, "{before}");
        }
    }

    #[test]
    fn criterion_wins_over_what_it_is_linked_with_and_nothing_is_custom() {
        let both = b"RUST_TEST_THREADS .. CARGO_CRITERION_PORT";
        assert_eq!(of_bytes(&both[..]).expect("read"), HarnessKind::Criterion);
        assert_eq!(of_bytes(&b"CARGO_CRITERION_POR"[..]).expect("read"), HarnessKind::Custom);
        assert_eq!(of_bytes(&b""[..]).expect("read"), HarnessKind::Custom);
    }
}
