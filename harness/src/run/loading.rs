//! A run that generates load.

use super::{Run, RunError};
use crate::load::Load;
use crate::request::Mode;
use std::io::Write;
use std::time::Duration;

/// How long load is generated when the environment asks for one shot, as it does by hand.
const BY_HAND: Duration = Duration::from_secs(1);

impl Run {
    /// Generates `load` for the time that the environment asks for, or for a second, and adds its metrics to
    /// the answer. Warm-up comes first and does not count. One run generates one load, or measures one work.
    pub fn load<E>(&mut self, load: &Load, request: impl Fn(u64) -> Result<(), E> + Sync) {
        if !self.is_first() {
            return;
        }
        let window = match self.request.mode {
            Mode::Duration(time) => time,
            Mode::Oneshot => BY_HAND,
        };
        match load.honest_rate() {
            Ok(Some(rate)) => self.metric("generator_max_per_s", rate),
            Ok(None) => {}
            Err(message) => self.fail(RunError::Load(message)),
        }
        match load.run(self.request.warm_up, window, request) {
            Ok(loaded) => {
                for (name, line) in loaded.missing() {
                    // Nobody can be told when standard error is closed, and the metric is missing anyway.
                    let _ = writeln!(std::io::stderr(), "{line}");
                    self.report.left_out.insert(name, line);
                }
                for (name, value) in loaded.metrics() {
                    self.metric(&name, value);
                }
            }
            Err(message) => self.fail(RunError::Load(message)),
        }
    }
}
