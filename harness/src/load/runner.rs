//! Sends requests from threads, in an open or a closed loop.

use super::backlog::Backlog;
use super::schedule::Schedule;
use super::summary::{Loaded, Times};
use super::wait;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, Builder, Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

/// Memory that a thread which sends requests may use for its stack.
const STACK: usize = 512 * 1024;
/// Looks at the backlog in a window.
const LOOKS: u32 = 240;
/// The shortest pause between them.
const SHORTEST_PAUSE: Duration = Duration::from_millis(5);

/// What one thread has seen.
struct Seen {
    response: Times,
    service: Times,
    sent: u64,
    answered: u64,
    errors: u64,
    lag_max: Duration,
}

impl Seen {
    fn new() -> Result<Self, String> {
        let (response, service) = (Times::new()?, Times::new()?);
        Ok(Self { response, service, sent: 0, answered: 0, errors: 0, lag_max: Duration::ZERO })
    }

    fn add(&mut self, other: &Self) -> Result<(), String> {
        self.response.add(&other.response)?;
        self.service.add(&other.service)?;
        self.sent += other.sent;
        self.answered += other.answered;
        self.errors += other.errors;
        self.lag_max = self.lag_max.max(other.lag_max);
        Ok(())
    }
}

/// The time that counts.
#[derive(Clone, Copy)]
struct Window {
    start: Instant,
    end: Instant,
}

impl Window {
    fn contains(&self, moment: Instant) -> bool {
        self.start <= moment && moment < self.end
    }

    fn length(&self) -> Duration {
        self.end - self.start
    }
}

/// Requests that are under way, and the most there were in the window.
#[derive(Default)]
struct InFlight {
    now: AtomicU64,
    most: AtomicU64,
}

impl InFlight {
    fn begin(&self, counts: bool) {
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        if counts {
            self.most.fetch_max(now, Ordering::Relaxed);
        }
    }

    fn end(&self) {
        self.now.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What all threads of an open loop share.
struct Open<'r, R> {
    /// One thread at a time waits for the next request; it lets go of the schedule before it sends.
    schedule: Mutex<Schedule>,
    started: Instant,
    window: Window,
    in_flight: InFlight,
    /// When the next request is planned, in nanoseconds from the start.
    next: AtomicU64,
    request: &'r R,
}

/// Sends `schedule` from at most `threads` threads.
pub(super) fn open<R: Fn(u64) -> bool + Sync>(
    schedule: Schedule,
    threads: usize,
    warm_up: Duration,
    length: Duration,
    request: &R,
) -> Result<Loaded, String> {
    let rate = schedule.rate();
    let started = Instant::now();
    let window = Window { start: started + warm_up, end: started + warm_up + length };
    let open = Open {
        schedule: Mutex::new(schedule),
        started,
        window,
        in_flight: InFlight::default(),
        next: AtomicU64::new(0),
        request,
    };
    let (mut seen, backlog) = thread::scope(|scope| {
        let senders = spawn(scope, threads, |_| open.send())?;
        let backlog = open.watch(rate);
        joined(senders).map(|seen| (seen, backlog))
    })?;
    let dropped = open.drop_the_rest(&mut seen);
    Ok(Loaded {
        rate: Some(rate),
        window: length,
        planned: seen.sent + dropped,
        sent: seen.sent,
        answered: seen.answered,
        errors: seen.errors,
        response: Some(seen.response),
        service: seen.service,
        lag_max: seen.lag_max,
        in_flight_max: open.in_flight.most.load(Ordering::Relaxed),
        backlog_slope: backlog.slope(),
    })
}

impl<R: Fn(u64) -> bool + Sync> Open<'_, R> {
    /// Sends one request after the other until the window ends.
    fn send(&self) -> Result<Seen, String> {
        let mut seen = Seen::new()?;
        while let Some((number, planned, free)) = self.claim() {
            let counts = self.window.contains(planned);
            self.in_flight.begin(counts);
            let sent = Instant::now();
            let is_answered = (self.request)(number);
            let end = Instant::now();
            self.in_flight.end();
            if !counts {
                continue;
            }
            seen.sent += 1;
            // Before it was free, all threads waited for the target.
            seen.lag_max = seen.lag_max.max(sent.saturating_duration_since(planned.max(free)));
            if is_answered {
                seen.response.record(end - planned);
                seen.service.record(end - sent);
                seen.answered += u64::from(end < self.window.end);
            } else {
                seen.errors += 1;
            }
        }
        Ok(seen)
    }

