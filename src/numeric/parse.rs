//! Numbers as people write them: counts, numbers and shares. Where a text is not a number, the error says why, and what
//! to write instead.
//!
//! ```
//! use sparsewidth::numeric::parse::{count, number, share};
//! assert_eq!(count("1e3"), count("1,000"));
//! assert_eq!(number("0,5"), number("5e-1"));
//! assert_eq!(share("10%"), share("1/10"));
//! assert!(count("1,500").unwrap_err().to_string().contains("write 1500"));
//! ```

use crate::error::Error;

/// Why a text is not a number of the kind wanted, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}; {remedy}")]
pub struct NotANumber {
    /// What is wrong.
    pub problem: String,
    /// What to write.
    pub remedy: String,
}

impl NotANumber {
    fn new(problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { problem: problem.into(), remedy: remedy.into() }
    }

    /// The [`Error`] of an argument of this name and value.
    #[must_use]
    pub fn of(self, name: &str, value: &str) -> Error {
        Error::value(name, value, self.problem, self.remedy)
    }
}

/// What separates groups of three digits, besides the comma and the point.
const SEPARATORS: [char; 7] = ['_', '\'', '’', ' ', '\u{a0}', '\u{2009}', '\u{202f}'];

const NO_NUMBER: &str = "is not a number";

/// Powers of ten that letters stand for.
const MULTIPLES: [(char, i64); 3] = [('k', 3), ('K', 3), ('M', 6)];

/// A count: digits, also as `1e3` or `10k`, and in groups of three as `1_000`, `1 000` or `1,000`. A comma counts as a
/// separator of thousands only where it cannot separate the entries of a list, as before `000`.
///
/// # Errors
/// Where the text is not a whole number of 0 or more, could be two different ones, or needs more than 64 bits.
pub fn whole(text: &str) -> Result<u64, NotANumber> {
    const EXAMPLE: &str = "write a whole number, for instance 1000";
    let text = text.trim();
    if text.is_empty() {
        return Err(NotANumber::new("is empty", EXAMPLE));
    }
    if text.contains(['%', '/']) {
        return Err(NotANumber::new("is a share, not a count", EXAMPLE));
    }
    let groups = |separator: char| grouped(text, |letter| letter == separator);
    if text.contains(',') {
        return match groups(',') {
            Some(digits) if text.contains(",0") => parse_whole(&digits),
            Some(digits) => Err(NotANumber::new(
                "has a comma, and could be one number or a list",
                format!("write {digits} if it is one number"),
            )),
            None => Err(NotANumber::new("is a list, or a fraction with a comma", EXAMPLE)),
        };
    }
    if let Some(digits) = groups('.').filter(|_| !text.starts_with("0.")) {
        let problem = match text.split_once('.') {
            Some((before, after)) if !after.contains('.') => format!("could be {before} or {digits}"),
            _ => "has points between its digits".into(),
        };
        return Err(NotANumber::new(problem, format!("write it without a point, for instance {digits}")));
    }
    let text = grouped(text, |letter| SEPARATORS.contains(&letter)).unwrap_or_else(|| text.into());
    parse_whole(&text)
}

/// The same as a `usize`.
///
/// # Errors
/// As [`whole`].
pub fn count(text: &str) -> Result<usize, NotANumber> {
    usize::try_from(whole(text)?).map_err(|_| too_large())
}

/// A count that is an entry of a list, where commas separate entries and never thousands.
///
/// # Errors
/// As [`whole`], and for `000`, which is the end of `1,000`.
pub fn listed_count(text: &str) -> Result<usize, NotANumber> {
    if text.len() > 1 && text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let problem = "begins with 0; commas separate the entries of a list";
        return Err(NotANumber::new(problem, "write thousands without a comma, for instance 1000"));
    }
    count(text).map_err(|error| match error.problem == NO_NUMBER {
        true => NotANumber::new(NO_NUMBER, "write every entry, for instance 8,16,32"),
        false => error,
    })
}

/// A number as Rust reads it. The decimal point may also be a comma where that cannot separate thousands (`0,5`,
/// `1,25`), and groups of three digits may be separated.
///
/// # Errors
/// Where the text is not a number, is a percentage, or could be two different numbers.
pub fn number(text: &str) -> Result<f64, NotANumber> {
    if let Some(percents) = text.trim().strip_suffix('%') {
        let example = decimal(percents).map_or("0.1".into(), |percents| (percents / 100.0).to_string());
        return Err(NotANumber::new("is a percentage", format!("write a number, for instance {example}")));
    }
    decimal(text)
}

/// A share of something: a [`number`], or `10%`, or `1/8`. That it lies between 0 and 1 is not checked.
///
/// # Errors
/// Where the text is not a number, or could be two different ones.
pub fn share(text: &str) -> Result<f64, NotANumber> {
    let text = text.trim();
    if let Some(percents) = text.strip_suffix('%') {
        return Ok(decimal(percents)? / 100.0);
    }
    match text.split_once('/') {
        Some((part, all)) => Ok(decimal(part)? / decimal(all)?),
        None => decimal(text),
    }
}

