//! What conditions say of values: types, units, baselines, what is missing.

use super::*;
use crate::failure::FailureKind;
use std::collections::BTreeMap;

/// A benchmark with a few metrics and a baseline that is twice as slow.
pub(super) struct Bench {
    values: BTreeMap<&'static str, (f64, Option<&'static str>)>,
    exit: Option<i32>,
    param: Option<f64>,
}

impl Bench {
    fn with(name: &'static str, value: f64) -> Self {
        let mut bench = Self::default();
        bench.values.insert(name, (value, None));
        bench
    }

    pub(super) fn known(&self, name: &str) -> Option<Known> {
        self.values.get(name).map(|(_, unit)| Known { unit: unit.map(str::to_owned) })
    }
}

impl Default for Bench {
    fn default() -> Self {
        let values = [
            ("cost", (2000.0, Some("ns"))),
            ("felt", (3000.0, None)),
            ("p99_ms", (40.0, Some("ms"))),
            ("mean_us", (40_000.0, Some("us"))),
            ("low/p99_ms", (4.0, Some("ms"))),
            ("rss", (64.0, Some("MiB"))),
            ("rps", (950.0, Some("rps"))),
            ("ops", (950.0, Some("op/s"))),
            ("cpu", (7.0, Some("%"))),
            ("errors", (1.0, None)),
            ("requests", (2000.0, None)),
            ("low/size", (1.0, None)),
            ("zero", (0.0, None)),
            ("1 odd`name", (1.0, None)),
        ];
        Self { values: values.into_iter().collect(), exit: Some(0), param: Some(1000.0) }
    }
}

impl Values for Bench {
    fn value(&self, name: &str) -> Option<Quantity> {
        self.values.get(name).map(|(value, unit)| Quantity { value: *value, unit: unit.map(str::to_owned) })
    }

    /// Stored with another unit where that is possible.
    fn baseline(&self, name: &str) -> Option<Quantity> {
        let found = self.value(name).filter(|_| name != "errors")?;
        match found.unit.as_deref() {
            Some("ms") => Some(Quantity { value: found.value * 2000.0, unit: Some("µs".to_owned()) }),
            _ => Some(Quantity { value: found.value * 2.0, ..found }),
        }
    }

    fn param(&self) -> Option<f64> {
        self.param
    }

    fn exit(&self) -> Option<i32> {
        self.exit
    }

    fn names(&self) -> Vec<String> {
        self.values.keys().map(|name| (*name).to_owned()).collect()
    }
}

fn read(text: &str) -> Condition {
    Condition::parse(text).unwrap_or_else(|failure| panic!("{text}: {failure}"))
}

fn checked(text: &str) -> Result<(), Failure> {
    let bench = Bench::default();
    read(text).check(&|name| bench.known(name))
}

fn decided(text: &str) -> Verdict {
    checked(text).unwrap_or_else(|failure| panic!("{text}: {failure}"));
    read(text).evaluate(&Bench::default()).unwrap_or_else(|failure| panic!("{text}: {failure}"))
}

