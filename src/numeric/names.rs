//! Variants of enums by their names.

use strum::VariantArray;

use crate::error::{Error, Result};

/// The variant that a text names, in any case, with `-`, `_` or nothing between words. The error message uses
/// `argument`, the name of the argument, and `what`, what is being named; `older` are former names of variants.
pub(crate) fn by_name<T: VariantArray + Copy + Into<&'static str>>(
    argument: &str,
    what: &str,
    text: &str,
    older: &[(&str, T)],
) -> Result<T> {
    let plain = |name: &str| name.trim().to_lowercase().replace(['-', '_'], "");
    let known = T::VARIANTS.iter().map(|variant| ((*variant).into(), *variant)).chain(older.iter().copied());
    let mut known = known.filter(|(name, _)| plain(name) == plain(text));
    known.next().map(|(_, variant)| variant).ok_or_else(|| {
        let names: Vec<&str> = T::VARIANTS.iter().map(|variant| (*variant).into()).collect();
        Error::value(argument, text, format!("unknown {what}"), format!("use one of {}", names.join(", ")))
    })
}
