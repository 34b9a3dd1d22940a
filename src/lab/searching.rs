//! Carries out a search: probes what it asks for, makes once more what could not be made, keeps every
//! attempt, and tells the search what counts.

use super::classify::Classified;
use crate::failure::Failure;
use crate::model::metric::MetricValues;
use crate::model::parameter::Parameter;
use crate::model::search::{ProbeOutcome, ProbeRecord, Purpose, SearchStatus};
use crate::search::answer::Answer;
use crate::search::course::{Search, Step};
use crate::search::history::{Probe, Seen};
use std::collections::BTreeMap;
use std::time::Duration;

/// How often a probe is attempted that cannot be made.
const MOST_ATTEMPTS: u32 = 3;
/// The pause before the second attempt; each one after it waits twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(2);

/// One attempt at a probe.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// What came of it.
    pub classified: Classified,
    /// What it printed.
    pub metrics: MetricValues,
    /// The metrics that it has and could not tell, each with why.
    pub left_out: BTreeMap<String, String>,
    /// Seconds that it took.
    pub duration_s: f64,
    /// Whether it was killed, and nobody knows whether for its load.
    pub killed: bool,
    /// When it ended, RFC 3339.
    pub ended_at: String,
}

/// What a search needs from outside.
pub trait Outside {
    /// Probes the load of this number.
    ///
    /// # Errors
    /// What ends the search, such as a signal.
    fn probe(&mut self, load: u64, purpose: Purpose) -> Result<Attempt, Failure>;

    /// Keeps an attempt, before the next one starts.
    ///
    /// # Errors
    /// `Environment` when it cannot be kept.
    fn keep(&mut self, record: &ProbeRecord) -> Result<(), Failure>;

    /// Waits before what could not be done is tried again.
    ///
    /// # Errors
    /// A signal.
    fn pause(&mut self, time: Duration) -> Result<(), Failure>;

    /// Hears what is known after a probe that counts.
    fn learned(&mut self, answer: &Answer);

    /// Whether a probe for this purpose would take more than the time for all of them.
    fn is_time_up(&self, purpose: Purpose) -> bool;
}

/// A search with everything that was attempted.
#[derive(Debug)]
pub struct Searching<'a> {
    parameter: &'a Parameter,
    search: Search,
    records: Vec<ProbeRecord>,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// How.
    pub status: SearchStatus,
    /// Why, where the status alone does not say it.
    pub reason: Option<String>,
}

impl<'a> Searching<'a> {
    /// Goes on with `search` behind `records`; it has seen nothing yet.
    pub fn resume(parameter: &'a Parameter, mut search: Search, records: Vec<ProbeRecord>) -> Self {
        for probe in records.iter().filter_map(counting) {
            search.learn(probe);
        }
        Self { parameter, search, records }
    }

    /// The search as far as it is.
    pub fn search(&self) -> &Search {
        &self.search
    }

    /// Everything that was attempted.
    pub fn records(&self) -> &[ProbeRecord] {
        &self.records
    }

    /// Probes until the search is done, the time is up, or a probe cannot be made.
    ///
    /// # Errors
    /// What ends it from outside. Everything that was attempted before is kept.
    pub fn carry_out(&mut self, outside: &mut dyn Outside) -> Result<Ended, Failure> {
        loop {
            let (load, purpose) = match self.search.next() {
                Step::Done(status) => return Ok(Ended { status, reason: None }),
                Step::Probe { load, purpose } => (load, purpose),
            };
            if outside.is_time_up(purpose) {
                let reason = Some("the time is used up".to_owned());
                return Ok(Ended { status: SearchStatus::Budget, reason });
            }
            if let Some(reason) = self.attempt(load, purpose, outside)? {
                return Ok(Ended { status: SearchStatus::InfraError, reason: Some(reason) });
            }
        }
    }

