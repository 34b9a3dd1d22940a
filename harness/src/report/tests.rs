//! Both sides of the channel.

use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::ffi::OsString;
use std::path::Path;

fn environment(variables: &[(&str, &Path)]) -> Result<Option<Channel>, ReportError> {
    let find = |name: &str| variables.iter().find(|(known, _)| *known == name);
    Channel::read(|name| find(name).map(|(_, value)| OsString::from(value)))
}

fn speaking(version: &str) -> Result<Option<Channel>, ReportError> {
    environment(&[(PROTOCOL, Path::new(version)), (FILE, Path::new("report.json"))])
}

fn full() -> Report {
    Report {
        run: Some(Measured {
            mode: Ran::Duration,
            parameter: Some(250.0),
            warm_up_ns: 10,
            started_ns: Some(u64::MAX),
            iterations: vec![1, 2],
            totals: vec![1_000, 9_007_199_254_740_993],
        }),
        allocations: Some(Allocations { samples: vec![Some(Counts { allocations: 3, bytes: 96 }), None] }),
        metrics: [("mean_ns".to_owned(), 1.5)].into(),
        left_out: [("p99_ms".to_owned(), "it needs 1000 requests".to_owned())].into(),
        ..Report::new()
    }
}

/// The document of `full`, with the value at a JSON pointer replaced.
fn changed(pointer: &str, value: &Value) -> String {
    let mut document: Value = serde_json::from_str(&full().to_json()).unwrap();
    *document.pointer_mut(pointer).expect("a field") = value.clone();
    document.to_string()
}

#[test]
fn nobody_listens_to_a_benchmark_that_was_started_by_hand() {
    assert_eq!(environment(&[(FILE, Path::new("report.json"))]), Ok(None));
    assert_eq!(environment(&[(PROTOCOL, Path::new("1.0"))]), Ok(None));
}

#[test]
fn another_minor_version_is_understood_on_both_sides() {
    assert!(speaking("1.99").unwrap().is_some());
    let later = changed("/protocol/minor", &json!(99));
    let with_more = later.replacen('{', "{\"added\": [1, {\"a\": null}], ", 1);
    assert_eq!(Report::read(&with_more).unwrap().run, full().run);
}

#[test]
fn each_side_says_which_one_is_too_old() {
    let seen_by_harness = |version: &str| speaking(version).unwrap_err().to_string();
    let seen_by_runner =
        |major: u32| Report::read(&changed("/protocol/major", &json!(major))).unwrap_err().to_string();
    let old_harness = "upgrade perf-harness: cargo update -p perf-harness";
    let old_runner = "upgrade cargo perf: cargo install cargo-perf-lab";
    for (said, remedy) in [
        (seen_by_harness("2.0"), old_harness),
        (seen_by_harness("0.9"), old_runner),
        (seen_by_runner(0), old_harness),
        (seen_by_runner(2), old_runner),
    ] {
        assert!(said.ends_with(remedy), "{said}");
    }
    assert_eq!(
        seen_by_harness("2.1"),
        format!("cargo perf speaks protocol 2.1 and perf-harness 1.0; {old_harness}")
    );
}

#[test]
fn what_could_not_be_told_may_be_unsaid_and_is_text() {
    let mut document: Value = serde_json::from_str(&full().to_json()).unwrap();
    document.as_object_mut().expect("an object").remove("left_out");
    assert!(Report::read(&document.to_string()).expect("read").left_out.is_empty());
    for wrong in [json!(null), json!({"p99_ms": 5}), json!(["p99_ms"])] {
        assert!(Report::read(&changed("/left_out", &wrong)).is_err(), "{wrong}");
    }
}

#[test]
fn a_version_of_another_form_is_an_error() {
    for version in ["", "1", "1.", ".0", "1.0.0", "v1.0", "+1.0", "1.0 ", "1.99999999999"] {
        let error = speaking(version).unwrap_err();
        assert_eq!(error, ReportError::Variable { found: version.to_owned() });
        assert!(error.to_string().starts_with("PERF_PROTOCOL is "), "{error}");
    }
}

