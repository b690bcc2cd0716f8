//! Options as people spell them, put as clap reads them.
//!
//! Names: an unambiguous beginning (`--epoch`), underscores, capitals, `-ization`, one dash (`-widths`) or the long
//! dash that word processors make of two. Values: after a space also where they begin with a minus sign; lists with
//! commas, spaces or both, in brackets or not; the names of choices in any case, with `_` or `-`.

use std::ffi::{OsStr, OsString};

use clap::{Arg, Command};
use sparsewidth::{Error, Result};

/// The fewest letters of an option that stand for it.
const FEWEST: usize = 3;

/// The long dashes, and the minus sign.
const DASHES: [char; 4] = ['–', '—', '―', '−'];

/// Puts arguments, the program's name first, in the form that a command, which is built, reads.
///
/// # Errors
/// Where several options begin as one does.
pub fn spelled(program: &Command, arguments: impl IntoIterator<Item = OsString>) -> Result<Vec<OsString>> {
    let mut arguments = arguments.into_iter().peekable();
    let mut spelled: Vec<OsString> = arguments.next().into_iter().collect();
    let mut command = program;
    while let Some(argument) = arguments.next() {
        if argument == "--" {
            spelled.push(argument);
            spelled.extend(arguments);
            break;
        }
        let Some((option, inline)) = argument.to_str().and_then(|text| option_of(command, text)) else {
            not_several(command, argument.to_str().unwrap_or_default())?;
            let name = argument.to_str().unwrap_or_default().to_lowercase();
            let is_command = |inner: &&Command| inner.get_name() == name || inner.get_name() == argument;
            match command.get_subcommands().find(is_command) {
                Some(inner) => {
                    spelled.push(inner.get_name().into());
                    command = inner;
                }
                None => spelled.push(argument),
            }
            continue;
        };
        let name = option.get_long().expect("options were found by their long names");
        let mut values: Vec<OsString> = inline.map(OsString::from).into_iter().collect();
        if option.get_action().takes_values() {
            if values.is_empty() {
                values.extend(arguments.next_if(|next| is_value(command, next)));
            }
            let goes_on = |values: &[OsString], next: &OsStr| {
                let ends = values.last().and_then(|last| last.to_str()).is_some_and(|last| last.ends_with(','));
                let begins = next.to_str().is_some_and(|next| next.starts_with(','));
                !values.is_empty() && (is_list(option) || ends || begins) && is_value(command, next)
            };
            while let Some(next) = arguments.next_if(|next| goes_on(&values, next)) {
                values.push(next);
            }
        }
        let texts: Option<Vec<&str>> = values.iter().map(|value| value.to_str()).collect();
        match texts {
            Some(texts) if !texts.is_empty() => spelled.push(format!("--{name}={}", value(option, &texts)).into()),
            // Nothing, or a path that is no UTF-8, which clap takes as it is.
            _ => {
                spelled.push(format!("--{name}").into());
                spelled.extend(values);
            }
        }
    }
    Ok(spelled)
}

/// The option that a text names, and the value after `=`.
fn option_of<'a>(command: &'a Command, text: &str) -> Option<(&'a Arg, Option<String>)> {
    let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value.to_string())));
    let plain = plain_name(name)?;
    let exact = options(command).find(|option| names(option).any(|name| name == plain));
    // One dash begins short options as well: only a whole name is sure to be meant.
    let found = exact.or_else(|| match &beginning(command, name)[..] {
        [one] => Some(*one),
        _ => None,
    });
    found.map(|option| (option, value))
}

/// The name of an option in our spelling; none where the text is no option, or a number, or a short option.
fn plain_name(name: &str) -> Option<String> {
    let bare = name.trim_start_matches('-').trim_start_matches(DASHES);
    if bare == name || bare.chars().nth(1).is_none() || !bare.starts_with(char::is_alphabetic) {
        return None;
    }
    let plain = bare.to_lowercase().replace('_', "-");
    Some(plain.replace("ization", "isation").replace("parameteris", "parametris"))
}

fn options(command: &Command) -> impl Iterator<Item = &Arg> {
    command.get_arguments().filter(|option| option.get_long().is_some())
}

fn names(option: &Arg) -> impl Iterator<Item = &str> {
    option.get_long().into_iter().chain(option.get_all_aliases().into_iter().flatten())
}

/// The options whose name begins with a text after two dashes, if that is long enough.
fn beginning<'a>(command: &'a Command, name: &str) -> Vec<&'a Arg> {
    match plain_name(name).filter(|plain| name.starts_with("--") && plain.len() >= FEWEST) {
        Some(plain) => options(command).filter(|option| names(option).any(|name| name.starts_with(&plain))).collect(),
        None => Vec::new(),
    }
}

/// Refuses what several options begin with.
fn not_several(command: &Command, text: &str) -> Result<()> {
    let name = text.split('=').next().unwrap_or_default();
    let several = beginning(command, name);
    if several.len() < 2 {
        return Ok(());
    }
    let several: Vec<String> = several.iter().filter_map(|option| Some(format!("--{}", option.get_long()?))).collect();
    let problem = format!("could be {}", several.join(" or "));
    Err(Error::value("option", name, problem, "write more of its name"))
}

/// Whether an argument is the value of the option before it: no option itself, but perhaps a number below zero.
fn is_value(command: &Command, argument: &OsStr) -> bool {
    let Some(text) = argument.to_str() else { return true };
    match text.strip_prefix('-') {
        None => option_of(command, text).is_none(),
        Some("") => true,
        Some(rest) => {
            let rest = rest.to_lowercase();
            rest.starts_with(|first: char| first.is_ascii_digit() || first == '.') || rest == "inf" || rest == "nan"
        }
    }
}

