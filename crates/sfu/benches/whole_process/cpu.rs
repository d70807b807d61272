//! CPU time of a thread of this process, from Linux's /proc.

use std::fs;
use std::io;
use std::path::PathBuf;

/// A thread of this process.
pub(crate) struct Thread {
    folder: PathBuf,
}

/// CPU times since the thread's start.
#[derive(Clone, Copy)]
pub(crate) struct Times {
    /// Nanoseconds on a CPU.
    total: u64,
    /// Clock ticks, only good for the proportion.
    user_ticks: u64,
    system_ticks: u64,
}

/// CPU nanoseconds per packet.
#[derive(Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) user: f64,
    pub(crate) system: f64,
}

impl Thread {
    /// The newest thread of this name.
    pub(crate) fn named(name: &str) -> io::Result<Self> {
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc/self/task")? {
            let folder = entry?.path();
            if fs::read_to_string(folder.join("comm")).is_ok_and(|comm| comm.trim() == name) {
                found.push(folder);
            }
        }
        found.sort_by_key(|folder| folder.file_name().and_then(|id| id.to_str()).and_then(|id| id.parse::<u32>().ok()));
        let folder = found.pop().ok_or_else(|| io::Error::other(format!("no thread is called {name}")))?;
        Ok(Self { folder })
    }

    pub(crate) fn times(&self) -> io::Result<Times> {
        let unreadable = || io::Error::other("/proc says nothing of the thread's times");
        let number = |text: Option<&str>| text.and_then(|text| text.parse::<u64>().ok()).ok_or_else(unreadable);
        let schedstat = fs::read_to_string(self.folder.join("schedstat"))?;
        let stat = fs::read_to_string(self.folder.join("stat"))?;
        // The fields after the name, which may hold spaces; utime and stime are the 14th and 15th of all.
        let mut fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11);
        Ok(Times {
            total: number(schedstat.split_whitespace().next())?,
            user_ticks: number(fields.next())?,
            system_ticks: number(fields.next())?,
        })
    }
}

impl Cost {
    pub(crate) fn between(before: &Times, after: &Times, packets: u64) -> Self {
        let total = (after.total - before.total) as f64 / packets.max(1) as f64;
        let user = (after.user_ticks - before.user_ticks) as f64;
        let system = (after.system_ticks - before.system_ticks) as f64;
        let share = user / (user + system).max(1.0);
        Self { user: total * share, system: total * (1.0 - share) }
    }

    pub(crate) fn total(&self) -> f64 {
        self.user + self.system
    }
}
