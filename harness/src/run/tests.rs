//! Runs from their variables to their answer.

use super::*;
use crate::report::{FILE, PROTOCOL};

fn run(variables: &[(&str, &str)]) -> Result<Run, RunError> {
    Run::read(|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into()))
}

/// What a run prints, as metrics.
fn printed(run: Run) -> Metrics {
    let mut output = Vec::new();
    run.answer(&mut output).expect("an answer");
    assert_eq!(String::from_utf8_lossy(&output).lines().count(), 1, "one line");
    Metrics::read(&output).expect("metrics")
}

fn measured(run: &Run) -> &Measured {
    run.report.run.as_ref().expect("measured")
}

/// Work whose calls take a microsecond or more, and are counted.
fn work(calls: &mut u64) -> impl FnMut() {
    move || {
        *calls += 1;
        let started = Instant::now();
        while started.elapsed() < Duration::from_micros(1) {}
    }
}

#[test]
fn by_hand_the_work_is_done_once() {
    let mut calls = 0;
    let mut by_hand = run(&[]).unwrap();
    by_hand.measure(work(&mut calls));
    assert_eq!((calls, measured(&by_hand).iterations.as_slice()), (1, &[1][..]));
    assert_eq!(measured(&by_hand).mode, Ran::Oneshot);
    let metrics = printed(by_hand).flat;
    assert!(metrics["iterations"].total_cmp(&1.0).is_eq() && metrics["min_ns"] >= 1000.0, "{metrics:?}");
    assert!(!metrics.contains_key("allocations_per_iteration"), "nothing counts in this program");
}

#[test]
fn work_is_repeated_until_the_time_is_measured_and_no_longer() {
    let mut calls = 0;
    let mut timed = run(&[("PERF_RUN_DURATION", "0.1"), ("PERF_PARAM_VALUE", "7")]).unwrap();
    assert_eq!(timed.parameter(), Some(7.0));
    timed.measure(work(&mut calls));
    let samples = measured(&timed);
    let total: u64 = samples.totals.iter().sum();
    assert_eq!(calls, samples.iterations.iter().sum::<u64>(), "every call is in a sample");
    assert!(total >= 100_000_000, "{total}");
    assert!(total - samples.totals.last().unwrap() < 100_000_000, "the last sample was needed");
    assert!((1..=200).contains(&samples.totals.len()), "{}", samples.totals.len());
    let metrics = printed(timed).flat;
    assert!((metrics["measured_s"] - total as f64 / 1e9).abs() < 1e-12);
    assert!((metrics["mean_ns"] - total as f64 / calls as f64).abs() < 1e-6);
    assert!(metrics["min_ns"] <= metrics["median_ns"]);
}

#[test]
fn slow_work_is_one_call_per_sample_and_stops_in_time() {
    let mut slow = run(&[("PERF_RUN_DURATION", "0.01")]).unwrap();
    slow.measure(|| std::thread::sleep(Duration::from_millis(4)));
    assert!(measured(&slow).iterations.iter().all(|count| *count == 1));
    assert!((1..=3).contains(&measured(&slow).totals.len()), "{:?}", measured(&slow));
}

#[test]
fn warm_up_comes_first_and_is_in_no_sample() {
    let mut calls = 0;
    let mut warm = run(&[("PERF_RUN_MODE", "oneshot"), ("PERF_WARMUP_DURATION", "0.02")]).unwrap();
    warm.measure(work(&mut calls));
    let measured = measured(&warm);
    assert_eq!(measured.iterations, [1]);
    assert!(calls > 1 && measured.warm_up_ns >= 20_000_000, "{measured:?}");
    assert!(measured.started_ns.unwrap() >= measured.warm_up_ns, "{measured:?}");
}

#[test]
fn the_report_holds_what_was_printed() {
    let file = std::env::temp_dir().join(format!("perf-harness-run-{}.json", std::process::id()));
    let path = file.to_str().unwrap();
    let mut heard = run(&[(PROTOCOL, "1.0"), (FILE, path), ("PERF_RUN_DURATION", "0")]).unwrap();
    heard.measure(|| ());
    heard.metric("hits", 3.0);
    let measured = measured(&heard).clone();
    let printed = printed(heard);
    let report = Report::read(&std::fs::read_to_string(&file).unwrap()).unwrap();
    std::fs::remove_file(&file).unwrap();
    assert_eq!((report.metrics, report.run, report.allocations), (printed.flat, Some(measured), None));
}

#[test]
fn what_went_wrong_is_said_at_the_end_in_one_line() {
    let end = |act: &dyn Fn(&mut Run)| {
        let mut run = run(&[]).unwrap();
        act(&mut run);
        let mut output = Vec::new();
        let error = run.answer(&mut output).unwrap_err();
        assert!(output.is_empty(), "an error prints no metrics");
        error.to_string()
    };
    let twice = |run: &mut Run| {
        run.measure(|| ());
        run.measure(|| ());
    };
    assert!(end(&twice).starts_with("a second work was measured"));
    assert!(end(&|_| ()).starts_with("nothing was measured"));
    assert!(end(&|run| run.metric("a b", 1.0)).starts_with("\"a b\" names no metric"));
    assert!(end(&|run| run.metric("a", f64::NAN)).starts_with("the value of a is \"NaN\""));
    let again = |run: &mut Run| {
        run.measure(|| ());
        run.metric("mean_ns", 1.0);
    };
    assert!(end(&again).starts_with("mean_ns is given a second time"));
}

#[test]
fn a_wrong_variable_and_another_protocol_end_the_run_before_it_begins() {
    for (variable, value) in [("PERF_RUN_DURATION", "1m"), (PROTOCOL, "one")] {
        let error = run(&[(variable, value)]).unwrap_err();
        assert!(error.to_string().starts_with(variable), "{error}");
        assert_eq!(format!("{error:?}"), error.to_string(), "what main prints");
    }
    assert!(matches!(run(&[(PROTOCOL, "2.0")]), Err(RunError::Report(_))));
}
