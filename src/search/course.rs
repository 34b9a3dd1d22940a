//! The course of a search: what to probe next, given everything that was seen.

use super::doubt::{self, Found};
use super::evidence::Evidence;
use super::grid::Grid;
use super::history::{Probe, Seen, Tally, bracket};
use super::place::Place;
use super::posterior::Posterior;
use super::settings::{Settings, Shape};
use crate::model::search::{Purpose, SearchStatus};

/// The fewest probes after which anything is said.
const FEWEST_PROBES: usize = 4;
/// How many more fails than passes it takes to believe that the smallest load fails.
const LEAD: usize = 3;
/// How many passes of the largest load it takes to believe that it does.
const PASSES_AT_TOP: usize = 2;
/// Full minutes that may fail before a search gives up.
const MOST_FINISHES: usize = 4;
/// The shares of belief before the load that is probed next, in turn, where values are measured: near the
/// limit all of them tell about as much, and loads that differ tell the slope too.
const TURNS: [f64; 3] = [0.5, 0.3, 0.7];
/// How many loads are compared by what they would tell, where probes pass or fail.
const CANDIDATES: u32 = 21;
/// The share of belief before the first of them.
const FIRST_CANDIDATE: f64 = 0.04;

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A probe.
    Probe {
        /// The load.
        load: u64,
        /// Why.
        purpose: Purpose,
    },
    /// Nothing.
    Done(SearchStatus),
}

/// A search and what it has seen. Two searches that were given the same are the same.
#[derive(Debug, Clone)]
pub struct Search {
    settings: Settings,
    history: Vec<Probe>,
    belief: Posterior<Shape>,
    /// The largest load that is considered.
    top: u64,
    /// How much of the history came before the range was changed.
    since: usize,
    /// The smallest load below others that pass which failed again and again.
    island: Option<u64>,
    /// A load above others that fail which passed again and again.
    recovery: Option<u64>,
}

impl Search {
    /// One that has seen nothing.
    pub fn new(settings: Settings) -> Self {
        let top = settings.max;
        let belief = believed(&settings, top, &[]);
        Self { settings, history: Vec::new(), belief, top, since: 0, island: None, recovery: None }
    }

    /// One that has seen `history`.
    pub fn replay(settings: Settings, history: &[Probe]) -> Self {
        let mut search = Self::new(settings);
        for probe in history {
            search.learn(*probe);
        }
        search
    }

    /// The terms.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Everything that was seen.
    pub fn history(&self) -> &[Probe] {
        &self.history
    }

    /// Takes a probe into account.
    pub fn learn(&mut self, probe: Probe) {
        self.history.push(probe);
        if let Some(seen) = probe.evidence().filter(|seen| seen.load <= self.top) {
            take_in(&mut self.belief, &self.settings, seen);
        }
        let beyond = self.settings.beyond.filter(|beyond| *beyond > self.top);
        if let Some(beyond) = beyond.filter(|_| self.is_passed_at_top()) {
            self.go_on_up_to(beyond);
        }
        if self.is_past_ramp() {
            match doubt::found(self) {
                Some(Found::Island(load)) => {
                    self.island = Some(load);
                    self.go_on_up_to(load);
                }
                Some(Found::Recovery(load)) => self.recovery = Some(load),
                None => {}
            }
        }
    }

    fn go_on_up_to(&mut self, top: u64) {
        self.top = top;
        self.since = self.history.len();
        self.belief = believed(&self.settings, top, &self.history);
    }

    /// What comes next.
    pub fn next(&self) -> Step {
        // A look far above what is known to fail may well be more than can be generated, and says nothing then.
        let is_limit = |probe: &Probe| probe.seen == Seen::Limited && probe.purpose != Purpose::Sentinel;
        if self.history.iter().any(is_limit) {
            return Step::Done(SearchStatus::GeneratorLimited);
        }
        let floor = Tally::of(self.history.iter().filter(|probe| probe.load == self.settings.min));
        if floor.fails >= floor.passes + LEAD {
            return Step::Done(SearchStatus::MinFails);
        }
        if floor.all() == 0 || floor.fails > floor.passes {
            return self.unless_spent(self.settings.min, Purpose::Floor);
        }
        if !self.is_past_ramp() {
            return if self.is_passed_at_top() { Step::Done(SearchStatus::MaxPasses) } else { self.ramp() };
        }
        if let Some(load) = doubt::doubted(self) {
            return self.unless_spent(load, Purpose::Again);
        }
        let round = self.round();
        let is_confirmed = is_in(round, Purpose::Low) && is_in(round, Purpose::High);
        let interval = if is_confirmed { self.interval() } else { self.believed() };
        if self.is_narrow(interval) {
            return self.confirm(round, interval);
        }
        self.unless_spent(self.most_telling(), Purpose::Narrow)
    }

    /// How many probes the budget was spent on.
    pub fn spent(&self) -> usize {
        let counts = |probe: &&Probe| !matches!(probe.purpose, Purpose::Finish | Purpose::Drift);
        self.history.iter().filter(counts).count()
    }

