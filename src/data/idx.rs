//! The IDX format of MNIST: big-endian header, then bytes, or the labels of QMNIST; plain or gzipped.
//!
//! Header: two zero bytes, the type code (8: unsigned byte, 12: 32-bit integer), the number of dimensions, then each
//! dimension as a 32-bit big-endian number (<http://yann.lecun.com/exdb/mnist/>).

use std::io::{Read, Write};
use std::path::Path;

use flate2::{Compression, GzBuilder, bufread::GzDecoder};
use ndarray::{ArrayD, ArrayViewD, Ix3, IxDyn};

use super::Images;
use crate::error::{Error, Result};
use crate::files::kind::{Kind, Wanted};
use crate::files::{CHECK, in_shell, read_whole, unreadable};

/// The first two bytes of a gzip stream.
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// The beginning of QMNIST's labels: 32-bit integers in two dimensions.
const QMNIST_MAGIC: [u8; 4] = [0, 0, 0x0c, 2];
/// The most bytes of an unpacked file, twenty times those of MNIST: a gzip stream can unpack to a thousand times its
/// own length.
const MOST_UNPACKED: u64 = 1 << 30;

/// Reads the bytes of a file and unpacks them where they are gzipped.
///
/// # Errors
/// Where the file cannot be read, or its gzip stream is damaged or holds more than 1 GiB.
pub fn read_unpacked(path: &Path) -> Result<Vec<u8>> {
    let bytes = read_whole(path).map_err(|error| unreadable(path, error, CHECK))?;
    unpack(bytes, path)
}

/// Unpacks `bytes` where they are gzipped; `path` is for the error message only.
pub(super) fn unpack(bytes: Vec<u8>, path: &Path) -> Result<Vec<u8>> {
    unpack_at_most(MOST_UNPACKED, bytes, path)
}

/// Unpacks as [`unpack`] does, but refuses more than `most` bytes.
fn unpack_at_most(most: u64, bytes: Vec<u8>, path: &Path) -> Result<Vec<u8>> {
    if !bytes.starts_with(&GZIP_MAGIC) {
        return Ok(bytes);
    }
    let (mut unpacked, mut rest) = (Vec::new(), bytes.as_slice());
    // Zeros after the last member are the padding of tapes and disks.
    while rest.iter().any(|byte| *byte != 0) {
        let mut member = GzDecoder::new(rest);
        let left = most + 1 - unpacked.len() as u64;
        (&mut member).take(left).read_to_end(&mut unpacked).map_err(|error| {
            Error::file(path, format!("its gzip stream is damaged ({error})"), "download or copy the file again")
        })?;
        if unpacked.len() as u64 > most {
            let problem = format!("its gzip stream holds more than {most} bytes");
            return Err(Error::file(path, problem, "give the standard MNIST files, or unpack it yourself"));
        }
        rest = member.into_inner();
    }
    Ok(unpacked)
}

/// The images of unpacked IDX bytes, in rows, and the rows and columns of one; `path` is for the error message only.
pub(super) fn images(bytes: &[u8], path: &Path) -> Result<(Images, (usize, usize))> {
    let images = parse(bytes, 3, path)?.into_dimensionality::<Ix3>().expect("parsed in three dimensions");
    let (samples, rows, columns) = images.dim();
    let images = images.into_shape_with_order((samples, rows * columns)).expect("as many entries as before");
    Ok((images.into(), (rows, columns)))
}

/// The labels of unpacked IDX bytes: a byte each, or the first of the eight 32-bit columns of QMNIST.
pub(super) fn labels(bytes: &[u8], path: &Path) -> Result<Vec<i64>> {
    const COLUMNS: usize = 8;
    if !bytes.starts_with(&QMNIST_MAGIC) {
        return Ok(parse(bytes, 1, path)?.iter().map(|label| i64::from(*label)).collect());
    }
    let words: Vec<i32> = bytes[4..].as_chunks().0.iter().map(|word| i32::from_be_bytes(*word)).collect();
    let [count, 8, columns @ ..] = &words[..] else {
        let problem = format!("is not one of QMNIST's label files, which have {COLUMNS} columns, or is truncated");
        return Err(Error::file(path, problem, "give the standard QMNIST files"));
    };
    if i64::from(*count) * COLUMNS as i64 != columns.len() as i64 || !bytes.len().is_multiple_of(4) || *count < 1 {
        let problem = format!(
            "truncated or of a wrong length: its header says {count} rows of {COLUMNS} numbers of 4 bytes, but {} bytes follow",
            bytes.len() - 12
        );
        return Err(Error::file(path, problem, "give the standard QMNIST files, whole"));
    }
    Ok(columns.iter().step_by(COLUMNS).map(|class| i64::from(*class)).collect())
}

