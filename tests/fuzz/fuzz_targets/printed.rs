//! What benches print, in the tables and lists of their harnesses.
#![no_main]

use cargo_perf_lab::bench::reading::Values;
use cargo_perf_lab::bench::{divan, libtest, listing};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let ids = listing::read(&text);
    let id = ids.first().map_or("a", String::as_str);
    let readings = divan::read(&text, id).ok().flatten().into_iter().chain(libtest::read(&text, id));
    for reading in readings {
        let values = match reading.values {
            Values::Table(row) => vec![row.fastest, row.median, row.mean],
            Values::Median(median) => vec![median],
            Values::Samples { .. } => unreachable!("a table holds no samples"),
        };
        assert!(values.iter().all(|value| value.is_finite() && *value >= 0.0), "{values:?}");
    }
});
