//! Commands as people type them.
#![no_main]

use cargo_perf_lab::bench::command_line::split;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(words) = split(text, false)
    {
        assert!(!words.is_empty() && !words[0].is_empty());
        assert!(words.iter().all(|word| !word.contains('\0')));
    }
});
