//! Progress in lines, where there is no terminal for a bar: in the log of a job.

use std::io::Write;
use std::time::Duration;

use indicatif::ProgressBar;

/// The least time between two lines.
const LEAST_TIME: Duration = Duration::from_secs(60);
/// The least progress between them.
const LEAST_SHARE: f64 = 0.1;

/// When a line is due: once a tenth is done and a minute has passed since the line before, whichever is later.
#[derive(Default)]
struct Lines {
    at: Duration,
    share: f64,
}

impl Lines {
    /// The line that is due at a time, with a share done, where one is.
    fn line(&mut self, elapsed: Duration, share: f64, task: &str) -> Option<String> {
        // A tenth that rounding leaves just short of one is one.
        if elapsed < self.at + LEAST_TIME || share < self.share + LEAST_SHARE - 1e-9 || share >= 1.0 {
            return None;
        }
        (self.at, self.share) = (elapsed, share);
        let left = elapsed.mul_f64((1.0 - share) / share);
        let task = if task.is_empty() { String::new() } else { format!("  {task}") };
        Some(format!(
            "{:3.0} %  {} elapsed, about {} remaining{task}",
            100.0 * share,
            in_words(elapsed),
            in_words(left)
        ))
    }
}

/// A time in its two largest units.
pub fn in_words(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0, seconds) => format!("{seconds} s"),
        (0, 0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (0, hours, minutes, _) => format!("{hours} h {minutes} min"),
        (days, hours, ..) => format!("{days} d {hours} h"),
    }
}

/// Writes lines of a bar's progress to standard error until it is finished or gone.
pub fn follow(bar: &ProgressBar) {
    let bar = bar.downgrade();
    std::thread::spawn(move || {
        let mut lines = Lines::default();
        while let Some(bar) = bar.upgrade().filter(|bar| !bar.is_finished()) {
            if let Some(length) = bar.length().filter(|length| *length > 0) {
                let share = bar.position() as f64 / length as f64;
                if let Some(line) = lines.line(bar.elapsed(), share, &bar.message()) {
                    // A standard error that is closed takes no complaint about itself.
                    let _ = writeln!(std::io::stderr(), "{line}");
                }
            }
            drop(bar);
            std::thread::sleep(Duration::from_secs(1));
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_due_each_tenth_or_minute_whichever_is_later() {
        let times = |whole: u64| {
            let mut lines = Lines::default();
            let of = |second: u64| (second, second as f64 / whole as f64);
            let due = (0..=whole)
                .map(of)
                .filter(|(second, share)| lines.line(Duration::from_secs(*second), *share, "").is_some());
            due.map(|(second, _)| second).collect::<Vec<_>>()
        };
        // Half a minute: none. Five minutes: by minutes. Fifty: by tenths.
        assert_eq!(times(30), [0; 0]);
        assert_eq!(times(300), [60, 120, 180, 240]);
        assert_eq!(times(3000), (1..10).map(|tenth| 300 * tenth).collect::<Vec<_>>());
        let line = Lines::default().line(Duration::from_secs(7500), 0.25, "training/x/0").unwrap();
        assert_eq!(line, " 25 %  2 h 5 min elapsed, about 6 h 15 min remaining  training/x/0");
        assert_eq!(
            [59, 61, 90_000].map(|seconds| in_words(Duration::from_secs(seconds))),
            ["59 s", "1 min 1 s", "1 d 1 h"]
        );
    }
}
