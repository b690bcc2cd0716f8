//! Sweeps on GPUs: what a device can do, and how several share the work. The kernels are in `kernels/sampled.cu`.

mod backend;
#[cfg(feature = "cuda")]
pub mod cuda;
#[cfg(all(test, feature = "host-kernels"))]
mod host;
#[cfg(feature = "cuda")]
mod libraries;
#[cfg(test)]
mod tests;

use backend::{CHUNK, OnDevice, TILE, costs};

use super::layout::{Chunks, Layout};
use super::sweep::{Draw, Sums};
use super::tiles::TiledInputs;
use crate::error::{Error, Result, Setting};
use crate::kernel::ntk::Tangent;

/// The share of free memory that a sweep takes, in tenths.
const SHARE: usize = 8;

/// A kernel of `sampled.cu`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernel {
    CountWeights,
    DrawWeights,
    DrawDense,
    SparseFeatures,
    DenseFeatures,
    TangentFeatures,
    Limits,
    SquaredDistances,
}

impl Kernel {
    pub const ALL: [Self; 8] = [
        Self::CountWeights,
        Self::DrawWeights,
        Self::DrawDense,
        Self::SparseFeatures,
        Self::DenseFeatures,
        Self::TangentFeatures,
        Self::Limits,
        Self::SquaredDistances,
    ];

    /// Its name in the source.
    pub fn name(self) -> &'static str {
        match self {
            Self::CountWeights => "count_weights",
            Self::DrawWeights => "draw_weights",
            Self::DrawDense => "draw_dense",
            Self::SparseFeatures => "sparse_features",
            Self::DenseFeatures => "dense_features",
            Self::TangentFeatures => "tangent_features",
            Self::Limits => "limits",
            Self::SquaredDistances => "squared_distances",
        }
    }
}

/// What can go wrong on a device.
#[derive(Debug)]
#[non_exhaustive]
pub enum Warning {
    /// Its memory does not suffice for an allocation.
    Memory,
    /// Anything else.
    Other(Error),
}

impl From<Error> for Warning {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

/// A number as stored on a device.
#[cfg(feature = "cuda")]
pub trait Word: Copy + Default + cudarc::driver::DeviceRepr + cudarc::driver::ValidAsZeroBits {}
/// A number as stored on a device.
#[cfg(not(feature = "cuda"))]
pub trait Word: Copy + Default {}

impl Word for u32 {}
impl Word for u64 {}
impl Word for f32 {}
impl Word for f64 {}

/// A device that runs the kernels of `sampled.cu`, one after the other.
pub trait Accelerator: Sync {
    /// An array in its memory.
    type Buffer<T: Word>;

    /// Free memory in bytes.
    fn free_memory(&self) -> Result<usize>;

    /// Returns memory that is not in use to other programs.
    fn give_back(&self) -> Result<()>;

    /// An array of zeros.
    fn zeros<T: Word>(&self, length: usize) -> Result<Self::Buffer<T>, Warning>;

    fn upload<T: Word>(&self, values: &[T]) -> Result<Self::Buffer<T>, Warning>;

    fn download<T: Word>(&self, buffer: &Self::Buffer<T>) -> Result<Vec<T>, Warning>;

