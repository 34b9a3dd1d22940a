//! Progress for people: a bar on a terminal, a plain line every ten seconds elsewhere.

use crate::model::event::Event;
use crate::model::units;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::{Duration, Instant};

/// How often a line is printed when there is no terminal to draw on.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// What has been shown so far.
#[derive(Debug)]
pub struct Progress {
    terminal: bool,
    bar: Option<ProgressBar>,
    last_line: Option<Instant>,
}

impl Progress {
    /// Progress on a terminal or as lines.
    pub fn new(terminal: bool) -> Self {
        Self { terminal, bar: None, last_line: None }
    }

    /// Shows an event; returns a line to print when that is due.
    pub fn show(&mut self, event: &Event) -> Option<String> {
        match event {
            Event::ForkFinished { measured_s, target_s, .. }
            | Event::PairFinished { measured_s, target_s, .. } => {
                if self.terminal {
                    self.draw(&beside_the_bar(event), *measured_s, *target_s);
                    return None;
                }
                self.due().then(|| describe(event))
            }
            Event::Running { elapsed_s, asked_s, .. } if self.terminal => {
                self.draw(&describe(event), *elapsed_s, asked_s.unwrap_or(*elapsed_s));
                None
            }
            Event::Detached { elapsed_s, planned_s, .. } if self.terminal => {
                self.draw(&describe(event), *elapsed_s, planned_s.unwrap_or(*elapsed_s));
                None
            }
            // Who waits has a rhythm already.
            Event::Detached { .. } => Some(describe(event)),
            Event::Running { .. } => self.due().then(|| describe(event)),
            Event::WaitingForMachine { .. } | Event::Examining { .. } => {
                let line = describe(event);
                if self.terminal {
                    self.draw(&line, 0.0, 1.0);
                    return None;
                }
                self.due().then_some(line)
            }
            // Cargo's own last line says how long the build took; a failure is printed as the answer.
            Event::BuildFinished { .. } | Event::Failed { .. } => None,
            Event::PilotStarted { .. } => {
                self.last_line = None;
                if self.terminal {
                    self.draw(&describe(event), 0.0, 1.0);
                }
                None
            }
            Event::BuildStarted { .. }
            | Event::CheckingOut { .. }
            | Event::ComparisonPlanned { .. }
            | Event::Confirming { .. }
            | Event::Planned { .. }
            | Event::ProbeFinished { .. }
            | Event::Notice { .. }
            | Event::Warning { .. } => {
                self.clear();
                Some(describe(event))
            }
        }
    }

    /// Removes the bar.
    pub fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    fn draw(&mut self, text: &str, position: f64, length: f64) {
        let bar = self.bar.get_or_insert_with(new_bar);
        // Milliseconds: the bar counts in whole numbers.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and positive")]
        let milliseconds = |seconds: f64| (seconds * 1e3) as u64;
        bar.set_message(text.to_owned());
        bar.set_length(milliseconds(length));
        bar.set_position(milliseconds(position.min(length)));
    }

    fn due(&mut self) -> bool {
        let due = self.last_line.is_none_or(|last| last.elapsed() >= LINE_EVERY);
        if due {
            self.last_line = Some(Instant::now());
        }
        due
    }
}

fn new_bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(1), ProgressDrawTarget::stderr_with_hz(4));
    // A template that cannot be parsed would only cost the colours.
    if let Ok(style) = ProgressStyle::with_template("{bar:24} {wide_msg}") {
        bar.set_style(style);
    }
    bar
}

/// As `describe`, with what matters most first: a narrow terminal cuts the end off.
fn beside_the_bar(event: &Event) -> String {
    match event {
        Event::ForkFinished { bench, forks, measured_s, target_s, left_s } => {
            let left = units::duration(Duration::from_secs_f64(left_s.max(0.0)));
            format!("{left} left, {measured_s:.1} of {target_s} s, {}, {bench}", units::count(*forks, "fork"))
        }
        Event::PairFinished { bench, pairs, measured_s, target_s, left_s } => {
            let left = units::duration(Duration::from_secs_f64(left_s.max(0.0)));
            let pairs = units::count(*pairs, "pair");
            format!("{left} left, {measured_s:.1} of {target_s} s a side, {pairs}, {bench}")
        }
        other => describe(other),
    }
}

