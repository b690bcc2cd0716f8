//! What kind of file was given in place of the expected one: recognised by its first bytes, named in words, with a
//! remedy.

use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::files::{in_python, in_shell};

/// What a file was taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// A matrix in a `.npy` file.
    Matrix,
    /// Images or labels in an IDX file.
    Idx,
    /// Weights of a network in a safetensors file.
    Weights,
    /// Masks in an NPZ or a safetensors file.
    Masks,
    /// Text, such as TOML or JSON lines.
    Text,
}

/// A kind of file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Empty,
    WebPage,
    /// What servers send in place of a file that they refuse.
    Xml,
    LfsPointer,
    Utf16,
    Json,
    /// Rows of numbers as text: what separates them, and whether there is a line of names above.
    Table(char, bool),
    /// Compressed: the name of the method, and the command that writes the contents to standard output.
    Compressed(&'static str, &'static str),
    Tar,
    /// A NumPy archive, with the names of its arrays.
    Npz(Vec<String>),
    Torch,
    /// Another ZIP archive, with the first names in it.
    Zip(Vec<String>),
    Pickle,
    Hdf5,
    Matlab,
    Parquet,
    Npy,
    /// IDX: what its entries are, and the number of its dimensions.
    Idx(&'static str, u8),
    Safetensors,
    /// A picture, a document or a program: its name.
    Other(&'static str),
}

/// Files that are known by their first bytes alone.
const BEGINNINGS: [(&[u8], Kind); 21] = [
    (b"version https://git-lfs", Kind::LfsPointer),
    (b"\xff\xfe", Kind::Utf16),
    (b"\xfe\xff", Kind::Utf16),
    (b"\x1f\x8b", Kind::Compressed("gzip", "gzip -dc")),
    (b"BZh", Kind::Compressed("bzip2", "bzip2 -dc")),
    (b"\xfd7zXZ\0", Kind::Compressed("xz", "xz -dc")),
    (b"\x28\xb5\x2f\xfd", Kind::Compressed("zstd", "zstd -dc")),
    (b"7z\xbc\xaf\x27\x1c", Kind::Compressed("7-Zip", "7z e -so")),
    (b"\x89HDF\r\n\x1a\n", Kind::Hdf5),
    (b"MATLAB 5.0", Kind::Matlab),
    (b"PAR1", Kind::Parquet),
    (b"\x93NUMPY", Kind::Npy),
    (b"\x89PNG", Kind::Other("a PNG picture")),
    (b"\xff\xd8\xff", Kind::Other("a JPEG picture")),
    (b"GIF8", Kind::Other("a GIF picture")),
    (b"%PDF", Kind::Other("a PDF document")),
    (b"\x7fELF", Kind::Other("a program")),
    (b"\x80\x02", Kind::Pickle),
    (b"\x80\x03", Kind::Pickle),
    (b"\x80\x04", Kind::Pickle),
    (b"\x80\x05", Kind::Pickle),
];

/// The type codes of IDX files.
const IDX_TYPES: [(u8, &str); 6] = [
    (0x08, "bytes"),
    (0x09, "signed bytes"),
    (0x0b, "16-bit integers"),
    (0x0c, "32-bit integers"),
    (0x0d, "32-bit floats"),
    (0x0e, "64-bit floats"),
];

/// The byte-order mark that some editors put before text.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// How many bytes of a text are looked at.
const LOOK: usize = 1 << 16;

impl Kind {
    /// The kind of a file, where its bytes show it.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        if bytes.is_empty() {
            return Some(Self::Empty);
        }
        // Checked first: the length of its header can look like the beginning of another kind.
        if let Some((length, rest)) = bytes.split_first_chunk()
            && rest.first() == Some(&b'{')
            && u64::from_le_bytes(*length) < (1 << 40)
        {
            return Some(Self::Safetensors);
        }
        if let Some((_, kind)) = BEGINNINGS.iter().find(|(beginning, _)| bytes.starts_with(beginning)) {
            return Some(kind.clone());
        }
        if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06") {
            return Some(Self::of_zip(bytes));
        }
        if let [0, 0, code, dimensions @ 1..=8, ..] = bytes
            && let Some((_, entries)) = IDX_TYPES.iter().find(|(known, _)| known == code)
        {
            return Some(Self::Idx(entries, *dimensions));
        }
        if bytes.get(257..262) == Some(b"ustar") {
            return Some(Self::Tar);
        }
        Self::of_text(bytes)
    }

    fn of_text(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.strip_prefix(MARK).unwrap_or(bytes);
        let look = &bytes[..bytes.len().min(LOOK)];
        // UTF-16 without a mark: every other byte of plain text is 0.
        let zeros = |first: usize| look.iter().skip(first).step_by(2).all(|byte| *byte == 0);
        if look.len() >= 8 && look.len().is_multiple_of(2) && (zeros(0) != zeros(1)) {
            return Some(Self::Utf16);
        }
        if look.iter().any(|byte| *byte < b' ' && !b"\t\n\r\x0c".contains(byte)) {
            return None;
        }
        let text = String::from_utf8_lossy(look);
        let text = text.trim_start();
        let begins = |words: &str| text.get(..words.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(words));
        if begins("<!doctype html") || begins("<html") || begins("<head") || begins("<script") {
            return Some(Self::WebPage);
        }
        if begins("<?xml") || begins("<Error>") {
            return Some(Self::Xml);
        }
        // A table of TOML begins with brackets too, but a name follows them.
        let inner = text.trim_start_matches(|letter: char| letter == '[' || letter.is_whitespace());
        let value = |first: char| first == '{' || first == '"' || first == '-' || first.is_ascii_digit();
        if text.starts_with('{') || (text.starts_with('[') && inner.starts_with(value)) {
            return Some(Self::Json);
        }
        // Without the last number, which may be cut short where the file is longer than `LOOK`.
        let cut = text.rfind([',', ';', '\t', ' ', '\n']).filter(|_| bytes.len() > LOOK);
        Self::table(&text[..cut.unwrap_or(text.len())])
    }

    /// A table: its first line, or the second where the first is a heading, consists of numbers. The last line may be
    /// cut short.
    fn table(text: &str) -> Option<Self> {
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).take(3).collect();
        let separator = |line: &str| {
            let numbers = |separator: char| {
                let mut cells =
                    line.split(separator).map(str::trim).filter(|cell| separator != ' ' || !cell.is_empty());
                cells.all(|cell| cell.trim_matches('"').parse::<f64>().is_ok())
            };
            [',', ';', '\t', ' '].into_iter().find(|separator| line.contains(*separator) && numbers(*separator))
        };
        let heading = |line: &&str| separator(line).is_none() && line.parse::<f64>().is_err();
        let is_headed = lines.first().is_some_and(heading);
        let rows = &lines[usize::from(is_headed)..];
        let of_row = |line: &&str| separator(line).or_else(|| line.parse::<f64>().is_ok().then_some(' '));
        let found = rows.first().and_then(of_row)?;
        // A number below some words is not yet a table.
        let is_table = rows.iter().all(|row| of_row(row) == Some(found)) && (!is_headed || lines[0].contains(found));
        is_table.then_some(Self::Table(found, is_headed))
    }

    fn of_zip(bytes: &[u8]) -> Self {
        let names = zip_names(bytes);
        if names.iter().any(|name| name.ends_with("/data.pkl") || name == "data.pkl") {
            Self::Torch
        } else if !names.is_empty() && names.iter().all(|name| name.ends_with(".npy")) {
            Self::Npz(names.iter().map(|name| name.trim_end_matches(".npy").to_string()).collect())
        } else {
            Self::Zip(names)
        }
    }

    /// Whether it may be what a reader of text expects. Such a reader then says better what is wrong.
    pub fn is_text(&self) -> bool {
        matches!(self, Self::Empty | Self::Json | Self::Table(..))
    }

    /// What it is, after "is".
    pub fn name(&self) -> String {
        match self {
            Self::Empty => "empty".into(),
            Self::WebPage => "a web page (HTML)".into(),
            Self::Xml => "a message from a server (XML)".into(),
            Self::LfsPointer => "a Git LFS pointer, which stands for a file that was not downloaded".into(),
            Self::Utf16 => "text in UTF-16".into(),
            Self::Json => "text in JSON".into(),
            Self::Table(separator, _) => {
                let name = match separator {
                    ',' => "commas",
                    ';' => "semicolons",
                    '\t' => "tabs",
                    _ => "spaces or lines",
                };
                format!("a table of numbers as text, separated by {name}")
            }
            Self::Compressed(name, _) => format!("compressed with {name}"),
            Self::Tar => "a tar archive".into(),
            Self::Npz(names) => format!("a NumPy archive (.npz) of {}", listed(names)),
            Self::Torch => "a file that PyTorch's torch.save wrote".into(),
            Self::Zip(names) if names.is_empty() => "a ZIP archive that is empty or cut short".into(),
            Self::Zip(names) => format!("a ZIP archive of {}", listed(names)),
            Self::Pickle => "a Python pickle, as older versions of PyTorch and CIFAR write them".into(),
            Self::Hdf5 => "an HDF5 file".into(),
            Self::Matlab => "a MATLAB file".into(),
            Self::Parquet => "a Parquet file".into(),
            Self::Npy => "a NumPy array (.npy)".into(),
            Self::Idx(entries, 1) => format!("an IDX file of {entries} in 1 dimension"),
            Self::Idx(entries, dimensions) => format!("an IDX file of {entries} in {dimensions} dimensions"),
            Self::Safetensors => "a safetensors file".into(),
            Self::Other(name) => (*name).into(),
        }
    }

    /// What to do where something else was wanted, with the command to type where there is one; none where the caller
    /// knows better.
    fn remedy(&self, path: &Path, wanted: Wanted) -> Option<String> {
        let (file, python) = (in_shell(&path.display().to_string()), in_python(path));
        let numpy =
            |read: &str| format!("in Python: import numpy; numpy.save({}, {read})", in_python(&as_matrix(path)));
        // Only a name that cannot end a quoted string goes into a command.
        let is_plain = |name: &&String| name.chars().all(|c| c.is_ascii_alphanumeric() || "_.-/ ".contains(c));
        let first = |names: &[String]| names.first().filter(is_plain).cloned().unwrap_or("NAME".into());
        Some(match (self, wanted) {
            (Self::Empty, _) => "download or copy the file again".into(),
            (Self::WebPage | Self::Xml, _) => {
                format!("download the file itself, not a page about it: curl -fL -o {file} ADDRESS")
            }
            (Self::LfsPointer, _) => {
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
                format!("download it: git -C {} lfs pull", in_shell(&folder.display().to_string()))
            }
            (Self::Utf16, _) => format!("convert it: iconv -f UTF-16 -t UTF-8 {file} > NEW, and use NEW"),
            (Self::Compressed(_, command), _) => format!("unpack it: {command} {file} > NEW, and use NEW"),
            (Self::Tar, _) => format!("unpack it: tar xf {file}"),
            (Self::Npz(names), Wanted::Matrix) => numpy(&format!("numpy.load({python})['{}']", first(names))),
            (Self::Zip(names), _) if names.is_empty() => "copy or download it again".into(),
            (Self::Zip(_), _) => format!("unpack it: unzip {file}"),
            (Self::Torch | Self::Pickle, Wanted::Matrix) => {
                format!("{} if it is one tensor", numpy(&format!("__import__('torch').load({python}).numpy()")))
            }
            (Self::Safetensors, Wanted::Matrix) => {
                numpy(&format!("__import__('safetensors.numpy').numpy.load_file({python})['NAME']"))
            }
            (Self::Hdf5, Wanted::Matrix) => numpy(&format!("__import__('h5py').File({python})['NAME'][:]")),
            (Self::Matlab, Wanted::Matrix) => numpy(&format!("__import__('scipy.io').io.loadmat({python})['NAME']")),
            (Self::Parquet, Wanted::Matrix) => {
                numpy(&format!("__import__('pandas').read_parquet({python}).to_numpy()"))
            }
            (Self::Table(separator, is_headed), Wanted::Matrix) => {
                let delimiter = match separator {
                    ' ' => String::new(),
                    '\t' => ", delimiter='\\t'".into(),
                    other => format!(", delimiter='{other}'"),
                };
                let skipped = if *is_headed { ", skiprows=1" } else { "" };
                numpy(&format!("numpy.loadtxt({python}, ndmin=2{delimiter}{skipped})"))
            }
            _ => return None,
        })
    }

    /// The error that the file is of this kind and not `wanted`; `otherwise` is the remedy where the kind has none of
    /// its own.
    pub fn refusal(&self, path: &Path, wanted: Wanted, otherwise: &str) -> Error {
        let remedy = self.remedy(path, wanted).unwrap_or_else(|| otherwise.into());
        Error::file(path, format!("is {}", self.name()), remedy)
    }
}