    /// Attempts a probe until it counts; why it cannot be made otherwise.
    fn attempt(
        &mut self,
        load: u64,
        purpose: Purpose,
        outside: &mut dyn Outside,
    ) -> Result<Option<String>, Failure> {
        // Those before an interruption were made, and are not made again; but whoever goes on with what could not be
        // made has mended something.
        let before = self.records.iter().rev().take_while(|record| !record.counts).count();
        let mut number = u32::try_from(before).unwrap_or(u32::MAX) % MOST_ATTEMPTS;
        loop {
            if number > 0 {
                outside.pause(FIRST_PAUSE * 2_u32.pow(number - 1))?;
            }
            let attempt = outside.probe(load, purpose)?;
            let outcome = attempt.classified.outcome;
            // What is doubted counts when it comes again; something else before it is no witness.
            let mut before = self.records.iter().rev().take(number as usize);
            let is_seen_again = before.any(|record| record.outcome == outcome);
            number += 1;
            let counts = match outcome {
                ProbeOutcome::Pass => true,
                ProbeOutcome::Fail => !attempt.killed || is_seen_again,
                ProbeOutcome::GeneratorLimited => is_seen_again,
                ProbeOutcome::InfraError | ProbeOutcome::Interrupted => false,
            };
            let record = self.record(load, purpose, number, counts, attempt)?;
            outside.keep(&record)?;
            let probe = counting(&record);
            let reason = record.reason.clone();
            self.records.push(record);
            if probe.is_none() && number >= MOST_ATTEMPTS {
                return Ok(Some(reason));
            }
            if let Some(probe) = probe {
                self.search.learn(probe);
                outside.learned(&self.search.answer());
                return Ok(None);
            }
        }
    }

    fn record(
        &self,
        load: u64,
        purpose: Purpose,
        attempt: u32,
        counts: bool,
        seen: Attempt,
    ) -> Result<ProbeRecord, Failure> {
        let Classified { outcome, reason, excess } = seen.classified;
        Ok(ProbeRecord {
            value: self.parameter.stored(load)?,
            ok: match outcome {
                ProbeOutcome::Pass => Some(true),
                ProbeOutcome::Fail if counts => Some(false),
                _ => None,
            },
            metrics: seen.metrics,
            duration: seen.duration_s,
            reason,
            attempt,
            counts,
            load,
            purpose,
            outcome,
            excess,
            ended_at: seen.ended_at,
        })
    }
}

