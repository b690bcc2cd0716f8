//! Matrices of kernels: their entries are the kernels of pairs, whatever the tiles, threads and files.

mod program;

use ndarray::{Array2, s};
use program::{done, refused, sparsewidth};
use serde_json::Value;
use sparsewidth::data::read_npy;
use sparsewidth::files::{FloatType, NpyFile};
use sparsewidth::kernel::given::{GivenMask, MaskScale};
use sparsewidth::kernel::gram::Pair;
use sparsewidth::kernel::masked::{Expansion, Quadrature, Row, RowMoments};
use sparsewidth::kernel::matrix::KernelMatrix;
use sparsewidth::kernel::ntk::InfiniteWidth;
use sparsewidth::{Connectivity, Kernel, PreparedInputs, Tangent, Theorem1};

const KERNELS: [Kernel; 3] = [Kernel::Nngp, Kernel::Ntk(Tangent::Standardised), Kernel::Ntk(Tangent::Paper)];
const D: usize = 24;

/// Inputs of all sizes, some of them parallel, opposite, nearly parallel, or zero.
fn inputs(samples: usize, shift: usize) -> PreparedInputs {
    let mut values = Array2::from_shape_fn((samples, D), |(i, j)| ((3 * (i + shift) + 7 * j) as f64 * 0.61).sin());
    for i in 0..samples {
        let factor = 10f64.powi((i % 7) as i32 - 3);
        values.row_mut(i).mapv_inplace(|value| factor * value);
    }
    if samples > 6 {
        let first = values.row(0).to_owned();
        values.row_mut(1).assign(&(&first * 4.0));
        values.row_mut(2).assign(&(&first * -2.0));
        values.row_mut(3).assign(&first);
        values[[3, 5]] += 1e-6 * first[4];
        values.row_mut(4).fill(0.0);
    }
    PreparedInputs::new(values).unwrap()
}

/// Every entry against that of its pair, to a tolerance relative to `|x| |y| / d`.
fn compare(
    (what, tolerance): (&str, f64),
    matrix: &Array2<f64>,
    x: &PreparedInputs,
    y: &PreparedInputs,
    of_pair: impl Fn(&Pair) -> f64,
) {
    let mut worst = 0.0f64;
    for ((i, j), found) in matrix.indexed_iter() {
        let (first, second) = (x.values(), y.values());
        let pair = Pair::new(first.row(i), second.row(j)).unwrap();
        let size = pair.gram().scale() / D as f64;
        let expected = of_pair(&pair) / D as f64;
        assert!((found - expected).abs() <= tolerance * size, "{what}: ({i}, {j}): {found} {expected} of {size}");
        worst = worst.max((found - expected).abs() / size.max(f64::MIN_POSITIVE));
    }
    assert!(worst > 0.0, "two ways to the same numbers do not round alike");
}

fn mask() -> GivenMask {
    let kept = Array2::from_shape_fn((9, D), |(i, j)| i > 0 && (i + 3 * j + i * j) % 4 < 2);
    GivenMask::new(kept.view(), MaskScale::FanIn).unwrap()
}

#[test]
fn entries_are_the_kernels_of_pairs() {
    // More rows than a tile has.
    let (x, y) = (inputs(230, 0), inputs(210, 3));
    let p = Connectivity::new(0.7).unwrap();
    let mask = mask();
    for kernel in KERNELS {
        for (other, second) in [(None, &x), (Some(&y), &y)] {
            let found = KernelMatrix::infinite_width(&x, other, kernel).unwrap().to_array().unwrap();
            compare((&format!("infinite width {kernel}"), 1e-12), &found, &x, second, |pair| {
                InfiniteWidth::of(pair).get(kernel)
            });
            let found = KernelMatrix::expansion(&x, other, kernel, p).unwrap().to_array().unwrap();
            // The sums of the tangent kernel's change are multiplied out: their rounding grows like 1 / sin^3 t, down
            // to sin t = 0.01.
            let tolerance = if kernel == Kernel::Nngp { 1e-12 } else { 1e-10 };
            let row = Row::new(p).kernel(kernel);
            compare((&format!("expansion {kernel}"), tolerance), &found, &x, second, |pair| {
                Expansion.of_pair(pair, &row, 0).unwrap().first.value
            });
            let found = KernelMatrix::given(&x, other, kernel, &mask).unwrap().to_array().unwrap();
            compare((&format!("given {kernel}"), 1e-12), &found, &x, second, |pair| {
                D as f64 * mask.kernel(pair, kernel).unwrap().mean
            });
        }
    }
}

