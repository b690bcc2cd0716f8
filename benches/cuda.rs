//! Kernels of drawn networks over all pairs on a GPU, against what the card attains: `cargo bench --bench cuda`.
//!
//! Attainable is the longer of two times: of the multiply-adds `n N (N + 1) / 2` at the rate of cuBLAS in single
//! precision, and of the bytes - the limits once, the features once written and read by every tile - at the rate of a
//! copy, both measured in the same run. The PyTorch program for the same card is
//! `benches/peers/sampled.py --device cuda`.
//!
//! Without a GPU it says so. No figures are given here yet: none has run it.

#[cfg(not(feature = "cuda"))]
fn main() {
    println!("built without the feature cuda");
}

#[cfg(feature = "cuda")]
fn main() -> sparsewidth::Result<()> {
    gpu::run()
}

#[cfg(feature = "cuda")]
mod gpu {
    use std::time::Instant;

    use cudarc::cublas::{CudaBlas, Gemm, GemmConfig, sys};
    use cudarc::driver::{CudaContext, CudaSlice};
    use sparsewidth::data::{DataSource, Normalisation};
    use sparsewidth::network::Connectivity;
    use sparsewidth::network::{LayerSpec, MaskFamily, WeightDistribution};
    use sparsewidth::sampled::{Device, SampledNetwork, Sweep, TiledInputs};
    use sparsewidth::{Error, Result};

    /// Inputs on a side of a tile of the kernels.
    const TILE: f64 = 128.0;

    /// The least of a few times, in seconds; the first run warms up.
    fn seconds(mut run: impl FnMut() -> Result<()>) -> Result<f64> {
        run()?;
        let mut least = f64::INFINITY;
        for _ in 0..3 {
            let start = Instant::now();
            run()?;
            least = least.min(start.elapsed().as_secs_f64());
        }
        Ok(least)
    }

    fn failed(error: impl ToString) -> Error {
        Error::failure("measuring the card", error)
    }

    /// Multiply-adds a second of cuBLAS in single precision without tensor cores, where it is installed.
    fn matrix_rate() -> Result<Option<f64>> {
        // SAFETY: loading the library runs its own initialisation only.
        if !unsafe { sys::is_culib_present() } {
            return Ok(None);
        }
        let size = 8192;
        let stream = CudaContext::new(0).map_err(failed)?.default_stream();
        let blas = CudaBlas::new(stream.clone()).map_err(failed)?;
        let zeros = || -> Result<CudaSlice<f32>> { stream.alloc_zeros((size * size) as usize).map_err(failed) };
        let (left, right, mut output) = (zeros()?, zeros()?, zeros()?);
        let operation = sys::cublasOperation_t::CUBLAS_OP_N;
        let shape = GemmConfig {
            transa: operation,
            transb: operation,
            m: size,
            n: size,
            k: size,
            alpha: 1.0,
            lda: size,
            ldb: size,
            beta: 0.0,
            ldc: size,
        };
        let once = seconds(|| {
            // SAFETY: three square matrices of that size.
            unsafe { blas.gemm(shape, &left, &right, &mut output) }.map_err(failed)?;
            stream.synchronize().map_err(failed)
        })?;
        Ok(Some(f64::from(size).powi(3) / once))
    }

    /// Bytes a second of a copy on the card, read and written.
    fn copy_rate() -> Result<f64> {
        let floats = 1 << 26;
        let stream = CudaContext::new(0).map_err(failed)?.default_stream();
        let from = stream.alloc_zeros::<f32>(floats).map_err(failed)?;
        let mut to = stream.alloc_zeros::<f32>(floats).map_err(failed)?;
        let once = seconds(|| {
            stream.memcpy_dtod(&from, &mut to).map_err(failed)?;
            stream.synchronize().map_err(failed)
        })?;
        Ok(8.0 * floats as f64 / once)
    }

    pub fn run() -> Result<()> {
        let device = match Device::cuda() {
            // One card, the one whose rates are measured.
            Ok(Device::Cuda(mut devices)) => {
                devices.truncate(1);
                Device::Cuda(devices)
            }
            Ok(device) => device,
            Err(error) => {
                println!("nothing to measure: {error}");
                return Ok(());
            }
        };
        let copy = copy_rate()?;
        let matrix = matrix_rate()?;
        let images = DataSource::Embedded.inputs(0)?.normalised(Normalisation::Pixel)?;
        let inputs = TiledInputs::new(images.view())?;
        let samples = inputs.samples() as f64;
        let matrix_text = matrix.map_or("unknown (no cuBLAS)".into(), |rate| format!("{:.2e}", rate));
        println!("{}, {samples} inputs; a copy {copy:.2e} B/s, cuBLAS {matrix_text} multiply-adds/s", device.name());
        println!("width  whole job of 1 (s)  an initialisation more (s)  attainable (s)  share");
        for width in [8, 80, 512, 10_000] {
            let law = LayerSpec {
                rows: width,
                columns: inputs.dimension(),
                connectivity: Connectivity::new(8.0 / width as f64)?,
                mask: MaskFamily::Bernoulli,
                law: WeightDistribution::Gaussian,
            };
            let sweep = |initialisations: usize| -> Result<f64> {
                let sweep = Sweep::new(&device, &inputs, &[SampledNetwork { law, initialisations }], 0)?;
                seconds(|| sweep.run(&|_| {}).map(|_| ()))
            };
            let (one, many) = (sweep(1)?, sweep(17)?);
            let more = (many - one) / 16.0;
            let pairs = samples * (samples + 1.0) / 2.0;
            // A tile reads two panels of features for its pairs.
            let bytes = 4.0 * (pairs + width as f64 * samples + 2.0 * width as f64 * pairs / TILE);
            let attainable = (bytes / copy).max(matrix.map_or(0.0, |rate| width as f64 * pairs / rate));
            println!("{width:5}  {one:18.4}  {more:26.5}  {attainable:14.5}  {:5.2}", attainable / more);
        }
        Ok(())
    }
}