/// A share that is an entry of a list.
///
/// # Errors
/// As [`share`], and for 0, the beginning of `0,5`.
pub fn listed_share(text: &str) -> Result<f64, NotANumber> {
    match share(text)? {
        0.0 => Err(NotANumber::new(
            "is not a share above 0; commas separate the entries of a list",
            "write fractions with a point, for instance 0.5",
        )),
        share => Ok(share),
    }
}

/// Megabytes: a [`whole`] number of them, with or without `MB`, or of gigabytes with `GB`. A gigabyte is 1,024
/// megabytes.
///
/// # Errors
/// As [`whole`], and for 0 or a number of more than 32 bits.
pub fn megabytes(text: &str) -> Result<u32, NotANumber> {
    const UNITS: [(&str, u64); 6] = [("gib", 1024), ("gb", 1024), ("g", 1024), ("mib", 1), ("mb", 1), ("m", 1)];
    let lower = text.trim().to_lowercase();
    let unit = UNITS.into_iter().find_map(|(unit, megabytes)| Some((lower.strip_suffix(unit)?, megabytes)));
    let (digits, unit) = unit.unwrap_or((&lower, 1));
    let all = whole(digits)?.checked_mul(unit).and_then(|all| u32::try_from(all).ok()).ok_or_else(too_large)?;
    if all == 0 {
        return Err(NotANumber::new("is not an amount of memory", "write the megabytes, at least 1"));
    }
    Ok(all)
}

fn too_large() -> NotANumber {
    NotANumber::new("is too large", "write a smaller number")
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The digits of a number in groups of three, without what separates them; none where there is only one group, or a
/// group has another length.
fn grouped(text: &str, separates: impl Fn(char) -> bool) -> Option<String> {
    let mut groups = text.split(separates);
    let first = groups.next().filter(|first| is_digits(first) && first.len() <= 3)?;
    let others: Vec<&str> = groups.collect();
    let whole = !others.is_empty() && others.iter().all(|group| is_digits(group) && group.len() == 3);
    whole.then(|| first.to_string() + &others.concat())
}

/// A whole number from digits, a point, an exponent or a letter for a power of ten; read exactly, without going through
/// a float.
fn parse_whole(text: &str) -> Result<u64, NotANumber> {
    let none = || NotANumber::new(NO_NUMBER, "write a whole number, for instance 1000");
    let text = text.replace('−', "-");
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(&text)),
    };
    let multiple = MULTIPLES.iter().find_map(|(letter, power)| Some((text.strip_suffix(*letter)?, *power)));
    let (text, power) = multiple.unwrap_or((text, 0));
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().map_err(|_| none())?),
        None => (text, 0),
    };
    let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{before}{after}");
    if !is_digits(&digits) {
        return Err(none());
    }
    let significant = digits.trim_start_matches('0').trim_end_matches('0');
    if significant.is_empty() {
        return Ok(0);
    }
    if negative {
        return Err(NotANumber::new("is below zero", "write a number without a minus sign"));
    }
    let zeros = (digits.len() - digits.trim_end_matches('0').len()) as i64;
    let exponent = exponent.saturating_add(power).saturating_add(zeros - after.len() as i64);
    if exponent < 0 {
        let below_1 = exponent.unsigned_abs() >= significant.len() as u64;
        let problem = if below_1 { "is a share, not a count" } else { "is not a whole number" };
        return Err(NotANumber::new(problem, "write a whole number, for instance 1000"));
    }
    let all = u32::try_from(exponent).ok().and_then(|exponent| 10u64.checked_pow(exponent));
    let all = all.and_then(|all| significant.parse::<u64>().ok()?.checked_mul(all));
    all.ok_or_else(too_large)
}