/// Each line holds, and does not hold when it is negated.
#[test]
fn s35_conditions_that_hold() {
    for text in [
        // A plain number is in the unit of the metric, another unit is converted.
        "p99_ms == 40",
        "p99_ms == 40ms",
        "p99_ms == 40000us",
        "p99_ms == 0.04s",
        "p99_ms < 1min",
        "p99_ms == mean_us",
        "p99_ms + 2 == 42",
        "p99_ms * 2 - 1 == 79",
        "-p99_ms == -40",
        "40 == p99_ms",
        "rss == 64MiB && rss == 67108864B && rss < 68MB && rss > 67MB && rss == 65536KiB && rss < 1GiB",
        "cost == 2us && cost == 2000 && felt == 3us && felt == 3000",
        "low/p99_ms == 4",
        "p99_ms < 1min + 30s",
        "p99_ms - mean_us == 0ms",
        // Shares.
        "cpu == 7% && cpu == 7 && cpu < 8% && 2 * cpu == 14 && cpu * 2 == 14%",
        "errors / requests < 0.1%",
        "errors / requests == 0.0005",
        "p99_ms / mean_us == 1",
        "cost / felt < 1",
        "cost * cpu == 140",
        "p99_ms < 50 * 90%",
        "p99_ms < 50ms * (1 + 5%)",
        "p99_ms <= 40 * (cost / baseline.cost + 50%)",
        "errors == 100%",
        // Names without unit count.
        "requests * cost == 4ms && cost / requests == 1ns && requests > errors && requests >= 1000 + errors",
        "`1 odd``name` == 1",
        // Stored values.
        "cost <= baseline * 0.55",
        "baseline * 55% >= cost",
        "p99_ms == baseline / 2",
        "p99_ms == baseline.p99_ms / 2",
        "p99_ms < baseline && low/p99_ms < baseline - 1ms",
        "cost < baseline.felt && cost - baseline.cost < 0",
        "low/size == baseline.`low/size` / 2",
        // The load and the exit code.
        "rps >= 0.95 * param && rps / param == 0.95 && param / rps > 1 && exit == 0 && exit < 1",
        // Logic.
        "cost > 1 || cost < 0 && cost < 0",
        "!(cost < 0) && !!(cost > 0)",
        "cost != 1 && !(cost == 1)",
        "1 + 2 * 3 == 7 && 10 - 3 - 2 == 5 && 8 / 4 / 2 == 1 && -(1 - 2) == 1 && 1.5e1 == 15",
    ] {
        assert!(decided(text).holds, "{text}");
        assert!(!decided(&format!("!({text})")).holds, "!({text})");
    }
}

#[test]
fn a_comparison_at_its_limit_is_decided_exactly() {
    for (relation, below, at, above) in [
        ("<", true, false, false),
        ("<=", true, true, false),
        (">", false, false, true),
        (">=", false, true, true),
        ("==", false, true, false),
        ("!=", true, false, true),
    ] {
        let holds = [39.999, 40.0, 40.001].map(|limit| decided(&format!("{limit} {relation} p99_ms")).holds);
        assert_eq!(holds, [below, at, above], "{relation}");
    }
}

#[test]
fn units_that_do_not_fit_are_named_on_both_sides_before_anything_is_measured() {
    for (text, named) in [
        ("p99_ms < 5MB", "p99_ms < 5MB compares a time (ms) with bytes (MB)"),
        ("p99_ms < 5%", "compares a time (ms) with a share"),
        ("rps > ops", "compares a value in rps with a value in op/s"),
        ("rps > 5ms", "compares a value in rps with a time (ms)"),
        ("p99_ms + rss > 5", "p99_ms + rss adds bytes (MiB) to a time (ms)"),
        ("p99_ms - rss > 5", "subtracts bytes (MiB) from a time (ms)"),
        ("p99_ms * cost > 5", "multiplies a time (ms) by a time (ns)"),
        ("rss / p99_ms > 5", "divides bytes (MiB) by a time (ms)"),
        ("exit == 5ms", "compares an exit code with a time (ms)"),
        ("exit == errors", "compares an exit code with errors, whose unit is not declared"),
        ("cost / felt < 5ns", "compares a share with a time (ns)"),
        ("p99_ms + mean_us < 50", "compares a time with a plain number"),
        ("errors < 5ms", "compares errors, whose unit is not declared, with a time (ms)"),
        ("cost < 0 && p99_ms < 5MB", "compares a time (ms) with bytes (MB)"),
        ("cost > 0 || p99_ms < 5MB", "compares a time (ms) with bytes (MB)"),
    ] {
        for failure in
            [checked(text).expect_err(text), read(text).evaluate(&Bench::default()).expect_err(text)]
        {
            assert_eq!(failure.kind, FailureKind::Usage, "{text}");
            assert!(failure.message.contains(named), "{text}: {failure}");
            assert!(failure.hint.is_some(), "{text}");
        }
    }
}

#[test]
fn a_metric_without_unit_is_told_how_to_get_one() {
    for (text, declaration) in [
        ("errors < 50ms", "--metric errors:ms:lower"),
        ("1GiB > errors", "--metric errors:GiB:lower"),
        ("low/size < 5kB", "--metric size:kB:lower"),
        ("errors + 1s < 5", "--metric errors:s:lower"),
        ("errors < rps", "--metric errors:rps:lower"),
    ] {
        let hint = checked(text).expect_err(text).hint.expect("a hint");
        assert!(hint.contains(declaration), "{text}: {hint}");
    }
    let hint = checked("p99_ms + mean_us < 50").expect_err("several units").hint.expect("a hint");
    assert!(hint.contains("50ms"), "{hint}");
}

