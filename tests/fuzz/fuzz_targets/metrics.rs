//! `PERF_METRICS` in any output: no panic, the same result wherever the output is cut, and what is
//! written of the result reads back as the result.

#![no_main]

use libfuzzer_sys::fuzz_target;
use perf_harness::metrics::{Metrics, MetricsError, Reader};

/// The reader looks at pieces of this size, so output behind this much noise is cut somewhere else.
const PIECE: usize = 64 * 1024;

fuzz_target!(|input: &[u8]| {
    // The first byte says where to cut, so that the fuzzer chooses it.
    let Some((cut, output)) = input.split_first() else { return };
    let cut = usize::from(*cut) + 1;
    let whole = Metrics::read(output);
    assert_eq!(behind_noise(PIECE - cut, output), whole);
    let mut reader = Reader::default();
    for piece in output.chunks(cut) {
        reader.push(piece);
    }
    assert_eq!(reader.finish(), whole);
    if let Ok(metrics) = whole {
        let again = Metrics::read(metrics.to_string().as_bytes()).expect("written by the same rules");
        assert_eq!((again.flat, again.scenarios), (metrics.flat, metrics.scenarios));
    }
});

/// Reads `output` behind one line of noise, and says where an error is without that line.
fn behind_noise(length: usize, output: &[u8]) -> Result<Metrics, MetricsError> {
    let mut noise = vec![b'.'; length - 1];
    noise.push(b'\n');
    let mut reader = Reader::default();
    reader.push(&noise);
    reader.push(output);
    reader.finish().map_err(|error| MetricsError {
        line: error.line.map(|line| line - 1),
        // Messages that name a second line name another one behind noise.
        message: Metrics::read(output).err().map_or(String::new(), |plain| plain.message),
        ..error
    })
}
