//! The runner's side of the conversation with one process: a state machine that never blocks.

use super::protocol::{
    BENCH_HELLO_SIZE, Complete, Incoming, Outgoing, RUNNER_HELLO, read_hello, take_message,
};
use crate::bench::reading::{ForkRequest, Live, Reading, Values};
use crate::failure::{Context, Failure, FailureKind};
use crate::model::bench::Throughput;
use crate::model::samples::Samples;
use crate::sys::process::{Companion, Next};
use rustix::net::{RecvFlags, recv, sockopt};
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

/// Listens to one process and answers it.
#[derive(Debug)]
pub struct Conversation {
    listener: TcpListener,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
    clock: Clock,
    stop_above: Option<Duration>,
    heard: Heard,
}

/// What a process has said.
#[derive(Debug, Default)]
pub struct Heard {
    /// The version of criterion; `None` when nothing connected.
    pub version: Option<String>,
    /// The benchmarks it left out.
    pub skipped: Vec<(String, Vec<Throughput>)>,
    /// The benchmarks it measured.
    pub readings: Vec<Reading>,
    /// The last plan it announced for its samples.
    pub announced: Option<Announced>,
}

/// What criterion plans after its warm-up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Announced {
    /// Expected time of all samples.
    pub estimate: Duration,
    /// Iterations over all samples.
    pub iterations: u64,
    /// Start-up and set-up before the benchmark began.
    pub before: Duration,
    /// Wall time of its warm-up.
    pub warm_up: Duration,
}

/// Instants at which messages arrived.
#[derive(Debug)]
struct Clock {
    started: Instant,
    began: Instant,
    warm_up: Instant,
    measuring: Instant,
    completed: Instant,
    pending: Option<Box<Complete>>,
}

impl Conversation {
    /// Opens a port on the loopback interface. With `stop_above`, a process whose samples would take
    /// longer than that is ended once it has said so.
    pub fn open(stop_above: Option<Duration>) -> Result<Self, Failure> {
        let what = || "no port can be opened on the loopback interface".to_owned();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context(FailureKind::Environment, what)?;
        listener.set_nonblocking(true).context(FailureKind::Environment, what)?;
        let now = Instant::now();
        let clock =
            Clock { started: now, began: now, warm_up: now, measuring: now, completed: now, pending: None };
        Ok(Self { listener, stream: None, buffer: Vec::new(), clock, stop_above, heard: Heard::default() })
    }

    /// The port to name in the environment of the process.
    pub fn port(&self) -> Result<u16, Failure> {
        let address = self.listener.local_addr();
        Ok(address.context(FailureKind::Environment, || "the port is unknown".to_owned())?.port())
    }

    /// Ends the conversation.
    pub fn into_heard(self) -> Heard {
        self.heard
    }

    fn accept(&mut self) -> Result<(), Failure> {
        let what = || "the connection of the benchmark cannot be taken".to_owned();
        match self.listener.accept() {
            Ok((mut stream, _)) => {
                // Inherited on some systems; writes here are short and may block.
                stream.set_nonblocking(false).context(FailureKind::Environment, what)?;
                stream.set_nodelay(true).context(FailureKind::Environment, what)?;
                stream.write_all(RUNNER_HELLO).context(FailureKind::Benchmark, what)?;
                self.stream = Some(stream);
                Ok(())
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error).context(FailureKind::Environment, what),
        }
    }

    /// Reads what has arrived; whether there may be more.
    fn receive(&mut self) -> bool {
        let Some(stream) = &self.stream else { return false };
        let mut chunk = [0; 16 * 1024];
        let received = recv(stream, &mut chunk[..], RecvFlags::DONTWAIT);
        // Criterion sends each message in two writes; without an immediate acknowledgement of the first
        // the second waits 40 ms. The kernel forgets this wish, so it is renewed after every read.
        let _ = sockopt::set_tcp_quickack(stream, true);
        match received {
            Ok((_, 0)) => {
                self.stream = None;
                false
            }
            Ok((_, count)) => {
                self.buffer.extend_from_slice(&chunk[..count]);
                true
            }
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => false,
            // A process that was killed resets its connection; its exit tells the story.
            Err(_) => {
                self.stream = None;
                false
            }
        }
    }

    fn understand(&mut self) -> Result<Next, Failure> {
        if self.heard.version.is_none() {
            if self.buffer.len() < BENCH_HELLO_SIZE {
                return Ok(Next::Continue);
            }
            let hello: Vec<u8> = self.buffer.drain(..BENCH_HELLO_SIZE).collect();
            self.heard.version = Some(read_hello(&hello)?);
        }
        while let Some(message) = take_message(&mut self.buffer)? {
            if self.hear(message)? == Next::Stop {
                return Ok(Next::Stop);
            }
        }
        Ok(Next::Continue)
    }

