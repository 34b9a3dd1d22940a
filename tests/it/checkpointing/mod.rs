//! The commit that ends a phase, in real repositories in every situation known to go wrong elsewhere.

mod apart;
pub mod call;
mod reasons;
mod repository;
mod signing;
mod situations;
mod sources;

use libtest_mimic::Trial;

pub fn trials() -> Vec<Trial> {
    [situations::trials(), apart::trials(), reasons::trials(), signing::trials(), sources::trials()]
        .into_iter()
        .flatten()
        .collect()
}
