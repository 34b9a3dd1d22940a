//! The processor quota that somebody else has set for this process, through its control groups.
//!
//! A container or a service may grant less than the machine has. Both versions of control groups are
//! read; what is hidden behind a namespace cannot be seen, and is `None`.

use serde::Serialize;
use std::fs;
use std::path::{Path, PathBuf};

/// What the control groups of this process allow.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Quota {
    /// Processors' worth of time, the smallest of all groups above; infinite without a quota, and
    /// unknown when no group with a processor controller can be read.
    pub cpus: Option<f64>,
}

impl Quota {
    /// Whether less than the machine is allowed, as far as is known.
    pub fn is_limit(&self) -> Option<bool> {
        self.cpus.map(f64::is_finite)
    }

    /// The number of processors, or `none`.
    pub fn describe(&self) -> Option<String> {
        self.cpus.map(|cpus| if cpus.is_finite() { cpus.to_string() } else { "none".to_owned() })
    }
}

/// What control groups there are, and whether we could make our own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ControlGroups {
    /// `1`, `2`, `hybrid` when both are mounted, or `none`.
    pub version: Option<&'static str>,
    /// Whether processors can be limited in our group.
    pub cpu: Option<bool>,
    /// Whether memory can be limited in our group.
    pub memory: Option<bool>,
    /// Whether we may make a group below our own.
    pub writable: Option<bool>,
}

/// Looks at the control groups of this process.
pub fn control_groups() -> ControlGroups {
    let Ok(mounts) = fs::read_to_string("/proc/self/mountinfo") else { return ControlGroups::default() };
    let Ok(membership) = fs::read_to_string("/proc/self/cgroup") else { return ControlGroups::default() };
    let group = locate(&membership, &mounts);
    let offered =
        group.as_ref().and_then(|group| fs::read_to_string(group.path.join("cgroup.controllers")).ok());
    let has = |name: &str| {
        let listed =
            offered.as_deref().is_some_and(|offered| offered.split_whitespace().any(|one| one == name));
        Some(listed || old_controllers(&membership).any(|one| one == name))
    };
    let may = |path: &Path| rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_ok();
    ControlGroups {
        version: Some(version(&mounts)),
        cpu: has("cpu"),
        memory: has("memory"),
        writable: group.map(|group| may(&group.path)),
    }
}

fn version(mounts: &str) -> &'static str {
    let is_mounted = |kind: &str| {
        let of = |line: &str| {
            line.split_once(" - ").is_some_and(|(_, behind)| behind.split(' ').next() == Some(kind))
        };
        mounts.lines().any(of)
    };
    match (is_mounted("cgroup"), is_mounted("cgroup2")) {
        (true, true) => "hybrid",
        (true, false) => "1",
        (false, true) => "2",
        (false, false) => "none",
    }
}

/// The controllers that are in hierarchies of the old version.
fn old_controllers(membership: &str) -> impl Iterator<Item = &str> {
    membership.lines().filter_map(|line| line.split(':').nth(1)).flat_map(|names| names.split(','))
}

/// Reads the quota of this process.
pub fn read() -> Quota {
    Quota { cpus: group().and_then(|group| group.cpus()) }
}

/// Microseconds that the group of this process was kept from running, since the group exists.
pub fn throttled_us() -> Option<u64> {
    let stat = fs::read_to_string(group()?.path.join("cpu.stat")).ok()?;
    throttled(&stat)
}

/// The group that controls processors for this process.
struct Group {
    path: PathBuf,
    /// Where the hierarchy is mounted; groups above it cannot be seen.
    mount: PathBuf,
}

fn group() -> Option<Group> {
    let membership = fs::read_to_string("/proc/self/cgroup").ok()?;
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    locate(&membership, &mounts)
}

impl Group {
    /// The smallest quota from here to the mount.
    fn cpus(&self) -> Option<f64> {
        let groups = self.path.ancestors().take_while(|folder| folder.starts_with(&self.mount));
        groups.filter_map(quota_of).reduce(f64::min)
    }
}

/// The quota of one group in processors, infinite when it has none.
fn quota_of(group: &Path) -> Option<f64> {
    let text = |name: &str| fs::read_to_string(group.join(name)).ok();
    if let Some(max) = text("cpu.max") {
        return second_version(&max);
    }
    first_version(&text("cpu.cfs_quota_us")?, &text("cpu.cfs_period_us")?)
}

/// `<microseconds or max> <period>`.
fn second_version(max: &str) -> Option<f64> {
    let (quota, period) = max.trim().split_once(' ')?;
    if quota == "max" {
        return Some(f64::INFINITY);
    }
    Some(quota.parse::<f64>().ok()? / period.parse::<f64>().ok()?)
}

/// Microseconds, or a negative number for no quota.
fn first_version(quota: &str, period: &str) -> Option<f64> {
    let quota: f64 = quota.trim().parse().ok()?;
    if quota < 0.0 {
        return Some(f64::INFINITY);
    }
    Some(quota / period.trim().parse::<f64>().ok()?)
}

/// Version 2 counts microseconds, version 1 nanoseconds.
fn throttled(stat: &str) -> Option<u64> {
    let field = |name: &str| {
        stat.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse::<u64>().ok())
    };
    field("throttled_usec").or_else(|| field("throttled_time").map(|nanos| nanos / 1000))
}

