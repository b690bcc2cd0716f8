//! The kernels of `sampled.cu` compiled for the host: for tests.

use std::cell::Cell;
use std::ffi::{CString, c_char, c_int, c_uint, c_void};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Accelerator, Argument, Kernel, Warning, Word};
use crate::error::{Error, Result};

unsafe extern "C" {
    fn sparsewidth_run_kernel(name: *const c_char, x: c_uint, y: c_uint, arguments: *mut *mut c_void) -> c_int;
}

/// The host as a device.
pub struct Host {
    /// The free memory that it tells of, in bytes.
    pub free: usize,
    /// The memory that it has.
    memory: usize,
    taken: Arc<AtomicUsize>,
    peak: AtomicUsize,
}

impl Host {
    pub fn new(free: usize, memory: usize) -> Self {
        Self { free, memory, taken: Arc::default(), peak: AtomicUsize::new(0) }
    }

    /// The most bytes that were taken at a time.
    pub fn peak(&self) -> usize {
        self.peak.load(Ordering::Relaxed)
    }
}

/// An array that counts as taken while it lives.
pub struct Buffer<T> {
    cells: Box<[Cell<T>]>,
    taken: Arc<AtomicUsize>,
}

impl<T> Drop for Buffer<T> {
    fn drop(&mut self) {
        self.taken.fetch_sub(size_of_val(&*self.cells), Ordering::Relaxed);
    }
}

impl Accelerator for Host {
    type Buffer<T: Word> = Buffer<T>;

    fn free_memory(&self) -> Result<usize> {
        Ok(self.free)
    }

    fn give_back(&self) -> Result<()> {
        Ok(())
    }

    fn zeros<T: Word>(&self, length: usize) -> Result<Buffer<T>, Warning> {
        self.upload(&vec![T::default(); length])
    }

    fn upload<T: Word>(&self, values: &[T]) -> Result<Buffer<T>, Warning> {
        let bytes = size_of_val(values);
        let taken = self.taken.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let buffer = Buffer { cells: values.iter().copied().map(Cell::new).collect(), taken: self.taken.clone() };
        if taken > self.memory {
            return Err(Warning::Memory);
        }
        self.peak.fetch_max(taken, Ordering::Relaxed);
        Ok(buffer)
    }

    fn download<T: Word>(&self, buffer: &Buffer<T>) -> Result<Vec<T>, Warning> {
        Ok(buffer.cells.iter().map(Cell::get).collect())
    }

    unsafe fn launch(
        &self,
        kernel: Kernel,
        blocks: (usize, usize),
        arguments: &[Argument<Self>],
    ) -> Result<(), Warning> {
        // Every argument, pointers included, in eight bytes of its own.
        let mut words: Vec<u64> = arguments
            .iter()
            .map(|argument| match argument {
                Argument::U32(value) => u64::from(*value),
                Argument::U64(value) => *value,
                Argument::F32(value) => u64::from(value.to_bits()),
                Argument::F64(value) => value.to_bits(),
                Argument::U32s(buffer) => buffer.cells.as_ptr() as u64,
                Argument::U64s(buffer) => buffer.cells.as_ptr() as u64,
                Argument::F32s(buffer) => buffer.cells.as_ptr() as u64,
                Argument::F64s(buffer) => buffer.cells.as_ptr() as u64,
            })
            .collect();
        let mut pointers: Vec<*mut c_void> = words.iter_mut().map(|word| std::ptr::from_mut(word).cast()).collect();
        let name = CString::new(kernel.name()).map_err(|error| Error::failure("naming a kernel", error))?;
        // SAFETY: the arguments are the kernel's, as the caller promises, on a little-endian host; buffers are cells.
        let ran = unsafe {
            sparsewidth_run_kernel(name.as_ptr(), blocks.0 as c_uint, blocks.1 as c_uint, pointers.as_mut_ptr())
        };
        match ran {
            1 => Ok(()),
            _ => Err(Error::failure("running a kernel", format!("there is no {kernel:?}")).into()),
        }
    }
}