/// A path beside `path` for the matrix that is converted from it.
pub(crate) fn as_matrix(path: &Path) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let named = |number: u32| match number {
        1 => path.with_file_name(format!("{stem}-matrix.npy")),
        more => path.with_file_name(format!("{stem}-matrix{more}.npy")),
    };
    (1..100).map(named).find(|path| !path.exists()).unwrap_or(named(100))
}

/// The first few of some names.
pub(crate) fn listed(names: &[String]) -> String {
    const SHOWN: usize = 4;
    // Names come from files: their control characters must not reach a terminal.
    let shown: Vec<String> = names
        .iter()
        .take(SHOWN)
        .map(|name| name.chars().filter(|letter| !letter.is_control()).take(60).collect())
        .collect();
    match names.len() {
        0 => "nothing".into(),
        1..=SHOWN => shown.join(", "),
        more => format!("{} and {} more", shown.join(", "), more - SHOWN),
    }
}

/// The names in the directory of a ZIP archive.
fn zip_names(bytes: &[u8]) -> Vec<String> {
    const MOST: usize = 1_000;
    let mut names = Vec::new();
    let mut rest = bytes;
    while names.len() < MOST
        && let Some(at) = rest.windows(4).position(|window| window == b"PK\x01\x02")
    {
        rest = &rest[at..];
        let Some([low, high]) = rest.get(28..30) else { break };
        let length = usize::from(u16::from_le_bytes([*low, *high]));
        let Some(name) = rest.get(46..46 + length) else { break };
        names.push(String::from_utf8_lossy(name).into_owned());
        rest = &rest[46 + length..];
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_known_by_their_beginnings() {
        let utf16: Vec<u8> = "[[rate]]\nwidth".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let mut tar = vec![b'x'; 600];
        tar[257..262].copy_from_slice(b"ustar");
        let safetensors = [&9u64.to_le_bytes()[..], b"{\"a\":{}} "].concat();
        for (bytes, name) in [
            (&b""[..], "empty"),
            (b"\n <!DOCTYPE html><title>404</title>", "web page"),
            (b"\xef\xbb\xbf<HTML>", "web page"),
            (b"<?xml version=\"1.0\"?><Error>", "server"),
            (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "Git LFS"),
            (&utf16, "UTF-16"),
            (b"\xff\xfea\0", "UTF-16"),
            (b"1.0,2.0\n3.0,4.0\n", "commas"),
            (b"x,y\r\n1,2\r\n", "commas"),
            (b"1;2\n", "semicolons"),
            (b"1 2  3\n4 5 6", "spaces"),
            (b"1.5\n2.5\n", "lines"),
            (b"1\t2", "tabs"),
            (b"{\"a\": 1}", "JSON"),
            (b"[[1, 2], [3, 4]]", "JSON"),
            (b"\x1f\x8b\x08\0", "gzip"),
            (b"BZh91AY", "bzip2"),
            (&tar, "tar"),
            (b"\x80\x04\x95", "pickle"),
            (b"\x89HDF\r\n\x1a\n\0", "HDF5"),
            (b"\0\0\x0d\x02", "32-bit floats in 2 dimensions"),
            (b"\0\0\x08\x01\0", "bytes in 1 dimension"),
            (&safetensors, "safetensors"),
            (b"\x89PNG\r\n", "PNG"),
        ] {
            let kind = Kind::of(bytes).unwrap_or_else(|| panic!("{bytes:?}"));
            assert!(kind.name().contains(name), "{bytes:?}: {}", kind.name());
            // Wherever a file is cut, its kind is found or not, without a panic.
            (0..bytes.len()).for_each(|end| drop(Kind::of(&bytes[..end])));
        }
        for bytes in [
            &b"\x01\x02\x03\x04\x05\x06\x07"[..],
            b"some words",
            b"[[rate]]\nwidth = 8",
            b"[package]\nname = \"x\"",
            b"PK",
            b"\0\0\x08\x09",
        ] {
            assert_eq!(Kind::of(bytes), None, "{bytes:?}");
        }
    }

    /// A ZIP archive of empty files; only its directory is read.
    fn zip(names: &[&str]) -> Vec<u8> {
        let mut bytes = b"PK\x03\x04".to_vec();
        for name in names {
            let mut entry = [0; 46];
            entry[..4].copy_from_slice(b"PK\x01\x02");
            entry[28] = name.len() as u8;
            bytes.extend(entry);
            bytes.extend(name.bytes());
        }
        bytes
    }

    #[test]
    fn archives_are_known_by_their_contents_and_say_what_to_type() {
        let path = Path::new("d/x.npy");
        let told = |bytes: &[u8]| Kind::of(bytes).unwrap().refusal(path, Wanted::Matrix, "?").to_string();
        let npz = told(&zip(&["images.npy", "labels.npy"]));
        assert!(npz.contains("(.npz) of images, labels") && npz.contains("numpy.load('d/x.npy')['images']"), "{npz}");
        let torch = told(&zip(&["x/data.pkl", "x/data/0"]));
        assert!(torch.contains("torch.save") && torch.contains(".numpy()"), "{torch}");
        let other = told(&zip(&["a", "b", "c", "d", "e\u{1b}[2J"]));
        assert!(other.contains("ZIP archive of a, b, c, d and 1 more; unpack it: unzip d/x.npy"), "{other}");
        assert!(told(b"1;2\n").contains("numpy.loadtxt('d/x.npy', ndmin=2, delimiter=';')"));
        assert!(told(b"a,b\n1,2\n3,4\n").contains("delimiter=',', skiprows=1)"));
        assert!(told(b"1;2\n").contains("numpy.save('d/x-matrix.npy'"), "no file is overwritten");
        assert!(told(b"version https://git-lfs").contains("git -C d lfs pull"));
        let whole = zip(&["images.npy"]);
        (0..whole.len()).for_each(|end| drop(Kind::of(&whole[..end])));
    }
}