/// Pair by pair: a diagonal, both sides of it, two sets.
#[test]
fn exact_entries_are_those_of_theorem_1() {
    let (x, y) = (inputs(35, 0), inputs(18, 2));
    let p = Connectivity::new(0.4).unwrap();
    let theorem = Theorem1::new(p).tolerance(1e-6).kernel(Kernel::Ntk(Tangent::Standardised));
    let row = Row::new(p).kernel(Kernel::Ntk(Tangent::Standardised));
    let quadrature = Quadrature::new(1e-6).unwrap();
    for (other, second) in [(None, &x), (Some(&y), &y)] {
        let found = KernelMatrix::theorem_1(&x, other, &theorem).unwrap().to_array().unwrap();
        for ((i, j), found) in found.indexed_iter() {
            let (first, second) = (x.values(), second.values());
            let pair = Pair::new(first.row(i), second.row(j)).unwrap();
            let expected = quadrature.of_pair(&pair, &row, 0).unwrap().first.value / D as f64;
            // Both within the tolerance.
            assert!((found - expected).abs() <= 3e-6 * pair.gram().scale() / D as f64, "({i}, {j})");
        }
    }
}

#[test]
fn the_same_bits_for_any_number_of_threads_and_symmetric() {
    let x = inputs(230, 0);
    let p = Connectivity::new(0.7).unwrap();
    let mask = mask();
    let all = || {
        let found = |matrix: sparsewidth::Result<KernelMatrix>| matrix.unwrap().to_array().unwrap();
        let kernel = Kernel::Ntk(Tangent::Standardised);
        [
            found(KernelMatrix::infinite_width(&x, None, Kernel::Nngp)),
            found(KernelMatrix::expansion(&x, None, kernel, p)),
            found(KernelMatrix::given(&x, None, kernel, &mask)),
        ]
    };
    let with = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(all);
    let one = with(1);
    assert_eq!(one, with(2));
    assert_eq!(one, with(4));
    one.iter().for_each(|matrix| assert_eq!(matrix, matrix.t()));
}

#[test]
fn sets_and_masks_that_do_not_fit_are_refused() {
    let x = inputs(5, 0);
    let y = PreparedInputs::new(Array2::ones((2, D + 1))).unwrap();
    assert!(KernelMatrix::infinite_width(&x, Some(&y), Kernel::Nngp).is_err());
    assert!(KernelMatrix::given(&y, None, Kernel::Nngp, &mask()).is_err());
    assert!(KernelMatrix::given(&x, Some(&y), Kernel::Nngp, &mask()).is_err());
    // Products beyond double precision are named by their place.
    let large = PreparedInputs::new(Array2::from_elem((3, 2_000), 1e70)).unwrap();
    assert!(KernelMatrix::infinite_width(&large, None, Kernel::Nngp).unwrap().to_array().is_ok());
}

fn write(folder: &std::path::Path, name: &str, values: &Array2<f64>) -> String {
    let path = folder.join(name);
    let mut file = NpyFile::create(&path, values.dim(), FloatType::Float64).unwrap();
    file.write(0, 0, values.view()).unwrap();
    file.finish().unwrap();
    path.to_str().unwrap().into()
}

