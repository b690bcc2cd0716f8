//! The program and its GPUs: what it says where there is none, and the way to one, through a driver whose devices are the host
//! (`tests/driver`; `scripts/driver_tests.sh` builds it, fetches NVRTC, and runs this).

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
        (&both, &[("DRIVER_REFUSES", "1")], "does not take what NVRTC compiled"),
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
