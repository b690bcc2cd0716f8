//! The program and its GPUs: what it says where there is none, and the way to one, through a driver whose devices are
//! the host (`tests/driver`; `scripts/driver_tests.sh` builds it, fetches NVRTC, and runs this).

mod program;

use std::path::Path;
use std::process::Output;

use assert_cmd::Command;

const ALL_PAIRS: [&str; 9] = [
    "distance",
    "--data",
    "gaussian:60,500",
    "--networks",
    "40:0.2,700:0.05",
    "--methods",
    "sampled_all",
    "--json",
    "--seed=3",
];

/// The program, with libraries from these folders and a cache of its own.
fn run(arguments: &[&str], libraries: &[&str], cache: &Path, settings: &[(&str, &str)]) -> Output {
    let mut command = Command::cargo_bin("sparsewidth").unwrap();
    command.env("LD_LIBRARY_PATH", libraries.join(":")).env("XDG_CACHE_HOME", cache);
    command.args(arguments).envs(settings.iter().copied()).output().unwrap()
}

/// The folders of the driver and of NVRTC, where they are told.
fn libraries() -> Option<(String, String)> {
    let told = |name: &str| std::env::var(name).ok();
    let found = told("SPARSEWIDTH_DRIVER").zip(told("SPARSEWIDTH_NVRTC"));
    if found.is_none() {
        program::skipped("run scripts/driver_tests.sh for these");
    }
    found
}

fn text(output: &[u8]) -> String {
    String::from_utf8_lossy(output).into_owned()
}

fn records(output: &Output) -> Vec<serde_json::Value> {
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_device_that_nothing_uses_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [&["verify", "--device", "cuda"][..], &["distance", "--device", "cuda", "--methods", "paper"]] {
        let output = run(arguments, &[], folder.path(), &[]);
        assert_eq!(output.status.code(), Some(2));
        let message = text(&output.stderr);
        assert!(message.contains("--device = cuda") && message.contains("all pairs"), "{message}");
    }
}

#[test]
fn the_way_to_a_gpu_and_back() {
    let Some((driver, nvrtc)) = libraries() else { return };
    let folder = tempfile::tempdir().unwrap();
    let on = |device: &str, settings: &[(&str, &str)]| {
        let arguments = [&ALL_PAIRS[..], &["--device", device]].concat();
        run(&arguments, &[&driver, &nvrtc], folder.path(), settings)
    };
    let cpu = records(&on("cpu", &[]));
    for (device, settings, name) in [
        ("cuda", &[][..], "cuda:host 0,host 1"),
        // Compiled before; three devices; memory that turns out not to suffice for all at once.
        ("auto", &[("DRIVER_DEVICES", "3")], "cuda:host 0,host 1,host 2"),
        ("cuda", &[("DRIVER_DEVICES", "1"), ("DRIVER_MEMORY", "4000000")], "cuda:host 0"),
        ("cuda", &[("DRIVER_DEVICES", "1"), ("DRIVER_POOLS", "0")], "cuda:host 0"),
    ] {
        let found = records(&on(device, settings));
        assert_eq!(found.len(), cpu.len());
        for (found, cpu) in found.iter().zip(&cpu) {
            assert_eq!((&found["device"], &cpu["device"]), (&name.into(), &"cpu".into()));
            for field in ["mean", "mean_error_samples", "diagonal"] {
                let (found, cpu) = (found[field].as_f64().unwrap(), cpu[field].as_f64().unwrap());
                assert!((found / cpu - 1.0).abs() < 1e-6, "{field}: {found} {cpu}");
            }
        }
    }
}