/// What the search learns from an attempt that counts.
fn counting(record: &ProbeRecord) -> Option<Probe> {
    let excess = record.excess;
    let seen = match record.outcome {
        _ if !record.counts => return None,
        ProbeOutcome::Pass => Seen::Pass { excess },
        ProbeOutcome::Fail => Seen::Fail { excess },
        ProbeOutcome::GeneratorLimited => Seen::Limited,
        ProbeOutcome::InfraError | ProbeOutcome::Interrupted => return None,
    };
    Some(Probe { load: record.load, purpose: record.purpose, seen })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::parameter::Range;
    use crate::search::settings::Settings;

    /// A service that breaks at 120, and answers as the test says otherwise at some attempts.
    struct Service {
        attempts: usize,
        odd: fn(usize, u64) -> Option<(ProbeOutcome, bool)>,
        kept: Vec<String>,
        pauses: Vec<u64>,
        /// Nothing can be kept behind so many.
        room: usize,
        most: usize,
    }

    impl Service {
        fn new(odd: fn(usize, u64) -> Option<(ProbeOutcome, bool)>) -> Self {
            Self {
                attempts: 0,
                odd,
                kept: Vec::new(),
                pauses: Vec::new(),
                room: usize::MAX,
                most: usize::MAX,
            }
        }
    }

    impl Outside for Service {
        fn probe(&mut self, load: u64, _purpose: Purpose) -> Result<Attempt, Failure> {
            self.attempts += 1;
            let usual = if load >= 120 { ProbeOutcome::Fail } else { ProbeOutcome::Pass };
            let (outcome, killed) = (self.odd)(self.attempts, load).unwrap_or((usual, false));
            Ok(Attempt {
                classified: Classified { outcome, reason: outcome.name().to_owned(), excess: None },
                metrics: MetricValues::default(),
                left_out: BTreeMap::new(),
                duration_s: 30.0,
                killed,
                ended_at: "2026-01-01T00:00:00Z".to_owned(),
            })
        }

        fn keep(&mut self, record: &ProbeRecord) -> Result<(), Failure> {
            if self.kept.len() >= self.room {
                return Err(Failure::environment("the disk is full"));
            }
            self.kept.push(serde_json::to_string(record).expect("JSON"));
            Ok(())
        }

        fn pause(&mut self, time: Duration) -> Result<(), Failure> {
            self.pauses.push(time.as_secs());
            Ok(())
        }

        fn learned(&mut self, _answer: &Answer) {}

        fn is_time_up(&self, _purpose: Purpose) -> bool {
            self.attempts >= self.most
        }
    }

    fn parameter() -> Parameter {
        Parameter::new(&Range { min: "1", max: "500", ..Range::default() }).expect("a range")
    }

    fn searched(service: &mut Service, records: Vec<ProbeRecord>) -> Result<Ended, Failure> {
        let parameter = parameter();
        let mut searching = Searching::resume(&parameter, Search::new(Settings::default()), records);
        searching.carry_out(service)
    }

    #[test]
    fn what_cannot_be_made_once_is_made_again_and_says_nothing_of_the_load() {
        let mut service =
            Service::new(|attempt, _| (attempt == 3).then_some((ProbeOutcome::InfraError, false)));
        assert_eq!(searched(&mut service, Vec::new()).expect("ended").status, SearchStatus::Found);
        assert_eq!(service.pauses, [2]);
        let mut plain = Service::new(|_, _| None);
        searched(&mut plain, Vec::new()).expect("ended");
        assert_eq!(service.attempts, plain.attempts + 1);
    }

    #[test]
    fn what_can_never_be_made_ends_the_search_with_its_reason() {
        let mut service = Service::new(|_, load| (load > 50).then_some((ProbeOutcome::InfraError, false)));
        let ended = searched(&mut service, Vec::new()).expect("ended");
        assert_eq!(ended, Ended { status: SearchStatus::InfraError, reason: Some("infra_error".to_owned()) });
        assert_eq!(service.pauses, [2, 4]);
    }

    #[test]
    fn what_was_mended_is_attempted_anew() {
        let mut broken = Service::new(|_, load| (load > 50).then_some((ProbeOutcome::InfraError, false)));
        assert_eq!(searched(&mut broken, Vec::new()).expect("ended").status, SearchStatus::InfraError);
        let records = broken.kept.iter().map(|line| serde_json::from_str(line).expect("a record"));
        let mut mended = Service::new(|_, _| None);
        assert_eq!(searched(&mut mended, records.collect()).expect("ended").status, SearchStatus::Found);
        assert!(mended.pauses.is_empty(), "nothing is waited for");
    }

    #[test]
    fn a_kill_counts_when_it_happens_again() {
        let once = |attempt, _| (attempt == 2).then_some((ProbeOutcome::Fail, true));
        let mut service = Service::new(once);
        assert_eq!(searched(&mut service, Vec::new()).expect("ended").status, SearchStatus::Found);
        assert!(service.kept[1].contains(r#""ok":null"#) && service.kept[2].contains(r#""attempt":2"#));
        let mut service = Service::new(|_, load| (load >= 120).then_some((ProbeOutcome::Fail, true)));
        assert_eq!(searched(&mut service, Vec::new()).expect("ended").status, SearchStatus::Found);
    }

    #[test]
    fn a_kill_behind_something_else_is_the_first_one() {
        let odd = |attempt, _| match attempt {
            2 => Some((ProbeOutcome::InfraError, false)),
            3 => Some((ProbeOutcome::Fail, true)),
            _ => None,
        };
        let mut service = Service::new(odd);
        assert_eq!(searched(&mut service, Vec::new()).expect("ended").status, SearchStatus::Found);
        assert!(service.kept[2].contains(r#""attempt":2,"counts":false"#), "{}", service.kept[2]);
        assert!(service.kept[3].contains(r#""attempt":3,"counts":true"#), "{}", service.kept[3]);
    }

    #[test]
    fn a_generator_at_its_limit_is_asked_twice() {
        let mut service =
            Service::new(|_, load| (load > 50).then_some((ProbeOutcome::GeneratorLimited, false)));
        let ended = searched(&mut service, Vec::new()).expect("ended");
        assert_eq!(ended.status, SearchStatus::GeneratorLimited);
        assert!(service.kept[service.kept.len() - 1].contains(r#""attempt":2,"counts":true"#));
    }

    #[test]
    fn no_time_left_ends_it_before_a_probe() {
        let mut service = Service { most: 3, ..Service::new(|_, _| None) };
        let ended = searched(&mut service, Vec::new()).expect("ended");
        assert_eq!((ended.status, service.attempts), (SearchStatus::Budget, 3));
    }

    #[test]
    fn an_interrupted_search_goes_on_as_if_nothing_had_happened() {
        let odd = |attempt, _| match attempt {
            2 | 9 => Some((ProbeOutcome::InfraError, false)),
            6 => Some((ProbeOutcome::Fail, true)),
            _ => None,
        };
        let mut whole = Service::new(odd);
        searched(&mut whole, Vec::new()).expect("ended");
        for room in 0..whole.kept.len() {
            let mut first = Service { room, ..Service::new(odd) };
            searched(&mut first, Vec::new()).expect_err("nothing more can be kept");
            assert_eq!(first.kept, whole.kept[..room]);
            let records = first.kept.iter().map(|line| serde_json::from_str(line).expect("a record"));
            let mut second = Service { attempts: room, ..Service::new(odd) };
            searched(&mut second, records.collect()).expect("ended");
            assert_eq!([first.kept, second.kept].concat(), whole.kept, "behind {room}");
        }
    }
}
