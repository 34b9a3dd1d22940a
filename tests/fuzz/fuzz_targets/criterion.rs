//! The runner's side of criterion's protocol reads whatever arrives on its port.
#![no_main]

use cargo_perf_lab::bench::criterion::protocol::{BENCH_HELLO_SIZE, read_hello, take_message};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let (hello, rest) = data.split_at(data.len().min(BENCH_HELLO_SIZE));
    if hello.len() == BENCH_HELLO_SIZE {
        let _ = read_hello(hello);
    }
    let mut buffer = rest.to_vec();
    while let Ok(Some(_)) = take_message(&mut buffer) {}
});