    fn hear(&mut self, message: Incoming) -> Result<Next, Failure> {
        let now = Instant::now();
        match message {
            Incoming::Skipping(id) => self.heard.skipped.push((id.full(), id.throughput())),
            Incoming::Beginning(_) => self.clock.began = now,
            Incoming::WarmUp => self.clock.warm_up = now,
            Incoming::MeasurementStart { estimate_ns, iterations } => {
                self.clock.measuring = now;
                return Ok(self.announce(estimate_ns, iterations));
            }
            Incoming::MeasurementComplete(complete) => {
                self.clock.completed = now;
                self.clock.pending = Some(complete);
                self.answer(&Outgoing::ScaleForMachines { values: vec![1.0] })?;
            }
            Incoming::Scaled { values, unit } => {
                if let Some(complete) = self.clock.pending.take() {
                    let scale = values.first().copied().unwrap_or(1.0);
                    self.heard.readings.push(self.clock.reading(&complete, scale, unit)?);
                }
                self.answer(&Outgoing::Continue)?;
            }
            Incoming::GroupFinished => self.answer(&Outgoing::Continue)?,
            Incoming::Other => {}
        }
        Ok(Next::Continue)
    }

    fn announce(&mut self, estimate_ns: f64, iterations: u64) -> Next {
        let estimate = Duration::try_from_secs_f64(estimate_ns / 1e9).unwrap_or(Duration::MAX);
        self.heard.announced = Some(Announced {
            estimate,
            iterations,
            before: self.clock.began - self.clock.started,
            warm_up: self.clock.measuring - self.clock.warm_up,
        });
        if self.stop_above.is_some_and(|limit| estimate > limit) { Next::Stop } else { Next::Continue }
    }

    fn answer(&mut self, message: &Outgoing) -> Result<(), Failure> {
        let frame = message.frame()?;
        if let Some(stream) = &mut self.stream
            // A write fails when the process has died, which its exit says better than this error.
            && stream.write_all(&frame).is_err()
        {
            self.stream = None;
        }
        Ok(())
    }
}

impl Clock {
    fn reading(&self, complete: &Complete, scale: f64, unit: String) -> Result<Reading, Failure> {
        let samples = samples(&complete.iters, &complete.times, scale)?;
        Ok(Reading {
            id: complete.id.full(),
            values: Values::Samples { samples, sampling: complete.sampling_method.into() },
            unit,
            throughput: complete.id.throughput(),
            live: Some(Live {
                before: self.began - self.started,
                warm_up: self.measuring - self.warm_up,
                measuring: self.completed - self.measuring,
                resolved: Some(ForkRequest {
                    measured: complete.benchmark_config.measurement_time(),
                    warm_up: complete.benchmark_config.warm_up_time(),
                    samples: complete.benchmark_config.sample_size,
                }),
            }),
        })
    }
}

/// Checks what a harness reports: as many totals as counts, whole positive counts, finite totals.
pub fn samples(iterations: &[f64], totals: &[f64], scale: f64) -> Result<Samples, Failure> {
    let wrong = |what: &str| Err(Failure::benchmark(format!("criterion reported {what}")));
    if iterations.is_empty() || iterations.len() != totals.len() {
        return wrong("no samples, or not one total for each");
    }
    if iterations.iter().any(|count| count.fract() != 0.0 || *count < 1.0 || *count > 1e18) {
        return wrong("an iteration count that is no positive whole number");
    }
    let totals: Vec<f64> = totals.iter().map(|total| total * scale).collect();
    if totals.iter().any(|total| !total.is_finite() || *total < 0.0) {
        return wrong("a sample that is negative or not finite");
    }
    // Checked above: whole and within u64.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked above")]
    let iterations = iterations.iter().map(|count| *count as u64).collect();
    Ok(Samples { iterations, totals })
}

impl Companion for Conversation {
    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        match &self.stream {
            Some(stream) => vec![stream.as_fd()],
            // After a hang-up there is nothing more to hear.
            None if self.heard.version.is_some() => Vec::new(),
            None => vec![self.listener.as_fd()],
        }
    }

    fn ready(&mut self) -> Result<Next, Failure> {
        if self.stream.is_none() && self.heard.version.is_none() {
            self.accept()?;
        }
        loop {
            let more = self.receive();
            if self.understand()? == Next::Stop {
                return Ok(Next::Stop);
            }
            if !more {
                return Ok(Next::Continue);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_that_cannot_be_are_refused() {
        assert!(samples(&[1.0, 2.0], &[10.0, 20.0], 1.0).is_ok());
        for (iterations, totals) in [
            (vec![], vec![]),
            (vec![1.0], vec![1.0, 2.0]),
            (vec![0.0], vec![1.0]),
            (vec![1.5], vec![1.0]),
            (vec![f64::NAN], vec![1.0]),
            (vec![1.0], vec![f64::NAN]),
            (vec![1.0], vec![f64::INFINITY]),
            (vec![1.0], vec![-1.0]),
        ] {
            assert!(samples(&iterations, &totals, 1.0).is_err(), "{iterations:?} {totals:?}");
        }
    }

    #[test]
    fn a_stranger_on_the_port_is_refused() {
        let mut conversation = Conversation::open(None).expect("opened");
        let mut stranger = TcpStream::connect((Ipv4Addr::LOCALHOST, conversation.port().expect("a port")))
            .expect("connected");
        stranger.write_all(&[b'x'; BENCH_HELLO_SIZE]).expect("written");
        let refused = std::iter::repeat_with(|| conversation.ready()).take(1000).find_map(Result::err);
        assert_eq!(refused.expect("refused").kind, FailureKind::Benchmark);
    }
}
