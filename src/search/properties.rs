//! What holds of every search.

use super::answer::Answer;
use super::course::{Search, Step};
use super::history::{Probe, Seen};
use super::place::Place;
use super::settings::Settings;
use crate::model::search::{Purpose, SearchStatus};
use proptest::prelude::*;

/// Lets a search ask `probe` until it is done.
fn ended(settings: Settings, mut probe: impl FnMut(u64) -> Seen) -> (Search, Answer) {
    let mut search = Search::new(settings);
    for _ in 0..1000 {
        match search.next() {
            Step::Done(_) => {
                let answer = search.answer();
                return (search, answer);
            }
            Step::Probe { load, purpose } => search.learn(Probe { load, purpose, seen: probe(load) }),
        }
    }
    panic!("a search that does not end");
}

fn side(fails: bool) -> Seen {
    if fails { Seen::Fail { excess: None } } else { Seen::Pass { excess: None } }
}

fn value(excess: f64) -> Seen {
    if excess > 0.0 { Seen::Fail { excess: Some(excess) } } else { Seen::Pass { excess: Some(excess) } }
}

fn settings(min: u64, max: u64) -> Settings {
    Settings { min, max, most_probes: 500, ..Settings::default() }
}

#[test]
fn the_ends_of_the_range_have_their_own_answers() {
    let (search, answer) = ended(settings(1, 500), |_| side(true));
    assert_eq!((answer.status, answer.edge), (Some(SearchStatus::MinFails), None));
    assert_eq!(search.history().len(), 3);
    let (search, answer) = ended(settings(1, 500), |_| side(false));
    assert_eq!((answer.status, answer.edge), (Some(SearchStatus::MaxPasses), None));
    assert_eq!(answer.passes, Some(500));
    let loads: Vec<u64> = search.history().iter().map(|probe| probe.load).collect();
    assert_eq!(loads, [1, 4, 16, 64, 256, 500, 500]);
}

#[test]
fn a_search_may_go_beyond_its_range() {
    let wide = Settings { beyond: Some(10_000), ..settings(1, 500) };
    let (_, answer) = ended(wide.clone(), |load| side(load >= 3000));
    assert_eq!(answer.status, Some(SearchStatus::Found));
    let edge = answer.edge.expect("an edge");
    assert!(edge.low <= 3000 && 3000 <= edge.high, "{edge:?}");
    let (_, answer) = ended(wide, |_| side(false));
    assert_eq!((answer.status, answer.passes), (Some(SearchStatus::MaxPasses), Some(10_000)));
}

#[test]
fn one_wrong_answer_changes_nothing() {
    for wrong in 0..12 {
        let mut number = 0;
        let (_, answer) = ended(settings(1, 500), |load| {
            number += 1;
            side((load >= 120) != (number - 1 == wrong))
        });
        assert_eq!(answer.status, Some(SearchStatus::Found), "probe {wrong}");
        let edge = answer.edge.expect("an edge");
        assert!(edge.low <= 120 && 120 <= edge.high, "probe {wrong}: {edge:?}");
    }
}

#[test]
fn values_that_differ_are_no_other_machine_where_their_noise_is_not_known() {
    let exact = Settings { values: true, tolerance: 0.0, ..settings(1, 500) };
    let mut number = 0.0;
    let (_, answer) = ended(exact, |load| {
        number += 1.0;
        // A fifth up and down, far from the limit.
        let noise = if load < 60 { 0.2 * f64::sin(number) } else { 0.0 };
        value((load as f64 / 120.0).ln() * 3.0 + noise)
    });
    assert_eq!(answer.status, Some(SearchStatus::Found));
}

#[test]
fn a_look_above_that_cannot_be_generated_costs_no_answer() {
    let (_, answer) =
        ended(
            settings(1, 500),
            |load| {
                if load > 200 && load != 256 { Seen::Limited } else { side(load >= 120) }
            },
        );
    assert_eq!(answer.status, Some(SearchStatus::Found), "{answer:?}");
}

#[test]
fn one_fail_at_the_top_that_never_comes_again_is_no_edge_above_it() {
    let mut fails = 1;
    let (_, answer) = ended(settings(1, 500), |load| {
        let is_first = load == 500 && fails > 0;
        fails -= i32::from(is_first);
        side(is_first)
    });
    assert_eq!((answer.status, answer.edge), (Some(SearchStatus::MaxPasses), None), "{answer:?}");
}

#[test]
fn a_limit_further_out_is_reached_later() {
    // A value that is at its limit at 100, and grows with the load.
    let settings = Settings { values: true, ..settings(1, 500) };
    let (search, _) = ended(settings, |load| value((load as f64 / 100.0).ln()));
    let at = |further: f64| search.edge_for_limit(further).expect("an edge");
    let (near, usual, far) = (at(-0.2), at(0.0), at(0.2));
    assert!(usual.low <= 100 && 100 <= usual.high, "{usual:?}");
    // By e^0.2 = 1.22 both ways.
    assert!(
        (75..90).contains(&near.smallest_failing) && (110..135).contains(&far.smallest_failing),
        "{near:?} {far:?}"
    );
}

