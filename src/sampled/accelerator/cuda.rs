//! NVIDIA GPUs through cudarc, which loads the driver and NVRTC when they are asked for: the program builds and runs
//! without them.

use std::ffi::{CString, c_char};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cudarc::driver::sys::{self as driver, CUmemPool_attribute, CUresult};
use cudarc::driver::{
    CudaContext, CudaFunction, CudaSlice, CudaStream, DriverError, LaunchConfig, PushKernelArg, result,
};
use cudarc::nvrtc::{Ptx, result as nvrtc, sys::nvrtcProgram};
use sha2::{Digest, Sha256};

use super::libraries::{Obstacle, check_driver, load_driver, load_nvrtc};
use super::{Accelerator, Argument, Kernel, Warning, Word};
use crate::error::{Error, Result, Setting};

/// The source of the kernels, for every device.
pub const SOURCE: &str = include_str!("../kernels/sampled.cu");
/// Threads of a block, as in the source.
const THREADS: u32 = 256;
/// The oldest driver that has every function that is called here: 12.0.
const OLDEST_DRIVER: i32 = 12_000;
/// Compute capabilities for which the kernels are compiled where NVRTC does not know the device's own, the newest
/// first; drivers translate them for later devices.
const PORTABLE: [i32; 3] = [90, 80, 75];

/// An NVIDIA GPU with the kernels loaded.
#[derive(Clone)]
pub struct Cuda {
    name: String,
    stream: Arc<CudaStream>,
    /// In the order of [`Kernel::ALL`].
    functions: Vec<CudaFunction>,
}

impl fmt::Debug for Cuda {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cuda({})", self.name)
    }
}

fn unavailable(problem: impl Into<String>, remedy: &str) -> Error {
    Error::value("device", "cuda", problem, format!("{remedy}, or compute on the CPU")).about(Setting::Device)
}

fn failed(what: &'static str) -> impl Fn(DriverError) -> Error {
    move |error| Error::failure(format!("{what} (CUDA)"), error)
}

impl Cuda {
    /// Every GPU of this machine that can be used, with the kernels compiled and loaded. Compiling takes a second,
    /// once: the result is kept in the user's cache folder.
    ///
    /// # Errors
    /// Where there is no driver, no device, or no NVRTC, or no device can be used; the message says which.
    pub fn all() -> Result<Vec<Self>> {
        let unusable = |obstacle: Obstacle| {
            let remedy = if obstacle == Obstacle::Absent { "install it" } else { "reinstall it" };
            unavailable(obstacle.problem("the NVIDIA driver (libcuda)"), remedy)
        };
        load_driver().map_err(unusable)?;
        let mut version = 0;
        // SAFETY: writes one number; needs no device.
        let told = unsafe { driver::cuDriverGetVersion(&raw mut version) }.result();
        if let Err(error) = told {
            return Err(unavailable(format!("the NVIDIA driver did not report its version: {error}"), "reinstall it"));
        }
        if version < OLDEST_DRIVER {
            let problem = format!("the NVIDIA driver is for CUDA {}.{}", version / 1000, version % 1000 / 10);
            return Err(unavailable(problem, "update it to 12.0 or later"));
        }
        check_driver().map_err(unusable)?;
        let count = match result::init().and_then(|()| CudaContext::device_count()) {
            Ok(count) if count > 0 => count as usize,
            Ok(_) | Err(DriverError(CUresult::CUDA_ERROR_NO_DEVICE)) => {
                return Err(unavailable(
                    "the NVIDIA driver finds no device",
                    "make one visible (CUDA_VISIBLE_DEVICES)",
                ));
            }
            Err(error) => {
                return Err(unavailable(format!("the NVIDIA driver does not start: {error}"), "reinstall it"));
            }
        };
        // An old or busy card beside others is left out.
        let (opened, refused): (Vec<_>, Vec<_>) = (0..count).map(Self::open).partition(Result::is_ok);
        match refused.into_iter().next() {
            Some(Err(error)) if opened.is_empty() => Err(error),
            _ => opened.into_iter().collect(),
        }
    }

    /// The name that its maker gave the device.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    fn open(ordinal: usize) -> Result<Self> {
        let opening = |error| unavailable(format!("device {ordinal} cannot be used: {error}"), "free it");
        let context = CudaContext::new(ordinal).map_err(opening)?;
        let (major, minor) = context.compute_capability().map_err(opening)?;
        let load = |ptx: Ptx| -> Result<Vec<CudaFunction>, DriverError> {
            let module = context.load_module(ptx)?;
            Kernel::ALL.iter().map(|kernel| module.load_function(kernel.name())).collect()
        };
        let capability = 10 * major + minor;
        let cached = cache_file(capability);
        let known = cached.as_deref().and_then(|file| std::fs::read_to_string(file).ok());
        // If the cached kernels do not load, as with an older driver or a broken file, they are compiled again.
        let functions = match known.and_then(|text| load(Ptx::from_src(text.replace('\0', ""))).ok()) {
            Some(functions) => functions,
            None => {
                let ptx = compile(capability)?;
                let functions = load(Ptx::from_src(ptx.clone())).map_err(|error| {
                    let problem = format!("the driver does not accept what NVRTC compiled: {error}");
                    unavailable(problem, "update the driver, or install an NVRTC of at most the driver's version")
                })?;
                // A cache that cannot be written only costs a second.
                let _ = cached.as_deref().map(|file| keep(file, &ptx));
                functions
            }
        };
        // SAFETY: all that is done with a buffer is on one stream.
        unsafe { context.disable_event_tracking() };
        let stream = context.default_stream();
        keep_freed_memory(&context).map_err(opening)?;
        let name = name(&context).map_err(opening)?;
        Ok(Self { name, stream, functions })
    }
}

