//! What is believed of the place after some probes: a weight for each cell in each way of the model.

use super::evidence::{Evidence, Model};
use super::grid::{Cell, Grid};
use super::place::{Place, Scale};

/// The cells that are left out of predictions have less than this share of all weight together.
const NOTHING: f64 = 0.01;
/// Chances that differ by less are the same.
const SAME: f64 = 1e-9;
/// A stretch that is asked about is covered by at least so many cells.
const FEWEST_CELLS: usize = 16;
/// Into how many parts a cell is split, and how often after one probe.
const PARTS: u64 = 4;
const MOST_SPLITS: usize = 4;

/// Weights of all cells and ways.
#[derive(Debug, Clone)]
pub struct Posterior<M> {
    scale: Scale,
    model: M,
    grid: Grid,
    priors: Vec<f64>,
    /// Those of one cell after the other, each with one for every way.
    weights: Vec<f64>,
    /// What was learnt, and the factor that kept the largest weight at 1 afterwards.
    learnt: Vec<(Evidence, f64)>,
}

impl<M: Model> Posterior<M> {
    /// What is believed before there is any probe.
    pub fn new(scale: Scale, grid: Grid, model: M) -> Self {
        let priors = model.priors();
        let weights =
            grid.cells().iter().flat_map(|cell| priors.iter().map(|prior| prior * cell.prior)).collect();
        Self { scale, model, grid, priors, weights, learnt: Vec::new() }
    }

    /// Takes a probe into account.
    pub fn learn(&mut self, seen: Evidence) {
        let ways = self.priors.len();
        let mut chances = vec![0.0; ways];
        let mut largest = f64::MIN_POSITIVE;
        for (cell, weights) in self.grid.cells().iter().zip(self.weights.chunks_exact_mut(ways)) {
            self.model.likelihood(self.scale.distance(seen.load, cell.centre), &seen, &mut chances);
            for (weight, chance) in weights.iter_mut().zip(&chances) {
                *weight *= chance;
                largest = largest.max(*weight);
            }
        }
        let factor = 1.0 / largest;
        for weight in &mut self.weights {
            *weight *= factor;
        }
        self.learnt.push((seen, factor));
    }

    /// Splits cells until the stretch between the quantiles `low` and `high` has enough of them and no cell
    /// has several loads that were probed, or each is one load or at most `finest` wide.
    pub fn sharpen(&mut self, low: f64, high: f64, finest: f64) {
        let mut probed: Vec<Place> = self.learnt.iter().map(|(seen, _)| Place::at(seen.load)).collect();
        probed.sort_unstable();
        probed.dedup();
        let inside = |cell: &Cell| {
            let until = |end: Place| probed.partition_point(|load| *load < end);
            until(cell.high) - probed.partition_point(|load| *load <= cell.low)
        };
        for _ in 0..MOST_SPLITS {
            let (from, to) = (self.quantile(low), self.quantile(high));
            let within = |cell: &Cell| cell.low < to && cell.high > from;
            let are_few = self.grid.cells().iter().filter(|cell| within(cell)).count() < FEWEST_CELLS;
            let scale = self.scale;
            let width = |cell: &Cell| scale.width(cell.low.before(), cell.high.not_before());
            let mut grid = self.grid.clone();
            let kept = grid.split(PARTS, |_, cell| {
                (are_few && within(cell) || inside(cell) > 1) && width(cell) > finest
            });
            if kept.len() == self.grid.cells().len() {
                return;
            }
            self.move_to(grid, &kept);
        }
    }

    /// Goes on with another grid, of which some cells are `kept`: the others learn everything again.
    fn move_to(&mut self, grid: Grid, kept: &[Option<usize>]) {
        let ways = self.priors.len();
        let mut weights = Vec::with_capacity(grid.cells().len() * ways);
        let mut chances = vec![0.0; ways];
        for (cell, kept) in grid.cells().iter().zip(kept) {
            if let Some(index) = kept {
                weights.extend_from_slice(&self.weights[index * ways..(index + 1) * ways]);
                continue;
            }
            let begin = weights.len();
            weights.extend(self.priors.iter().map(|prior| prior * cell.prior));
            for (seen, factor) in &self.learnt {
                self.model.likelihood(self.scale.distance(seen.load, cell.centre), seen, &mut chances);
                for (weight, chance) in weights[begin..].iter_mut().zip(&chances) {
                    *weight *= chance * factor;
                }
            }
        }
        self.grid = grid;
        self.weights = weights;
    }

