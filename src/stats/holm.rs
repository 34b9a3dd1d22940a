//! Several questions in one breath: Holm's way to keep the probability of any false alarm among them.

/// The probability of error at which each of `p_values` is tested, so that all together err with at most
/// `error`: the smallest at an equal share of it, and each that is found leaves more for the rest.
///
/// The rest is tested at the level of the first that is not found, so that `p < level` says whether it is.
pub fn levels(p_values: &[f64], error: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|a, b| p_values[*a].total_cmp(&p_values[*b]));
    let mut levels = vec![error; p_values.len()];
    let mut stopped_at = None;
    for (place, index) in order.into_iter().enumerate() {
        let level = stopped_at.unwrap_or(error / (p_values.len() - place) as f64);
        levels[index] = level;
        if p_values[index] >= level {
            stopped_at = Some(level);
        }
    }
    levels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_that_is_found_leaves_more_for_the_rest() {
        assert_eq!(levels(&[0.001], 0.01), [0.01]);
        assert_eq!(levels(&[0.001, 0.004, 0.02], 0.012), [0.004, 0.006, 0.012]);
    }

    #[test]
    fn nothing_is_found_after_one_that_is_not() {
        // 0.009 would be found alone, and is not after 0.007 failed at a half.
        let p_values = [0.009, 0.007];
        let levels = levels(&p_values, 0.01);
        assert_eq!(levels, [0.005, 0.005]);
        assert!(p_values.iter().zip(&levels).all(|(p, level)| p >= level));
    }

    #[test]
    fn no_question_needs_no_level() {
        assert!(levels(&[], 0.01).is_empty());
    }
}