#[test]
fn metrics_that_nobody_knows_are_named_before_anything_is_measured() {
    let failure = checked("p98_ms < 5 && cost < baseline.typo && p99_ms < 4").expect_err("unknown");
    assert_eq!(failure.message, "the condition names metrics that are not measured: p98_ms, typo");
    let failure = checked("errors/requests < 1%").expect_err("one name");
    assert!(failure.hint.expect("a hint").contains("errors/requests is read as one name"));
    assert!(checked("errors / requests < 1%").is_ok());
}

#[test]
fn a_missing_value_is_an_error_that_says_what_is_there() {
    let failed = |text: &str, bench: &Bench| read(text).evaluate(bench).expect_err(text);
    let failure = failed("p98_ms < 5", &Bench::default());
    assert_eq!(failure.kind, FailureKind::Benchmark);
    assert!(
        failure.message.contains("p98_ms, which was not measured; there is 1 odd`name, cost, cpu,"),
        "{failure}"
    );
    let many: Vec<&'static str> = (0..30).map(|n| &*format!("m{n:02}").leak()).collect();
    let bench = Bench { values: many.iter().map(|name| (*name, (1.0, None))).collect(), ..Bench::default() };
    assert!(failed("a < 5", &bench).message.ends_with("m18, m19 and 10 more"));
    let bench = Bench { values: BTreeMap::new(), ..Bench::default() };
    assert!(failed("a < 5", &bench).message.ends_with("; no metric was"));
    let failure = failed("errors <= baseline", &Bench::default());
    assert_eq!(failure.kind, FailureKind::Blocked);
    assert!(failure.message.contains("the baseline of errors, which is not stored"), "{failure}");
    let bench = Bench { exit: None, param: None, ..Bench::default() };
    assert_eq!(failed("exit == 0", &bench).kind, FailureKind::Benchmark);
    assert_eq!(failed("rps > param", &bench).kind, FailureKind::Usage);
}

#[test]
fn a_number_that_is_not_finite_is_an_error_and_not_false() {
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        for text in ["errors < 1", "!(errors < 1)", "errors != 1", "requests / errors > 1"] {
            let failure = read(text).evaluate(&Bench::with("errors", value)).expect_err(text);
            assert_eq!(failure.kind, FailureKind::Benchmark, "{text}");
            assert!(failure.message.contains(&format!("errors is {value}")), "{failure}");
        }
    }
    let text = "errors / zero < 1";
    assert!(checked(text).is_ok());
    let failure = read(text).evaluate(&Bench::default()).expect_err(text);
    assert_eq!(failure.kind, FailureKind::Benchmark);
    assert!(failure.message.contains("errors / zero divides by 0"), "{failure}");
    // What is wrong without any value is found without values.
    for text in
        ["cost / 0 < 1", "errors / (1 - 1) < 1", "cost < 1e308 * 10", "0 / 0 == 1", "cost < 1e308min + 1s"]
    {
        assert_eq!(checked(text).expect_err(text).kind, FailureKind::Usage, "{text}");
    }
}

#[test]
fn what_is_decided_on_the_left_needs_nothing_from_the_right() {
    let holds = |text: &str, exit: i32| {
        let bench = Bench { exit: Some(exit), ..Bench::default() };
        read(text).evaluate(&bench).map(|verdict| (verdict.holds, verdict.comparisons.len())).ok()
    };
    assert_eq!(holds("exit == 0 && gone < 5", 1), Some((false, 1)));
    assert_eq!(holds("exit == 0 && gone < 5", 0), None);
    assert_eq!(holds("exit != 0 || gone < 5", 1), Some((true, 1)));
    assert_eq!(holds("exit != 0 || gone < 5", 0), None);
    assert_eq!(holds("gone < 5 && exit == 0", 1), None);
    assert_eq!(holds("zero > 0 && errors / zero < 1%", 0), Some((false, 1)));
    assert_eq!(holds("exit == 0 && gone < 5 && errors < 0", 1), Some((false, 2)));
    assert_eq!(holds("exit == 0 && p99_ms < 5", 1), Some((false, 2)));
}

