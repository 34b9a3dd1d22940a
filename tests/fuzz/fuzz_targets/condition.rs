//! Conditions: no panic, what is read is shown and read alike, and a verdict rests on finite numbers.

#![no_main]

use cargo_perf_lab::condition::{Condition, Known, LONGEST, Quantity, Values};
use cargo_perf_lab::failure::FailureKind;
use libfuzzer_sys::fuzz_target;

/// Every metric is there; its name says which unit and value it has.
struct Bench;

impl Values for Bench {
    fn value(&self, name: &str) -> Option<Quantity> {
        Some(Quantity { value: name.len() as f64 - 2.0, unit: unit(name).map(str::to_owned) })
    }

    fn baseline(&self, name: &str) -> Option<Quantity> {
        self.value(name).filter(|_| !name.starts_with('n'))
    }

    fn param(&self) -> Option<f64> {
        Some(100.0)
    }

    fn exit(&self) -> Option<i32> {
        Some(1)
    }

    fn names(&self) -> Vec<String> {
        Vec::new()
    }
}

fn unit(name: &str) -> Option<&str> {
    [("_ms", "ms"), ("_s", "s"), ("_mib", "MiB"), ("_rps", "rps"), ("_share", "%")]
        .into_iter()
        .find_map(|(ending, unit)| name.ends_with(ending).then_some(unit))
}

fuzz_target!(|text: &str| {
    let Ok(condition) = Condition::parse(text) else { return };
    let shown = condition.to_string();
    // The canonical form may be longer, by spaces and by digits that an exponent stood for.
    if shown.len() <= LONGEST {
        assert_eq!(Condition::parse(&shown).expect("canonical"), condition);
    }
    let known = |name: &str| Some(Known { unit: unit(name).map(str::to_owned) });
    let fits = condition.check(&known);
    match condition.evaluate(&Bench) {
        Ok(verdict) => {
            let sides = verdict.comparisons.iter().flat_map(|one| [&one.left, &one.right]);
            assert!(sides.into_iter().all(|side| side.value.is_finite()));
        }
        // Units that fit before there are values fit afterwards.
        Err(failure) => assert!(fits.is_err() || failure.kind != FailureKind::Usage, "{failure}"),
    }
});