/// Parses unpacked IDX bytes of type unsigned byte with the given number of dimensions.
///
/// # Errors
/// A wrong magic number, a size of zero, or a length other than the header says; `path` is named in the message.
pub fn parse(bytes: &[u8], dimensions: u8, path: &Path) -> Result<ArrayD<u8>> {
    let magic = [0, 0, 8, dimensions];
    let header = 4 + 4 * usize::from(dimensions);
    let remedy = "give the standard MNIST files, whole and in their places";
    if bytes.len() < header || bytes[..4] != magic {
        let problem = match bytes.len() < header {
            true => format!("truncated: {} bytes are too few for an IDX header", bytes.len()),
            false => format!(
                "wrong magic number: {:02x?} where an IDX file of bytes in {dimensions} dimension(s) starts with {magic:02x?}",
                &bytes[..4]
            ),
        };
        return Err(other_kind(bytes, dimensions, path).unwrap_or_else(|| Error::file(path, problem, remedy)));
    }
    let shape: Vec<usize> = bytes[4..header]
        .chunks_exact(4)
        .map(|word| word.iter().fold(0, |size, byte| size << 8 | usize::from(*byte)))
        .collect();
    let payload = &bytes[header..];
    let expected = shape.iter().try_fold(1usize, |product, size| product.checked_mul(*size));
    if expected != Some(payload.len()) || payload.is_empty() {
        let kind =
            if expected.is_some_and(|expected| payload.len() >= expected) { "wrong length" } else { "truncated" };
        let problem = format!("{kind}: its header says {shape:?}, but {} bytes follow", payload.len());
        return Err(Error::file(path, problem, remedy));
    }
    Ok(ArrayD::from_shape_vec(IxDyn(&shape), payload.to_vec()).expect("as many bytes as the shape has: checked"))
}

/// The error that a file is of another kind, or an IDX file of another shape, where its bytes show it.
fn other_kind(bytes: &[u8], dimensions: u8, path: &Path) -> Option<Error> {
    let kind = Kind::of(bytes).filter(|kind| *kind != Kind::Empty)?;
    let remedy = match kind {
        Kind::Idx("bytes", found) if found == dimensions => return None,
        Kind::Idx("bytes", 1) => "give the file of images here: that is one of labels".into(),
        Kind::Idx("bytes", 3) => "give the file of labels here: that is one of images".into(),
        Kind::Idx("bytes", 4) if dimensions == 3 => {
            "give images without colours, in 3 dimensions: count, rows, columns".into()
        }
        Kind::Idx(..) => format!("give bytes in {dimensions} dimension(s)"),
        Kind::Compressed("gzip", _) => {
            format!(
                "it was compressed twice, so unpack it once: gzip -dc {} > NEW",
                in_shell(&path.display().to_string())
            )
        }
        _ => "give the standard MNIST files, whole and in their places".into(),
    };
    Some(match kind {
        Kind::Compressed("gzip", _) | Kind::Idx(..) => Error::file(path, format!("is {}", kind.name()), remedy),
        _ => kind.refusal(path, Wanted::Idx, &remedy),
    })
}