    /// The share of each cell.
    fn shares(&self) -> Vec<f64> {
        let ways = self.priors.len();
        let sums: Vec<f64> =
            self.weights.chunks_exact(ways).map(|weights| weights.iter().sum::<f64>()).collect();
        let total: f64 = sums.iter().sum();
        sums.into_iter().map(|sum| sum / total).collect()
    }

    /// The place that it breaks before with probability `share`.
    pub fn quantile(&self, share: f64) -> Place {
        self.quantiles(&[share])[0]
    }

    /// The places that it breaks before with these probabilities, which are in their order.
    pub fn quantiles(&self, shares: &[f64]) -> Vec<Place> {
        let cells = self.grid.cells();
        let of_cells = self.shares();
        let mut found = Vec::with_capacity(shares.len());
        let mut before = 0.0;
        for (cell, of_cell) in cells.iter().zip(of_cells) {
            while let Some(share) = shares.get(found.len()).filter(|share| **share < before + of_cell) {
                let within = ((share - before) / of_cell).clamp(0.0, 1.0);
                found.push(cell.low.towards(cell.high, within));
            }
            before += of_cell;
        }
        let last = cells.last().map_or(Place::at(0), |cell| cell.high);
        found.resize(shares.len(), last);
        found
    }

    /// How likely a probe of `load` fails.
    pub fn fails(&self, load: u64) -> f64 {
        self.counting().fails(self, load)
    }

    /// Of `loads`, the one whose probe is expected to tell most.
    pub fn most_telling(&self, loads: &[u64]) -> Option<u64> {
        let counting = self.counting();
        let telling = loads.iter().map(|load| (*load, counting.information(self, *load)));
        telling.max_by(|(_, one), (_, other)| one.total_cmp(other)).map(|(load, _)| load)
    }

    /// The average over all ways of what each of them is in `values`.
    pub fn mean_of_ways(&self, values: impl Iterator<Item = f64>) -> f64 {
        let ways = self.priors.len();
        let mut sums = vec![0.0; ways];
        for weights in self.weights.chunks_exact(ways) {
            for (sum, weight) in sums.iter_mut().zip(weights) {
                *sum += weight;
            }
        }
        let total: f64 = sums.iter().sum();
        sums.iter().zip(values).map(|(sum, value)| sum * value).sum::<f64>() / total
    }

    /// What predictions are made from.
    fn counting(&self) -> Counting {
        let ways = self.priors.len();
        let shares = self.shares();
        let least = NOTHING / shares.len() as f64;
        let cells = self.grid.cells().iter().zip(self.weights.chunks_exact(ways)).zip(shares);
        let (mut centres, mut weights) = (Vec::new(), Vec::new());
        for ((cell, of_cell), share) in cells {
            if share > least {
                centres.push(cell.centre);
                weights.extend_from_slice(of_cell);
            }
        }
        let total: f64 = weights.iter().sum();
        for weight in &mut weights {
            *weight /= total;
        }
        Counting { centres, weights }
    }
}

/// The cells that count in predictions, and their weights, which are 1 together.
struct Counting {
    centres: Vec<Place>,
    weights: Vec<f64>,
}

impl Counting {
    fn fails<M: Model>(&self, of: &Posterior<M>, load: u64) -> f64 {
        let mut sum = 0.0;
        self.each(of, load, |_, weight, chance| sum += weight * chance);
        sum
    }

    /// What a probe of `load` is expected to tell, in bits.
    fn information<M: Model>(&self, of: &Posterior<M>, load: u64) -> f64 {
        let (mut chance_of_fail, mut known) = (0.0, 0.0);
        // Far from the load the chance is that of the cell before, and logarithms are what takes the time.
        let mut last = vec![(f64::INFINITY, 0.0); of.priors.len()];
        self.each(of, load, |way, weight, chance| {
            if (last[way].0 - chance).abs() > SAME {
                last[way] = (chance, bits(chance));
            }
            chance_of_fail += weight * chance;
            known += weight * last[way].1;
        });
        bits(chance_of_fail) - known
    }

