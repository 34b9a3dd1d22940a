//! Load against targets that are slow in a known way.

use super::*;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Mutex;
use std::thread::sleep;
use std::time::Instant;

fn metrics(loaded: &Loaded) -> BTreeMap<String, f64> {
    loaded.metrics().into_iter().collect()
}

const ANSWERED: Result<(), Infallible> = Ok(());

/// A target that answers in 2 ms, and once does not answer for `stall`.
struct Target {
    gate: Mutex<Option<Instant>>,
    stall: Duration,
}

impl Target {
    fn new(stall: Duration) -> Self {
        Self { gate: Mutex::new(Some(Instant::now() + Duration::from_millis(600))), stall }
    }

    fn answer(&self) {
        let mut gate = self.gate.lock().unwrap();
        if gate.is_some_and(|at| Instant::now() >= at) {
            *gate = None;
            sleep(self.stall);
        }
        drop(gate);
        sleep(Duration::from_millis(2));
    }
}

const WINDOW: Duration = Duration::from_secs(2);

#[test]
fn an_open_loop_sees_the_stall_that_a_closed_one_hides() {
    let stall = Duration::from_millis(400);
    let target = Target::new(stall);
    let open = Load::open(600.0)
        .run(Duration::ZERO, WINDOW, |_| {
            target.answer();
            ANSWERED
        })
        .unwrap();
    let open = metrics(&open);
    let target = Target::new(stall);
    let closed = Load::closed(1)
        .run(Duration::ZERO, WINDOW, |_| {
            target.answer();
            ANSWERED
        })
        .unwrap();
    let closed = metrics(&closed);
    // A fifth of the requests were planned during the stall.
    assert!(open["p90_ms"] > 100.0, "{open:?}");
    assert!(closed["service_p90_ms"] < 100.0, "{closed:?}");
    assert!((open["requests"] - 1200.0).abs() < 0.5 && open["in_flight_max"] > 100.0, "{open:?}");
}

#[test]
fn what_cannot_be_sent_is_counted_with_the_time_it_waited() {
    // Two threads answer a hundred requests a second together, of two hundred.
    let load = Load::open(200.0).in_flight_at_most(2);
    let slow = |_| {
        sleep(Duration::from_millis(20));
        ANSWERED
    };
    let loaded = metrics(&load.run(Duration::from_millis(200), WINDOW, slow).unwrap());
    assert!((loaded["requests"] - 400.0).abs() < 2.0, "{loaded:?}");
    assert!(loaded["sent_ratio"] < 0.7 && loaded["dropped"] > 100.0, "{loaded:?}");
    assert!(loaded["throughput_per_s"] < 120.0 && loaded["max_ms"] > 500.0, "{loaded:?}");
    assert!(loaded["backlog_slope_per_s"] > 50.0, "{loaded:?}");
    assert!(loaded["service_p50_ms"] < 200.0, "{loaded:?}");
}

#[test]
fn what_can_be_sent_is_sent_and_errors_are_counted() {
    let third = |number: u64| if number.is_multiple_of(3) { Err("no") } else { Ok(()) };
    let load = Load::open(300.0).arrivals(Arrivals::Poisson { seed: 1 });
    let loaded = metrics(&load.run(Duration::from_millis(100), WINDOW, third).unwrap());
    assert!(loaded["sent_ratio"] > 0.95 && loaded["dropped"] < 30.0, "{loaded:?}");
    assert!((loaded["errors"] - loaded["requests"] / 3.0).abs() < 3.0, "{loaded:?}");
    assert!(loaded["backlog_slope_per_s"] == 0.0, "{loaded:?}");
}

#[test]
fn a_load_that_is_none_says_so() {
    let none = |_| ANSWERED;
    for (load, said) in [
        (Load::open(0.0), "0 is no rate, expected requests per second"),
        (Load::open(f64::NAN), "NaN is no rate, expected requests per second"),
        (Load::closed(0), "a closed loop needs at least one user"),
    ] {
        assert_eq!(load.run(Duration::ZERO, WINDOW, none).unwrap_err(), said);
    }
}

#[test]
fn an_open_loop_knows_how_much_it_can_send() {
    // Far less than any machine sends that runs tests, and no more than was planned.
    let most = Load::open(10.0).honest_rate().unwrap().expect("a rate");
    assert!((500.0..=TOO_FAST).contains(&most), "{most}");
    assert_eq!(Load::closed(4).honest_rate().unwrap(), None);
}
