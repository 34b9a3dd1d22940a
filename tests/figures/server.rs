//! Whether the breaking point of a real service, whose capacity is known, is where it is said to be; and whether the
//! load that finds it is honest.

use crate::page::{Figure, PEER, Row};
use crate::{Setting, say, start};
use cargo_perf_lab::failure::{Failure, FailureKind};
use serde_json::{Value, json};
use std::process::Command;
use std::time::Duration;

/// The service and its benchmark.
const FIXTURE: &str = "load-server";
/// Searches; the seeds are 1, 2, 3 and so on.
const SEARCHES: usize = 10;
/// Of which so many have to be right, and how wide an interval may be.
const LEAST_RIGHT: usize = 8;
const WIDEST: f64 = 0.12;
/// A probe, in seconds; approved to be so short.
const PROBE: Duration = Duration::from_secs(3);
const WHY: &str = "a figure of this suite";
/// Probes of a search that only tries the suite.
const FEWEST_PROBES: &str = "6";
/// The loads that are searched. Below the first a probe has too few requests for a 99th percentile.
const RANGE: (f64, f64) = (350.0, 2000.0);
/// Between these the rate of the gate is drawn, by ratio.
const RATES: (f64, f64) = (450.0, 1200.0);
/// What has to hold, and the limit in it, in seconds.
const CONDITION: &str = "p99_ms < 50";
const LIMIT: f64 = 0.05;

/// A search that has ended.
struct Searched {
    rate: f64,
    /// Where it breaks by the arithmetic of the gate.
    breaks_at: f64,
    status: String,
    low: f64,
    high: f64,
    probes: usize,
}

impl Searched {
    fn is_right(&self) -> bool {
        self.status == "found" && self.low <= self.breaks_at && self.breaks_at <= self.high
    }

    fn width(&self) -> f64 {
        self.high / self.low - 1.0
    }
}

/// Searches the breaking point of services of ten different capacities.
pub fn measure(setting: &Setting) -> Result<Vec<Figure>, Failure> {
    let count = setting.repetitions(SEARCHES, 1);
    let mut searches = Vec::new();
    for seed in 1..=count {
        let found = search(setting, seed as u64)?;
        say(&format!(
            "server: {seed} of {count}: {} to {}, breaks at {:.0}",
            found.low, found.high, found.breaks_at
        ));
        searches.push(found);
    }
    let right = searches.iter().filter(|one| one.is_right()).count();
    let widest = searches.iter().map(Searched::width).fold(0.0, f64::max);
    let shown: Vec<String> = searches.iter().map(|one| format!("{:.1}", 100.0 * one.width())).collect();
    let probes = searches.iter().map(|one| one.probes as f64).sum::<f64>() / searches.len() as f64;
    let rows = vec![
        Row {
            figure: format!("searches of {count} whose interval holds the load at which it breaks"),
            value: right.to_string(),
            bound: "at least 8",
            met: right >= LEAST_RIGHT,
        },
        Row {
            figure: format!("the widest interval; all: {}", shown.join(", ")),
            value: format!("{:.1} %", 100.0 * widest),
            bound: "at most 12 %",
            met: widest <= WIDEST,
        },
        Row {
            figure: "probes of a search".to_owned(),
            value: format!("{probes:.1}"),
            bound: PEER,
            met: true,
        },
    ];
    let one = |one: &Searched| {
        json!({
            "rate": one.rate, "breaks_at": one.breaks_at, "status": one.status,
            "interval": [one.low, one.high], "probes": one.probes,
        })
    };
    Ok(vec![Figure {
        name: "server",
        title: "A service whose capacity is known",
        how: format!(
            "Seeds 1 to {count} draw the rate of the gate of `fixtures/load-server` from {} to {} a second, so that all \
             ratios are as likely. Each is searched once, by `cargo perf bisect-load --while '{CONDITION}'` from {} to {} \
             with probes of {} s; the load at which it breaks follows from the gate and the length of a probe, as \
             its README says. Service, load and search share one machine.",
            RATES.0,
            RATES.1,
            RANGE.0,
            RANGE.1,
            PROBE.as_secs()
        ),
        rows,
        raw: json!(searches.iter().map(one).collect::<Vec<_>>()),
    }])
}