    /// Calls `with` for the weight of each cell in each way, and the chance that it gives a fail at `load`.
    fn each<M: Model>(&self, of: &Posterior<M>, load: u64, mut with: impl FnMut(usize, f64, f64)) {
        let ways = of.priors.len();
        let mut chances = vec![0.0; ways];
        for (centre, weights) in self.centres.iter().zip(self.weights.chunks_exact(ways)) {
            of.model.fails(of.scale.distance(load, *centre), &mut chances);
            for (way, (weight, chance)) in weights.iter().zip(&chances).enumerate() {
                with(way, *weight, *chance);
            }
        }
    }
}

/// The entropy of something that happens with probability `chance`.
fn bits(chance: f64) -> f64 {
    let part = |chance: f64| if chance > 0.0 { -chance * chance.log2() } else { 0.0 };
    part(chance) + part(1.0 - chance)
}

#[cfg(test)]
mod tests {
    use super::super::curve::Curve;
    use super::super::knee::Knee;
    use super::*;

    fn of_knee(max: u64, tolerance: f64) -> Posterior<Knee> {
        let grid = Grid::over(Scale::Log, 1, max, 0.0125);
        Posterior::new(Scale::Log, grid, Knee::for_tolerance(tolerance))
    }

    fn seen(load: u64, fails: bool) -> Evidence {
        Evidence { load, fails, excess: None }
    }

    #[test]
    fn before_any_probe_all_ratios_are_as_likely() {
        let posterior = of_knee(10_000, 0.05);
        let median = posterior.quantile(0.5).behind();
        assert!((99..=102).contains(&median), "{median}");
        let chance = posterior.fails(100);
        assert!((chance - 0.5).abs() < 0.02, "{chance}");
        assert_eq!(posterior.most_telling(&[2, 10, 100, 1000]), Some(100));
    }

    #[test]
    fn passes_move_it_up_and_fails_move_it_down() {
        let mut posterior = of_knee(10_000, 0.05);
        posterior.learn(seen(100, false));
        let up = posterior.quantile(0.5);
        posterior.learn(seen(1000, true));
        let down = posterior.quantile(0.5);
        assert!(up > Place::at(500) && down < Place::at(500) && down > Place::at(150));
        let [low, high] = [0.025, 0.975].map(|share| posterior.quantile(share).behind());
        assert!(low < 150 && high > 800, "{low} {high}");
    }

    #[test]
    fn a_single_load_is_found_when_its_neighbours_are_told_apart() {
        let mut posterior = of_knee(1_000_000_000_000, 0.0);
        let breaks_at = 123_456_789_012;
        for _ in 0..60 {
            let load = posterior.quantile(0.5).behind();
            posterior.learn(seen(load, load >= breaks_at));
            posterior.sharpen(0.025, 0.975, 0.0);
        }
        let [low, high] = [0.025, 0.975].map(|share| posterior.quantile(share));
        assert_eq!((low.behind(), high.not_before()), (breaks_at, breaks_at));
    }

    #[test]
    fn a_finer_grid_believes_the_same() {
        let probes = [seen(10, false), seen(1000, true), seen(100, false), seen(300, true)];
        let mut coarse = of_knee(10_000, 0.05);
        let mut fine = coarse.clone();
        for probe in probes {
            coarse.learn(probe);
            fine.learn(probe);
        }
        fine.sharpen(0.4, 0.41, 0.0);
        assert!(fine.grid.cells().len() > coarse.grid.cells().len());
        for share in [0.025, 0.5, 0.975] {
            let (one, other) = (coarse.quantile(share), fine.quantile(share));
            assert!((one.length_to(other)).abs() < 2.0, "{one:?} {other:?}");
        }
    }

    #[test]
    fn values_near_their_limit_tell_more_than_sides() {
        let grid = || Grid::over(Scale::Log, 1, 10_000, 0.0125);
        let (mut values, mut sides) =
            (Posterior::new(Scale::Log, grid(), Curve), Posterior::new(Scale::Log, grid(), Curve));
        // A straight line through the limit at 300.
        for load in [200_u64, 400, 250, 350, 280, 320] {
            let excess = (load as f64 / 300.0).ln();
            let of = |excess| Evidence { load, fails: load > 300, excess };
            values.learn(of(Some(excess)));
            sides.learn(of(None));
        }
        let width =
            |posterior: &Posterior<Curve>| posterior.quantile(0.025).length_to(posterior.quantile(0.975));
        assert!(width(&values) < 0.5 * width(&sides), "{} {}", width(&values), width(&sides));
        let noise = values.mean_of_ways(Curve::noises());
        assert!(noise < 0.05, "{noise}");
    }
}
