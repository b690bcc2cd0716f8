//! What goes wrong outside of the program: kills, interrupts, full disks, folders that cannot be written, two programs
//! at once.

mod program;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use program::{command, done, read, refused, skipped};
use rand::RngExt;
use sparsewidth::numeric::random::{Purpose, Stream};

/// Studies of a second or a few, each of many tasks.
const STUDIES: [&[&str]; 3] = [
    &[
        "figure",
        "--widths",
        "8,216,512",
        "--epochs",
        "4",
        "--runs",
        "3",
        "--pairs",
        "100",
        "--reference",
        "dense:50",
        "--samples",
        "300",
        "--tolerance",
        "0.01",
    ],
    &["heatmap", "--widths", "5,10,40,160", "--last", "1,0.7,0.4", "--epochs", "4", "--samples", "500"],
    &["distance", "--methods", "sampled,theorem1,expansion,paper", "--pairs", "400", "--tolerance", "1e-2"],
];
/// Kills of each: twelve in all, at random moments.
const KILLS: usize = 4;

fn start(arguments: &[&str]) -> Child {
    command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

#[test]
#[ignore = "slow: twelve kills"]
fn killed_at_any_moment_a_study_ends_with_the_same_records() {
    let mut stream = Stream::new(7, Purpose::Subset, 0, 0);
    for study in STUDIES {
        let whole = tempfile::tempdir().unwrap();
        let begin = Instant::now();
        done(&[study, &["--out", whole.path().to_str().unwrap()]].concat());
        let lasts = begin.elapsed();
        let mut killed = 0;
        while killed < KILLS {
            let folder = tempfile::tempdir().unwrap();
            let arguments = [study, &["--out", folder.path().to_str().unwrap()]].concat();
            loop {
                let mut running = start(&arguments);
                std::thread::sleep(lasts.mul_f64(stream.random_range(0.0..0.25)));
                let ended = running.try_wait().unwrap();
                running.kill().unwrap();
                running.wait().unwrap();
                if let Some(status) = ended {
                    assert!(status.success(), "{study:?}: {status}");
                    break;
                }
                killed += 1;
                // Nothing is half written: what is there is whole.
                for name in ["records.jsonl", "distance.csv", "training.csv"] {
                    let path = folder.path().join(name);
                    if path.exists() {
                        assert!(read(folder.path(), name) == read(whole.path(), name), "{study:?}: {name} differs");
                    }
                }
                if killed == KILLS {
                    done(&arguments);
                    break;
                }
            }
            assert!(read(folder.path(), "records.jsonl") == read(whole.path(), "records.jsonl"), "{study:?}");
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn an_interrupt_ends_it_at_once_and_leaves_the_journal_whole() {
    let study = STUDIES[1];
    let folder = tempfile::tempdir().unwrap();
    let arguments = [study, &["--out", folder.path().to_str().unwrap()]].concat();
    // As from a terminal: what a shell starts in the background ignores interrupts, and its children with it.
    let mut command = Command::new("env");
    command.args(["--default-signal=INT", env!("CARGO_BIN_EXE_sparsewidth")]).args(&arguments);
    let mut running = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let journal = folder.path().join("journal.jsonl");
    let tasks = || std::fs::read_to_string(&journal).map_or(0, |text| text.lines().count());
    let begin = Instant::now();
    while tasks() < 3 && begin.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(2));
    }
    assert!(Command::new("kill").args(["-INT", &running.id().to_string()]).status().unwrap().success());
    let status = running.wait().unwrap();
    // It did not go on to the end.
    assert!(!status.success() && !folder.path().join("records.jsonl").exists(), "{status}");
    let before = tasks();
    assert!(before >= 3);
    done(&arguments);
    let text = std::fs::read_to_string(&journal).unwrap();
    assert!(text.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "{text}");
    assert!(tasks() > before);
}

#[test]
fn what_a_kill_leaves_half_written_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let study = ["train", "--widths", "8,32", "--epochs", "1", "--samples", "100", "--runs", "2", "--keep-weights"];
    let arguments = [&study[..], &["--out", folder.path().to_str().unwrap()]].concat();
    let strays =
        [".sparsewidth-unfinished-a1b2", "weights/.sparsewidth-unfinished-c3d4"].map(|name| folder.path().join(name));
    std::fs::create_dir(folder.path().join("weights")).unwrap();
    let kept = [".mine", ".sparsewidth-unfinished-young"].map(|name| folder.path().join(name));
    strays.iter().chain(&kept).for_each(|file| std::fs::write(file, "half").unwrap());
    // All but one older than an hour, from which on nobody can be writing them any more.
    let yesterday = SystemTime::now() - Duration::from_secs(86_400);
    for file in strays.iter().chain(&kept[..1]) {
        std::fs::File::options().write(true).open(file).unwrap().set_modified(yesterday).unwrap();
    }
    done(&arguments);
    assert!(strays.iter().all(|stray| !stray.exists()) && kept.iter().all(|file| file.exists()));
}

/// Everything below a folder, with the bytes of files.
fn tree(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(tree(&path));
            found.push((path, vec![]));
        } else {
            let bytes = std::fs::read(&path).unwrap();
            found.push((path, bytes));
        }
    }
    found.sort();
    found
}

