//! What is said where a command is interrupted: how to go on.

use std::sync::OnceLock;

use sparsewidth::files::in_shell;

/// What is written when a signal comes: made before, as a handler may not allocate.
static MESSAGE: OnceLock<Vec<u8>> = OnceLock::new();
/// A file that is removed then: one that is not complete, by its path.
#[cfg(unix)]
static UNFINISHED: OnceLock<std::ffi::CString> = OnceLock::new();

/// Says so, from now on, where the program is interrupted (Ctrl-C) or asked to end; it ends then as it would have. The
/// first message stays.
pub fn say_when_interrupted(message: &str) {
    if MESSAGE.set(format!("\n{message}\n").into_bytes()).is_ok() {
        #[cfg(unix)]
        signals::handle();
    }
}

/// Removes an incomplete file, from now on, where the program is interrupted or asked to end, and says so. The first
/// one stays.
#[cfg(unix)]
pub fn remove_when_interrupted(file: &std::path::Path) {
    use std::os::unix::ffi::OsStrExt;
    if let Ok(file) = std::ffi::CString::new(file.as_os_str().as_bytes()) {
        let _ = UNFINISHED.set(file);
    }
    say_when_interrupted("Interrupted. Nothing was kept.");
}

#[cfg(not(unix))]
pub fn remove_when_interrupted(_: &std::path::Path) {}

/// The command that is running, as it is typed.
pub fn this_command() -> String {
    let words = std::env::args_os().map(|word| in_shell(&word.to_string_lossy()));
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(unix)]
mod signals {
    use super::{MESSAGE, UNFINISHED};

    unsafe extern "C" {
        fn signal(number: i32, handler: usize) -> usize;
        fn raise(number: i32) -> i32;
        fn write(file: i32, bytes: *const u8, count: usize) -> isize;
        fn unlink(path: *const std::ffi::c_char) -> i32;
    }

    /// Ctrl-C, and the wish that the program end, as a cluster sends it before the time is up.
    const SIGNALS: [i32; 2] = [2, 15];
    const DEFAULT: usize = 0;
    const IGNORED: usize = 1;

    pub fn handle() {
        for number in SIGNALS {
            // SAFETY: the handler calls only what may be called in one.
            unsafe {
                // Who started it can want it to go on, as `nohup` does.
                if signal(number, told as *const () as usize) == IGNORED {
                    signal(number, IGNORED);
                }
            }
        }
    }

    extern "C" fn told(number: i32) {
        let message = MESSAGE.get().map_or(&[][..], Vec::as_slice);
        // SAFETY: the four may be called in a handler; message and path are never changed. The signal comes again once
        // this returns, and ends the program as if nothing had been said.
        unsafe {
            if let Some(file) = UNFINISHED.get() {
                unlink(file.as_ptr());
            }
            write(2, message.as_ptr(), message.len());
            signal(number, DEFAULT);
            raise(number);
        }
    }
}
