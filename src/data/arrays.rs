//! Data sets in NumPy arrays: one NPZ file, or a folder of `.npy` files.
//!
//! With labels: `x_train`, `y_train`, `x_test` and `y_test`, in any case, as Keras stores MNIST. Images are of any
//! type, `(N, d)` or with further dimensions, which are flattened; labels are integers, `(N,)` or `(N, 1)`. An NPZ file
//! of one array holds inputs without labels.

use std::path::{Path, PathBuf};

use ndarray::Array2;

use super::found::{Found, Unlabelled, names};
use super::labelled::{LARGEST_LABEL, Unnumbered, checksum};
use super::npy::{self, flat, tuple};
use super::{Images, Inputs, LabelledSets, Values};
use crate::error::{Error, Result};
use crate::files::array::{Array, npz_names, of_npz};
use crate::files::kind::{Kind, Wanted, listed};
use crate::files::{CHECK, read_whole, unreadable};

/// The names of the arrays of a set with labels.
const NAMES: [&str; 4] = ["x_train", "y_train", "x_test", "y_test"];

/// What to do about most refusals.
const REMEDY: &str = "give an NPZ file of x_train, y_train, x_test and y_test, or of one array of inputs";

/// An array, if it is there, with the file that holds it.
type Held = Option<(Array, PathBuf)>;
/// Arrays by their places in [`NAMES`].
type Arrays = [Held; 4];

/// The place of an array in [`NAMES`], by its name.
fn place(name: &str) -> Option<usize> {
    NAMES.iter().position(|known| name.eq_ignore_ascii_case(known))
}

/// Reads an NPZ file.
pub(super) fn read_npz(path: &Path) -> Result<Found> {
    of_npz_bytes(&npz_bytes(path)?, path)
}

/// The data in the bytes of an NPZ file; `path` names it in messages.
pub(super) fn of_npz_bytes(bytes: &[u8], path: &Path) -> Result<Found> {
    let names = npz_names(bytes, path, REMEDY)?;
    if names.iter().any(|name| place(name).is_some_and(|place| place % 2 == 0)) {
        let mut found: Arrays = Default::default();
        for array in of_npz(bytes, path, REMEDY, &|name, _| place(name).is_some())? {
            let at = place(&array.name).expect("only these were asked for");
            if found[at].is_some() {
                return Err(Error::file(path, format!("holds two arrays {}", NAMES[at]), "keep one of each name"));
            }
            found[at] = Some((array, path.into()));
        }
        return of_arrays(found, path, &|name| name.to_string());
    }
    if names.len() != 1 {
        let problem = format!("holds the arrays {}, of which none is x_train or x_test", listed(&names));
        return Err(Error::file(path, problem, REMEDY));
    }
    let array = single(bytes, path)?;
    let (images, _) = images(&array, path)?;
    let missing = NAMES.join(", ");
    Ok(Found::Unlabelled(Unlabelled { inputs: inputs(&images, &array), are_images: false, missing }))
}

/// Whether a folder holds one of the arrays, as a `.npy` file.
pub(super) fn are_in(folder: &Path) -> bool {
    names(folder).iter().any(|name| of_file(name).is_some())
}

/// The place of the array in a file of that name.
fn of_file(name: &str) -> Option<usize> {
    let (stem, ending) = name.rsplit_once('.')?;
    place(stem).filter(|_| ending.eq_ignore_ascii_case("npy"))
}

/// Reads the arrays of a folder.
pub(super) fn read_folder(folder: &Path) -> Result<Found> {
    let mut found: Arrays = Default::default();
    for name in names(folder) {
        let Some(at) = of_file(&name) else { continue };
        let path = folder.join(&name);
        if found[at].is_some() {
            return Err(Error::file(folder, format!("holds two files {}.npy", NAMES[at]), "keep one of each name"));
        }
        let bytes = read_whole(&path).map_err(|error| unreadable(&path, error, CHECK))?;
        let array = npy::parse(&bytes, &path).map_err(|(problem, remedy)| match Kind::of(&bytes) {
            None | Some(Kind::Npy) => Error::file(&path, problem, remedy),
            Some(kind) => kind.refusal(&path, Wanted::Matrix, &remedy),
        })?;
        found[at] = Some((array, path));
    }
    of_arrays(found, folder, &|name| format!("{name}.npy"))
}