/// The group's folder: the hierarchy of the old version that has the controller `cpu`, else the new one.
fn locate(membership: &str, mounts: &str) -> Option<Group> {
    let entries = || {
        membership.lines().filter_map(|line| {
            let mut fields = line.splitn(3, ':').skip(1);
            Some((fields.next()?, fields.next()?))
        })
    };
    let old = entries().find(|(controllers, _)| controllers.split(',').any(|name| name == "cpu"));
    let (controllers, path) = old.or_else(|| entries().find(|(controllers, _)| controllers.is_empty()))?;
    let is_old = !controllers.is_empty();
    let wanted = |line: &&str| {
        let Some((_, behind)) = line.split_once(" - ") else { return false };
        let mut fields = behind.split(' ');
        let (kind, options) = (fields.next(), fields.nth(1).unwrap_or_default());
        if is_old {
            kind == Some("cgroup") && options.split(',').any(|name| name == "cpu")
        } else {
            kind == Some("cgroup2")
        }
    };
    let line = mounts.lines().find(wanted)?;
    let mut fields = line.split(' ').skip(3);
    let (root, mount) = (fields.next()?, PathBuf::from(fields.next()?));
    // A container may see its own group as the root of the mount, while the membership is named from above.
    let below = Path::new(path).strip_prefix(root).or_else(|_| Path::new(path).strip_prefix("/")).ok()?;
    let folder = mount.join(below);
    let folder = if folder.is_dir() { folder } else { mount.clone() };
    Some(Group { path: folder, mount })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::files::write_atomic;

    #[test]
    fn both_versions_say_how_many_processors() {
        assert_eq!(second_version("50000 100000\n"), Some(0.5));
        assert_eq!(second_version("max 100000\n"), Some(f64::INFINITY));
        assert_eq!(second_version("\n"), None);
        assert_eq!(first_version("150000\n", "100000\n"), Some(1.5));
        assert_eq!(first_version("-1\n", "100000\n"), Some(f64::INFINITY));
        assert_eq!(first_version("", "100000"), None);
    }

    #[test]
    fn no_quota_is_known_and_not_unknown() {
        let described = |cpus| Quota { cpus }.describe();
        assert_eq!(described(Some(0.5)).as_deref(), Some("0.5"));
        assert_eq!(described(Some(f64::INFINITY)).as_deref(), Some("none"));
        assert_eq!((described(None), Quota { cpus: None }.is_limit()), (None, None));
    }

    #[test]
    fn both_versions_say_how_long_the_group_stood_still() {
        assert_eq!(throttled("usage_usec 1\nnr_throttled 2\nthrottled_usec 345\n"), Some(345));
        assert_eq!(throttled("nr_periods 0\nnr_throttled 0\nthrottled_time 345000\n"), Some(345));
        assert_eq!(throttled("usage_usec 1\n"), None);
    }

    #[test]
    fn the_version_is_what_is_mounted() {
        let old = "32 31 0:29 / /c/cpu rw - cgroup cgroup rw,cpu\n";
        let new = "33 31 0:30 / /c/unified rw - cgroup2 cgroup2 rw\n";
        assert_eq!((version(old), version(new), version("")), ("1", "2", "none"));
        assert_eq!(version(&format!("{old}{new}")), "hybrid");
        let names: Vec<&str> = old_controllers("4:memory:/a\n3:cpu,cpuacct:/b\n0::/\n").collect();
        assert_eq!(names, ["memory", "cpu", "cpuacct", ""]);
    }

    #[test]
    fn the_smallest_quota_above_counts() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let at = |path: &str| folder.path().join(path);
        write_atomic(&at("cpu.max"), b"max 100000\n").expect("written");
        write_atomic(&at("outer/cpu.max"), b"50000 100000\n").expect("written");
        write_atomic(&at("outer/inner/cpu.max"), b"200000 100000\n").expect("written");
        let mounts = format!("30 23 0:26 / {} rw,nosuid - cgroup2 cgroup2 rw\n", folder.path().display());
        let group = locate("0::/outer/inner\n", &mounts).expect("found");
        assert_eq!(group.path, at("outer/inner"));
        assert_eq!(group.cpus(), Some(0.5));
        let elsewhere = locate("0::/not/visible\n", &mounts).expect("the mount itself");
        assert_eq!(elsewhere.cpus(), Some(f64::INFINITY));
    }

    #[test]
    fn the_old_hierarchy_with_the_controller_wins_over_the_empty_new_one() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        write_atomic(&folder.path().join("docker/cpu.cfs_quota_us"), b"25000\n").expect("written");
        write_atomic(&folder.path().join("docker/cpu.cfs_period_us"), b"100000\n").expect("written");
        let mounts = format!(
            "32 31 0:29 / {} rw - cgroup cgroup rw,cpu,cpuacct\n33 31 0:30 / /v2 rw - cgroup2 cgroup2 rw\n",
            folder.path().display()
        );
        let group = locate("4:memory:/a\n3:cpu,cpuacct:/docker\n0::/\n", &mounts).expect("found");
        assert_eq!(group.cpus(), Some(0.25));
        assert!(locate("", &mounts).is_none());
    }
}
