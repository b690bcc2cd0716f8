//! What the program makes of an error: the option that its remedy takes, and the exit code.

use std::process::ExitCode;

use sparsewidth::{Error, ErrorKind, Setting};

/// The message, with arguments by the names of their options, and with the option that changes the setting which the
/// remedy speaks of.
pub fn message(error: &Error) -> String {
    let mut message = error.to_string();
    if error.kind() == ErrorKind::Argument
        && let Some(option) = spelled(error.subject())
    {
        message.replace_range(..error.subject().len(), &option);
    }
    match error.setting().and_then(option) {
        Some(option) => format!("{message} ({option})"),
        None => message,
    }
}

/// The long name of the option for an argument of the library.
fn spelled(argument: &str) -> Option<String> {
    let program = super::program();
    let mut options = program.get_subcommands().flat_map(clap::Command::get_arguments);
    options.find(|option| option.get_id() == argument)?.get_long().map(String::from)
}

fn option(setting: Setting) -> Option<&'static str> {
    match setting {
        Setting::OutputFolder => Some("--out"),
        Setting::Device => Some("--device cpu"),
        Setting::MaskFamily => Some("--mask"),
        Setting::Weights => Some("--weights"),
        Setting::Tolerance => Some("--tolerance"),
        Setting::LearningRate => Some("--learning-rate"),
        Setting::LearningRates => Some("sparsewidth tune"),
        Setting::KeepWeights => Some("train --keep-weights"),
        Setting::ZerosAreMasked => Some("--zeros-are-masked"),
        Setting::Data => Some("--data"),
        Setting::Layers => Some("--layers"),
        Setting::FloatType => Some("--dtype"),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_and_settings_are_spelled_as_options() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = sparsewidth::files::make_folder(file.path()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Output);
        let expected =
            format!("{}: is a file, not a folder; give another output folder (--out)", file.path().display());
        assert_eq!(message(&error), expected);
        let error = Error::value("weights_per_row", "a_b", "is not a number", "give one");
        assert_eq!(message(&error), "weights-per-row = a_b: is not a number; give one");
        // Somebody's layer.
        let error = Error::value("conv_1", "[0]", "has no weights", "leave it out");
        assert_eq!(message(&error), error.to_string());
    }
}
