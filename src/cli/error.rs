//! What the program makes of an error: the option that its remedy takes, and the exit code.

use std::process::ExitCode;

use sparsewidth::{Error, ErrorKind, Setting};

/// The message, with the option that changes the setting which the remedy speaks of.
pub fn message(error: &Error) -> String {
    match error.setting().and_then(option) {
        Some(option) => format!("{error} ({option})"),
        None => error.to_string(),
    }
}

fn option(setting: Setting) -> Option<&'static str> {
    match setting {
        Setting::OutputFolder => Some("--out"),
        Setting::Device => Some("--device cpu"),
        Setting::MaskFamily => Some("--mask"),
        Setting::Weights => Some("--weights"),
        Setting::Tolerance => Some("--tolerance"),
        Setting::LearningRate => Some("--learning-rate"),
        Setting::KeepWeights => Some("train --keep-weights"),
        _ => None,
    }
}

/// 2 where the arguments, the input or the output folder that was named are wrong; 1 for anything else.
pub fn exit_code(error: &Error) -> ExitCode {
    ExitCode::from(match error.kind() {
        ErrorKind::Argument | ErrorKind::File | ErrorKind::Output => 2,
        _ => 1,
    })
}