#[test]
fn the_program_writes_what_the_library_finds() {
    let folder = tempfile::tempdir().unwrap();
    let (x, y) = (inputs(200, 0), inputs(9, 3));
    let (x_file, y_file) =
        (write(folder.path(), "x.npy", &x.values().to_owned()), write(folder.path(), "y.npy", &y.values().to_owned()));
    let kept = Array2::from_shape_fn((6, D), |(i, j)| (i + j) % 3 == 0);
    let masks = folder.path().join("masks.npz");
    let mut archive = ndarray_npy::NpzWriter::new(std::fs::File::create(&masks).unwrap());
    archive.add_array("0.weight", &kept).unwrap();
    archive.finish().unwrap();
    let masks = masks.to_str().unwrap();
    let given = GivenMask::new(kept.view(), MaskScale::Density).unwrap();
    let p = Connectivity::new(0.7).unwrap();
    let ntk = Kernel::Ntk(Tangent::Paper);
    let cases: [(&[&str], KernelMatrix); 5] = [
        (&["--kernel", "nngp"], KernelMatrix::infinite_width(&x, None, Kernel::Nngp).unwrap()),
        (
            &["--kernel", "masked", "--connectivity", "0.7", "--method", "expansion", "--y", &y_file],
            KernelMatrix::expansion(&x, Some(&y), Kernel::Nngp, p).unwrap(),
        ),
        (
            &["--kernel", "ntk", "--tangent", "paper", "--connectivity", "0.7", "--method", "expansion"],
            KernelMatrix::expansion(&x, None, ntk, p).unwrap(),
        ),
        (&["--kernel", "given", "--mask-file", masks], KernelMatrix::given(&x, None, Kernel::Nngp, &given).unwrap()),
        (
            &["--kernel", "ntk", "--tangent", "paper", "--mask-file", masks, "--y", &y_file],
            KernelMatrix::given(&x, Some(&y), ntk, &given).unwrap(),
        ),
    ];
    for (place, (options, matrix)) in cases.iter().enumerate() {
        let expected = matrix.to_array().unwrap();
        for dtype in ["float64", "float32"] {
            let out = folder.path().join(format!("{place}-{dtype}.npy"));
            let out = out.to_str().unwrap();
            let usual = ["kernel", "--matrix", out, "--x", &x_file, "--dtype", dtype, "--quiet"];
            let text = done(&[&usual[..], options].concat());
            let record: Value = serde_json::from_str(&text).unwrap();
            assert_eq!((record["rows"].as_u64(), record["dtype"].as_str()), (Some(200), Some(dtype)), "{text}");
            let found = read_npy(out.as_ref()).unwrap();
            match dtype {
                "float64" => assert_eq!(found, expected, "{options:?}"),
                // Rounded at the end.
                _ => assert_eq!(found, expected.mapv(|value| f64::from(value as f32)), "{options:?}"),
            }
        }
    }
    // Theorem 1, and inputs of a data set.
    let out = folder.path().join("exact.npy");
    let out = out.to_str().unwrap();
    let usual = ["kernel", "--matrix", out, "--data", "gaussian:8,12", "--seed", "3", "--quiet"];
    let text = done(&[&usual[..], &["--kernel", "masked", "--connectivity", "0.5"]].concat());
    let record: Value = serde_json::from_str(&text).unwrap();
    assert!(record["largest_error"].as_f64().unwrap() < 1e-12, "{text}");
    let drawn = sparsewidth::data::DataSource::Gaussian { dimension: 8, samples: 12 }.inputs(3).unwrap().values;
    let drawn = PreparedInputs::new(drawn).unwrap();
    let theorem = Theorem1::new(Connectivity::new(0.5).unwrap());
    assert_eq!(read_npy(out.as_ref()).unwrap(), theorem.kernel_matrix(&drawn, None).unwrap().0);
    // Nothing that exists is replaced, and nothing else is left.
    refused(&[&usual[..], &["--kernel", "nngp"]].concat(), &["exact.npy", "exists"]);
    let hidden = std::fs::read_dir(folder.path()).unwrap().flatten();
    assert!(hidden.into_iter().all(|entry| !entry.file_name().to_string_lossy().starts_with('.')));
}

/// A part of a matrix is that of a matrix of more inputs.
#[test]
fn parts_do_not_depend_on_the_rest() {
    let x = inputs(230, 0);
    let part = PreparedInputs::from_rows(x.values().slice(s![20..60, ..])).unwrap();
    let found = |x: &PreparedInputs| KernelMatrix::infinite_width(x, None, Kernel::Nngp).unwrap().to_array().unwrap();
    let (all, some) = (found(&x), found(&part));
    for ((i, j), value) in some.indexed_iter() {
        // A product of matrices may add in another order.
        assert!((value - all[[i + 20, j + 20]]).abs() <= 1e-13 * (1.0 + value.abs()));
    }
}

/// What the expansion leaves open is said before, where something is averaged; and the cost with it.
#[test]
fn cost_and_unknown_errors_are_told() {
    let folder = tempfile::tempdir().unwrap();
    for (place, (options, told)) in [
        (&["--connectivity", "0.5", "--method", "expansion"][..], true),
        (&["--connectivity", "0.5"], false),
        (&["--kernel", "nngp"], false),
    ]
    .into_iter()
    .enumerate()
    {
        let out = folder.path().join(format!("{place}.npy"));
        let usual = ["kernel", "--matrix", out.to_str().unwrap(), "--data", "gaussian:8,12"];
        let output = sparsewidth(&[&usual[..], options].concat());
        let notes = String::from_utf8(output.stderr).unwrap();
        assert!(notes.contains("12 x 12 entries, less than 1 MB on disk: about "), "{notes}");
        assert_eq!(notes.contains("has no error estimate"), told, "{notes}");
    }
}
