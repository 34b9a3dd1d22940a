//! All visible processes at two moments, and how much processor time each used in between.
//!
//! In a container with process numbers of its own, only the processes of the container are visible.

use std::collections::BTreeMap;
use std::fs;
use std::time::Instant;

/// The processes at one moment.
#[derive(Debug, Clone)]
pub struct Census {
    at: Instant,
    processes: BTreeMap<i32, Account>,
}

/// A process that used processors between two moments.
#[derive(Debug, Clone, PartialEq)]
pub struct Busy {
    /// Its process id.
    pub pid: i32,
    /// Its name, as the kernel keeps it (at most 15 bytes).
    pub name: String,
    /// Processor time over wall time: 1 is one processor. Children that ended meanwhile are counted.
    pub share: f64,
}

/// What the kernel has counted for one process. Times are clock ticks.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Account {
    name: String,
    parent: i32,
    started: u64,
    own: u64,
    /// Of children it has waited for.
    children: u64,
}

impl Census {
    /// Looks at all processes now; takes about 20 µs for each.
    pub fn now() -> Self {
        let account =
            |pid: i32| Some((pid, account(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?));
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        Self { at: Instant::now(), processes: pids.filter_map(account).collect() }
    }

    /// Who used processors since `earlier`, the busiest first. This process is not among them.
    pub fn busy_since(&self, earlier: &Self) -> Vec<Busy> {
        let own = i32::try_from(std::process::id()).unwrap_or_default();
        let seconds = self.at.saturating_duration_since(earlier.at).as_secs_f64();
        let ticks = rustix::param::clock_ticks_per_second() as f64 * seconds;
        let gone = earlier.of_those_gone(self);
        let mut busy: Vec<Busy> = self
            .processes
            .iter()
            .filter(|(pid, _)| **pid != own)
            .map(|(pid, now)| {
                let before = earlier.same(*pid, now);
                let used = now.own.saturating_sub(before.map_or(0, |before| before.own));
                let inherited = now.children.saturating_sub(before.map_or(0, |before| before.children));
                // A child that ended hands over all it ever used.
                let old = gone.get(pid).copied().unwrap_or_default();
                let share = (used + inherited.saturating_sub(old)) as f64 / ticks;
                Busy { pid: *pid, name: now.name.clone(), share }
            })
            .filter(|busy| busy.share.is_finite() && busy.share > 0.0)
            .collect();
        busy.sort_by(|a, b| b.share.total_cmp(&a.share).then(a.pid.cmp(&b.pid)));
        busy
    }

    /// The same process at this moment, unless its number belonged to another one.
    fn same(&self, pid: i32, account: &Account) -> Option<&Account> {
        self.processes.get(&pid).filter(|before| before.started == account.started)
    }

    /// What processes that are gone `later` had used up to this moment, by the nearest ancestor that is
    /// left: it inherits what they used in all.
    fn of_those_gone(&self, later: &Self) -> BTreeMap<i32, u64> {
        let mut used = BTreeMap::new();
        for (pid, account) in &self.processes {
            if later.same(*pid, account).is_none() {
                let mut heir = account.parent;
                while let Some(next) = self.processes.get(&heir)
                    && later.same(heir, next).is_none()
                {
                    heir = next.parent;
                }
                *used.entry(heir).or_default() += account.own + account.children;
            }
        }
        used
    }
}

/// `/proc/<pid>/stat`: number, name in parentheses, state, parent, …
fn account(stat: &str) -> Option<Account> {
    let (before, behind) = stat.rsplit_once(')')?;
    let (_, name) = before.split_once('(')?;
    let fields: Vec<&str> = behind.split_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    Some(Account {
        // Whoever names a process must not write to our terminal.
        name: name.chars().map(|c| if c.is_control() { '?' } else { c }).collect(),
        parent: fields.get(1)?.parse().ok()?,
        started: number(19)?,
        own: number(11)? + number(12)?,
        // Signed in the kernel's table, and never negative in fact.
        children: number(13).unwrap_or_default() + number(14).unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn stat(name: &str, parent: i32, own: u64, children: u64, started: u64) -> Account {
        let text = format!(
            "7 ({name}) S {parent} 7 7 0 -1 4194560 1 1 0 0 {own} 0 {children} 0 20 0 1 0 {started} 1 1 1"
        );
        account(&text).expect("readable")
    }

    fn census(seconds: u64, processes: &[(i32, Account)]) -> Census {
        static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
        let start = *START.get_or_init(Instant::now);
        Census { at: start + Duration::from_secs(seconds), processes: processes.iter().cloned().collect() }
    }

    fn hundred() -> u64 {
        rustix::param::clock_ticks_per_second()
    }

    #[test]
    fn names_may_hold_anything() {
        assert_eq!(stat("a) (b\u{1b}", 1, 0, 0, 5).name, "a) (b?");
        assert!(account("").is_none() && account("7 (x) S").is_none());
    }

    #[test]
    fn the_busiest_come_first_and_old_time_does_not_count() {
        let before = census(0, &[(2, stat("idle", 1, 500, 0, 5)), (3, stat("old", 1, 900, 0, 5))]);
        let after = census(
            1,
            &[
                (2, stat("idle", 1, 500, 0, 5)),
                (3, stat("old", 1, 900 + hundred() / 2, 0, 5)),
                (4, stat("new", 1, hundred(), 0, 9)),
            ],
        );
        let named: Vec<(i32, f64)> =
            after.busy_since(&before).into_iter().map(|busy| (busy.pid, busy.share)).collect();
        assert_eq!(named, [(4, 1.0), (3, 0.5)]);
    }

    #[test]
    fn children_that_ended_count_for_their_parent_with_what_they_used_meanwhile() {
        let before = census(0, &[(2, stat("make", 1, 0, 50, 5)), (3, stat("cc", 2, 70, 0, 6))]);
        let after = census(1, &[(2, stat("make", 1, 0, 50 + 70 + hundred() / 4, 5))]);
        let busy = after.busy_since(&before);
        assert!(
            matches!(busy.as_slice(), [one] if one.name == "make" && (one.share - 0.25).abs() < 1e-9),
            "{busy:?}"
        );
    }

    #[test]
    fn a_number_that_was_used_again_is_another_process() {
        let before = census(0, &[(2, stat("first", 1, 900, 0, 5))]);
        let after = census(1, &[(2, stat("second", 1, hundred(), 0, 77))]);
        let busy = after.busy_since(&before);
        assert!(
            matches!(busy.as_slice(), [one] if one.name == "second" && (one.share - 1.0).abs() < 1e-9),
            "{busy:?}"
        );
    }

    #[test]
    fn this_process_is_seen_and_never_blamed() {
        let before = Census::now();
        let own = i32::try_from(std::process::id()).expect("a small pid");
        assert!(before.processes.contains_key(&own));
        let started = Instant::now();
        while started.elapsed() < Duration::from_millis(50) {
            std::hint::spin_loop();
        }
        assert!(Census::now().busy_since(&before).iter().all(|busy| busy.pid != own));
    }
}
