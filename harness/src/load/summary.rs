//! What came of a load, as metrics.

use hdrhistogram::Histogram;
use std::time::Duration;

/// Digits of a time that are kept.
const DIGITS: u8 = 3;
/// The quantiles that are told, with the names of their metrics.
const QUANTILES: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999)];
/// Requests beyond a quantile without which it is not told.
const BEYOND: f64 = 10.0;

/// Times of requests.
#[derive(Debug, Clone)]
pub(super) struct Times(Histogram<u32>);

impl Times {
    /// None yet.
    ///
    /// # Errors
    /// Never in practice: the number of digits is one that histograms have.
    pub(super) fn new() -> Result<Self, String> {
        Histogram::new(DIGITS).map(Self).map_err(|error| error.to_string())
    }

    pub(super) fn record(&mut self, time: Duration) {
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        // It grows with its values; where it cannot, a time counts as the largest that it holds.
        if self.0.record(nanoseconds).is_err() {
            self.0.saturating_record(nanoseconds);
        }
    }

    pub(super) fn add(&mut self, other: &Self) -> Result<(), String> {
        self.0.add(&other.0).map_err(|error| error.to_string())
    }

    fn count(&self) -> u64 {
        self.0.len()
    }

    fn quantile_ms(&self, quantile: f64) -> f64 {
        self.0.value_at_quantile(quantile) as f64 / 1e6
    }
}

/// What came of a load.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// Requests per second that were asked for; `None` for a closed loop.
    pub(super) rate: Option<f64>,
    pub(super) window: Duration,
    pub(super) planned: u64,
    pub(super) sent: u64,
    pub(super) answered: u64,
    pub(super) errors: u64,
    pub(super) response: Option<Times>,
    pub(super) service: Times,
    pub(super) lag_max: Duration,
    pub(super) in_flight_max: u64,
    pub(super) backlog_slope: f64,
}

impl Loaded {
    /// Requests per second that were sent.
    pub(super) fn sent_per_s(&self) -> f64 {
        self.sent as f64 / self.window.as_secs_f64()
    }

    /// The metrics, by name.
    pub fn metrics(&self) -> Vec<(String, f64)> {
        let seconds = self.window.as_secs_f64();
        let mut metrics: Vec<(String, f64)> = [
            ("requests", self.planned as f64),
            ("errors", self.errors as f64),
            ("throughput_per_s", self.answered as f64 / seconds),
            ("in_flight_max", self.in_flight_max as f64),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec();
        let mut push = |name: &str, value: f64| metrics.push((name.to_owned(), value));
        match self.rate {
            Some(rate) => {
                push("rate_per_s", rate);
                push("dropped", (self.planned - self.sent) as f64);
                push(
                    "sent_ratio",
                    if self.planned == 0 { 0.0 } else { self.sent as f64 / self.planned as f64 },
                );
                push("lag_max_ms", self.lag_max.as_secs_f64() * 1e3);
                push("backlog_slope_per_s", self.backlog_slope);
            }
            None => push("closed_loop", 1.0),
        }
        for (prefix, times) in self.series() {
            if times.count() == 0 {
                continue;
            }
            for (name, quantile) in QUANTILES.iter().filter(|(_, quantile)| is_known(times, *quantile)) {
                push(&format!("{prefix}{name}_ms"), times.quantile_ms(*quantile));
            }
            push(&format!("{prefix}max_ms"), times.quantile_ms(1.0));
        }
        metrics
    }

    /// The metrics that too few requests were made for, each with a line for people.
    pub fn missing(&self) -> Vec<(String, String)> {
        let line = |prefix: &str, times: &Times, (name, quantile): (&str, f64)| {
            let needed = needed(quantile);
            let name = format!("{prefix}{name}_ms");
            let line = format!(
                "{name} needs {needed:.0} requests and there are {}: a rate of {:.1} per second, or a longer run",
                times.count(),
                needed / self.window.as_secs_f64(),
            );
            (name, line)
        };
        let of = |(prefix, times): (&'static str, &Times)| {
            let missing = QUANTILES.into_iter().filter(|(_, quantile)| !is_known(times, *quantile));
            missing.map(|quantile| line(prefix, times, quantile)).collect::<Vec<_>>()
        };
        self.series().flat_map(of).collect()
    }

    /// Response times, where there are any, and service times, with what the names of their metrics begin with.
    fn series(&self) -> impl Iterator<Item = (&'static str, &Times)> {
        let response = self.response.iter().map(|times| ("", times));
        response.chain([("service_", &self.service)])
    }
}

fn needed(quantile: f64) -> f64 {
    (BEYOND / (1.0 - quantile)).round()
}

fn is_known(times: &Times, quantile: f64) -> bool {
    times.count() as f64 >= needed(quantile)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loaded(requests: u64) -> Loaded {
        let mut times = Times::new().unwrap();
        for number in 1..=requests {
            times.record(Duration::from_micros(number));
        }
        Loaded {
            rate: Some(100.0),
            window: Duration::from_secs(10),
            planned: requests,
            sent: requests,
            answered: requests,
            errors: 0,
            response: Some(times.clone()),
            service: times,
            lag_max: Duration::ZERO,
            in_flight_max: 1,
            backlog_slope: 0.0,
        }
    }

    fn value(loaded: &Loaded, name: &str) -> Option<f64> {
        loaded.metrics().into_iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    #[test]
    fn a_quantile_is_told_when_ten_requests_lie_beyond() {
        assert_eq!(value(&loaded(999), "p99_ms"), None);
        let known = value(&loaded(1000), "p99_ms").expect("known");
        assert!((known - 0.99).abs() < 0.002, "{known}");
        assert_eq!(value(&loaded(1000), "p999_ms"), None);
        assert_eq!(value(&loaded(0), "max_ms"), None);
    }

    #[test]
    fn what_is_missing_says_which_rate_it_takes() {
        let missing = loaded(500).missing();
        assert_eq!(missing.len(), 4, "of response and service times: {missing:?}");
        let p99 = "p99_ms needs 1000 requests and there are 500: a rate of 100.0 per second, or a longer run";
        assert_eq!(missing[0], ("p99_ms".to_owned(), p99.to_owned()));
    }

    #[test]
    fn a_closed_loop_has_no_response_times() {
        let closed = Loaded { rate: None, response: None, ..loaded(1000) };
        assert_eq!(value(&closed, "closed_loop"), Some(1.0));
        assert_eq!((value(&closed, "p99_ms"), value(&closed, "sent_ratio")), (None, None));
        assert!(value(&closed, "service_p99_ms").is_some());
    }
}