/// The name of a device; cudarc's own function panics where a driver does not end it with a zero.
fn name(context: &CudaContext) -> Result<String, DriverError> {
    let mut name: [c_char; 128] = [0; 128];
    // SAFETY: writes at most that many characters.
    unsafe { driver::cuDeviceGetName(name.as_mut_ptr(), name.len() as i32, context.cu_device()) }.result()?;
    Ok(text(&name))
}

/// Characters of C up to the first zero.
fn text(characters: &[c_char]) -> String {
    let bytes: Vec<u8> = characters.iter().map(|character| *character as u8).take_while(|byte| *byte != 0).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Compiles the kernels to PTX for a compute capability, or for the newest older one that NVRTC knows.
///
/// # Errors
/// Where NVRTC is missing, cannot be used, or refuses.
pub fn compile(capability: i32) -> Result<String> {
    load_nvrtc().map_err(|obstacle| {
        let problem = obstacle.problem("NVRTC (libnvrtc, of the CUDA toolkit), which compiles the kernels,");
        let again = if obstacle == Obstacle::Absent { "" } else { "re" };
        unavailable(problem, &format!("{again}install it (e.g. pip's nvidia-cuda-nvrtc-cu12, on LD_LIBRARY_PATH)"))
    })?;
    let older = PORTABLE.into_iter().filter(|portable| *portable < capability);
    let mut refusals: Vec<String> = Vec::new();
    for capability in [capability].into_iter().chain(older) {
        match compile_for(capability) {
            Ok(ptx) => return Ok(ptx),
            Err(problem) if refusals.contains(&problem) => {}
            Err(problem) => refusals.push(problem),
        }
    }
    let problem = format!("NVRTC refuses the kernels: {}", refusals.join("; "));
    Err(unavailable(problem, "install another release of it"))
}

/// A program of NVRTC. cudarc's own type panics where NVRTC has no log of a refusal, or cannot destroy the program.
struct Program(nvrtcProgram);

impl Drop for Program {
    fn drop(&mut self) {
        // SAFETY: created once, and not used after this. What cannot be destroyed stays.
        let _ = unsafe { nvrtc::destroy_program(self.0) };
    }
}

/// The PTX for a compute capability, or why NVRTC refuses to compile it.
fn compile_for(capability: i32) -> Result<String, String> {
    let said = |error: nvrtc::NvrtcError| format!("{:?}", error.0);
    let source = CString::new(SOURCE).expect("a source has no zero");
    let program = Program(nvrtc::create_program(&source, Some(c"sampled.cu")).map_err(said)?);
    let options = [format!("--gpu-architecture=compute_{capability}")];
    // SAFETY: the program is alive, as below; so is the source, which it may refer to.
    if let Err(error) = unsafe { nvrtc::compile_program(program.0, &options) } {
        // SAFETY: as above.
        let log = unsafe { nvrtc::get_program_log(program.0) }.map(|log| text(&log)).unwrap_or_default();
        return Err(if log.trim().is_empty() { said(error) } else { log.trim().into() });
    }
    // SAFETY: as above.
    unsafe { nvrtc::get_ptx(program.0) }.map(|ptx| text(&ptx)).map_err(said)
}

/// The file in which compiled kernels are kept, named after their source and device; none where the user has no cache
/// folder.
fn cache_file(capability: i32) -> Option<PathBuf> {
    let folder = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|folder| folder.is_absolute());
    let folder = folder.or_else(|| Some(std::env::home_dir()?.join(".cache")))?.join("sparsewidth");
    let source: String = Sha256::digest([SOURCE, env!("CARGO_PKG_VERSION")].concat())
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Some(folder.join(format!("sampled-{source}-{capability}.ptx")))
}

fn keep(file: &Path, ptx: &str) -> std::io::Result<()> {
    use std::io::Write;
    let folder = file.parent().expect("a cache file is in a folder");
    std::fs::create_dir_all(folder)?;
    let mut written = tempfile::NamedTempFile::new_in(folder)?;
    written.write_all(ptx.as_bytes())?;
    written.persist(file)?;
    Ok(())
}

