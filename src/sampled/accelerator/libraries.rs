//! Whether the driver and NVRTC can be used. cudarc panics where it is asked for a library, or for a function of one,
//! that is not there; so all that it will ask for is looked for here first.

use std::error::Error;

use cudarc::driver::sys as driver;
use cudarc::nvrtc::sys as nvrtc;
use libloading::Library;

/// The driver's functions that are called besides [`VERSION`], by [`super::cuda`] and by cudarc on its behalf; with and
/// without memory pools.
const DRIVER: [&str; 26] = [
    "cuCtxGetCurrent",
    "cuCtxSetCurrent",
    "cuDeviceGet",
    "cuDeviceGetAttribute",
    "cuDeviceGetCount",
    "cuDeviceGetMemPool",
    "cuDeviceGetName",
    "cuDevicePrimaryCtxRelease_v2",
    "cuDevicePrimaryCtxRetain",
    "cuGetErrorString",
    "cuInit",
    "cuLaunchKernel",
    "cuMemAllocAsync",
    "cuMemAlloc_v2",
    "cuMemFreeAsync",
    "cuMemFree_v2",
    "cuMemGetInfo_v2",
    "cuMemPoolSetAttribute",
    "cuMemPoolTrimTo",
    "cuMemcpyDtoHAsync_v2",
    "cuMemcpyHtoDAsync_v2",
    "cuMemsetD8Async",
    "cuModuleGetFunction",
    "cuModuleLoadData",
    "cuModuleUnload",
    "cuStreamSynchronize",
];

/// The function that gives the driver's version; old drivers lack some of the others.
const VERSION: [&str; 1] = ["cuDriverGetVersion"];

/// NVRTC's functions that are called.
const NVRTC: [&str; 7] = [
    "nvrtcCompileProgram",
    "nvrtcCreateProgram",
    "nvrtcDestroyProgram",
    "nvrtcGetPTX",
    "nvrtcGetPTXSize",
    "nvrtcGetProgramLog",
    "nvrtcGetProgramLogSize",
];

/// Why a library cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// It is not installed.
    Absent,
    /// There is a file of its name that cannot be loaded.
    Broken(String),
    /// It lacks this function.
    Lacks(&'static str),
}

impl Obstacle {
    /// The problem in words, for a library of this name.
    pub fn problem(&self, library: &str) -> String {
        match self {
            Self::Absent => format!("{library} is not installed here"),
            Self::Broken(reason) => format!("{library} cannot be loaded: {reason}"),
            Self::Lacks(function) => format!("{library} lacks the function {function}"),
        }
    }
}

/// Loads the driver, which may then be asked for its version.
pub fn load_driver() -> Result<(), Obstacle> {
    load(&["cuda", "nvcuda"])?;
    // SAFETY: it was loaded a moment ago.
    has(unsafe { driver::culib() }, &VERSION)
}

/// Checks that the loaded driver has every function that is called.
pub fn check_driver() -> Result<(), Obstacle> {
    // SAFETY: as above.
    has(unsafe { driver::culib() }, &DRIVER)
}

/// Loads NVRTC, and checks that it has every function that is called.
pub fn load_nvrtc() -> Result<(), Obstacle> {
    load(&["nvrtc"])?;
    // SAFETY: as above.
    has(unsafe { nvrtc::culib() }, &NVRTC)
}

/// Looks for a file that loads among the names that cudarc tries, in its order.
fn load(libraries: &[&str]) -> Result<(), Obstacle> {
    let mut broken = None;
    for name in libraries.iter().flat_map(|library| cudarc::get_lib_name_candidates(library)) {
        // SAFETY: loading a library runs its own initialisation only.
        match unsafe { Library::new(&name) } {
            Ok(_) => return Ok(()),
            Err(error) => {
                // The loader's message is the source of an error that itself says only "dlopen failed".
                let reason = error.source().map_or_else(|| error.to_string(), ToString::to_string);
                if broken.is_none() && is_broken(&name, &reason) {
                    broken = Some(reason);
                }
            }
        }
    }
    Err(broken.map_or(Obstacle::Absent, Obstacle::Broken))
}

/// Whether the loader found a file of this name that it could not load, or that needs another file that it could not
/// find. The wording of Linux's loaders shows which; on other systems a library that does not load counts as absent.
fn is_broken(name: &str, reason: &str) -> bool {
    let missing = reason.contains("No such file") && reason.contains(name) && !reason.contains("needed by");
    cfg!(target_os = "linux") && !missing
}

fn has(library: &Library, functions: &[&'static str]) -> Result<(), Obstacle> {
    // SAFETY: it is looked for, not called.
    let lacks = |function: &&&str| unsafe { library.get::<unsafe extern "C" fn()>(function.as_bytes()) }.is_err();
    functions.iter().find(lacks).map_or(Ok(()), |function| Err(Obstacle::Lacks(function)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The driver of the tests has what the program was seen to call on it, and nothing else: a function that is
    /// missing in the list here would end the program there.
    #[test]
    fn functions_are_those_of_the_tests_driver() {
        let source = include_str!("../../../tests/driver/driver.cpp");
        let defined =
            source.lines().filter_map(|line| line.strip_prefix("Status ")?.split_once('(').map(|found| found.0));
        let mut defined: Vec<&str> = defined.collect();
        let mut listed = [&DRIVER[..], &VERSION].concat();
        defined.sort_unstable();
        listed.sort_unstable();
        assert_eq!(defined, listed);
    }

    #[test]
    fn a_library_that_there_is_not_is_absent() {
        assert_eq!(load(&["no-library-of-sparsewidth"]), Err(Obstacle::Absent));
    }

    #[test]
    fn what_the_loader_says_is_told_apart() {
        let cases = [
            ("libcuda.so.1: cannot open shared object file: No such file or directory", false),
            ("Error loading shared library libcuda.so.1: No such file or directory", false),
            ("/usr/lib/libcuda.so.1: file too short", true),
            ("/usr/lib/libcuda.so.1: invalid ELF header", true),
            ("libnvidia.so: cannot open shared object file: No such file or directory", true),
            (
                "Error loading shared library libnvidia.so: No such file or directory (needed by /usr/lib/libcuda.so.1)",
                true,
            ),
        ];
        for (reason, broken) in cases {
            assert_eq!(is_broken("libcuda.so.1", reason), broken && cfg!(target_os = "linux"), "{reason}");
        }
    }
}
