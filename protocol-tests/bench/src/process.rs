//! What a process has used, as Linux tells it.

use std::fs;
use std::io;
use std::time::Duration;

use rustix::param::clock_ticks_per_second;
use rustix::process::{Pid, Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_setaffinity};

/// A running process.
#[derive(Debug, Clone, Copy)]
pub struct Process(pub u32);

impl Process {
    /// The time it has spent on a core, as user and in the kernel, with all its threads.
    pub fn cpu(self) -> io::Result<Cpu> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0))?;
        let ticks = ticks(&stat).ok_or_else(|| io::Error::other("no times in /proc/…/stat"))?;
        let mut running = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.0))? {
            // A thread that ends meanwhile, or a kernel without these figures.
            let figures = fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
            let nanoseconds = figures.split_ascii_whitespace().next();
            running += nanoseconds
                .and_then(|it| it.parse::<u64>().ok())
                .unwrap_or(0);
        }
        Ok(Cpu {
            coarse: Duration::from_nanos(ticks * 1_000_000_000 / clock_ticks_per_second()),
            fine: Duration::from_nanos(running),
        })
    }

    /// The bytes it has in memory.
    pub fn resident(self) -> io::Result<u64> {
        let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.0))?;
        resident(&rollup).ok_or_else(|| io::Error::other("no Rss in /proc/…/smaps_rollup"))
    }
}

/// What a process has used up to a moment, counted in two ways.
#[derive(Debug, Clone, Copy)]
pub struct Cpu {
    /// Of all threads that ever were, in ticks.
    coarse: Duration,
    /// To the nanosecond, of those threads that are still there.
    fine: Duration,
}

impl Cpu {
    /// What was used from an earlier moment on. The fine figure counts, unless threads that have ended are missing in it.
    pub fn since(self, earlier: Self) -> Duration {
        let coarse = self.coarse.saturating_sub(earlier.coarse);
        let fine = self.fine.saturating_sub(earlier.fine);
        let tick = Duration::from_secs(1) / u32::try_from(clock_ticks_per_second()).unwrap_or(100);
        if fine + 3 * tick < coarse {
            coarse
        } else {
            fine
        }
    }
}

/// Lets this thread, and what it starts from here on, run on these cores only.
pub fn pin(cores: &CpuSet) -> io::Result<()> {
    sched_setaffinity(None::<Pid>, cores).map_err(|error| {
        let names: Vec<String> = numbers(cores).map(|core| core.to_string()).collect();
        io::Error::new(error.kind(), format!("cores {}: {error}", names.join("+")))
    })
}

/// The numbers of the cores.
pub fn numbers(cores: &CpuSet) -> impl Iterator<Item = usize> {
    (0..CpuSet::MAX_CPU).filter(|core| cores.is_set(*core))
}

/// Lets this process, and what it starts, open as many files as it is allowed to; says how many that are.
pub fn raise_file_limit() -> io::Result<u64> {
    let limit = getrlimit(Resource::Nofile);
    let current = limit.maximum;
    setrlimit(Resource::Nofile, Rlimit { current, ..limit })?;
    Ok(current.unwrap_or(u64::MAX))
}

/// The fields utime and stime; the name before them may have spaces and brackets in it.
fn ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

fn resident(rollup: &str) -> Option<u64> {
    let line = rollup.lines().find_map(|line| line.strip_prefix("Rss:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_a_name_with_brackets() {
        let stat = "12 (a) b) S 1 1 1 0 -1 4194560 1 2 3 4 250 17 0 0 20 0 5 0 9";
        assert_eq!(ticks(stat), Some(267));
        assert_eq!(ticks("12 (a) S 1"), None);
    }

    #[test]
    fn resident_memory_is_in_bytes() {
        let rollup =
            "5581-7ffd ---p 00000000 00:00 0 [rollup]\nRss:                1234 kB\nPss: 1 kB\n";
        assert_eq!(resident(rollup), Some(1_263_616));
        assert_eq!(resident("Pss: 1 kB\n"), None);
    }

    #[test]
    fn the_fine_figure_counts_unless_threads_are_missing_in_it() {
        let cpu = |coarse, fine| Cpu {
            coarse: Duration::from_millis(coarse),
            fine: Duration::from_micros(fine),
        };
        let earlier = cpu(1_000, 999_000);
        assert_eq!(
            cpu(1_500, 1_502_345).since(earlier),
            Duration::from_micros(503_345)
        );
        assert_eq!(
            cpu(1_500, 400_000).since(earlier),
            Duration::from_millis(500)
        );
    }

    #[test]
    fn this_process_can_be_measured() {
        let this = Process(std::process::id());
        assert!(this.resident().expect("a figure") > 0);
        this.cpu().expect("a figure");
    }
}