/// Lets the device's pool keep freed memory, which it would otherwise release at every synchronisation.
fn keep_freed_memory(context: &CudaContext) -> Result<(), DriverError> {
    if context.has_async_alloc() {
        let mut all = u64::MAX;
        let threshold = CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
        // SAFETY: the device is the context's, and the attribute is a 64-bit number.
        unsafe {
            let pool = result::device::get_mem_pool(context.cu_device())?;
            result::mem_pool::set_attribute(pool, threshold, (&raw mut all).cast())?;
        }
    }
    Ok(())
}

fn trouble(what: &'static str) -> impl Fn(DriverError) -> Warning {
    move |error| match error.0 {
        CUresult::CUDA_ERROR_OUT_OF_MEMORY => Warning::Memory,
        _ => Warning::Other(failed(what)(error)),
    }
}

impl Accelerator for Cuda {
    type Buffer<T: Word> = CudaSlice<T>;

    fn free_memory(&self) -> Result<usize> {
        self.give_back()?;
        self.stream.context().mem_get_info().map(|(free, _)| free).map_err(failed("asking for free memory"))
    }

    fn give_back(&self) -> Result<()> {
        let context = self.stream.context();
        let giving = failed("giving memory back");
        self.stream.synchronize().map_err(&giving)?;
        if context.has_async_alloc() {
            // SAFETY: the device is the context's; what is in use stays.
            let trimmed = unsafe {
                result::device::get_mem_pool(context.cu_device()).and_then(|pool| result::mem_pool::trim_to(pool, 0))
            };
            trimmed.map_err(giving)?;
        }
        Ok(())
    }

    fn zeros<T: Word>(&self, length: usize) -> Result<CudaSlice<T>, Warning> {
        // CUDA refuses to allocate 0 bytes.
        self.stream.alloc_zeros(length.max(1)).map_err(trouble("allocating memory"))
    }

    fn upload<T: Word>(&self, values: &[T]) -> Result<CudaSlice<T>, Warning> {
        if values.is_empty() {
            return self.zeros(1);
        }
        let buffer = self.stream.clone_htod(values).map_err(trouble("copying to the device"))?;
        // The copy may not have been made yet, and the caller may drop the values.
        self.stream.synchronize().map_err(trouble("copying to the device"))?;
        Ok(buffer)
    }

    fn download<T: Word>(&self, buffer: &CudaSlice<T>) -> Result<Vec<T>, Warning> {
        let values = self.stream.clone_dtoh(buffer).map_err(trouble("sampling kernels"))?;
        self.stream.synchronize().map_err(trouble("sampling kernels"))?;
        Ok(values)
    }

    unsafe fn launch(
        &self,
        kernel: Kernel,
        (x, y): (usize, usize),
        arguments: &[Argument<Self>],
    ) -> Result<(), Warning> {
        let wide = |blocks: usize| u32::try_from(blocks).map_err(|error| Error::failure("sizing a grid", error));
        let grid = LaunchConfig { grid_dim: (wide(x)?, wide(y)?, 1), block_dim: (THREADS, 1, 1), shared_mem_bytes: 0 };
        let mut launch = self.stream.launch_builder(&self.functions[kernel as usize]);
        for argument in arguments {
            match argument {
                Argument::U32(value) => launch.arg(value),
                Argument::U64(value) => launch.arg(value),
                Argument::F32(value) => launch.arg(value),
                Argument::F64(value) => launch.arg(value),
                Argument::U32s(buffer) => launch.arg(*buffer),
                Argument::U64s(buffer) => launch.arg(*buffer),
                Argument::F32s(buffer) => launch.arg(*buffer),
                Argument::F64s(buffer) => launch.arg(*buffer),
            };
        }
        // SAFETY: as the caller promises. One stream runs all, so that writes through shared references are in order.
        unsafe { launch.launch(grid) }.map(|_| ()).map_err(trouble("launching a kernel"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes PTX for `ptxas` to `SPARSEWIDTH_PTX`, where that is set.
    #[test]
    fn nvrtc_compiles_the_kernels() {
        if load_nvrtc().is_err() {
            assert!(compile(80).unwrap_err().to_string().contains("NVRTC"));
            // Past what the test runner keeps to itself.
            let _ = std::io::Write::write_all(&mut std::io::stderr(), b"SKIPPED: NVRTC is not installed here\n");
            return;
        }
        for capability in PORTABLE {
            let ptx = compile(capability).unwrap();
            assert!(ptx.contains(&format!(".target sm_{capability}")));
            assert!(Kernel::ALL.iter().all(|kernel| ptx.contains(&format!(".entry {}", kernel.name()))));
            if let Some(folder) = std::env::var_os("SPARSEWIDTH_PTX") {
                std::fs::write(Path::new(&folder).join(format!("sm_{capability}.ptx")), ptx).unwrap();
            }
        }
        // A device later than this NVRTC takes what an older one would.
        assert!(compile(999).unwrap().contains(".target sm_90"));
    }

    #[test]
    fn compiled_kernels_are_kept_whole() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("new").join("kernels.ptx");
        keep(&file, "some").unwrap();
        keep(&file, "text").unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "text");
        assert!(keep(&file.join("below a file"), "text").is_err());
    }
}