    fn is_spent(&self) -> bool {
        self.spent() >= self.settings.most_probes
    }

    fn unless_spent(&self, load: u64, purpose: Purpose) -> Step {
        if self.is_spent() { Step::Done(SearchStatus::Budget) } else { Step::Probe { load, purpose } }
    }

    fn with(&self, purpose: Purpose) -> impl Iterator<Item = &Probe> {
        self.history.iter().filter(move |probe| probe.purpose == purpose)
    }

    fn on_the_way_up(&self) -> impl Iterator<Item = &Probe> {
        self.history.iter().filter(|probe| matches!(probe.purpose, Purpose::Ramp | Purpose::Top))
    }

    fn is_passed_at_top(&self) -> bool {
        let tally = Tally::of(self.on_the_way_up().filter(|probe| probe.load == self.top));
        tally.fails == 0 && tally.passes >= PASSES_AT_TOP
    }

    /// Whether a load failed on the way up.
    pub(super) fn is_past_ramp(&self) -> bool {
        self.on_the_way_up().any(|probe| probe.passed() == Some(false))
    }

    fn ramp(&self) -> Step {
        let reached = self.history.iter().map(|probe| probe.load).max().unwrap_or(self.settings.min);
        if reached >= self.top {
            return self.unless_spent(self.top, Purpose::Top);
        }
        let next = self.settings.scale().next_of_ramp(self.settings.min, reached, self.settings.ramp);
        self.unless_spent(next.min(self.top), Purpose::Ramp)
    }

    /// The probes since it was last tried to learn more.
    fn round(&self) -> &[Probe] {
        let learning = |probe: &Probe| {
            matches!(probe.purpose, Purpose::Floor | Purpose::Ramp | Purpose::Top | Purpose::Narrow)
        };
        let last = self.history.iter().rposition(learning).map_or(0, |index| index + 1);
        &self.history[last.max(self.since)..]
    }

    /// The smallest and the largest load that may be the smallest failing one, as the model has it. One more
    /// than the largest load there is stands for "none fails".
    pub(super) fn believed(&self) -> (u64, u64) {
        let ends = self.belief.quantiles(&self.settings.ends());
        // The smallest load has passed, or nothing would be believed yet.
        let low = ends[0].behind().max(self.settings.min + 1);
        (low, ends[1].not_before().max(low))
    }

    /// The same, and with everything that no probe excludes where no probe contradicts another: a model is no
    /// reason to leave out what was never tried.
    pub(super) fn interval(&self) -> (u64, u64) {
        let (low, high) = self.believed();
        let considered: Vec<Probe> =
            self.history.iter().filter(|probe| probe.load <= self.top).copied().collect();
        match bracket(&considered) {
            Some((passing, failing)) => (low.min(passing + 1), high.max(failing)),
            None => (low, high),
        }
    }

    fn is_narrow(&self, (low, high): (u64, u64)) -> bool {
        let tally = Tally::of(&self.history);
        if tally.all() < FEWEST_PROBES || tally.passes == 0 || tally.fails == 0 {
            return false;
        }
        let tolerated = self.settings.tolerance > 0.0
            && (high - low <= 1 || self.settings.scale().width(low, high) <= self.settings.widest());
        low == high || tolerated
    }

    /// What comes after the interval has become as narrow as asked for.
    fn confirm(&self, round: &[Probe], (low, high): (u64, u64)) -> Step {
        let safe = low - 1;
        let may_be_none = high > self.top && self.island.is_none();
        let high = high.min(self.top);
        for (purpose, load) in [(Purpose::Low, safe), (Purpose::High, high)] {
            if !is_in(round, purpose) {
                return self.unless_spent(load, purpose);
            }
        }
        if may_be_none {
            // The largest load has failed, and may have done so by chance: until one of both is clear, there is no edge
            // to speak of.
            let at_top = Tally::of(self.history.iter().filter(|probe| probe.load == self.top));
            return if at_top.passes >= at_top.fails + PASSES_AT_TOP {
                Step::Done(SearchStatus::MaxPasses)
            } else {
                self.unless_spent(self.top, Purpose::Top)
            };
        }
        if let Some(load) = self.sentinel(safe, high).filter(|_| !self.is_spent()) {
            return Step::Probe { load, purpose: Purpose::Sentinel };
        }
        let is_finished =
            round.iter().any(|probe| probe.purpose == Purpose::Finish && probe.passed() == Some(true));
        if !is_finished {
            return if self.with(Purpose::Finish).count() < MOST_FINISHES {
                Step::Probe { load: safe, purpose: Purpose::Finish }
            } else {
                Step::Done(SearchStatus::Budget)
            };
        }
        // Where only sides are seen, the first load would pass on any machine.
        if self.settings.values && !is_in(round, Purpose::Drift) {
            return Step::Probe { load: self.settings.min, purpose: Purpose::Drift };
        }
        Step::Done(self.ending())
    }

    fn ending(&self) -> SearchStatus {
        if self.has_drifted() {
            SearchStatus::Drifted
        } else if self.island.or(self.recovery).is_some() {
            SearchStatus::NonMonotone
        } else {
            SearchStatus::Found
        }
    }

