//! Quantities as people read them.

use std::time::Duration;

/// Nanoseconds in the unit that keeps three significant digits.
pub fn nanoseconds(value: f64) -> String {
    let (scale, unit) = match value.abs() {
        v if v >= 1e9 => (1e9, "s"),
        v if v >= 1e6 => (1e6, "ms"),
        v if v >= 1e3 => (1e3, "µs"),
        _ => (1.0, "ns"),
    };
    format!("{} {unit}", significant(value / scale))
}

/// A value of any unit; nanoseconds are scaled, other units are shown as they are.
pub fn quantity(value: f64, unit: &str) -> String {
    if unit == "ns" { nanoseconds(value) } else { format!("{} {unit}", significant(value)) }
}

/// A number with at most four significant digits and without a trail of zeros; whole numbers stay whole.
pub fn plain(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 1e15 {
        return format!("{value}");
    }
    let magnitude = value.abs().log10().floor();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=12")]
    let decimals = (3.0 - magnitude).clamp(0.0, 12.0) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// A duration to the second, or to the tenth below ten seconds.
pub fn duration(value: Duration) -> String {
    let seconds = value.as_secs_f64();
    if seconds < 10.0 {
        return format!("{seconds:.1} s");
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a duration is positive")]
    let whole = seconds.round() as u64;
    match whole {
        0..120 => format!("{whole} s"),
        120..7200 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
    }
}

/// A ratio's natural logarithm as a percentage, for small changes.
pub fn percent(log_ratio: f64) -> String {
    format!("{:.1} %", log_ratio.exp_m1() * 100.0)
}

/// A share as a percentage.
pub fn share(value: f64) -> String {
    format!("{:.1} %", value * 100.0)
}

/// `1 fork`, `2 forks`, `3 processes`.
pub fn count(number: usize, noun: &str) -> String {
    let ending = match number {
        1 => "",
        _ if noun.ends_with('s') => "es",
        _ => "s",
    };
    format!("{number} {noun}{ending}")
}

fn significant(value: f64) -> String {
    match value.abs() {
        v if v >= 100.0 => format!("{value:.1}"),
        v if v >= 10.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_scaled_and_other_units_are_not() {
        assert_eq!(nanoseconds(999.4), "999.4 ns");
        assert_eq!(nanoseconds(1_234_567.0), "1.235 ms");
        assert_eq!(quantity(12.0, "steps"), "12.00 steps");
    }

    #[test]
    fn durations_grow_coarser() {
        assert_eq!(duration(Duration::from_millis(1250)), "1.2 s");
        assert_eq!(duration(Duration::from_secs(61)), "61 s");
        assert_eq!(duration(Duration::from_secs(125)), "2 min 05 s");
        assert_eq!(duration(Duration::from_secs(7320)), "2 h 02 min");
    }

    #[test]
    fn plain_numbers_are_short_and_not_falsified() {
        let shown = [0.0, 12.0, 1_234_567.0, 12.3456, 0.001_234_56, 99999.6, 2.5, -3.25].map(plain);
        assert_eq!(shown, ["0", "12", "1234567", "12.35", "0.001235", "100000", "2.5", "-3.25"]);
    }

    #[test]
    fn nouns_follow_their_number() {
        assert_eq!(count(1, "fork"), "1 fork");
        assert_eq!(count(0, "fork"), "0 forks");
        assert_eq!(count(2, "process"), "2 processes");
    }

    #[test]
    fn a_log_ratio_is_shown_as_a_change() {
        assert_eq!(percent(1.05_f64.ln()), "5.0 %");
        assert_eq!(share(0.123), "12.3 %");
    }
}