#[test]
fn another_version_is_told_before_what_else_has_changed() {
    let read = Report::read(r#"{"protocol": {"major": 2, "minor": 0}, "run": "elsewhere"}"#);
    assert!(matches!(read, Err(ReportError::Protocol { .. })), "{read:?}");
}

#[test]
fn a_report_is_read_as_it_was_written() {
    assert_eq!(Report::read(&full().to_json()), Ok(full()));
    assert_eq!(Report::read(&Report::new().to_json()), Ok(Report::new()));
}

#[test]
fn a_field_of_another_type_is_named() {
    for (pointer, value, named) in [
        ("/harness", json!(1), "harness of the document is 1, expected a text"),
        ("/protocol/major", json!("1"), "major of protocol"),
        ("/run/mode", json!("fast"), "mode of run is \"fast\", expected `duration` or `oneshot`"),
        ("/run/parameter", json!("250"), "parameter of run"),
        ("/run/warm_up_ns", json!(null), "warm_up_ns of run is null"),
        ("/run/warm_up_ns", json!(1.5), "warm_up_ns of run is 1.5"),
        ("/run/started_ns", json!(-1), "started_ns of run is -1"),
        ("/run/unit", json!("s"), "unit of run"),
        ("/run/samples/totals", json!([1, "2"]), "totals of samples is an array"),
        ("/run/samples/totals", json!([1]), "one total for each"),
        ("/run/samples/iterations", json!([0, 1]), "one total for each"),
        ("/run", json!([]), "run of the document is an array, expected an object or null"),
        ("/allocations/samples", json!([[1, 2], [1]]), "samples of allocations"),
        ("/allocations/samples", json!([[1, 2]]), "one for each sample"),
        ("/metrics", json!(null), "metrics of the document is null"),
        ("/metrics/mean_ns", json!(null), "mean_ns of metrics is null"),
    ] {
        let error = Report::read(&changed(pointer, &value)).expect_err(pointer).to_string();
        assert!(error.contains(named), "{pointer}: {error}");
    }
    for field in ["protocol", "harness", "run", "allocations", "metrics"] {
        let mut document: Value = serde_json::from_str(&full().to_json()).unwrap();
        document.as_object_mut().unwrap().remove(field);
        let error = Report::read(&document.to_string()).expect_err(field).to_string();
        assert!(error.contains(&format!("{field} of the document is absent")), "{error}");
    }
}

#[test]
fn the_file_is_replaced_whole_and_nothing_is_left_beside_it() {
    let folder = std::env::temp_dir().join(format!("perf-harness-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("report.json");
    let channel = environment(&[(PROTOCOL, Path::new("1.0")), (FILE, &file)]).unwrap().unwrap();
    channel.write(&Report::new()).unwrap();
    channel.write(&full()).unwrap();
    assert_eq!(Report::read(&std::fs::read_to_string(&file).unwrap()), Ok(full()));
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);

    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    let error = channel.write(&full()).unwrap_err().to_string();
    assert!(error.starts_with("the report cannot be written: ") && error.contains("report.json"), "{error}");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
    std::fs::remove_dir_all(&folder).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,200}") {
        let _ = Report::read(&text);
    }

    #[test]
    fn samples_are_exact(
        samples in prop::collection::vec((1..=u64::MAX, any::<u64>(), any::<u64>(), any::<u64>()), 0..20),
        metric in any::<f64>().prop_filter("finite", |number| number.is_finite()),
    ) {
        let mut report = full();
        let run = report.run.as_mut().unwrap();
        (run.iterations, run.totals) = samples.iter().map(|(count, total, ..)| (*count, *total)).unzip();
        let counts = |(_, _, allocations, bytes): &(u64, u64, u64, u64)| {
            Some(Counts { allocations: *allocations, bytes: *bytes })
        };
        report.allocations = Some(Allocations { samples: samples.iter().map(counts).collect() });
        report.metrics.insert("metric".to_owned(), metric);
        prop_assert_eq!(Report::read(&report.to_json()), Ok(report));
    }
}
