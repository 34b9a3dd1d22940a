//! The statistics, checked against the numbers of another package.

use crate::support::trials;
use cargo_perf_lab::stats::holm;
use cargo_perf_lab::stats::paired::PairedEffect;
use libtest_mimic::Trial;
use serde_json::Value;
use std::fs;

pub fn trials() -> Vec<Trial> {
    trials![
        p_values_estimates_and_intervals_are_those_of_r,
        scale_and_order_of_the_pairs_do_not_matter,
        what_holm_finds_is_what_r_finds,
    ]
}

/// The pairs up to which both packages count the distribution out.
const EXACT: usize = 100;

fn published() -> Value {
    let file = format!("{}/fixtures/published-statistics/wilcoxon.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&fs::read_to_string(file).expect("the fixture")).expect("JSON")
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(|value| value.as_f64().expect("a number")).collect()
}

fn is_near(ours: f64, theirs: f64, distance: f64) -> bool {
    (ours - theirs).abs() <= distance
}

fn p_values_estimates_and_intervals_are_those_of_r() {
    let published = published();
    let series = published["series"].as_array().expect("series");
    assert!(
        series.iter().any(|one| numbers(&one["differences"]).len() > EXACT),
        "one that is not counted out"
    );
    for one in series {
        let differences = numbers(&one["differences"]);
        let effect = PairedEffect::of(&differences).expect("an effect");
        let number = |name: &str| one[name].as_f64().expect("a number");
        let exact = differences.len() <= EXACT;
        // Beyond, R goes on counting, and we take the normal distribution.
        let distance = if exact { 1e-9 } else { 0.02 * number("p") };
        assert!(is_near(effect.p, number("p"), distance), "p of {}: {} {one}", one["name"], effect.p);
        assert!(is_near(effect.estimate, number("estimate"), 1e-9), "{}: {}", one["name"], effect.estimate);
        for (level, error) in [("at_95", 0.05), ("at_99", 0.01)] {
            let ends = numbers(&one[level]);
            let Some(ours) = effect.interval(error) else {
                panic!("{} has no interval at {level}", one["name"])
            };
            let distance = if exact { 1e-9 } else { 0.01 * (ends[1] - ends[0]) };
            assert!(
                is_near(ours.low, ends[0], distance) && is_near(ours.high, ends[1], distance),
                "{} {level}: {ours:?} instead of {ends:?}",
                one["name"]
            );
        }
    }
}

fn scale_and_order_of_the_pairs_do_not_matter() {
    for one in published()["series"].as_array().expect("series") {
        let differences = numbers(&one["differences"]);
        let effect = PairedEffect::of(&differences).expect("an effect");
        // A power of two changes no digit of a number.
        let scaled: Vec<f64> = differences.iter().rev().map(|value| value * 8.0).collect();
        let other = PairedEffect::of(&scaled).expect("an effect");
        assert!(is_near(other.p, effect.p, 0.0) && is_near(other.estimate, 8.0 * effect.estimate, 0.0));
        let (before, after) = (effect.interval(0.05).expect("ends"), other.interval(0.05).expect("ends"));
        assert!(is_near(after.low, 8.0 * before.low, 0.0) && is_near(after.high, 8.0 * before.high, 0.0));
    }
}

fn what_holm_finds_is_what_r_finds() {
    for one in published()["holm"].as_array().expect("questions") {
        let (p_values, adjusted) = (numbers(&one["p"]), numbers(&one["adjusted"]));
        for error in [0.005, 0.01, 0.013, 0.05, 0.3] {
            let levels = holm::levels(&p_values, error);
            let ours: Vec<bool> = p_values.iter().zip(&levels).map(|(p, level)| p < level).collect();
            let theirs: Vec<bool> = adjusted.iter().map(|p| *p < error).collect();
            assert_eq!(ours, theirs, "{p_values:?} at {error}");
        }
    }
}
