//! The places where it may break, as cells that cover the range without gaps.

use super::place::{Place, Scale};

/// More cells than this are made only where they are needed.
const MOST_CELLS: f64 = 1024.0;
/// How far beyond the range it breaks, where it does not break inside, as a distance. As far as fails and
/// passes are told apart when it breaks there slowly.
const BEYOND: f64 = 0.1;

/// Where it may break: any place of a stretch, which is treated as its centre.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell {
    /// The beginning, inside.
    pub low: Place,
    /// The end, outside.
    pub high: Place,
    /// What stands for it.
    pub centre: Place,
    /// How likely it was before anything was measured, compared with the others.
    pub prior: f64,
}

impl Cell {
    /// Whether one load is the smallest failing one, wherever in the cell it breaks.
    pub fn is_whole(&self) -> bool {
        self.low.behind() >= self.high.not_before()
    }

    /// The cells of its `parts`; itself where it is whole. Where there are fewer loads than parts, each gets
    /// a cell.
    fn split(&self, parts: u64) -> Vec<Self> {
        if self.is_whole() {
            return vec![*self];
        }
        let (first, last) = (self.low.behind(), self.high.not_before());
        let steps = (last - first).min(parts - 1);
        let inner = (1..=steps).map(|step| {
            // Ends of parts are loads, so that no load has its place in the middle of a cell.
            let share = (u128::from(last - first) * u128::from(step)) / u128::from(steps + 1);
            let load = if steps == last - first { first + step - 1 } else { first + narrow(share) };
            Place::at(load)
        });
        let mut ends: Vec<Place> = std::iter::once(self.low).chain(inner).chain([self.high]).collect();
        ends.dedup();
        let whole = self.low.length_to(self.high);
        let cell = |ends: &[Place]| Self {
            low: ends[0],
            high: ends[1],
            centre: ends[0].middle(ends[1]),
            prior: self.prior * ends[0].length_to(ends[1]) / whole,
        };
        ends.windows(2).map(cell).collect()
    }
}

fn narrow(load: u128) -> u64 {
    u64::try_from(load).unwrap_or(u64::MAX)
}

/// Cells in the order of their places. The first is that of "the smallest load fails", the last that of
/// "none fails".
#[derive(Debug, Clone, PartialEq)]
pub struct Grid {
    cells: Vec<Cell>,
}

impl Grid {
    /// Cells of width `step` over the loads from `min` to `max`; wider ones where that would be too many.
    pub fn over(scale: Scale, min: u64, max: u64, step: f64) -> Self {
        let reach = scale.width(min, max);
        let step = step.max(reach / MOST_CELLS);
        let (first, last) = (Place::at(min), Place::at(max));
        let mut ends = vec![first];
        let mut at = step;
        while at < reach {
            let end = scale.behind(first, at);
            if end > *ends.last().unwrap_or(&first) && end < last {
                ends.push(end);
            }
            at += step;
        }
        ends.push(last);
        let inner = ends.windows(2).map(|ends| Cell {
            low: ends[0],
            high: ends[1],
            centre: ends[0].middle(ends[1]),
            prior: step,
        });
        let below =
            Cell { low: Place::at(min - 1), high: first, centre: scale.ahead(first, BEYOND), prior: step };
        let above =
            Cell { low: last, high: Place::at(max + 1), centre: scale.behind(last, BEYOND), prior: step };
        Self { cells: std::iter::once(below).chain(inner).chain([above]).collect() }
    }

    /// All cells.
    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// Whether the cell of this index lies inside the range.
    pub fn is_inside(&self, index: usize) -> bool {
        index > 0 && index + 1 < self.cells.len()
    }

    /// Replaces the cells for which `coarse` holds by their `parts`; for each cell of the new grid, the index
    /// of the old one when it is the same.
    pub fn split(&mut self, parts: u64, coarse: impl Fn(usize, &Cell) -> bool) -> Vec<Option<usize>> {
        let mut cells = Vec::with_capacity(self.cells.len());
        let mut kept = Vec::with_capacity(self.cells.len());
        for (index, cell) in self.cells.iter().enumerate() {
            let split =
                if self.is_inside(index) && coarse(index, cell) { cell.split(parts) } else { vec![*cell] };
            kept.extend(split.iter().map(|_| (split.len() == 1).then_some(index)));
            cells.extend(split);
        }
        self.cells = cells;
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn is_without_gaps(grid: &Grid) -> bool {
        grid.cells().windows(2).all(|cells| cells[0].high == cells[1].low && cells[0].low < cells[0].high)
    }

    #[test]
    fn the_ends_stand_for_all_and_for_none() {
        let grid = Grid::over(Scale::Log, 1, 500, 0.0125);
        let (first, last) = (grid.cells()[0], grid.cells()[grid.cells().len() - 1]);
        assert_eq!((first.low.behind(), first.high.not_before()), (1, 1));
        assert_eq!((last.low.behind(), last.high.not_before()), (501, 501));
        assert!(first.centre < Place::at(1) && last.centre > Place::at(500));
        assert!(is_without_gaps(&grid) && (490..=520).contains(&grid.cells().len()));
    }

    #[test]
    fn the_widest_range_has_a_bounded_number_of_cells() {
        let grid = Grid::over(Scale::Log, 1, u64::MAX - 1, 0.0125);
        assert!(is_without_gaps(&grid) && grid.cells().len() <= 1027, "{}", grid.cells().len());
    }

    #[test]
    fn a_cell_is_split_down_to_single_loads() {
        let mut grid = Grid::over(Scale::Linear { span: 1000 }, 1, 1001, 0.25);
        for _ in 0..8 {
            let _ = grid.split(4, |_, cell| !cell.is_whole());
        }
        assert!(is_without_gaps(&grid));
        assert!(grid.cells().iter().all(Cell::is_whole));
        let failing: Vec<u64> = grid.cells().iter().map(|cell| cell.low.behind()).collect();
        assert_eq!(failing, (1..=1002).collect::<Vec<u64>>());
    }

    proptest! {
        #[test]
        fn splitting_moves_no_likelihood(min in 1..1000_u64, more in 2..1_000_000_u64, parts in 2..6_u64) {
            let mut grid = Grid::over(Scale::Log, min, min + more, 0.05);
            let before: f64 = grid.cells().iter().map(|cell| cell.prior).sum();
            let kept = grid.split(parts, |index, _| index % 3 == 0);
            let after: f64 = grid.cells().iter().map(|cell| cell.prior).sum();
            prop_assert!((before - after).abs() < 1e-6 * before);
            prop_assert!(is_without_gaps(&grid));
            prop_assert_eq!(kept.len(), grid.cells().len());
        }
    }
}
