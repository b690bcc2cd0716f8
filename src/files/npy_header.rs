//! The header of `.npy` files.
//!
//! It is read here and not by a parser of Python literals: it is a dictionary of three entries, and on other input such
//! a parser can take exponential time.

/// The beginning of every `.npy` file.
pub(crate) const MAGIC: &[u8] = b"\x93NUMPY";
/// The most bytes of a header, NumPy's own limit.
const LONGEST_HEADER: usize = 10_000;

/// The header of a file's bytes, and the bytes of its entries.
pub(crate) fn raw(bytes: &[u8]) -> std::result::Result<(Header<'_>, &[u8]), &'static str> {
    let (header, data) = split(bytes)?;
    Ok((Header::parse(header)?, data))
}

/// The header of a file and the data after it.
fn split(bytes: &[u8]) -> std::result::Result<(&str, &[u8]), &'static str> {
    let rest = bytes.strip_prefix(MAGIC).ok_or("it does not begin as one does")?;
    let cut = "it ends within its header";
    let (length, rest) = match rest {
        [1, 0, low, high, rest @ ..] => (u32::from(u16::from_le_bytes([*low, *high])), rest),
        [2 | 3, 0, a, b, c, d, rest @ ..] => (u32::from_le_bytes([*a, *b, *c, *d]), rest),
        [1..=3, 0, ..] | [] | [_] => return Err(cut),
        _ => return Err("its version is not 1.0, 2.0 or 3.0"),
    };
    let length = length as usize;
    if length > LONGEST_HEADER {
        return Err("its header is longer than 10000 bytes");
    }
    let (header, data) = rest.split_at_checked(length).ok_or(cut)?;
    Ok((std::str::from_utf8(header).map_err(|_| "invalid .npy header: it is not text")?, data))
}

/// What a header says.
#[derive(Debug, PartialEq)]
pub(crate) struct Header<'a> {
    /// The type of the entries, such as `<f8`, or what is there instead of a string.
    pub descriptor: &'a str,
    /// Whether columns are contiguous rather than rows.
    pub fortran: bool,
    pub shape: Vec<usize>,
}

impl<'a> Header<'a> {
    /// Reads `{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }`, the entries in any order.
    pub fn parse(text: &'a str) -> std::result::Result<Self, &'static str> {
        let wrong = "invalid .npy header: expected a dictionary of descr, fortran_order and shape";
        let text = text.trim().strip_prefix('{').and_then(|text| text.strip_suffix('}')).ok_or(wrong)?;
        let (mut descriptor, mut fortran, mut shape) = (None, None, None);
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            let (key, after) = quoted(rest).ok_or(wrong)?;
            let value = after.trim_start().strip_prefix(':').ok_or(wrong)?.trim_start();
            let twice = match key {
                "descr" => {
                    // A list of fields is not supported; it is read so that the error can name it.
                    let (value, after) = quoted(value).or_else(|| up_to(value, ']')).ok_or(wrong)?;
                    rest = after;
                    descriptor.replace(value).is_some()
                }
                "fortran_order" => {
                    let is = |word, truth| value.strip_prefix(word).map(|after| (truth, after));
                    let (value, after) = is("True", true).or_else(|| is("False", false)).ok_or(wrong)?;
                    rest = after;
                    fortran.replace(value).is_some()
                }
                "shape" => {
                    let (value, after) = up_to(value, ')').ok_or(wrong)?;
                    rest = after;
                    shape
                        .replace(sizes(value).ok_or("invalid .npy header: the shape is not a tuple of sizes")?)
                        .is_some()
                }
                _ => return Err(wrong),
            };
            rest = rest.trim_start();
            rest = match rest.strip_prefix(',') {
                Some(after) => after.trim_start(),
                None if rest.is_empty() => rest,
                None => return Err(wrong),
            };
            if twice {
                return Err("its header has the same entry twice");
            }
        }
        match (descriptor, fortran, shape) {
            (Some(descriptor), Some(fortran), Some(shape)) => Ok(Self { descriptor, fortran, shape }),
            _ => Err(wrong),
        }
    }
}

/// The quoted string at the beginning, and what follows it. Strings in a header need no escapes.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|first| ['\'', '"'].contains(first))?;
    text[1..].split_once(quote)
}

/// The text up to and including the first `bracket`, and what follows it.
fn up_to(text: &str, bracket: char) -> Option<(&str, &str)> {
    text.split_inclusive(bracket).next().filter(|head| head.ends_with(bracket)).map(|head| text.split_at(head.len()))
}

/// The sizes of `(3, 4)`, `(3,)` or `()`.
fn sizes(tuple: &str) -> Option<Vec<usize>> {
    let inside = tuple.strip_prefix('(')?.strip_suffix(')')?.trim();
    if inside.is_empty() {
        return Some(Vec::new());
    }
    let sizes = match inside.strip_suffix(',') {
        Some(sizes) => sizes,
        // In Python this is a number in brackets, not a tuple.
        None if !inside.contains(',') => return None,
        None => inside,
    };
    let size = |size: &str| size.bytes().all(|byte| byte.is_ascii_digit()).then(|| size.parse().ok())?;
    // Python 2 marks long integers: (2L, 3L).
    sizes.split(',').map(|text| size(text.trim()).or_else(|| size(text.trim().strip_suffix('L')?))).collect()
}