/// Every command with pictures, where the system's temporary folder is missing, a file, or takes nothing: the same
/// files in the folder of its results, and none elsewhere.
#[test]
fn nothing_is_written_but_to_the_folder_of_the_results() {
    let inputs = ["--data", "gaussian:20,30"];
    let training = ["--widths", "8,16", "--epochs", "1", "--samples", "100"];
    let commands: [(&[&str], &str); 7] = [
        (
            &[&["distance", "--widths", "8,16", "--pairs", "20", "--methods", "theorem1,paper"], &inputs[..]].concat(),
            "distance-none-mean",
        ),
        (&[&["optimum", "--pairs", "1", "--tolerance", "0.1"], &inputs[..]].concat(), "optimum"),
        (
            &[
                &["verify", "--widths", "8", "--weights-per-row", "10", "--initialisations", "1000", "--pairs", "2"],
                &inputs[..],
            ]
            .concat(),
            "verify-z",
        ),
        (&[&["tune", "--runs", "1", "--lowest", "16", "--highest", "32"], &training[..]].concat(), "tune"),
        (
            &[
                "heatmap",
                "--widths",
                "5,10",
                "--last",
                "0.5",
                "--epochs",
                "1",
                "--samples",
                "100",
                "--activations",
                "relu",
            ],
            "heatmap-relu",
        ),
        (
            &[
                &[
                    "widen",
                    "--ways",
                    "sparse",
                    "--tuning-runs",
                    "1",
                    "--lowest",
                    "16",
                    "--highest",
                    "32",
                    "--validation",
                    "100",
                ][..],
                &["--runs", "1", "--pairs", "20", "--initialisations", "2"],
                &training,
            ]
            .concat(),
            "widen",
        ),
        (&["budget", "--arch", "mlp:20-10-5", "--weights", "100"], "budget"),
    ];
    let missing = Path::new("/nowhere/at/all");
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut places = vec![missing, file.path()];
    if cfg!(target_os = "linux") {
        // Of the system: not even root writes here.
        places.push(Path::new("/proc"));
    }
    for (index, (arguments, picture)) in commands.into_iter().enumerate() {
        let (usual, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let run = |place: &Path| {
            let here = tempfile::tempdir().unwrap();
            let mut command = command(arguments);
            command.args(["--quiet", "--out", "results"]).current_dir(&here).env("HOME", home.path());
            command.env_remove("XDG_CACHE_HOME").envs(["TMPDIR", "TMP", "TEMP"].map(|name| (name, place)));
            let output = command.output().unwrap();
            assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
            let written = std::fs::read_dir(&here).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();
            assert_eq!(written, ["results"], "{arguments:?}");
            let results = here.path().join("results");
            for kind in ["svg", "png"] {
                assert!(!read(&results, &format!("{picture}.{kind}")).is_empty(), "{arguments:?}");
            }
            // The order of a journal is that in which threads were done.
            let files = tree(&results).into_iter().filter(|(path, _)| !path.ends_with("journal.jsonl"));
            files.map(|(path, bytes)| (path.strip_prefix(&results).unwrap().to_path_buf(), bytes)).collect::<Vec<_>>()
        };
        let expected = run(usual.path());
        // One place for each command: they are drawn by one function.
        assert!(run(places[index % places.len()]) == expected, "{arguments:?}");
        assert!(tree(usual.path()).is_empty() && tree(home.path()).is_empty(), "{arguments:?}");
    }
}

/// An error that cannot be told still has its exit code, and no panic.
#[cfg(target_os = "linux")]
#[test]
fn a_standard_error_that_takes_nothing_is_no_panic() {
    for arguments in [
        &["distance", "--pairs", "0"][..],
        &["kernel", "--x", "nowhere.npy", "--y", "nowhere.npy", "--connectivity", "1"],
    ] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let status = command(arguments).stdout(Stdio::null()).stderr(full).status().unwrap();
        assert_eq!(status.code(), Some(2), "{arguments:?}");
    }
}

