//! Work shared out among threads, with the same answer for any number of them, and a way to stop it.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::error::{Error, Result};

/// A way to stop work that runs in a thread pool of its own: for programs that must answer an interrupt.
///
/// The work fails at its next item, epoch or tile, usually within a second; one large decomposition is not divided.
///
/// ```
/// use rayon::prelude::*;
/// use sparsewidth::numeric::parallel::{Interrupt, try_map};
/// let interrupt = Interrupt::default();
/// let pool = interrupt.pool(Some(2))?;
/// let work = || try_map((0..4).into_par_iter(), |item| Ok(2 * item));
/// assert_eq!(pool.install(work)?, [0, 2, 4, 6]);
/// interrupt.request();
/// assert!(pool.install(work).unwrap_err().to_string().contains("interrupted"));
/// # Ok::<(), sparsewidth::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<AtomicBool>);

thread_local! {
    /// The interrupt that the work of this thread heeds.
    static HEEDED: RefCell<Option<Interrupt>> = const { RefCell::new(None) };
}

impl Interrupt {
    /// Asks the work to stop.
    pub fn request(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was asked to.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// A pool whose work heeds it; of one thread per core unless a number is given.
    ///
    /// # Errors
    /// Where the system starts no more threads.
    pub fn pool(&self, threads: Option<usize>) -> Result<ThreadPool> {
        let heeded = self.clone();
        ThreadPoolBuilder::new()
            // 0 is rayon's word for its default, one per core.
            .num_threads(threads.unwrap_or(0))
            .start_handler(move |_| HEEDED.set(Some(heeded.clone())))
            .build()
            .map_err(|error| Error::failure("starting threads", error))
    }
}

/// Fails where the work of this thread was asked to stop, see [`Interrupt`].
///
/// # Errors
/// Where it was.
pub(crate) fn check_interrupt() -> Result<()> {
    match HEEDED.with_borrow(|heeded| heeded.as_ref().is_some_and(Interrupt::is_requested)) {
        true => Err(Error::failure("the computation", "it was interrupted")),
        false => Ok(()),
    }
}

/// What `of` makes of each item, in the order of the items, or the error of the first item that fails, whichever thread
/// meets an error first. Items after a failed one are skipped if they have not begun.
///
/// (Rayon's own `collect` into a `Result` keeps whichever error it meets first, which differs from run to run.)
///
/// # Errors
/// Where `of` fails.
///
/// ```
/// use rayon::prelude::*;
/// use sparsewidth::{Error, numeric::parallel::try_map};
///
/// let root = |x: &f64| match *x < 0.0 {
///     true => Err(Error::value("x", x, "has no real root", "give a number of 0 or more")),
///     false => Ok(x.sqrt()),
/// };
/// assert_eq!(try_map([4.0, 9.0].par_iter(), root)?, [2.0, 3.0]);
/// let failed = try_map([4.0, -1.0, -9.0].par_iter(), root).unwrap_err();
/// assert_eq!(failed.to_string(), root(&-1.0).unwrap_err().to_string());
/// # Ok::<(), Error>(())
/// ```
pub fn try_map<I, T: Send>(
    items: impl IndexedParallelIterator<Item = I>,
    of: impl Fn(I) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let first_failed = AtomicUsize::new(usize::MAX);
    let found: Vec<Option<Result<T>>> = items
        .enumerate()
        .map(|(index, item)| {
            (index < first_failed.load(Ordering::Relaxed)).then(|| {
                check_interrupt().and_then(|()| of(item)).inspect_err(|_| {
                    first_failed.fetch_min(index, Ordering::Relaxed);
                })
            })
        })
        .collect();
    // Collecting ends at the first error.
    found.into_iter().map(|of_item| of_item.expect("an item is left out only after one that failed")).collect()
}

/// The same for a few long items, the longest first by their `cost`: each thread takes the next when it has done one,
/// so that all are busy nearly to the end. The answer is that of [`try_map`].
///
/// # Errors
/// Where `of` fails.
///
/// ```
/// use sparsewidth::numeric::parallel::try_map_longest_first;
/// assert_eq!(try_map_longest_first(&[3, 1, 2], |item| *item, |item| Ok(10 * item))?, [30, 10, 20]);
/// # Ok::<(), sparsewidth::Error>(())
/// ```
pub fn try_map_longest_first<I: Sync, T: Send>(
    items: &[I],
    cost: impl Fn(&I) -> u64,
    of: impl Fn(&I) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let mut order: Vec<usize> = (0..items.len()).collect();
    // Of equal cost, in their order.
    order.sort_by_key(|place| std::cmp::Reverse(cost(&items[*place])));
    let (next, first_failed) = (AtomicUsize::new(0), AtomicUsize::new(usize::MAX));
    let found: Vec<Mutex<Option<Result<T>>>> = items.iter().map(|_| Mutex::new(None)).collect();
    rayon::scope(|scope| {
        for _ in 0..rayon::current_num_threads().min(items.len()) {
            scope.spawn(|_| {
                while let Some(&place) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if place < first_failed.load(Ordering::Relaxed) {
                        let one = check_interrupt().and_then(|()| of(&items[place]));
                        if one.is_err() {
                            first_failed.fetch_min(place, Ordering::Relaxed);
                        }
                        *found[place].lock().unwrap_or_else(PoisonError::into_inner) = Some(one);
                    }
                }
            });
        }
    });
    // Collecting ends at the first error.
    let taken = |of_item: Mutex<Option<Result<T>>>| of_item.into_inner().unwrap_or_else(PoisonError::into_inner);
    let found = found.into_iter().map(taken);
    found.map(|of_item| of_item.expect("an item is left out only after one that failed")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn the_first_item_that_fails_is_named_by_any_number_of_threads() {
        let of = |item: usize| match item {
            // The later ones fail sooner.
            7 | 11 | 900 => {
                std::thread::sleep(std::time::Duration::from_micros(2000 - 2 * item as u64));
                Err(Error::value("item", item, "fails", "give another"))
            }
            item => Ok(item),
        };
        for threads in [1, 2, 8] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            for _ in 0..20 {
                let failed = pool.install(|| try_map((0..1000usize).into_par_iter(), of)).unwrap_err();
                assert_eq!(failed.to_string(), of(7).unwrap_err().to_string());
            }
            let all = pool.install(|| try_map((100..200usize).into_par_iter(), of)).unwrap();
            assert_eq!(all, (100..200).collect::<Vec<_>>());
            let items: Vec<usize> = (0..100).collect();
            let failed =
                pool.install(|| try_map_longest_first(&items, |item| 50 - *item as u64 % 50, |item| of(*item)));
            assert_eq!(failed.unwrap_err().to_string(), of(7).unwrap_err().to_string());
            let items: Vec<usize> = (100..200).collect();
            let all = pool.install(|| try_map_longest_first(&items, |item| *item as u64 % 7, |item| of(*item)));
            assert_eq!(all.unwrap(), items);
        }
    }
}