fn describe(event: &Event) -> String {
    let seconds = |value: f64| units::duration(Duration::from_secs_f64(value.max(0.0)));
    match event {
        Event::BuildStarted { .. } => "building the benches".to_owned(),
        Event::BuildFinished { seconds: took, executables } => {
            format!("built {} in {}", units::count(*executables, "bench executable"), seconds(*took))
        }
        Event::WaitingForMachine { holder, seconds: waited } => {
            let holder = holder.as_deref().unwrap_or("another benchmark");
            format!("waiting for the machine, held by {holder}; {} so far", seconds(*waited))
        }
        Event::Planned { benches, measured_s, wall_s, forks } => {
            let each = if *benches == 1 {
                String::new()
            } else {
                format!("{}, each ", units::count(*benches, "benchmark"))
            };
            let forks = forks.map(|count| format!(" in {}", units::count(count, "fork"))).unwrap_or_default();
            let wall = wall_s.map(|wall| format!(", about {} in all", seconds(wall))).unwrap_or_default();
            let measured = units::plain(*measured_s);
            format!("plan: {each}{measured} s measured{forks}{wall}")
        }
        Event::CheckingOut { side, revision } => format!("{}: checking out {revision}", side.name()),
        Event::ComparisonPlanned { benches, measured_s, wall_s, confirmation_s, most_s } => {
            let each = if *benches == 1 { String::new() } else { format!("{benches} benchmarks, ") };
            let most = most_s.map(|most| format!(", at most {}", seconds(most))).unwrap_or_default();
            let more = if *confirmation_s > 0.0 {
                format!(", {} more if something changed", seconds(*confirmation_s))
            } else {
                String::new()
            };
            let (measured, wall) = (units::plain(*measured_s), seconds(*wall_s));
            format!("plan: {each}{measured} s measured on each side, about {wall} in all{more}{most}")
        }
        Event::Confirming { seems_changed: true, bench } => {
            format!("{bench} seems to have changed: measuring it once more")
        }
        Event::Confirming { bench, .. } => format!("measuring {bench} once more"),
        Event::Examining { what } => format!("looking at {what}"),
        Event::PilotStarted { bench } => format!("trying {bench} once"),
        Event::ForkFinished { bench, forks, measured_s, target_s, left_s } => format!(
            "{bench}: {measured_s:.1} of {target_s} s measured in {}, {} left",
            units::count(*forks, "fork"),
            seconds(*left_s)
        ),
        Event::PairFinished { bench, pairs, measured_s, target_s, left_s } => format!(
            "{bench}: {measured_s:.1} of {target_s} s measured on each side in {}, {} left",
            units::count(*pairs, "pair"),
            seconds(*left_s)
        ),
        Event::ProbeFinished { attempt, load, purpose, outcome, reason } => {
            let (purpose, outcome) = (purpose.name(), outcome.name().replace('_', " "));
            format!("probe {attempt} at {load} ({purpose}): {outcome}, {reason}")
        }
        Event::Running { bench, elapsed_s, asked_s } => {
            let of = asked_s.map(|asked| format!(" of {}", seconds(asked))).unwrap_or_default();
            format!("{bench}: runs since {}{of}", seconds(*elapsed_s))
        }
        Event::Detached { run, elapsed_s, planned_s, said } => {
            let planned =
                planned_s.map(|planned| format!(", planned about {} and the build", seconds(planned)));
            let (planned, said) =
                (planned.unwrap_or_default(), said.as_deref().unwrap_or("nothing reported yet"));
            format!("run {run}: {said} (since {}{planned})", seconds(*elapsed_s))
        }
        Event::Notice { text } | Event::Warning { text } | Event::Failed { message: text, .. } => {
            text.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_without_a_terminal_come_at_most_every_ten_seconds() {
        let mut progress = Progress::new(false);
        let fork = Event::ForkFinished {
            bench: "b".into(),
            forks: 1,
            measured_s: 0.5,
            target_s: 60.0,
            left_s: 80.0,
        };
        assert_eq!(progress.show(&fork).as_deref(), Some("b: 0.5 of 60 s measured in 1 fork, 80 s left"));
        assert_eq!(progress.show(&fork), None);
    }
}