fn search(setting: &Setting, seed: u64) -> Result<Searched, Failure> {
    let drawn = fastrand::Rng::with_seed(seed).f64();
    let rate = (RATES.0 * (RATES.1 / RATES.0).powf(drawn)).round();
    let probe = PROBE;
    let mut command = start::tool(FIXTURE);
    command.args(["bisect-load", "--filter=quotes", "--json", "--accept-noise", WHY, "--approve-short", WHY]);
    command.args(["--while", CONDITION, "--duration", &probe.as_secs_f64().to_string()]);
    command.args(["--param-min", &RANGE.0.to_string(), "--param-max", &RANGE.1.to_string()]);
    command.env("LOAD_SERVER_RATE", rate.to_string());
    if setting.is_short() {
        command.args(["--max-probes", FEWEST_PROBES]);
    }
    let answer = start::answered(command, &setting.interrupt)?.json;
    if answer["result"]["search"].is_null() {
        return Err(Failure::benchmark(format!("nothing was searched: {}", answer["error"]["message"])));
    }
    let found = &answer["result"]["search"];
    let number = |place: &str| found.pointer(place).and_then(Value::as_f64).unwrap_or(f64::NAN);
    Ok(Searched {
        rate,
        breaks_at: rate * (1.0 + LIMIT / (0.99 * probe.as_secs_f64())),
        status: found["status"].as_str().unwrap_or_default().to_owned(),
        low: number("/interval/low"),
        high: number("/interval/high"),
        probes: found["probes"].as_array().map_or(0, Vec::len),
    })
}

/// How long each loop is run, with two stalls in it; and with one.
const STALLED: Duration = Duration::from_secs(10);
const STALLED_ONCE: Duration = Duration::from_secs(6);
/// Of each stall, in milliseconds.
const STALL_MS: &str = "400";
/// Requests per second of the open loop.
const RATE: &str = "200";
/// How many times as much the open loop has to report.
const LEAST_RATIO: f64 = 20.0;

/// Loads a service that stalls, in an open and in a closed loop.
pub fn measure_stall(setting: &Setting) -> Result<Vec<Figure>, Failure> {
    say("stall: an open and a closed loop");
    let open = p99(setting, "p99_ms", |command| {
        command.env("PERF_PARAM_VALUE", RATE);
    })?;
    let closed = p99(setting, "service_p99_ms", |command| {
        command.env("QUOTES_LOOPS", "1");
    })?;
    let ratio = open / closed;
    let rows = vec![
        Row {
            figure: "99th percentile of the open loop over that of the closed one".to_owned(),
            value: format!("{ratio:.0}"),
            bound: "at least 20",
            met: ratio >= LEAST_RATIO,
        },
        Row {
            figure: "open loop / closed loop".to_owned(),
            value: format!("{open:.1} ms / {closed:.2} ms"),
            bound: PEER,
            met: true,
        },
    ];
    Ok(vec![Figure {
        name: "stall",
        title: "A service that stalls",
        how: format!(
            "`fixtures/load-server` lets nothing through for {STALL_MS} ms every 5 s. For {} s it is asked {RATE} times a second \
             on a schedule, and then by one user who waits for each answer.",
            STALLED.as_secs()
        ),
        rows,
        raw: json!({"open_ms": open, "closed_ms": closed}),
    }])
}

/// A metric that the benchmark prints of a service that stalls.
fn p99(setting: &Setting, name: &str, how: impl Fn(&mut Command)) -> Result<f64, Failure> {
    let mut command = start::cargo(FIXTURE);
    command.args(["bench", "--bench", "quotes"]);
    command.env("LOAD_SERVER_RATE", "1000000").env("LOAD_SERVER_STALL_MS", STALL_MS);
    let time = if setting.is_short() { STALLED_ONCE } else { STALLED };
    command.env("PERF_RUN_MODE", "duration").env("PERF_RUN_DURATION", time.as_secs().to_string());
    how(&mut command);
    let printed = start::output(command, &setting.interrupt)?;
    let words =
        printed.lines().filter(|line| line.starts_with("PERF_METRICS ")).flat_map(str::split_whitespace);
    let value = words.filter_map(|word| word.split_once('=')).find(|(word, _)| *word == name);
    let missing =
        || Failure::new(FailureKind::Benchmark, format!("the benchmark prints no {name}: {printed}"));
    value.and_then(|(_, value)| value.parse().ok()).ok_or_else(missing)
}