/// Encodes an array as gzipped IDX, the same bytes each time (no time stamp).
///
/// # Errors
/// Where the length of an axis does not fit 32 bits, or the number of axes 8 bits.
pub fn encode_gzip(array: ArrayViewD<u8>) -> Result<Vec<u8>> {
    let failure = |error: &dyn std::fmt::Display| Error::failure("encoding an IDX file", error);
    let mut header = vec![0, 0, 8, u8::try_from(array.ndim()).map_err(|error| failure(&error))?];
    for size in array.shape() {
        header.extend(u32::try_from(*size).map_err(|error| failure(&error))?.to_be_bytes());
    }
    let mut encoder = GzBuilder::new().write(Vec::new(), Compression::best());
    encoder.write_all(&header).map_err(|error| failure(&error))?;
    encoder.write_all(&array.iter().copied().collect::<Vec<u8>>()).map_err(|error| failure(&error))?;
    encoder.finish().map_err(|error| failure(&error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array;

    #[test]
    fn round_trip() {
        let array = Array::from_shape_fn((3, 2, 2), |(i, j, k)| (i * 4 + j * 2 + k) as u8).into_dyn();
        let packed = encode_gzip(array.view()).unwrap();
        let path = Path::new("memory");
        assert_eq!(parse(&unpack(packed, path).unwrap(), 3, path).unwrap(), array);
    }

    #[test]
    fn gzip_of_several_members() {
        let member = |bytes: &[u8]| {
            let mut encoder = GzBuilder::new().write(Vec::new(), Compression::fast());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        };
        let packed = [member(&[1, 2]), member(&[3])].concat();
        assert_eq!(unpack(packed.clone(), Path::new("two")).unwrap(), [1, 2, 3]);
        // The padding of a tape is no part of it; anything else is damage.
        let padded = |padding: &[u8]| unpack([&packed[..], padding].concat(), Path::new("two"));
        assert_eq!(padded(&[0; 512]).unwrap(), [1, 2, 3]);
        for garbage in [&[0, 0, 7][..], &[7], b"\x1f\x8b"] {
            assert!(padded(garbage).unwrap_err().to_string().contains("gzip stream is damaged"), "{garbage:?}");
        }
    }

    #[test]
    fn labels_of_qmnist_are_its_first_column() {
        let rows = [[7, 1, 2, 3, 4, 5, 6, 8], [2, 9, 9, 9, 9, 9, 9, -1]];
        let bytes = |count: i32, columns: i32| -> Vec<u8> {
            let words = [count, columns].into_iter().chain(rows.concat());
            QMNIST_MAGIC.into_iter().chain(words.flat_map(i32::to_be_bytes)).collect()
        };
        let path = Path::new("labels");
        assert_eq!(labels(&bytes(2, 8), path).unwrap(), [7, 2]);
        for wrong in [bytes(3, 8), bytes(1, 8), bytes(0, 8), bytes(-2, 8)] {
            assert!(labels(&wrong, path).unwrap_err().to_string().contains("rows of 8 numbers"));
        }
        let whole = bytes(2, 8);
        (0..whole.len()).for_each(|end| assert!(labels(&whole[..end], path).is_err(), "{end}"));
        assert!(labels(&bytes(2, 4), path).unwrap_err().to_string().contains("8 columns"));
    }

    #[test]
    fn streams_that_swell_are_refused() {
        let packed = encode_gzip(Array::<u8, _>::zeros((1, 100, 100)).into_dyn().view()).unwrap();
        assert!(packed.len() < 100);
        let path = Path::new("swollen");
        assert_eq!(unpack_at_most(10_016, packed.clone(), path).unwrap().len(), 10_016);
        let message = unpack_at_most(10_015, packed, path).unwrap_err().to_string();
        assert!(message.contains("swollen: its gzip stream holds more than 10015 bytes"), "{message}");
    }

    #[test]
    fn damage_is_told_apart() {
        let path = Path::new("images");
        let message = |bytes: &[u8], dimensions| parse(bytes, dimensions, path).unwrap_err().to_string();
        assert!(message(&[0, 0, 8], 1).contains("truncated"));
        assert!(message(&[0, 0, 8, 3, 0, 0, 0, 1, 7], 1).contains("in 3 dimensions; give the file of labels"));
        assert!(message(&[9, 0, 8, 1, 0, 0, 0, 1, 7], 1).contains("magic"));
        assert!(message(&[0, 0, 8, 1, 0, 0, 0, 2, 7], 1).contains("truncated"));
        assert!(message(&[0, 0, 8, 1, 0, 0, 0, 1, 7, 7], 1).contains("wrong length"));
        assert!(message(&[0, 0, 8, 1, 0, 0, 0, 0], 1).contains("wrong length"));
        let huge = [0, 0, 8, 3, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255];
        assert!(message(&huge, 3).contains("truncated"));
        assert!(unpack(vec![0x1f, 0x8b, 8, 0, 0], path).unwrap_err().to_string().contains("gzip"));
    }
}