/// A number with a decimal point or comma.
fn decimal(text: &str) -> Result<f64, NotANumber> {
    let text = text.trim().replace('−', "-");
    let none = || NotANumber::new("is not a number", "write one with a decimal point, for instance 0.1");
    if text.is_empty() {
        return Err(NotANumber::new("is empty", "write a number, for instance 0.1"));
    }
    let (sign, unsigned) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(&text)),
    };
    let of_parts = |before: &str, after: &str| format!("{sign}{before}.{after}").parse().map_err(|_| none());
    let thousands = |digits: &str| grouped(digits, |letter| letter == ',' || SEPARATORS.contains(&letter));
    if let Some((before, after)) = unsigned.split_once('.')
        && let Some(digits) = thousands(before)
    {
        return of_parts(&digits, after);
    }
    match unsigned.split_once(',') {
        Some((before, after)) if !after.contains([',', '.']) => match thousands(unsigned) {
            Some(digits) if !before.starts_with('0') => Err(NotANumber::new(
                format!("could be {sign}{digits} or {sign}{before}.{after}"),
                "write the one that is meant, with a decimal point if it needs one",
            )),
            _ => of_parts(before, after),
        },
        _ => {
            let digits = thousands(unsigned).unwrap_or_else(|| unsigned.into());
            format!("{sign}{digits}").parse().map_err(|_| none())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exponent_of_any_size_is_refused_in_words() {
        for text in ["1e-9223372036854775808", "1e9223372036854775807", "5e-1"] {
            assert!(whole(text).is_err(), "{text}");
        }
    }

    #[test]
    fn counts_as_people_write_them() {
        for (text, value) in [
            ("8", 8),
            (" 8 ", 8),
            ("+8", 8),
            ("007", 7),
            ("8.0", 8),
            ("1e3", 1_000),
            ("1E+3", 1_000),
            ("2.5e3", 2_500),
            ("1000e-3", 1),
            ("10k", 10_000),
            ("2.5K", 2_500),
            ("1M", 1_000_000),
            ("1,000", 1_000),
            ("10,000", 10_000),
            ("1,024", 1_024),
            ("1_000", 1_000),
            ("1'234'567", 1_234_567),
            ("1 234", 1_234),
            ("1\u{202f}234", 1_234),
            ("-0", 0),
            ("0e99", 0),
            ("18446744073709551615", u64::MAX),
            ("1844674407370955161.5e1", u64::MAX),
        ] {
            assert_eq!(whole(text), Ok(value), "{text}");
        }
        for (text, problem, remedy) in [
            ("", "empty", "1000"),
            ("ten", "not a number", "1000"),
            ("0x10", "not a number", "1000"),
            ("1e", "not a number", "1000"),
            ("e3", "not a number", "1000"),
            ("--1", "not a number", "1000"),
            ("-1", "below zero", "without a minus"),
            ("−1", "below zero", "without a minus"),
            ("0.1", "a share", "1000"),
            ("1e-3", "a share", "1000"),
            ("0.100", "a share", "1000"),
            ("10%", "a share", "1000"),
            ("1/2", "a share", "1000"),
            ("1.5", "not a whole number", "1000"),
            ("10.000", "could be 10 or 10000", "without a point"),
            ("1.000.000", "points", "1000000"),
            ("6,352", "one number or a list", "write 6352"),
            ("8,16", "a list", "1000"),
            ("0,5", "a fraction with a comma", "1000"),
            ("1__000", "not a number", "1000"),
            ("18446744073709551616", "too large", "smaller"),
            ("1e99999999999999999", "too large", "smaller"),
            ("1e99999999999999999999999", "not a number", "1000"),
        ] {
            let error = whole(text).expect_err(text);
            assert!(error.problem.contains(problem) && error.remedy.contains(remedy), "{text}: {error}");
        }
        assert_eq!(listed_count("1e3"), Ok(1_000));
        assert_eq!(listed_count("0"), Ok(0));
        for text in ["000", "024"] {
            assert!(listed_count(text).unwrap_err().remedy.contains("without a comma"), "{text}");
        }
        assert!(listed_count("").is_err());
        assert!(listed_count("8..64").unwrap_err().remedy.contains("8,16,32"));
        for (text, value) in [("512", 512), ("512MB", 512), ("2 GB", 2_048), ("1g", 1_024), ("1e3m", 1_000)] {
            assert_eq!(megabytes(text), Ok(value), "{text}");
        }
        for text in ["0", "5 KB", "9999999 GB", "GB", "0.5 GB"] {
            assert!(megabytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_and_shares_as_people_write_them() {
        for (text, value) in [
            ("0.1", 0.1),
            (".1", 0.1),
            ("1e-3", 1e-3),
            ("0,5", 0.5),
            ("-0,125", -0.125),
            ("1,25", 1.25),
            ("1,5e-3", 1.5e-3),
            ("1,000.5", 1000.5),
            ("1,000,000", 1e6),
            ("1 000", 1e3),
            ("10.000", 10.0),
            ("inf", f64::INFINITY),
        ] {
            assert_eq!((number(text), share(text)), (Ok(value), Ok(value)), "{text}");
        }
        assert!(number("NaN").unwrap().is_nan());
        for (text, value) in [("10%", 0.1), ("12.5 %", 0.125), ("1/8", 0.125), ("0,5%", 0.005)] {
            assert_eq!(share(text), Ok(value), "{text}");
        }
        for (text, words) in [
            ("", "empty"),
            ("half", "not a number"),
            ("1,500", "could be 1500 or 1.500"),
            ("1.000,5", "not a number"),
            ("1,2,3", "not a number"),
            ("1/2/3", "not a number"),
            ("%", "empty"),
        ] {
            let error = share(text).expect_err(text).to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
        assert!(number("5%").unwrap_err().remedy.contains("0.05"));
        assert!(listed_share("0").unwrap_err().remedy.contains("point"));
        assert_eq!(listed_share("50%"), Ok(0.5));
    }
}