    /// Runs a kernel on a grid of blocks.
    ///
    /// # Safety
    /// The arguments are those of the kernel, in number, order and kind, and its blocks stay within their buffers.
    unsafe fn launch(
        &self,
        kernel: Kernel,
        blocks: (usize, usize),
        arguments: &[Argument<Self>],
    ) -> Result<(), Warning>;
}

/// An argument of a kernel.
pub enum Argument<'a, A: Accelerator + ?Sized> {
    U32(u32),
    U64(u64),
    F32(f32),
    F64(f64),
    U32s(&'a A::Buffer<u32>),
    U64s(&'a A::Buffer<u64>),
    F32s(&'a A::Buffer<f32>),
    F64s(&'a A::Buffer<f64>),
}

fn layout(inputs: &TiledInputs, tangent: Option<Tangent>, draws: &[Draw], memory: usize) -> Result<Layout> {
    let tiles = inputs.samples().div_ceil(TILE);
    let chunks: Vec<Chunks> = draws.iter().map(|draw| Chunks::of(&draw.law, tangent, CHUNK)).collect();
    Layout::new(tiles, &chunks, costs(inputs.samples(), inputs.dimension(), tangent, draws), memory).map_err(|needed| {
        let problem =
            format!("has {} MB to spare, the sweep takes at least {} MB", memory >> 20, needed.div_ceil(1 << 20));
        Error::value("device", "cuda", problem, "free some, give fewer initialisations, or compute on the CPU")
            .about(Setting::Device)
    })
}

/// The draws of device number `device`: the `devices` devices take turns.
fn share(draws: &[Draw], devices: usize, device: usize) -> Vec<Draw> {
    draws.iter().skip(device).step_by(devices).copied().collect()
}

/// The memory that a sweep takes on the device that takes most, in bytes.
pub fn bytes<A: Accelerator>(
    devices: &[A],
    inputs: &TiledInputs,
    tangent: Option<Tangent>,
    draws: &[Draw],
) -> Result<usize> {
    let devices = &devices[..devices.len().min(draws.len())];
    let mut most = 0;
    for (index, device) in devices.iter().enumerate() {
        let memory = device.free_memory()? / 10 * SHARE;
        most = most.max(layout(inputs, tangent, &share(draws, devices.len(), index), memory)?.bytes);
    }
    Ok(most)
}

/// The sums over all pairs, by draw, of NNGP kernels, or of tangent kernels of a convention: each device takes its
/// share of the draws, in tiles that fit into its memory.
pub fn total<A: Accelerator>(
    devices: &[A],
    inputs: &TiledInputs,
    tangent: Option<Tangent>,
    draws: &[Draw],
    progress: &(dyn Fn(f64) + Sync),
) -> Result<Vec<Sums>> {
    // No device is left without a draw.
    let devices = &devices[..devices.len().min(draws.len())];
    let shares: Vec<Vec<Draw>> = (0..devices.len()).map(|index| share(draws, devices.len(), index)).collect();
    // Progress is that of the first device; the others have as much to do.
    let quiet = |_| {};
    let parts: Vec<Result<Vec<Sums>>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (devices.iter().zip(&shares).enumerate())
            .map(|(index, (device, draws))| {
                let progress: &(dyn Fn(f64) + Sync) = if index == 0 { progress } else { &quiet };
                scope.spawn(move || on_one(device, inputs, tangent, draws, progress))
            })
            .collect();
        let again = |panic| std::panic::resume_unwind(panic);
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(again)).collect()
    });
    let parts = parts.into_iter().collect::<Result<Vec<_>>>()?;
    let of = |draw: usize| parts[draw % parts.len()][draw / parts.len()];
    Ok((0..draws.len()).map(of).collect())
}

/// The sums on one device; in smaller pieces, and from the beginning, where its memory turns out not to suffice.
fn on_one<A: Accelerator>(
    device: &A,
    inputs: &TiledInputs,
    tangent: Option<Tangent>,
    draws: &[Draw],
    progress: &(dyn Fn(f64) + Sync),
) -> Result<Vec<Sums>> {
    let mut memory = device.free_memory()? / 10 * SHARE;
    let found = loop {
        let layout = layout(inputs, tangent, draws, memory)?;
        let found = OnDevice::new(device, inputs, tangent)
            .and_then(|on_device| super::sweep::total(&on_device, &layout, draws, progress));
        match found {
            Ok(sums) => break Ok(sums),
            Err(Warning::Memory) => memory = (memory / 2).min(device.free_memory()? / 10 * SHARE),
            Err(Warning::Other(error)) => break Err(error),
        }
    };
    // Where both fail, the first error is reported.
    let given_back = device.give_back();
    let sums = found?;
    given_back?;
    Ok(sums)
}