#[test]
fn a_verdict_shows_each_comparison_in_one_unit() {
    let verdict = decided("p99_ms<50 && mean_us > 50ms || errors / 2 == 1 || rss < 1");
    let shown: Vec<String> = verdict
        .comparisons
        .iter()
        .map(|one| {
            let side =
                |side: &Quantity| format!("{}{}", side.value, side.unit.as_deref().unwrap_or(" plain"));
            format!("{}: {} and {}, {}", one.text, side(&one.left), side(&one.right), one.holds)
        })
        .collect();
    assert_eq!(
        shown,
        [
            "p99_ms < 50: 40ms and 50ms, true",
            "mean_us > 50ms: 40000000ns and 50000000ns, false",
            "errors / 2 == 1: 0.5 plain and 1 plain, false",
            "rss < 1: 64MiB and 1MiB, false",
        ]
    );
    assert!(!verdict.holds);
}

#[test]
fn a_condition_says_what_it_needs() {
    let condition = read("low/p99_ms < baseline && cost - felt < 5ms && `cost` < 3 && exit == 0");
    let names = |names: BTreeSet<String>| names.into_iter().collect::<Vec<_>>().join(" ");
    assert_eq!(names(condition.names()), "cost felt low/p99_ms");
    assert_eq!(names(condition.baseline_names()), "low/p99_ms");
    assert!(condition.uses_baseline() && condition.uses_exit() && !condition.uses_param());
    let condition = read("rps > param && cost < baseline.felt");
    assert_eq!(
        (names(condition.names()), names(condition.baseline_names())),
        ("cost rps".into(), "felt".into())
    );
    assert!(condition.uses_param() && !condition.uses_exit());
    assert!(!read("cost < 5 && `param` < 3 && `baseline` < 2").uses_param());
    assert!(!read("cost < 5 && `baseline` < 2").uses_baseline());
}

/// A metric of the program that is called like a word of the language is no time of this program.
#[test]
fn a_quoted_name_is_a_metric_of_the_program() {
    let unknown_unit = |_: &str| Some(Known::default());
    assert!(read("cost < 5ms && felt < 5ms").check(&unknown_unit).is_ok());
    let failure = read("`cost` < 5ms").check(&unknown_unit).expect_err("no unit");
    assert!(failure.message.contains("cost, whose unit is not declared"), "{failure}");
}

#[test]
fn the_excess_is_that_of_the_comparison_that_decides() {
    let excess = |text: &str| decided(text).excess;
    let near = |text: &str, ratio: f64| {
        let found = excess(text).unwrap_or_else(|| panic!("{text} has none"));
        assert!((found - ratio.ln()).abs() < 1e-12, "{text}: {found}");
    };
    near("p99_ms < 50", 40.0 / 50.0);
    near("p99_ms < 20ms", 2.0);
    near("rps >= 1000", 1000.0 / 950.0);
    near("rps >= 0.5 * param", 500.0 / 950.0);
    near("p99_ms < baseline", 0.5);
    near("!(p99_ms > 50)", 40.0 / 50.0);
    // The worst of several that must hold, the best of several of which one must.
    near("p99_ms < 50 && rps > 900", 900.0 / 950.0);
    near("p99_ms < 50 && rps > 1900", 2.0);
    near("p99_ms < 10 || rps > 1900", 2.0);
    near("p99_ms < 10 || rps > 475", 0.5);
    near("exit == 0 && p99_ms < 50", 40.0 / 50.0);
    // What is not positive has no ratio, and is measured by its limit.
    assert_eq!(excess("zero < 5"), Some(-1.0));
    for text in ["exit == 0", "exit < 3", "p99_ms == 40", "zero <= 0", "exit == 1 && p99_ms < 50"] {
        assert_eq!(excess(text), None, "{text}");
    }
}

#[test]
fn the_examples_of_the_page_are_conditions() {
    let page = include_str!("../../docs/conditions.md");
    let block = page.split("## Examples\n\n```text\n").nth(1).and_then(|rest| rest.split("```").next());
    let examples: Vec<&str> = block.expect("examples").lines().collect();
    assert_eq!(examples.len(), 6);
    for line in examples {
        let (text, _) = line.split_once("  ").expect("a condition and what it says");
        assert_eq!(read(text).to_string(), text);
    }
}