fn is_list(option: &Arg) -> bool {
    option.get_value_delimiter().is_some()
}

/// One text of the values of an option.
fn value(option: &Arg, values: &[&str]) -> String {
    let choices = option.get_possible_values();
    let chosen = |value: &str| {
        let plain = value.trim().to_lowercase().replace('_', "-");
        match choices.iter().any(|choice| choice.get_name_and_aliases().any(|name| name == plain)) {
            true => plain,
            false => value.into(),
        }
    };
    if !is_list(option) {
        return chosen(&values.concat());
    }
    let mut joined = values.join(",");
    let inside = [('[', ']'), ('(', ')'), ('{', '}')]
        .iter()
        .find_map(|(open, close)| Some(joined.trim().strip_prefix(*open)?.strip_suffix(*close)?.to_string()));
    joined = inside.unwrap_or(joined);
    // The parts of one entry.
    while joined.contains(" :") || joined.contains(": ") {
        joined = joined.replace(" :", ":").replace(": ", ":");
    }
    let entries = joined.split(|letter: char| letter == ',' || letter == ';' || letter.is_whitespace());
    entries.filter(|entry| !entry.is_empty()).map(chosen).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{ArgAction, builder::PossibleValuesParser};

    fn program() -> Command {
        let valued = |name: &'static str| Arg::new(name).long(name).action(ArgAction::Set);
        let list = |name| valued(name).action(ArgAction::Append).value_delimiter(',');
        let inner = Command::new("train")
            .arg(list("widths"))
            .arg(list("mask").value_parser(PossibleValuesParser::new(["exact-count", "relu"])))
            .arg(valued("learning-rate").alias("lr"))
            .arg(valued("epochs"))
            .arg(valued("normalisation").value_parser(PossibleValuesParser::new(["pixel"])))
            .arg(valued("out").alias("output-dir"))
            .arg(valued("outputs"))
            .arg(Arg::new("dense").long("dense").action(ArgAction::SetTrue))
            .arg(Arg::new("file"));
        let mut program = Command::new("program").arg(valued("seed").global(true)).subcommand(inner);
        program.build();
        program
    }

    #[test]
    fn names_and_values_are_put_as_they_are_read() {
        let cases: [(&[&str], &[&str]); 22] = [
            (&["--widths", "8,", "16,", "32"], &["--widths=8,16,32"]),
            (&["--widths", "8", "16", "32", "--dense"], &["--widths=8,16,32", "--dense"]),
            (&["--widths", "8 , 16 ;32"], &["--widths=8,16,32"]),
            (&["--widths=8,", "16"], &["--widths=8,16"]),
            (&["--widths", "8", ",", "16"], &["--widths=8,16"]),
            (&["--widths", "[8, 16]"], &["--widths=8,16"]),
            (&["--widths", "8: 0.1, 16 :0.2"], &["--widths=8:0.1,16:0.2"]),
            (&["--widths", "-1,2", "--widths", "3", "-1"], &["--widths=-1,2", "--widths=3,-1"]),
            (&["--widths="], &["--widths="]),
            (&["--epochs", "-1"], &["--epochs=-1"]),
            (&["--lr", "-inf"], &["--learning-rate=-inf"]),
            (&["--epoch", "3", "--Learning_Rate", "1"], &["--epochs=3", "--learning-rate=1"]),
            (&["--normalization", "Pixel"], &["--normalisation=pixel"]),
            (&["--mask", "Exact_Count,", "RELU"], &["--mask=exact-count,relu"]),
            (&["-epochs", "3", "—widths", "8", "–dense"], &["--epochs=3", "--widths=8", "--dense"]),
            (&["--out", "gaussian:784,", "1000"], &["--out=gaussian:784,1000"]),
            (&["--dense", "file"], &["--dense", "file"]),
            (&["--epochs", "--dense"], &["--epochs", "--dense"]),
            (&["--epochs", "3", "--", "--widths", "8"], &["--epochs=3", "--", "--widths", "8"]),
            // No option begins so, or too little is written.
            (&["--depth", "3"], &["--depth", "3"]),
            (&["--ep", "3"], &["--ep", "3"]),
            (&["-epoch", "3", "-h", "-1"], &["-epoch", "3", "-h", "-1"]),
        ];
        let arguments = |command: &str, more: &[&str]| -> Vec<OsString> {
            ["program", command].iter().chain(more).map(OsString::from).collect()
        };
        for (typed, read) in cases {
            assert_eq!(spelled(&program(), arguments("Train", typed)).unwrap(), arguments("train", read));
        }
        let before = ["program", "--seed", "-1", "train"].map(OsString::from);
        assert_eq!(spelled(&program(), before).unwrap(), ["program", "--seed=-1", "train"]);
        let message = spelled(&program(), arguments("train", &["--output=x"])).unwrap_err().to_string();
        assert!(message.contains("option = --output: could be --out or --outputs"), "{message}");
    }

    #[test]
    #[cfg(unix)]
    fn what_is_no_text_is_left_as_it_is() {
        use std::os::unix::ffi::OsStringExt;
        let path = OsString::from_vec(b"m\xff".to_vec());
        let arguments = ["program", "train", "--out"].map(OsString::from).into_iter().chain([path.clone()]);
        let read = spelled(&program(), arguments.clone()).unwrap();
        assert_eq!(read, arguments.collect::<Vec<_>>());
    }
}
