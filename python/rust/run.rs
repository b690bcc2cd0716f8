//! Work beside Python: on separate threads, so that Python can react to Ctrl-C and show progress.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use sparsewidth::Result;
use sparsewidth::numeric::parallel::Interrupt;
use sparsewidth::study::Progress;
use sparsewidth::study::request::Caller;

use crate::errors::{raised, wrong_value};
use crate::options::Options;

/// How often Python is asked whether it was interrupted.
const TICK: Duration = Duration::from_millis(50);
/// How long interrupted work may take to stop before the call returns without it.
const PATIENCE: Duration = Duration::from_millis(600);
/// The most threads that may be asked for.
const MOST_THREADS: usize = 4_096;
/// The most threads per core: more only wait for each other.
const THREADS_PER_CORE: usize = 4;

/// How far the work is, as it says so itself.
#[derive(Default)]
pub struct Monitor {
    done: AtomicU64,
    all: AtomicU64,
}

impl Monitor {
    /// A share that is done.
    pub fn share(&self, share: f64) {
        self.all.store(1_000, Ordering::Relaxed);
        self.done.store((1_000.0 * share) as u64, Ordering::Relaxed);
    }

    /// What a study reports; remarks go to who asked for it.
    pub fn study(&self, progress: Progress<'_>, caller: &dyn Caller) {
        match progress {
            Progress::Begin { cost, .. } => self.all.store(cost, Ordering::Relaxed),
            Progress::Done { cost, .. } => {
                self.done.fetch_add(cost, Ordering::Relaxed);
            }
            Progress::Remark { text } => caller.note(text),
            // What a bar has no place for.
            _ => {}
        }
    }

    /// Counts one of `all` steps as done.
    pub fn step(&self, all: u64) {
        self.all.store(all, Ordering::Relaxed);
        self.done.fetch_add(1, Ordering::Relaxed);
    }
}

/// Where and how work runs.
#[derive(Default)]
pub struct Runner {
    threads: Option<usize>,
    /// Called with what is done and what is to do.
    progress: Option<Py<PyAny>>,
}

impl Runner {
    /// By the options `threads`, and a callback for progress.
    pub fn new(options: &mut Options, progress: Option<Py<PyAny>>) -> PyResult<Self> {
        let threads = options.maybe("threads")?;
        if let Some(number) = threads.filter(|number| !(1..=MOST_THREADS).contains(number)) {
            let problem = format!("must be from 1 to {MOST_THREADS}");
            return Err(wrong_value("threads", number, problem, "leave it out for one per core"));
        }
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = threads.map(|number| number.min(THREADS_PER_CORE * cores));
        Ok(Self { threads, progress })
    }

    /// Runs some work without holding Python's lock. The work owns what it uses, or keeps it alive: where Python is
    /// interrupted and the work does not stop soon, it goes on in the background until it ends.
    pub fn run<T: Send + 'static>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&Monitor) -> Result<T> + Send + 'static,
    ) -> PyResult<T> {
        let (interrupt, monitor) = (Interrupt::default(), Arc::new(Monitor::default()));
        let pool = interrupt.pool(self.threads).map_err(raised)?;
        let (send, mut receive) = channel();
        let of_work = Arc::clone(&monitor);
        pool.spawn(move || {
            // A panic is carried over to the caller. Nobody receives what comes after an interrupt.
            let _ = send.send(catch_unwind(AssertUnwindSafe(|| work(&of_work))));
        });
        let mut shown = (0, 0);
        let mut interrupted: Option<(PyErr, Instant)> = None;
        loop {
            let (back, received) = py.detach(move || {
                let received = receive.recv_timeout(TICK);
                (receive, received)
            });
            receive = back;
            if interrupted.is_none() {
                let heard = py.check_signals().and_then(|()| self.show(py, &monitor, &mut shown));
                if let Err(error) = heard {
                    interrupt.request();
                    interrupted = Some((error, Instant::now()));
                }
            }
            match (received, &mut interrupted) {
                (Ok(Err(panic)), _) => resume_unwind(panic),
                (Ok(Ok(found)), None) => return found.map_err(raised),
                (Err(RecvTimeoutError::Timeout), None) => {}
                (Err(RecvTimeoutError::Timeout), Some((_, since))) if since.elapsed() < PATIENCE => {}
                (_, Some((error, _))) => return Err(error.clone_ref(py)),
                (Err(RecvTimeoutError::Disconnected), None) => {
                    panic!("invariant: work sends what it finds, or its panic")
                }
            }
        }
    }

    /// Shows how far the work is.
    fn show(&self, py: Python<'_>, monitor: &Monitor, shown: &mut (u64, u64)) -> PyResult<()> {
        let Some(progress) = &self.progress else { return Ok(()) };
        let now = (monitor.done.load(Ordering::Relaxed), monitor.all.load(Ordering::Relaxed));
        if now != *shown && now.1 > 0 {
            *shown = now;
            progress.call1(py, now)?;
        }
        Ok(())
    }
}