    /// Waits for the next request: its number, when it is planned, and since when this thread could have sent
    /// it. `None` when the window has ended, or ends before it.
    fn claim(&self) -> Option<(u64, Instant, Instant)> {
        let mut schedule = self.schedule.lock().unwrap_or_else(PoisonError::into_inner);
        let free = Instant::now();
        if free >= self.window.end {
            return None;
        }
        let (number, after) = schedule.peek();
        let planned = self.started.checked_add(after).filter(|planned| *planned < self.window.end)?;
        self.next.store(u64::try_from(after.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        wait::until(planned);
        schedule.advance();
        Some((number, planned, free))
    }

    /// Looks at the backlog until the window ends: requests under way, and those that are due and cannot be
    /// sent.
    fn watch(&self, rate: f64) -> Backlog {
        let mut backlog = Backlog::default();
        let pause = (self.window.length() / LOOKS).max(SHORTEST_PAUSE);
        thread::sleep(self.window.start.saturating_duration_since(Instant::now()));
        while Instant::now() < self.window.end {
            let now = Instant::now();
            let next = Duration::from_nanos(self.next.load(Ordering::Relaxed));
            let waiting = (now - self.started).saturating_sub(next).as_secs_f64() * rate;
            let under_way = self.in_flight.now.load(Ordering::Relaxed) as f64;
            backlog.look((now - self.window.start).as_secs_f64(), under_way + waiting);
            thread::sleep(pause.min(self.window.end.saturating_duration_since(now)));
        }
        backlog
    }

    /// What was planned in the window and not sent in it: each has waited at least until its end. How many
    /// there are.
    fn drop_the_rest(&self, seen: &mut Seen) -> u64 {
        let mut schedule = self.schedule.lock().unwrap_or_else(PoisonError::into_inner);
        let mut dropped = 0;
        loop {
            let (_, after) = schedule.peek();
            let planned = self.started.checked_add(after).filter(|planned| *planned < self.window.end);
            let Some(planned) = planned else { return dropped };
            if self.window.contains(planned) {
                seen.response.record(self.window.end - planned);
                dropped += 1;
            }
            schedule.advance();
        }
    }
}

/// `loops` threads that each send one request after the other.
pub(super) fn closed<R: Fn(u64) -> bool + Sync>(
    loops: usize,
    warm_up: Duration,
    length: Duration,
    request: &R,
) -> Result<Loaded, String> {
    let started = Instant::now();
    let window = Window { start: started + warm_up, end: started + warm_up + length };
    let (number, in_flight) = (AtomicU64::new(0), InFlight::default());
    let send = |_| {
        let mut seen = Seen::new()?;
        loop {
            let sent = Instant::now();
            if sent >= window.end {
                return Ok(seen);
            }
            let counts = window.contains(sent);
            in_flight.begin(counts);
            let is_answered = request(number.fetch_add(1, Ordering::Relaxed));
            let end = Instant::now();
            in_flight.end();
            if !counts {
                continue;
            }
            seen.sent += 1;
            if is_answered {
                seen.service.record(end - sent);
                seen.answered += u64::from(end < window.end);
            } else {
                seen.errors += 1;
            }
        }
    };
    let seen = thread::scope(|scope| joined(spawn(scope, loops, send)?))?;
    Ok(Loaded {
        rate: None,
        window: length,
        planned: seen.sent,
        sent: seen.sent,
        answered: seen.answered,
        errors: seen.errors,
        response: None,
        service: seen.service,
        lag_max: Duration::ZERO,
        in_flight_max: in_flight.most.load(Ordering::Relaxed),
        backlog_slope: 0.0,
    })
}

type Sender<'s> = ScopedJoinHandle<'s, Result<Seen, String>>;

fn spawn<'s, 'e>(
    scope: &'s Scope<'s, 'e>,
    threads: usize,
    send: impl Fn(usize) -> Result<Seen, String> + Sync + Send + Copy + 's,
) -> Result<Vec<Sender<'s>>, String> {
    let one = |thread: usize| {
        let named = Builder::new().name(format!("load-{thread}")).stack_size(STACK);
        let failed = |error| format!("thread {thread} of {threads} cannot be started: {error}");
        named.spawn_scoped(scope, move || send(thread)).map_err(failed)
    };
    (0..threads).map(one).collect()
}

fn joined(senders: Vec<Sender<'_>>) -> Result<Seen, String> {
    let mut all = Seen::new()?;
    for sender in senders {
        let seen = sender.join().map_err(|_| "a request panicked".to_owned())??;
        all.add(&seen)?;
    }
    Ok(all)
}
