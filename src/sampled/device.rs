//! The device that computes kernels over all pairs.

use crate::error::Result;
#[cfg(not(feature = "cuda"))]
use crate::error::{Error, Setting};

/// A device, ready for use.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Device {
    /// The processor, on all threads of the pool.
    Cpu {
        /// The memory that a sweep may take in addition to its inputs, in bytes; results do not depend on it.
        memory: usize,
    },
    /// NVIDIA GPUs, which share the initialisations among them.
    #[cfg(feature = "cuda")]
    Cuda(Vec<super::Cuda>),
}

impl Device {
    /// The processor, within one gigabyte.
    pub const CPU: Self = Self::Cpu { memory: 1 << 30 };

    /// All NVIDIA GPUs of this machine, see [`Cuda::all`](super::Cuda::all).
    ///
    /// # Errors
    /// Where there is none that can be used; the message says why.
    #[cfg(feature = "cuda")]
    pub fn cuda() -> Result<Self> {
        super::Cuda::all().map(Self::Cuda)
    }

    /// All NVIDIA GPUs of this machine.
    ///
    /// # Errors
    /// Always: this library was built without the feature `cuda`.
    #[cfg(not(feature = "cuda"))]
    pub fn cuda() -> Result<Self> {
        let problem = "this library was built without the feature cuda";
        Err(Error::value("device", "cuda", problem, "build it with its default features, or compute on the CPU")
            .about(Setting::Device))
    }

    /// Its name in records: `cpu`, or `cuda:` and the GPUs.
    pub fn name(&self) -> String {
        match self {
            Self::Cpu { .. } => "cpu".into(),
            #[cfg(feature = "cuda")]
            Self::Cuda(devices) => {
                let names: Vec<&str> = devices.iter().map(super::Cuda::name).collect();
                format!("cuda:{}", names.join(","))
            }
        }
    }
}
