//! The report of a benchmark: no panic, and what is read is written and read alike.

#![no_main]

use libfuzzer_sys::fuzz_target;
use perf_harness::report::{Channel, Protocol, Report};

fuzz_target!(|input: &str| {
    let _ = Channel::read(|_| Some(input.into()));
    if let Ok(report) = Report::read(input) {
        let again = Report::read(&report.to_json()).expect("written by the same rules");
        assert_eq!(again, Report { protocol: Protocol::CURRENT, ..report });
    }
});
