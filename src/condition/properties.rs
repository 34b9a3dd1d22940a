//! What holds of every condition, and of every text that may be one.

use super::tests::Bench;
use super::tree::{Comparison, Leaf, Literal, Logic, Metric, Number, Operator, Relation};
use super::unit::UNITS;
use super::*;
use proptest::collection::vec;
use proptest::prelude::*;

fn any_metric() -> impl Strategy<Value = Metric> {
    let odd = any::<String>()
        .prop_filter("no control characters", |name| !name.is_empty() && !name.contains(char::is_control));
    let reserved =
        proptest::sample::select(vec!["cost", "exit", "param", "baseline", "baseline.a", "cost-a"]);
    prop_oneof![
        "[a-z_][a-zA-Z0-9_.:/%-]{0,6}".prop_map(|name| Metric { name, built_in: false }),
        odd.prop_map(|name| Metric { name, built_in: false }),
        reserved.prop_map(|name| Metric { name: name.to_owned(), built_in: false }),
        proptest::sample::select(vec!["cost", "felt"])
            .prop_map(|name| Metric { name: name.to_owned(), built_in: true }),
    ]
}

fn any_leaf() -> impl Strategy<Value = Leaf> {
    let number =
        prop_oneof![0.0..1e4, any::<f64>().prop_map(f64::abs).prop_filter("finite", |n| n.is_finite())];
    let unit = proptest::option::of((0..UNITS.len()).prop_map(|index| &UNITS[index]));
    prop_oneof![
        (number, unit).prop_map(|(number, unit)| Leaf::Literal(Literal { number, unit })),
        any_metric().prop_map(Leaf::Metric),
        any_metric().prop_map(|of| Leaf::Baseline { of, bare: false }),
        Just(Leaf::Exit),
        Just(Leaf::Param),
    ]
}

fn any_number() -> impl Strategy<Value = Number> {
    any_leaf().prop_map(Number::Leaf).prop_recursive(4, 16, 3, |inner| {
        let chain = |operators: [Operator; 2], inner: BoxedStrategy<Number>| {
            let rest = vec((proptest::sample::select(operators.to_vec()), inner.clone()), 1..3);
            (inner, rest).prop_map(|(first, rest)| Number::Chain(Box::new(first), rest))
        };
        let inner = inner.boxed();
        prop_oneof![
            inner.clone().prop_map(|number| Number::Negated(Box::new(number))),
            chain([Operator::Plus, Operator::Minus], inner.clone()),
            chain([Operator::Times, Operator::Over], inner),
        ]
    })
}

fn any_condition() -> impl Strategy<Value = Condition> {
    use Relation::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, Unequal};
    let relation = proptest::sample::select(vec![Less, LessOrEqual, Greater, GreaterOrEqual, Equal, Unequal]);
    let comparison = (any_number(), relation, any_number())
        .prop_map(|(left, relation, right)| Logic::Compare(Comparison { left, relation, right }));
    let logic = comparison.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|logic| Logic::Not(Box::new(logic))),
            vec(inner.clone(), 2..4).prop_map(Logic::All),
            vec(inner, 2..4).prop_map(Logic::Any),
        ]
    });
    logic.prop_map(|tree| Condition { tree }).prop_filter("short", |one| one.to_string().len() <= LONGEST)
}

/// Text that gets further into the parser than any text does.
fn nearly_a_condition() -> impl Strategy<Value = String> {
    let words = "a cost felt exit param baseline baseline. ` < <= == && || ! ( ) + - * / 1 5ms 7% 1e3 zero p99_ms rss";
    let words: Vec<&str> = words.split(' ').collect();
    vec((proptest::sample::select(words), "[ ]?"), 0..24)
        .prop_map(|parts| parts.into_iter().map(|(word, space)| word.to_owned() + &space).collect())
}

/// Reads, shows, checks and decides; what is shown reads back as the same.
fn use_it(text: &str) {
    let Ok(condition) = Condition::parse(text) else { return };
    let again = Condition::parse(&condition.to_string());
    assert_eq!(again.ok().as_ref(), Some(&condition), "{text:?}");
    let bench = Bench::default();
    let _ = condition.check(&|name| bench.known(name));
    if let Ok(verdict) = condition.evaluate(&bench) {
        let sides = verdict.comparisons.iter().flat_map(|one| [&one.left, &one.right]);
        assert!(sides.into_iter().all(|side| side.value.is_finite()), "{text:?}");
    }
}

proptest! {
    #[test]
    fn any_condition_reads_back_as_it_is_written(condition in any_condition()) {
        let text = condition.to_string();
        let read = Condition::parse(&text).map_err(|failure| TestCaseError::fail(format!("{text}: {failure}")))?;
        prop_assert_eq!(&read.to_string(), &text);
        prop_assert_eq!(read, condition);
    }

    #[test]
    fn no_text_makes_it_panic(text in any::<String>(), near in nearly_a_condition()) {
        use_it(&text);
        use_it(&near);
    }
}