/// Programs that only write what a finished study came to do not disturb each other.
#[test]
fn a_finished_study_can_be_run_by_several_programs_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let study = ["distance", "--data", "gaussian:5,20", "--widths", "8", "--methods", "paper"];
    let arguments = [&study[..], &["--out", folder.path().to_str().unwrap()]].concat();
    done(&arguments);
    for _ in 0..10 {
        let running: Vec<Child> =
            (0..3).map(|_| command(&arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()).collect();
        for child in running {
            let output = child.wait_with_output().unwrap();
            let error = String::from_utf8(output.stderr).unwrap();
            assert!(output.status.success() || error.contains("another program is writing it"), "{error}");
        }
    }
}

#[test]
fn a_second_program_on_one_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    // Of hours, so that it cannot end meanwhile.
    let study = ["train", "--widths", "8,32", "--epochs", "1000000", "--out", folder.path().to_str().unwrap()];
    let arguments = study.to_vec();
    let mut running = start(&arguments);
    let journal = folder.path().join("journal.jsonl");
    let begin = Instant::now();
    // Locked before its first line is written.
    while std::fs::read(&journal).map_or(0, |text| text.len()) == 0 && begin.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(2));
    }
    refused(&arguments, &["journal.jsonl", "another program is writing it", "--out"]);
    let joined = folder.path().join("joined");
    let merge = ["merge", folder.path().to_str().unwrap(), "--out", joined.to_str().unwrap()];
    refused(&merge, &["journal.jsonl", "another program is writing it"]);
    running.kill().unwrap();
    running.wait().unwrap();
}

/// Runs commands in a mount namespace of their own, where a small disk is mounted at `$disk`; false where the machine
/// does not permit that.
fn with_small_disk(size: &str, commands: &str) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path().display();
    let program = Path::new(env!("CARGO_BIN_EXE_sparsewidth")).display();
    let script = format!(
        "set -eu; disk='{disk}'; program='{program}'; mount -t tmpfs -o size={size} none \"$disk\" 2>/dev/null || exit 77\n{commands}"
    );
    let output = Command::new("unshare").args(["--mount", "--map-root-user", "sh", "-c", &script]).output();
    let Ok(output) = output else { return false };
    if output.status.code() == Some(77) || String::from_utf8_lossy(&output.stderr).starts_with("unshare:") {
        return false;
    }
    let [text, error] = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(output.status.success(), "{}: {text}{error}", output.status);
    true
}

#[test]
fn a_full_disk_is_told_and_loses_nothing() {
    let whole = tempfile::tempdir().unwrap();
    let study = STUDIES[1];
    done(&[study, &["--out", whole.path().to_str().unwrap()]].concat());
    let (study, whole) = (study.join(" "), whole.path().display());
    let ran = with_small_disk(
        "16k",
        &format!(
            "code=0; \"$program\" {study} --out \"$disk/out\" 2> \"/proc/self/fd/1\" > /dev/null || code=$?\n\
             [ $code = 1 ] || {{ echo \"exit code $code\"; exit 1; }}\n\
             ls \"$disk/out\" | grep -qx journal.jsonl && [ $(ls \"$disk/out\" | wc -l) = 1 ] || {{ ls -a \"$disk/out\"; exit 1; }}\n\
             mount -o remount,size=100m \"$disk\"; \"$program\" {study} --out \"$disk/out\" > /dev/null 2>&1\n\
             cmp \"$disk/out/records.jsonl\" '{whole}/records.jsonl'"
        ),
    );
    let read_only = with_small_disk(
        "100k",
        &format!(
            "mount -o remount,ro \"$disk\"; code=0; error=$(\"$program\" {study} --out \"$disk/out\" 2>&1) || code=$?\n\
             [ $code = 2 ] || {{ echo \"exit code $code\"; exit 1; }}\n\
             case \"$error\" in *out*\"cannot be made\"*--out*) ;; *) echo \"$error\"; exit 1;; esac"
        ),
    );
    if !ran || !read_only {
        skipped("a full disk and a read-only one, for which this machine lacks the right to mount");
    }
}
