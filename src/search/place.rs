//! Places between loads, exact for every integer of 64 bits, and how far they lie from each other.

/// Parts of a load: half of the bits of a place lie behind the point.
const ONE: u128 = 1 << 32;

/// A place on the line of loads. A load is an integer of up to 64 bits, which a float cannot hold; where it
/// breaks lies between two of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place(u128);

impl Place {
    /// That of `load` itself.
    pub fn at(load: u64) -> Self {
        Self(u128::from(load) * ONE)
    }

    /// The last load that is not behind it.
    pub fn before(self) -> u64 {
        u64::try_from(self.0 / ONE).unwrap_or(u64::MAX)
    }

    /// The first load behind it: the smallest that fails where it breaks here.
    pub fn behind(self) -> u64 {
        self.before().saturating_add(1)
    }

    /// The first load that is not before it.
    pub fn not_before(self) -> u64 {
        u64::try_from(self.0.div_ceil(ONE)).unwrap_or(u64::MAX)
    }

    /// The place after `share` (0 to 1) of the way to `other`, which is not before this one.
    #[must_use]
    pub fn towards(self, other: Self, share: f64) -> Self {
        Self(self.0 + scaled(other.0.saturating_sub(self.0), share))
    }

    /// How far it is to `other`, in loads.
    pub fn length_to(self, other: Self) -> f64 {
        difference(other.0, self.0) / ONE as f64
    }

    /// The middle of the way to `other`.
    #[must_use]
    pub fn middle(self, other: Self) -> Self {
        Self(self.0.midpoint(other.0))
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a length times a share of it is neither negative nor longer; both casts saturate"
)]
fn scaled(length: u128, share: f64) -> u128 {
    (length as f64 * share) as u128
}

/// How far loads lie apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scale {
    /// By their ratio: twice the load is as far from the load as that from its half.
    Log,
    /// By their difference, as a share of `span`, the length of the whole range.
    Linear {
        /// Largest load minus smallest load.
        span: u64,
    },
}

impl Scale {
    /// How far `load` lies behind `place`: the logarithm of their ratio, or a share of the range.
    pub fn distance(self, load: u64, place: Place) -> f64 {
        let (load, place) = (Place::at(load).0, place.0.max(1));
        match self {
            Self::Log => {
                let ratio = difference(load, place) / place as f64;
                // Near each other all digits are in the difference, and far apart all are in the ratio.
                if ratio.abs() < 0.5 { ratio.ln_1p() } else { (load as f64 / place as f64).ln() }
            }
            Self::Linear { span } => difference(load, place) / (span.max(1) as f64 * ONE as f64),
        }
    }

    /// How far it is from `low` to `high`.
    pub fn width(self, low: u64, high: u64) -> f64 {
        self.distance(high, Place::at(low))
    }

    /// The place `distance` behind `from`.
    pub fn behind(self, from: Place, distance: f64) -> Place {
        match self {
            Self::Log => Place(from.0 + scaled(from.0, distance.exp_m1())),
            Self::Linear { span } => Place(from.0 + scaled(u128::from(span) * ONE, distance)),
        }
    }

    /// The place `distance` before `from`, or the beginning of the line.
    pub fn ahead(self, from: Place, distance: f64) -> Place {
        match self {
            Self::Log => Place(scaled(from.0, (-distance).exp())),
            Self::Linear { span } => Place(from.0.saturating_sub(scaled(u128::from(span) * ONE, distance))),
        }
    }

    /// The load halfway from `low` to `high`.
    pub fn halfway(self, low: u64, high: u64) -> u64 {
        match self {
            Self::Log => {
                let root = (u128::from(low) * u128::from(high)).isqrt();
                u64::try_from(root).unwrap_or(high)
            }
            Self::Linear { .. } => low.midpoint(high),
        }
    }

    /// The next load on the way up from `min`, where each is `factor` times as far as the one before.
    pub fn next_of_ramp(self, min: u64, load: u64, factor: f64) -> u64 {
        let next = match self {
            Self::Log => Place(scaled(Place::at(load).0, factor)),
            Self::Linear { span } if load == min => Place(Place::at(min).0 + Place::at(span).0 / FIRST_SHARE),
            Self::Linear { .. } => Place(Place::at(min).0 + scaled(Place::at(load - min).0, factor)),
        };
        next.before().max(load.saturating_add(1))
    }
}

/// The first step of a ramp by differences is this part of the range.
const FIRST_SHARE: u128 = 64;

fn difference(one: u128, other: u128) -> f64 {
    if one >= other { (one - other) as f64 } else { -((other - one) as f64) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn neighbours_of_any_size_are_told_apart() {
        for load in [1, 1000, 1 << 53, u64::MAX - 2] {
            let place = Place::at(load);
            assert_eq!((place.before(), place.behind(), place.not_before()), (load, load + 1, load));
            let between = place.middle(Place::at(load + 1));
            assert_eq!(
                (between.before(), between.behind(), between.not_before()),
                (load, load + 1, load + 1)
            );
            assert!(Scale::Log.distance(load, between) < 0.0 && Scale::Log.distance(load + 1, between) > 0.0);
        }
    }

    #[test]
    fn a_ramp_grows_by_its_factor_and_always_moves() {
        let ramp = |scale: Scale, min: u64, factor, steps: usize| {
            std::iter::successors(Some(min), |load| Some(scale.next_of_ramp(min, *load, factor)))
                .take(steps)
                .collect::<Vec<_>>()
        };
        assert_eq!(ramp(Scale::Log, 1, 4.0, 5), [1, 4, 16, 64, 256]);
        assert_eq!(ramp(Scale::Log, 1, 1.1, 4), [1, 2, 3, 4]);
        assert_eq!(ramp(Scale::Linear { span: 6400 }, 100, 4.0, 5), [100, 200, 500, 1700, 6500]);
        assert_eq!(ramp(Scale::Log, u64::MAX - 1, 4.0, 2)[1], u64::MAX);
    }

    proptest! {
        #[test]
        fn distances_add_up(low in 1..1_000_000_u64, step in 0.001..3.0_f64, linear in any::<bool>()) {
            let scale = if linear { Scale::Linear { span: 1_000_000 } } else { Scale::Log };
            let place = scale.behind(Place::at(low), step);
            prop_assert!((scale.distance(low, place) + step).abs() < 1e-6);
            let back = scale.ahead(place, step);
            prop_assert!(scale.distance(low, back).abs() < 1e-6);
        }

        #[test]
        fn halfway_is_as_far_from_both_ends(low in 1..1_000_000_u64, more in 2..1_000_000_u64, linear in any::<bool>()) {
            let scale = if linear { Scale::Linear { span: 2_000_000 } } else { Scale::Log };
            let high = low + more;
            let halfway = scale.halfway(low, high);
            prop_assert!(low <= halfway && halfway < high);
            let (one, other) = (scale.width(low, halfway), scale.width(halfway, high));
            // Loads are integers.
            let one_load = scale.width(low, low + 1);
            prop_assert!((one - other).abs() <= 2.0 * one_load, "{one} {other}");
        }
    }
}