#[test]
fn an_island_is_told_with_its_lower_edge() {
    let (_, answer) = ended(settings(1, 500), |load| side((20..40).contains(&load) || load >= 300));
    assert_eq!(answer.status, Some(SearchStatus::NonMonotone));
    let edge = answer.edge.expect("an edge");
    assert!(edge.low <= 20 && 20 <= edge.high, "{answer:?}");
    assert!(answer.island.is_some_and(|island| (20..40).contains(&island)));
}

#[test]
fn a_recovery_is_told_with_the_edge_below() {
    let (_, answer) = ended(settings(1, 500), |load| side((50..80).contains(&load)));
    assert_eq!(answer.status, Some(SearchStatus::NonMonotone), "{answer:?}");
    let edge = answer.edge.expect("an edge");
    assert!(edge.low <= 50 && 50 <= edge.high && answer.recovery.is_some(), "{answer:?}");
}

#[test]
fn a_generator_at_its_limit_leaves_a_lower_bound() {
    let (_, answer) = ended(settings(1, 500), |load| if load > 100 { Seen::Limited } else { side(false) });
    assert_eq!((answer.status, answer.edge), (Some(SearchStatus::GeneratorLimited), None));
    assert_eq!(answer.passes, Some(64));
}

#[test]
fn what_cannot_be_found_in_time_says_how_long_it_takes() {
    let terms = Settings { most_probes: 20, values: true, ..settings(1, 100_000) };
    let mut state = 1_u64;
    let (search, answer) = ended(terms, |load| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let noise = (state >> 11) as f64 / (1_u64 << 53) as f64 - 0.5;
        value((load as f64 / 1000.0).ln() + noise)
    });
    assert_eq!((answer.status, search.spent()), (Some(SearchStatus::Budget), 20));
    assert!(answer.needs.is_some_and(|needs| needs > 20), "{answer:?}");
    assert!(answer.edge.is_some());
}

#[test]
fn another_machine_at_the_end_voids_the_interval() {
    let settings = Settings { values: true, ..settings(1, 500) };
    let mut probes = 0;
    let (search, answer) = ended(settings.clone(), |load| {
        probes += 1;
        value((load as f64 / 200.0).ln())
    });
    assert_eq!(answer.status, Some(SearchStatus::Found));
    assert_eq!(search.history().last().map(|probe| probe.purpose), Some(Purpose::Drift));
    let last = probes;
    let mut probes = 0;
    let (_, answer) = ended(settings, |load| {
        probes += 1;
        value((load as f64 / 200.0).ln() + if probes == last { 0.8 } else { 0.0 })
    });
    assert_eq!((answer.status, answer.edge), (Some(SearchStatus::Drifted), None));
}

proptest! {
    // A search takes seconds without optimisation.
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    #[test]
    fn an_edge_is_within_its_interval(min in 1..50_u64, more in 1..100_000_u64, at in 0.0..1.0_f64, linear in any::<bool>()) {
        let max = min + more;
        let breaks_at = Place::at(min + 1).towards(Place::at(max + 1), at).before();
        let settings = Settings { linear, ..settings(min, max) };
        let (_, answer) = ended(settings, |load| side(load >= breaks_at));
        if breaks_at > max {
            prop_assert_eq!(answer.status, Some(SearchStatus::MaxPasses));
        } else {
            prop_assert_eq!(answer.status, Some(SearchStatus::Found));
            let edge = answer.edge.expect("an edge");
            prop_assert!(edge.low <= breaks_at && breaks_at <= edge.high, "{} {:?}", breaks_at, edge);
        }
    }

    #[test]
    fn a_tolerance_of_zero_finds_the_load_itself(more in 1..u64::MAX / 2, at in 0.0..1.0_f64) {
        let max = 1 + more;
        let breaks_at = Place::at(2).towards(Place::at(max), at).before();
        let settings = Settings { tolerance: 0.0, ..settings(1, max) };
        let (_, answer) = ended(settings, |load| side(load >= breaks_at));
        prop_assert_eq!(answer.status, Some(SearchStatus::Found));
        let edge = answer.edge.expect("an edge");
        prop_assert_eq!((edge.low, edge.high, edge.smallest_failing), (breaks_at, breaks_at, breaks_at));
    }

    #[test]
    fn a_replayed_search_goes_on_alike(seed in any::<u64>(), values in any::<bool>()) {
        let settings = Settings { values, most_probes: 30, ..settings(1, 2000) };
        let mut state = seed;
        let mut search = Search::new(settings.clone());
        while let Step::Probe { load, purpose } = search.next() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let excess = (load as f64 / 300.0).ln() + ((state >> 60) as f64 - 7.5) / 40.0;
            search.learn(Probe { load, purpose, seen: if values { value(excess) } else { side(excess > 0.0) } });
            if search.history().len().is_multiple_of(10) {
                let replayed = Search::replay(settings.clone(), search.history());
                prop_assert_eq!(replayed.next(), search.next());
                prop_assert_eq!(replayed.answer(), search.answer());
            }
        }
    }
}
