//! Load that does not wait for what it loads: requests are sent when they are planned, and their time counts
//! from there.
//!
//! A closed loop sends a request when the one before is answered. When the target stalls, so does the loop,
//! and the requests that users would have sent meanwhile are in no number: with one stall of 400 ms in ten
//! seconds, a closed loop reports a 99th percentile of 5 ms, and users feel 300. An open loop keeps its
//! schedule.
//!
//! ```no_run
//! use perf_harness::load::Load;
//! use perf_harness::{Run, RunError};
//!
//! fn main() -> Result<(), RunError> {
//!     let mut run = Run::from_env()?;
//!     let load = Load::open(run.parameter().unwrap_or(100.0));
//!     run.load(&load, |_number| std::net::TcpStream::connect("127.0.0.1:8080").map(drop));
//!     run.finish()
//! }
//! ```
//!
//! | metric | value |
//! |---|---|
//! | `rate_per_s` | what was asked for |
//! | `requests`, `errors`, `dropped` | requests planned in the window, those that failed, and those that could not be sent in it |
//! | `throughput_per_s` | requests answered without error in the window, per second |
//! | `p50_ms`, `p90_ms`, `p99_ms`, `p999_ms`, `max_ms` | response time, from the planned time; dropped requests count with the time they waited |
//! | `service_p50_ms` and so on | service time, from the moment of sending: what a closed loop would see |
//! | `sent_ratio` | requests sent in the window, of those planned |
//! | `lag_max_ms` | the latest that a request was sent although nothing but this program kept it from being sent |
//! | `in_flight_max` | the most requests at one time |
//! | `backlog_slope_per_s` | how fast the unanswered requests grew over the last two thirds of the window, when chance does not explain it; otherwise 0 |
//! | `generator_max_per_s` | how many requests a second this program can send on this machine when nothing answers them but itself; above half of that, what is measured may be the generator |
//! | `closed_loop` | 1 for a closed loop, which has no response times |
//!
//! Requests that fail are in `errors` and in no quantile, whether they failed at once or after a long wait: let a
//! condition name `errors` too.
//!
//! A quantile needs ten requests beyond it: with fewer, it is left out, and standard error says how many it
//! takes.

mod backlog;
mod runner;
mod schedule;
mod summary;
mod wait;

pub use schedule::Arrivals;
pub use summary::Loaded;

use std::time::Duration;

/// How many requests may be under way at one time, if nobody says otherwise.
const IN_FLIGHT: usize = 256;
/// A rate that no program sends, for as long as it takes to see which it does: a request takes two looks at
/// the clock under the lock of the schedule, so more than 50 ns.
const TOO_FAST: f64 = 2e7;
const CALIBRATION: Duration = Duration::from_millis(100);
/// Threads that send without waiting for anything.
const CALIBRATING: usize = 4;

/// Load to be generated.
#[derive(Debug, Clone, PartialEq)]
pub struct Load {
    model: Model,
    arrivals: Arrivals,
    in_flight: usize,
}

/// What decides when a request is sent.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Model {
    /// A schedule of so many requests a second.
    Open { rate: f64 },
    /// The answer to the request before, in so many loops.
    Closed { loops: usize },
}

impl Load {
    /// `rate` requests a second, whatever the target does. A rate that is no positive number sends nothing,
    /// which is an error of [`Run::finish`](crate::Run::finish).
    pub fn open(rate: f64) -> Self {
        Self { model: Model::Open { rate }, arrivals: Arrivals::Constant, in_flight: IN_FLIGHT }
    }

    /// `loops` users who each wait for their answer before they ask again. Their times are service times:
    /// what the target does to those who would have come meanwhile is in none of them.
    pub fn closed(loops: usize) -> Self {
        Self { model: Model::Closed { loops }, arrivals: Arrivals::Constant, in_flight: loops }
    }

    /// How requests follow each other in an open loop.
    #[must_use]
    pub fn arrivals(mut self, arrivals: Arrivals) -> Self {
        self.arrivals = arrivals;
        self
    }

    /// The most requests that are under way at one time, each on a thread; 256 if nobody says otherwise. What
    /// is planned beyond waits, and the wait counts.
    #[must_use]
    pub fn in_flight_at_most(mut self, requests: usize) -> Self {
        self.in_flight = requests.max(1);
        self
    }

    /// How many requests per second this program can send here, of those that cost nothing; `None` for a closed loop,
    /// which promises no rate. Takes some tenths of a second.
    ///
    /// # Errors
    /// A thread that cannot be started, in a line.
    pub fn honest_rate(&self) -> Result<Option<f64>, String> {
        if !matches!(self.model, Model::Open { .. }) {
            return Ok(None);
        }
        let schedule = schedule::Schedule::new(TOO_FAST, Arrivals::Constant);
        let threads = self.in_flight.min(CALIBRATING);
        let sent = runner::open(schedule, threads, Duration::ZERO, CALIBRATION, &|_| true)?;
        Ok(Some(sent.sent_per_s()))
    }

    /// Generates the load for `warm_up` and then `window`, of which the second counts. `request` is called
    /// with the number of each request, from as many threads as are needed.
    ///
    /// # Errors
    /// A rate that is no positive number, no loops, or a thread that cannot be started, in a line.
    pub fn run<E>(
        &self,
        warm_up: Duration,
        window: Duration,
        request: impl Fn(u64) -> Result<(), E> + Sync,
    ) -> Result<Loaded, String> {
        let request = |number| request(number).is_ok();
        match self.model {
            Model::Open { rate } if rate > 0.0 && rate.is_finite() => {
                let schedule = schedule::Schedule::new(rate, self.arrivals);
                runner::open(schedule, self.in_flight, warm_up, window, &request)
            }
            Model::Open { rate } => Err(format!("{rate} is no rate, expected requests per second")),
            Model::Closed { loops: 0 } => Err("a closed loop needs at least one user".to_owned()),
            Model::Closed { loops } => runner::closed(loops, warm_up, window, &request),
        }
    }
}

#[cfg(test)]
mod tests;