/// Each obstacle by its name, and `auto` goes on without.
#[test]
fn obstacles_are_told_apart() {
    let Some((driver, nvrtc)) = libraries() else { return };
    let both = [&*driver, &*nvrtc];
    for (libraries, settings, words) in [
        (&both[1..], &[][..], "driver (libcuda) is not installed"),
        (&both, &[("DRIVER_DEVICES", "0")], "finds no device"),
        (&both, &[("DRIVER_VERSION", "11080")], "for CUDA 11.8"),
        (&both[..1], &[], "NVRTC (libnvrtc, of the CUDA toolkit)"),
        (&both, &[("DRIVER_REFUSES", "1")], "does not accept what NVRTC compiled"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let on =
            |device: &str| run(&[&ALL_PAIRS[..], &["--device", device]].concat(), libraries, folder.path(), settings);
        let refused = on("cuda");
        assert_eq!(refused.status.code(), Some(2), "{words}");
        assert!(text(&refused.stderr).contains(words), "{words}: {}", text(&refused.stderr));
        let auto = on("auto");
        assert_eq!(records(&auto)[0]["device"], "cpu");
        let said = text(&auto.stderr);
        assert_eq!(said.matches("Computing on the CPU: ").count(), 1, "{said}");
        assert!(said.contains(words), "{words}: {said}");
    }
    let folder = tempfile::tempdir().unwrap();
    let arguments = [&ALL_PAIRS[..], &["--device", "cuda"]].concat();
    let small = run(&arguments, &both, folder.path(), &[("DRIVER_MEMORY", "100000")]);
    assert_eq!(small.status.code(), Some(2));
    assert!(text(&small.stderr).contains("the sweep takes at least"), "{}", text(&small.stderr));
}

/// Libraries by the names of the driver and of NVRTC that are something else, lack a function each, or refuse in ways
/// that cudarc panics at.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod wrong_libraries {
    use super::*;

    /// What a driver that finds one device needs to answer; of all else that is called nothing but the name.
    const ONE_DEVICE: &str = "
        int cuDriverGetVersion(int *version) { *version = 12040; return 0; }
        int cuDeviceGetCount(int *count) { *count = 1; return 0; }
        int cuDeviceGet(int *device, int ordinal) { *device = ordinal; return 0; }
        int cuDeviceGetAttribute(int *value, int attribute, int device) { *value = 8; return 0; }
        int cuDevicePrimaryCtxRetain(void **context, int device) { *context = context; return 0; }
        int cuCtxGetCurrent(void **context) { *context = 0; return 0; }
    ";

    /// A page that was saved in place of a library.
    const NO_LIBRARY: &str =
        "<!DOCTYPE html><html><head><title>404: Not Found</title></head><body>There is nothing here.</body></html>";

    /// What NVRTC needs where it refuses a program, has no log of that, and cannot destroy it.
    const NO_LOG: &str = "
        int nvrtcCreateProgram(void **program) { *program = program; return 0; }
        int nvrtcCompileProgram(void) { return 6; }
        int nvrtcGetProgramLogSize(void) { return 4; }
        int nvrtcDestroyProgram(void) { return 4; }
    ";

    /// The functions that the driver of `tests/driver` has, which are all that is called.
    fn driver_functions() -> Vec<&'static str> {
        let lines = include_str!("driver/driver.cpp").lines();
        lines.filter_map(|line| Some(line.strip_prefix("Status ")?.split_once('(')?.0)).collect()
    }

    const NVRTC_FUNCTIONS: [&str; 7] = [
        "nvrtcCompileProgram",
        "nvrtcCreateProgram",
        "nvrtcDestroyProgram",
        "nvrtcGetPTX",
        "nvrtcGetPTXSize",
        "nvrtcGetProgramLog",
        "nvrtcGetProgramLogSize",
    ];

    /// A library with these functions, but for one that it lacks; those without a body of their own in `bodies` do
    /// nothing.
    fn compile(file: &Path, bodies: &str, functions: &[&str], lacks: Option<&str>) {
        let mut source = String::new();
        for line in bodies.lines().filter(|line| lacks.is_none_or(|lacks| !line.contains(&format!("{lacks}(")))) {
            source += &format!("{line}\n");
        }
        for function in functions.iter().filter(|function| Some(**function) != lacks) {
            if !bodies.contains(&format!("{function}(")) {
                source += &format!("int {function}(void) {{ return 0; }}\n");
            }
        }
        let text = file.with_extension("c");
        std::fs::write(&text, source).unwrap();
        let done =
            std::process::Command::new("cc").args(["-shared", "-fPIC", "-w", "-o"]).arg(file).arg(&text).status();
        assert!(done.unwrap().success(), "{}", file.display());
    }

    /// With these libraries there is no GPU, which `cuda` refuses and `auto` says; neither panics.
    fn none_for(libraries: &Path, words: &str) {
        let cache = tempfile::tempdir().unwrap();
        let folder = libraries.to_str().unwrap();
        for device in ["cuda", "auto"] {
            let data =
                ["distance", "--data", "gaussian:4,10", "--networks", "3:0.5", "--methods", "sampled_all", "--json"];
            let output = run(&[&data[..], &["--device", device]].concat(), &[folder], cache.path(), &[]);
            let said = text(&output.stderr);
            assert_eq!(output.status.code(), Some(if device == "cuda" { 2 } else { 0 }), "{device}, {words}: {said}");
            assert!(said.contains(words) && !said.contains("panicked"), "{device}, {words}: {said}");
            if device == "auto" {
                assert_eq!(records(&output)[0]["device"], "cpu");
            }
        }
    }

    #[test]
    fn a_driver_that_is_none() {
        let folder = tempfile::tempdir().unwrap();
        for (content, words) in [("", "file too short"), (NO_LIBRARY, "invalid ELF header")] {
            for name in ["libcuda.so", "libcuda.so.1"] {
                std::fs::write(folder.path().join(name), content).unwrap();
            }
            let file = folder.path().join("libcuda.so");
            none_for(folder.path(), &format!("(libcuda) cannot be loaded: {}: {words}", file.display()));
        }
        for name in ["libcuda.so", "libcuda.so.1"] {
            compile(&folder.path().join(name), "", &[], None);
        }
        none_for(folder.path(), "(libcuda) lacks the function cuDriverGetVersion");
    }

    #[test]
    fn a_driver_that_lacks_a_function() {
        let functions = driver_functions();
        assert!(functions.len() > 20, "{functions:?}");
        for lacks in &functions {
            let folder = tempfile::tempdir().unwrap();
            compile(&folder.path().join("libcuda.so"), ONE_DEVICE, &functions, Some(lacks));
            none_for(folder.path(), &format!("(libcuda) lacks the function {lacks}"));
        }
        // By the name that a driver has where there is no toolkit.
        let folder = tempfile::tempdir().unwrap();
        compile(&folder.path().join("libcuda.so.1"), ONE_DEVICE, &functions, Some("cuMemAllocAsync"));
        if std::fs::exists("/usr/lib/x86_64-linux-gnu/libcuda.so").unwrap_or(false) {
            program::skipped("this machine has a driver of its own");
        } else {
            none_for(folder.path(), "(libcuda) lacks the function cuMemAllocAsync");
        }
    }

    #[test]
    fn an_nvrtc_that_is_none_lacks_a_function_or_has_no_log() {
        let folder = tempfile::tempdir().unwrap();
        compile(&folder.path().join("libcuda.so"), ONE_DEVICE, &driver_functions(), None);
        let nvrtc = folder.path().join("libnvrtc.so");
        for (content, words) in [("", "file too short"), (NO_LIBRARY, "invalid ELF header")] {
            std::fs::write(&nvrtc, content).unwrap();
            let words = format!("which compiles the kernels, cannot be loaded: {}: {words}", nvrtc.display());
            none_for(folder.path(), &words);
        }
        for lacks in NVRTC_FUNCTIONS {
            compile(&nvrtc, "", &NVRTC_FUNCTIONS, Some(lacks));
            none_for(folder.path(), &format!("which compiles the kernels, lacks the function {lacks}"));
        }
        compile(&nvrtc, NO_LOG, &NVRTC_FUNCTIONS, None);
        none_for(folder.path(), "NVRTC refuses the kernels: NVRTC_ERROR_COMPILATION");
    }
}