/// The sets of some arrays; `spell` makes of the name of one what it is to the user.
fn of_arrays(arrays: Arrays, path: &Path, spell: &dyn Fn(&str) -> String) -> Result<Found> {
    let expected = |at: usize| spell(NAMES[at]);
    let [x_train, y_train, x_test, y_test] = arrays;
    if let (None, None, Some((array, file))) = (&y_train, &y_test, x_test.as_ref().or(x_train.as_ref())) {
        let (images, _) = images(array, file)?;
        let missing = format!("{} and {}", expected(1), expected(3));
        let inputs = inputs(&images, array);
        return Ok(Found::Unlabelled(Unlabelled { inputs, are_images: true, missing }));
    }
    let set = |images_at: usize, (x, y): (Held, Held)| {
        let there = |found: Held, at: usize| {
            found.ok_or_else(|| {
                let remedy = format!("add it: {} belong together", NAMES.map(spell).join(", "));
                Error::file(path, format!("holds no {}", expected(at)), remedy)
            })
        };
        let ((x, x_path), (y, y_path)) = (there(x, images_at)?, there(y, images_at + 1)?);
        let (images, labels) = (images(&x, &x_path)?, labels(&y, &y_path)?);
        if labels.len() != x.shape[0] {
            let problem = format!(
                "{} has {} labels for the {} images of {}",
                expected(images_at + 1),
                labels.len(),
                x.shape[0],
                expected(images_at)
            );
            return Err(Error::file(&y_path, problem, "give one label for each image, in the same order"));
        }
        let layouts = [layout(&x), layout(&y)];
        let stored = [layouts[0].as_bytes(), &x.data, layouts[1].as_bytes(), &y.data];
        Unnumbered::new(images, labels, &stored, (&x_path, &y_path))
    };
    let (train, test) = (set(0, (x_train, y_train))?, set(2, (x_test, y_test))?);
    LabelledSets::new(train, test, path).map(Found::Labelled)
}

/// The type and shape of an array, which its checksum includes beside its bytes.
fn layout(array: &Array) -> String {
    format!("{:?} {} {:?}", array.entries, array.fortran, array.shape)
}

/// The bytes of an NPZ file.
fn npz_bytes(path: &Path) -> Result<Vec<u8>> {
    let bytes = read_whole(path).map_err(|error| unreadable(path, error, CHECK))?;
    match Kind::of(&bytes) {
        Some(Kind::Npz(_)) => Ok(bytes),
        Some(kind) => Err(kind.refusal(path, Wanted::Matrix, REMEDY)),
        None => Err(Error::file(path, "is not an NPZ file", REMEDY)),
    }
}

/// The only array of an NPZ file.
fn single(bytes: &[u8], path: &Path) -> Result<Array> {
    let mut arrays = of_npz(bytes, path, REMEDY, &|_, _| true)?;
    match arrays.len() {
        1 => Ok(arrays.swap_remove(0)),
        count => Err(Error::file(path, format!("holds {count} arrays, not one"), "give the files as they were made")),
    }
}

/// The images of a file of one array, the rows and columns of one, and what is stored.
pub(super) fn single_images(path: &Path) -> Result<(Images, (usize, usize), Vec<u8>)> {
    let array = single(&npz_bytes(path)?, path)?;
    let (images, shape) = images(&array, path)?;
    Ok((images, shape, array.data))
}

/// The labels of a file of one array, and what is stored.
pub(super) fn single_labels(path: &Path) -> Result<(Vec<i64>, Vec<u8>)> {
    let array = single(&npz_bytes(path)?, path)?;
    Ok((labels(&array, path)?, array.data))
}

/// The images of an array in rows, with the rows and columns of one.
fn images(array: &Array, path: &Path) -> Result<(Images, (usize, usize))> {
    if array.shape.len() < 2 {
        let problem = format!("{}has shape {}, which is not that of images", npy::name(array), tuple(&array.shape));
        return Err(Error::file(path, problem, "give an array (N, d), (N, h, w) or (N, h, w, c)"));
    }
    // For the checks that any matrix has to pass, sizes included.
    let values: Array2<f64> = npy::rows(array, path)?;
    let shape = match array.shape[1..] {
        [rows, ref rest @ ..] if !rest.is_empty() => (rows, rest.iter().product()),
        _ => (1, values.ncols()),
    };
    if !array.entries.is_byte() {
        return Ok((values.into(), shape));
    }
    let bytes = flat(array, array.data.clone()).map_err(|problem| Error::file(path, problem, REMEDY))?;
    Ok((bytes.into(), shape))
}

/// Images without labels as inputs.
fn inputs(images: &Images, array: &Array) -> Inputs {
    let kind = if matches!(images, Images::Bytes(_)) { Values::Bytes } else { Values::Real };
    let checksum = checksum(&[layout(array).as_bytes(), &array.data]);
    Inputs { values: images.to_real(), kind, checksum }
}

/// The labels of an array.
fn labels(array: &Array, path: &Path) -> Result<Vec<i64>> {
    let wrong = |problem: String, remedy: &str| Error::file(path, npy::name(array) + &problem, remedy);
    match array.shape[..] {
        [_] | [_, 1] => {}
        [_, columns] => {
            let problem = format!("has shape {}, {columns} numbers for each image", tuple(&array.shape));
            return Err(wrong(problem, "give the number of the class: of one-hot labels, y.argmax(1)"));
        }
        _ => {
            let problem = format!("has shape {}, which is not that of labels", tuple(&array.shape));
            return Err(wrong(problem, "give one label for each image, (N,)"));
        }
    }
    let numbers = array.numbers().map_err(|problem| wrong(problem, REMEDY))?;
    let mut labels = Vec::new();
    for (place, number) in numbers.enumerate() {
        if number.fract() != 0.0 || !(0.0..LARGEST_LABEL as f64).contains(&number) {
            let problem = format!("holds {number} at entry {place}, which is no label");
            return Err(wrong(problem, "give the classes as whole numbers from 0 on"));
        }
        labels.push(number as i64);
    }
    if labels.is_empty() {
        return Err(wrong("is empty".into(), "give at least one label"));
    }
    Ok(labels)
}
