//! What one probe says about the place where it breaks.

/// A load that was tried, and whether it was too much.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evidence {
    /// The load.
    pub load: u64,
    /// Whether it failed.
    pub fails: bool,
    /// How far the value was beyond its limit, as a logarithm of their ratio; negative before it. `None` when
    /// there is no value, as after a crash.
    pub excess: Option<f64>,
}

/// How a model sees the result of a probe that is `distance` behind the place where it breaks. It has several
/// ways to do so (how steep, how noisy), and keeps all of them until the probes tell which are wrong.
pub trait Model {
    /// How likely each way is before anything was measured; their number is the number of ways.
    fn priors(&self) -> Vec<f64>;

    /// How likely a fail is at `distance`, for each way.
    fn fails(&self, distance: f64, into: &mut [f64]);

    /// How likely what was seen at `distance` is, for each way; a density where there is a value.
    fn likelihood(&self, distance: f64, seen: &Evidence, into: &mut [f64]);
}
