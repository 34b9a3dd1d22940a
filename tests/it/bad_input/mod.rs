//! Whatever is wrong is refused with the right exit code, its cause and what helps, and nothing else.

mod arguments;
mod benches;
mod externals;
mod metrics;
mod state;

use libtest_mimic::Trial;

pub fn trials() -> Vec<Trial> {
    [arguments::trials(), state::trials(), benches::trials(), metrics::trials(), externals::trials()]
        .into_iter()
        .flatten()
        .collect()
}