    /// The next load that nobody expects a surprise from, if one is left to be tried.
    fn sentinel(&self, safe: u64, high: u64) -> Option<u64> {
        let scale = self.settings.scale();
        let tried = self.history[self.since..].iter().filter(|probe| probe.purpose == Purpose::Sentinel);
        let (above, below): (Vec<&Probe>, Vec<&Probe>) = tried.partition(|probe| probe.load > high);
        if below.len() < self.settings.sentinels {
            let mut loads: Vec<u64> =
                self.history.iter().map(|probe| probe.load).filter(|load| *load <= safe).collect();
            loads.sort_unstable();
            loads.dedup();
            let gaps = loads.windows(2).filter(|ends| ends[1] - ends[0] > 1);
            let widest = gaps.max_by(|a, b| scale.width(a[0], a[1]).total_cmp(&scale.width(b[0], b[1])));
            if let Some(ends) = widest {
                return Some(scale.halfway(ends[0], ends[1]).max(ends[0] + 1));
            }
        }
        let is_wanted = self.settings.sentinels > 0 && above.is_empty() && self.island.is_none();
        let load = scale.next_of_ramp(self.settings.min, high, 2.0).min(self.top);
        (is_wanted && load > high).then_some(load)
    }

    /// The load whose probe would tell most.
    fn most_telling(&self) -> u64 {
        let within = |load: u64| load.clamp(self.settings.min, self.top);
        if self.settings.shape().noises().is_some() {
            let turn = self.with(Purpose::Narrow).count() % TURNS.len();
            let place = self.belief.quantile(TURNS[turn]);
            let [before, behind] = [place.before(), place.behind()].map(within);
            let probed = |load| self.history.iter().filter(|probe| probe.load == load).count();
            // Both are as near; where loads are few, one would be probed over and over.
            return if probed(before) > probed(behind) { behind } else { before };
        }
        let last = f64::from(CANDIDATES - 1);
        let share = |number: u32| FIRST_CANDIDATE + (1.0 - 2.0 * FIRST_CANDIDATE) * f64::from(number) / last;
        let shares: Vec<f64> = (0..CANDIDATES).map(share).collect();
        let (scale, step) = (self.settings.scale(), self.settings.finest());
        let around = |place: &Place| {
            let (before, behind) = (within(place.before()), within(place.behind()));
            // Where loads are many, neighbours tell the same.
            if scale.width(before, behind) > step { vec![before, behind] } else { vec![behind] }
        };
        let mut loads: Vec<u64> = self.belief.quantiles(&shares).iter().flat_map(around).collect();
        loads.dedup();
        self.belief.most_telling(&loads).unwrap_or(self.settings.min)
    }

    /// How likely a probe of `load` fails.
    pub(super) fn chance_of_fail(&self, load: u64) -> f64 {
        self.belief.fails(load)
    }

    /// The largest load that is considered.
    pub fn top(&self) -> u64 {
        self.top
    }

    /// The smallest failing load, as likely above as below.
    pub(super) fn median(&self) -> u64 {
        self.belief.quantile(0.5).behind().max(self.settings.min + 1)
    }

    /// The standard deviation of the logarithm of a value that is measured again.
    pub(super) fn noise(&self) -> Option<f64> {
        let shape = self.settings.shape();
        shape.noises().map(|noises| self.belief.mean_of_ways(noises))
    }

    /// Where larger loads pass than some that fail: the largest range below which all passes, and a load that
    /// passes above.
    pub(super) fn islands(&self) -> (Option<u64>, Option<u64>) {
        (self.island, self.recovery)
    }

    /// Whether the first load has become another one: far outside of what noise explains.
    pub(super) fn has_drifted(&self) -> bool {
        const SIGMAS: f64 = 3.0;
        let now = self.with(Purpose::Drift).last();
        let before = self.with(Purpose::Floor).filter(|probe| probe.passed() == Some(true)).last();
        let (Some(now), Some(before)) = (now, before) else { return false };
        match (now.excess(), before.excess(), self.noise()) {
            (Some(now), Some(before), Some(noise)) => {
                (now - before).abs() > SIGMAS * noise * std::f64::consts::SQRT_2
            }
            // Without noise to compare with, only the side is one.
            _ => now.passed() != before.passed(),
        }
    }
}

fn is_in(round: &[Probe], purpose: Purpose) -> bool {
    round.iter().any(|probe| probe.purpose == purpose)
}

fn believed(settings: &Settings, top: u64, history: &[Probe]) -> Posterior<Shape> {
    let scale = settings.scale();
    let grid = Grid::over(scale, settings.min, top, settings.step());
    let mut belief = Posterior::new(scale, grid, settings.shape());
    for seen in history.iter().filter_map(Probe::evidence).filter(|seen| seen.load <= top) {
        take_in(&mut belief, settings, seen);
    }
    belief
}

fn take_in(belief: &mut Posterior<Shape>, settings: &Settings, seen: Evidence) {
    let [low, high] = settings.ends();
    belief.learn(seen);
    belief.sharpen(low, high, settings.finest());
}
